"""Rendered recordings of a calibration board that is moved before several cameras, with exact truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import map_coordinates

from vitruve.errors import InputError
from vitruve.geometry.board import Board
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.camera import Camera, stack_cameras

_TEXELS = 48
_SAMPLES = 3
_COARSE = 8
_DESK, _PAPER = 105.0, 200.0
_MOST_TILT = 0.6
# Of the summed projections across the lines of sight: 0 where they are all parallel.
_PARALLEL = 1e-9


def ring_of_cameras(
    count: int,
    size: tuple[int, int] = (640, 480),
    *,
    radius: float = 600.0,
    spread: float = 1.2,
    focal: float = 1.1,
    seed: int = 0,
) -> tuple[Camera, ...]:
    """Cameras side by side on an arc, all turned to the origin, each with its own lens; the first is the world's frame.

    Args:
        count: How many.
        size: Width and height of the images, px.
        radius: Distance to the origin in millimetres.
        spread: Angle between the first and the last camera in radians.
        focal: Focal length as a multiple of the width.
        seed: Another seed gives other heights, rolls and lenses.

    Returns:
        The cameras, with the first one's rotation and translation as the frame of all.
    """
    rng = np.random.default_rng(seed)
    made = []
    for angle in np.linspace(-spread / 2, spread / 2, count):
        turn = (
            matrix_from_vector(np.array([0, 0, rng.normal() * 0.1]))
            @ matrix_from_vector(np.array([rng.uniform(-0.25, 0.25), 0, 0]))
            @ matrix_from_vector(np.array([0, angle, 0]))
        )
        length = focal * size[0] * rng.uniform(0.95, 1.05)
        middle = (np.array(size) - 1) / 2 + rng.normal(size=2) * 0.01 * size[0]
        matrix = np.array([[length, 0, middle[0]], [0, length * 1.003, middle[1]], [0, 0, 1]])
        lens = np.zeros(8)
        lens[:2] = rng.uniform(-0.18, -0.08), rng.uniform(0.02, 0.08)
        shift = np.array([0, 0, radius * rng.uniform(0.95, 1.05)])
        made.append(Camera(matrix, turn, shift, lens, np.array(size, np.float64)))
    first = made[0]
    return tuple(
        Camera(
            each.intrinsics,
            each.rotation @ first.rotation.T,
            each.translation - each.rotation @ first.rotation.T @ first.translation,
            each.distortion,
            each.size,
        )
        for each in made
    )


@dataclass(frozen=True)
class BoardRecording:
    """A board at several places, and the cameras that see it.

    Attributes:
        board: What is shown.
        cameras: Who sees it.
        rotation: ``(T, 3, 3)`` from the board to the world, an instant.
        translation: ``(T, 3)`` in millimetres.
        seed: Of the noise.
    """

    board: Board
    cameras: tuple[Camera, ...]
    rotation: Float[np.ndarray, "T 3 3"]
    translation: Float[np.ndarray, "T 3"]
    seed: int = 0

    @classmethod
    def waved(
        cls, board: Board, cameras: Sequence[Camera], instants: int, *, reach: float | None = None, seed: int = 0
    ) -> BoardRecording:
        """The board moved about the place that all cameras look at, facing some of them more, some less.

        Args:
            board: What is shown.
            cameras: Who sees it.
            instants: How many.
            reach: How far it is moved, in millimetres; None for a fifth of the cameras' distance.
            seed: Another seed gives other places.

        Returns:
            The recording.

        Raises:
            InputError: The cameras do not look at one place: there is one alone, or they look in parallel.
        """
        rng = np.random.default_rng(seed)
        stacked = stack_cameras(tuple(cameras))
        turns = stacked.rotation
        centers = -np.einsum("vji,vj->vi", turns, stacked.translation)
        axes = turns[:, 2]
        # The place nearest to all lines of sight.
        across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
        if np.linalg.eigvalsh(across.sum(0))[0] < _PARALLEL:
            raise InputError("boards: the cameras do not look at one place; give two or more that are turned to it")
        focus = np.linalg.solve(across.sum(0), np.einsum("vij,vj->i", across, centers))
        distance = float(np.linalg.norm(centers - focus, axis=-1).mean())
        away = rng.uniform(-1, 1, (instants, 3)) * (distance / 5 if reach is None else reach)
        tilts = rng.uniform(-_MOST_TILT, _MOST_TILT, (instants, 3))
        facing = turns[rng.integers(0, len(turns), instants)].swapaxes(-1, -2)
        rotation = facing @ matrix_from_vector(tilts)
        return cls(board, tuple(cameras), rotation, focus + away - rotation @ board.middle, seed)

    def corners(self) -> Float[np.ndarray, "T V N 2"]:
        """Where the corners are, exactly; NaN outside the image, and where a camera sees the board's back.

        Returns:
            Pixels.
        """
        stacked = stack_cameras(self.cameras)
        points = self.board.points @ self.rotation.swapaxes(-1, -2) + self.translation[:, None]
        pixels = stacked.project(points[:, None])
        outside = ((pixels < 0) | (pixels > stacked.size[:, None] - 1)).any(-1)
        centers = -np.einsum("vji,vj->vi", stacked.rotation, stacked.translation)
        behind = np.einsum("tvi,ti->tv", centers - self.translation[:, None], self.rotation[:, :, 2]) > 0
        return np.where((outside | behind[..., None])[..., None], np.nan, pixels)

    def images(self, view: int, noise: float = 2.0) -> Iterator[UInt8[np.ndarray, "H W"]]:
        """What a camera sees, instant by instant: the board with its margin before a grey, uneven desk.

        Args:
            view: Which camera.
            noise: Standard deviation in grey levels.

        Yields:
            Grey images.
        """
        camera = self.cameras[view]
        rng = np.random.default_rng((self.seed, view))
        width, height = (int(side) for side in camera.size)
        texture = _softened(self.board.image(_TEXELS).astype(np.float32))
        rays = _rays(camera) @ camera.rotation
        center = -camera.rotation.T @ camera.translation
        light = (
            1 + 0.25 * (np.arange(width) / width - 0.5)[None, :] + 0.15 * (np.arange(height) / height - 0.5)[:, None]
        )
        light = light * rng.uniform(0.75, 1.0)
        for turn, shift in zip(self.rotation, self.translation, strict=True):
            image = np.full((height, width), _DESK, np.float32)
            rows, columns = self._place(camera, turn, shift)
            seen = rays[:, :, rows, columns]
            origin, directions = (center - shift) @ turn, seen @ turn
            with np.errstate(divide="ignore", invalid="ignore"):
                depth = -origin[2] / directions[..., 2]
                place = (origin[:2] + depth[..., None] * directions[..., :2]) / self.board.square * _TEXELS + _TEXELS
                column, row = np.moveaxis(np.floor(np.nan_to_num(place, nan=-1)), -1, 0).astype(np.int64)
            inside = (depth > 0) & (row >= 0) & (column >= 0) & (row < texture.shape[0]) & (column < texture.shape[1])
            grey = np.full(inside.shape, _DESK, np.float32)
            grey[inside] = texture[row[inside], column[inside]] if origin[2] < 0 else _PAPER
            image[rows, columns] = grey.mean((0, 1))
            noisy = image * light + rng.normal(size=image.shape) * noise
            yield np.clip(noisy, 0, 255).round().astype(np.uint8)

    def _place(self, camera: Camera, turn: np.ndarray, shift: np.ndarray) -> tuple[slice, slice]:
        """The part of the image that the board and its margin lie in; all of it where they reach behind the camera."""
        around = np.array([[-1, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]]) * (self.board.middle + self.board.square)
        pixels = camera.project((around + self.board.middle) @ turn.T + shift)
        width, height = (int(side) for side in camera.size)
        if np.isnan(pixels).any():
            return slice(0, height), slice(0, width)
        # Straight edges bulge in a lens.
        slack = 0.1 * np.ptp(pixels, 0) + 2
        (left, top), (right, bottom) = np.floor(pixels.min(0) - slack), np.ceil(pixels.max(0) + slack)
        return (
            slice(*np.clip([top, bottom], 0, height).astype(int)),
            slice(*np.clip([left, right], 0, width).astype(int)),
        )


def _rays(camera: Camera) -> Float[np.ndarray, "S S H W 3"]:
    """Directions of S x S places in each pixel, by cubic interpolation: the exact inverse of a lens is slow."""
    width, height = (int(side) for side in camera.size)
    x, y = (np.arange(-2, side // _COARSE + 4) * _COARSE for side in (width, height))
    known = camera.undistort(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float64))
    known = known.reshape(len(y), len(x), 2)
    offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    rays = np.ones((_SAMPLES, _SAMPLES, height, width, 3))
    for i, j in np.ndindex(_SAMPLES, _SAMPLES):
        rows, columns = np.meshgrid(np.arange(height) + offsets[i], np.arange(width) + offsets[j], indexing="ij")
        for axis in range(2):
            rays[i, j, ..., axis] = map_coordinates(
                known[..., axis], [rows / _COARSE + 2, columns / _COARSE + 2], order=3
            )
    return rays


def _softened(texture: np.ndarray) -> np.ndarray:
    """Ink is not pure black, paper not pure white."""
    return 25 + texture * np.float32(200 / 255)
