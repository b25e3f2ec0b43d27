"""What the tables of a prediction in space say of all frames together, read in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.pipeline.tables_3d import DIFFERENCE, LOG, REPROJECTION

# Medians are found to one part in a hundred, from 1e-4 to 1e6 millimetres or pixels.
_BINS_A_DECADE, _LOWEST, _DECADES = 230, -4, 10
_ROWS = 4096


class Medians:
    """Medians of columns that do not fit into memory, from a histogram with logarithmic bins.

    Args:
        columns: How many.
    """

    def __init__(self, columns: int) -> None:
        self._counts = np.zeros((columns, _BINS_A_DECADE * _DECADES), np.int64)

    def add(self, values: Float[np.ndarray, "T C"]) -> None:
        """Take rows into account.

        Args:
            values: From 0; NaN does not count.
        """
        rows, columns = np.nonzero(np.isfinite(values))
        logs = np.log10(np.maximum(values[rows, columns], 10.0**_LOWEST))
        bins = ((logs - _LOWEST) * _BINS_A_DECADE).astype(int).clip(0, self._counts.shape[1] - 1)
        np.add.at(self._counts, (columns, bins), 1)

    def of(self, *groups: Sequence[int]) -> list[float | None]:
        """Medians of all values of several columns together.

        Args:
            groups: Numbers of columns.

        Returns:
            One number a group; None where it has no value.
        """
        found: list[float | None] = []
        for group in groups:
            sums = self._counts[list(group)].sum(0).cumsum()
            place = float(np.searchsorted(sums, (sums[-1] + 1) // 2)) + 0.5
            found.append(round(10 ** (place / _BINS_A_DECADE + _LOWEST), 4) if sums[-1] else None)
        return found


def summarised(folder: Path, cameras: Sequence[str], keypoints: Sequence[str]) -> dict[str, Any]:
    """Medians, how many frames have points, and how sure each camera was at best.

    Args:
        folder: Of the tables.
        cameras: Their names.
        keypoints: Their names.

    Returns:
        Plain values.
    """
    views, joints = len(cameras), len(keypoints)
    errors, apart = Medians(views * joints), Medians(2 * joints)
    for values in _values(folder / REPROJECTION):
        errors.add(values)
    for values in _values(folder / DIFFERENCE):
        apart.add(values)
    column = np.arange(views * joints).reshape(views, joints)
    by_camera, by_keypoint = column.tolist(), column.T.tolist()
    return {
        **log_summary(folder, cameras),
        "reprojection_px": {
            "all": errors.of(range(views * joints))[0],
            "cameras": dict(zip(cameras, errors.of(*by_camera), strict=True)),
            "keypoints": dict(zip(keypoints, errors.of(*by_keypoint), strict=True)),
        },
        "distance_mm": dict(zip(keypoints, apart.of(*[[2 * k] for k in range(joints)]), strict=True)),
        "triangulated_deviation_mm": dict(zip(keypoints, apart.of(*[[2 * k + 1] for k in range(joints)]), strict=True)),
    }


def log_summary(folder: Path, cameras: Sequence[str]) -> dict[str, Any]:
    """How many frames have points, why most others have none, and how sure each camera was at best.

    Args:
        folder: Of the log.
        cameras: Their names.

    Returns:
        Plain values.
    """
    located, best = 0, np.zeros(len(cameras))
    reasons: Counter[str] = Counter()
    for chunk in pd.read_csv(folder / LOG, chunksize=_ROWS):
        located += int(chunk["reason"].isna().sum())
        reasons.update(str(reason).partition(";")[0] for reason in chunk["reason"].dropna())
        best = np.maximum(best, chunk[list(cameras)].max().to_numpy(float))
    return {
        "located": located,
        "not_located_because": next((reason for reason, _ in reasons.most_common(1)), None),
        "best_confidence": dict(zip(cameras, best.round(4).tolist(), strict=True)),
    }


def _values(table: Path) -> Iterator[Float[np.ndarray, "T C"]]:
    for chunk in pd.read_csv(table, header=None, skiprows=2, chunksize=_ROWS):
        yield chunk.to_numpy(float)[:, 1:]
