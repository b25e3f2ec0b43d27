"""Calibration of a rendered rig of six cameras: videos, detection, and 0.3 px of noise on every corner.

Bars: reprojection error below 0.4 px, camera positions within 0.2 % of the rig's size. Positions are compared in the
frame of the primary camera, without any alignment.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import record

from vitruve.calibration.recordings import find_sources
from vitruve.calibration.report import describe
from vitruve.calibration.solve import camera_centers, solve
from vitruve.calibration.views import Views, find_views
from vitruve.geometry.board import Board
from vitruve.media.video import VideoWriter
from vitruve.structures.camera import stack_cameras
from vitruve.synthetic.boards import BoardRecording, ring_of_cameras

CAMERAS, INSTANTS, NOISE = 6, 60, 0.3
BOARDS = {"checkerboard": Board(8, 5, 40.0), "charuco": Board(8, 5, 40.0, 30.0)}


def render(recording: BoardRecording, folder: Path) -> None:
    """One video a camera."""
    for view in range(len(recording.cameras)):
        with VideoWriter(folder / f"cam{view}.mp4", 25, crf=12) as video:
            for image in recording.images(view):
                video.write(np.repeat(image[..., None], 3, 2))


def figures(views: Views, recording: BoardRecording) -> dict[str, Any]:
    """What the calibration reaches."""
    began = time.perf_counter()
    solution = solve(views)
    seconds = time.perf_counter() - began
    truth, found = stack_cameras(recording.cameras), solution.bundle.cameras
    centers = camera_centers(truth)
    size = float(np.linalg.norm(centers[:, None] - centers[None], axis=-1).max())
    away = np.linalg.norm(camera_centers(found) - centers, axis=-1)
    turn = np.einsum("vij,vkj->vik", found.rotation, truth.rotation)
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    report = describe(solution)
    return {
        "boards_found": [item["boards_found"] for item in report["cameras"]],
        "error_px": report["error_px"],
        "rig_mm": size,
        "positions_off_mm": away.tolist(),
        "worst_position_percent_of_rig": 100 * float(away.max()) / size,
        "worst_angle_degrees": float(np.degrees(angle.max())),
        "worst_focal_percent": 100 * float(abs(found.intrinsics[:, 0, 0] / truth.intrinsics[:, 0, 0] - 1).max()),
        "told_deviation_mm": [item["position_deviation_mm"] for item in report["cameras"]],
        "solve_seconds": seconds,
    }


def measure(board: Board) -> dict[str, Any]:
    """Render, detect, disturb, calibrate."""
    recording = BoardRecording.waved(board, ring_of_cameras(CAMERAS, spread=2.0), INSTANTS)
    with tempfile.TemporaryDirectory() as folder:
        render(recording, Path(folder))
        began = time.perf_counter()
        views = find_views(board, find_sources(Path(folder)), most=INSTANTS)
        seconds = time.perf_counter() - began
    exact = recording.corners()[views.instant, views.camera]
    off = np.linalg.norm(views.pixels - exact, axis=-1)
    noise = np.random.default_rng(0).normal(size=views.pixels.shape) * NOISE
    return {
        "images": int(views.searched.sum()),
        "detect_seconds": seconds,
        "median_corner_off_px": float(np.nanmedian(off)),
        "as_detected": figures(views, recording),
        "with_noise": figures(replace(views, pixels=views.pixels + noise), recording),
    }


if __name__ == "__main__":
    record("calibrate", {"noise_px": NOISE, **{name: measure(board) for name, board in BOARDS.items()}})
