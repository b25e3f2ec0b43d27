"""Simulated ensembles with known truth, in arrays and in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitruve.formats.table import format_rows, header_lines


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
