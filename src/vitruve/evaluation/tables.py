"""The tables of a report, from its table of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from vitruve.evaluation import metrics
from vitruve.structures.instances import OCCLUDED, VISIBLE

PIXELS = (5.0, 10.0)
"""Absolute thresholds of PCK, in pixels."""

ALPHAS = (0.05, 0.1, 0.2)
"""Thresholds of PCK relative to the size of the instance."""


def figures(rows: pd.DataFrame) -> dict[str, int | float]:
    """What a set of keypoints amounts to.

    Args:
        rows: Part of :attr:`Report.errors`.

    Returns:
        Counts, errors in px and PCK in percent, by the names of the columns of :attr:`Report.summary`.
    """
    visible = rows[rows["visible"] == VISIBLE]
    occluded = rows.loc[rows["visible"] == OCCLUDED, "error"].dropna().to_numpy()
    all_errors, sizes = visible["error"].to_numpy()[:, None], visible["size"].to_numpy()
    errors = all_errors[~np.isnan(all_errors)]
    labelled = np.ones(all_errors.shape, bool)
    middle, high, higher = np.percentile(errors, (50, 90, 95)) if errors.size else (np.nan,) * 3
    return {
        "keypoints": len(visible),
        "occluded": int((rows["visible"] == OCCLUDED).sum()),
        "missed": len(visible) - errors.size,
        "mean_error_px": _mean(errors),
        "median_error_px": float(middle),
        "p90_error_px": float(high),
        "p95_error_px": float(higher),
        **{f"pck_{p:g}px_percent": 100 * metrics.pck(all_errors, p, labelled=labelled) for p in PIXELS},
        **{f"pck_{a:g}size_percent": 100 * metrics.pck(all_errors, a, sizes, labelled) for a in ALPHAS},
        "occluded_mean_error_px": _mean(occluded),
    }


def summary(errors: pd.DataFrame, frames: Mapping[str, int], gap: str) -> pd.DataFrame:
    """One row a split.

    Args:
        errors: :attr:`Report.errors`.
        frames: How many frames each split has.
        gap: Name of the column with the calibration error.

    Returns:
        See :attr:`Report.summary`.
    """
    rows = []
    for split, count in frames.items():
        part = errors[errors["split"] == split]
        table = metrics.calibration(*confident(part, "inside"))
        rows.append(
            {"split": split, "frames": count, **figures(part), gap: 100 * metrics.expected_calibration_error(table)}
        )
    return pd.DataFrame(rows)


def per_keypoint(errors: pd.DataFrame, splits: Sequence[str], keypoints: Sequence[str]) -> pd.DataFrame:
    """One row a split and keypoint.

    Args:
        errors: :attr:`Report.errors`.
        splits: Their order.
        keypoints: Their order.

    Returns:
        See :attr:`Report.per_keypoint`.
    """
    groups = dict(list(errors.groupby(["split", "keypoint"], sort=False)))
    nothing = errors.iloc[:0]
    return pd.DataFrame(
        [
            {"split": split, "keypoint": keypoint, **figures(groups.get((split, keypoint), nothing))}
            for split in splits
            for keypoint in keypoints
        ]
    )


def by_split(
    errors: pd.DataFrame,
    splits: Sequence[str],
    table_of: Callable[[np.ndarray, np.ndarray], pd.DataFrame],
    column: str = "error",
) -> pd.DataFrame:
    """A table of errors and confidences for each split, below one another.

    Args:
        errors: :attr:`Report.errors`.
        splits: Their order.
        table_of: Makes the table of one split from that column and scores.
        column: See :func:`confident`.

    Returns:
        The tables with ``split`` as first column.
    """
    parts = []
    for split in splits:
        table = table_of(*confident(errors[errors["split"] == split], column))
        table.insert(0, "split", split)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def confident(rows: pd.DataFrame, column: str = "error") -> tuple[np.ndarray, np.ndarray]:
    """What a column says of the keypoints labelled visible, and their scores.

    Args:
        rows: Part of :attr:`Report.errors`.
        column: ``error`` (px), or ``inside``.

    Returns:
        Two arrays of the same length, NaN where there is none.
    """
    visible = rows[rows["visible"] == VISIBLE]
    return visible[column].to_numpy(np.float64), visible["score"].to_numpy(np.float64)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
