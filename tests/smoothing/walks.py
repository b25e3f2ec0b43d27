"""Simulated ensembles with known truth, in arrays and in files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitruve.formats.anipose import write_calibration
from vitruve.formats.table import format_rows, header_lines
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.camera import Camera


def walk(frames: int, keypoints: int, seed: int = 0, step: float = 1.0, dims: int = 2) -> np.ndarray:
    """A random walk ``(T, K, D)`` around 200."""
    return 200 + np.cumsum(np.random.default_rng(seed).normal(size=(frames, keypoints, dims)) * step, 0)


def members(truth: np.ndarray, count: int = 5, own: float = 2.0, shared: float = 0.0, seed: int = 1) -> np.ndarray:
    """``(N, ...)`` truth with normal errors, some of them the same in all members."""
    rng = np.random.default_rng(seed)
    return truth + rng.normal(size=(count, *truth.shape)) * own + rng.normal(size=truth.shape) * shared


def rmse(error: np.ndarray) -> float:
    return float(np.sqrt(np.nanmean(error**2)))


def names(count: int) -> list[str]:
    return [f"part{number}" for number in range(count)]


def write_table(path: Path, keypoints: np.ndarray, parts: Sequence[str] | None = None, score: float = 0.9) -> Path:
    """A prediction table of ``(T, K, 2)``, as Lightning Pose and DeepLabCut write it."""
    parts = names(keypoints.shape[1]) if parts is None else parts
    path.parent.mkdir(parents=True, exist_ok=True)
    scores = np.full(keypoints.shape[:2], score)
    rows = format_rows(range(len(keypoints)), keypoints, scores)
    path.write_text("\n".join([*header_lines("net", parts), rows]))
    return path


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream))


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """``(T, K, columns)`` of a table with three header rows."""
    rows = [[float(cell or "nan") for cell in row[1:]] for row in read_rows(path)[3:]]
    return np.array(rows).reshape(len(rows), -1, columns)


def write_cameras(path: Path) -> dict[str, Camera]:
    """Three cameras around the origin, which look at it from 900 away, and their calibration file."""
    cameras = {}
    for number, name in enumerate(("Cam-A", "Cam-B", "Cam-C")):
        turn = matrix_from_vector(np.array([0.1, 1.1 * number, 0.0]))
        matrix = np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]])
        cameras[name] = Camera(matrix, turn, np.array([0, 0, 900.0]), np.zeros(8), np.array([640.0, 480.0]))
    write_calibration(cameras, path)
    return cameras
