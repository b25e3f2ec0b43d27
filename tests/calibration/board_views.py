"""Corners of a rendered rig without rendering it: exact projections, with noise where a test wants it."""

from __future__ import annotations

import numpy as np

from vitruve.calibration.views import Views
from vitruve.geometry.board import Board
from vitruve.synthetic.boards import BoardRecording, ring_of_cameras

CHECKERBOARD = Board(8, 5, 40.0)


def recording(
    board: Board = CHECKERBOARD, cameras: int = 3, instants: int = 24, spread: float = 1.2, seed: int = 0
) -> BoardRecording:
    """A board waved before a few cameras."""
    return BoardRecording.waved(board, ring_of_cameras(cameras, spread=spread), instants, seed=seed)


def views_of(made: BoardRecording, noise: float = 0.0, seed: int = 0, turned: bool = False) -> Views:
    """The whole boards of a recording; ``turned`` takes each image's corners in any order that looks alike."""
    rng = np.random.default_rng(seed)
    corners = made.corners()
    whole = ~np.isnan(corners).any((-1, -2))
    instant, camera = np.nonzero(whole)
    pixels = corners[whole] + rng.normal(size=corners[whole].shape) * noise
    if turned:
        turns = made.board.turns
        pixels = np.stack([each[turns[rng.integers(len(turns))]] for each in pixels])
    names = tuple(f"cam{number}" for number in range(len(made.cameras)))
    sizes = np.array([each.size for each in made.cameras]).astype(int)
    return Views(made.board, names, sizes, camera, instant, pixels, np.full(len(names), len(corners)))
