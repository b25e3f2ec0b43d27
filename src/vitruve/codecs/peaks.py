"""Peaks of confidence maps, to a fraction of a cell, compiled."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

MOST = 100
"""Peaks a keypoint at most, the highest: a network that has learned nothing has hundreds, and limbs their square."""
_NEAREST = 0.75
"""Peaks of one keypoint nearer than this, in cells, are one: a Gaussian between cells has several highest."""
_FLOOR = 1e-3


class Peaks(NamedTuple):
    """The peaks of all maps of an image, one map after another.

    Attributes:
        begin: ``(K + 1,)`` where the peaks of each keypoint begin; the last is their number.
        x: ``(M,)`` in cells.
        y: ``(M,)`` in cells.
        scores: ``(M,)`` the map's height at its peak, from 0 to 1.
    """

    begin: Int[np.ndarray, " K1"]
    x: Float[np.ndarray, " M"]
    y: Float[np.ndarray, " M"]
    scores: Float[np.ndarray, " M"]


def find_peaks(maps: Float[np.ndarray, "K h w"], threshold: float, spread: float) -> Peaks:
    """All peaks of confidence maps.

    A peak is a cell higher than its four neighbours. The parabola through the logarithms of it and its neighbours has
    its top where the Gaussian has: exactly so for a Gaussian, of whatever width.

    Args:
        maps: Confidence maps, without the background.
        threshold: Least height of a cell.
        spread: Standard deviation of the Gaussians in cells, for peaks at the border, which lack a neighbour.

    Returns:
        At most :data:`MOST` a map.
    """
    return Peaks(*_find(np.ascontiguousarray(maps, np.float32), float(threshold), float(spread)))


@njit(cache=True)
@no_type_check
def _find(maps, threshold, spread):
    count, height, width = maps.shape
    begin = np.zeros(count + 1, np.int64)
    xs, ys, scores = np.empty(count * MOST), np.empty(count * MOST), np.empty(count * MOST)
    cells = np.empty((height * width, 2), np.int64)
    heights = np.empty(height * width, np.float64)
    total = 0
    for k in range(count):
        found = 0
        one = maps[k]
        for row in range(height):
            for column in range(width):
                value = one[row, column]
                # Of equal neighbours the one further on is the peak.
                if (
                    value > threshold
                    and (column == 0 or value > one[row, column - 1])
                    and (row == 0 or value > one[row - 1, column])
                    and (column == width - 1 or value >= one[row, column + 1])
                    and (row == height - 1 or value >= one[row + 1, column])
                ):
                    cells[found] = row, column
                    heights[found] = value
                    found += 1
        first = total
        for place in np.argsort(-heights[:found], kind="mergesort"):
            row, column = cells[place]
            x, up_x = _top(one[row], column, spread)
            y, up_y = _top(one[:, column], row, spread)
            if total - first == MOST:
                break
            twin = False
            for other in range(first, total):
                twin = twin or np.hypot(xs[other] - x, ys[other] - y) < _NEAREST
            if not twin:
                xs[total], ys[total] = x, y
                scores[total] = min(1.0, heights[place] * np.exp(up_x + up_y))
                total += 1
        begin[k + 1] = total
    return begin, xs[:total].copy(), ys[:total].copy(), scores[:total].copy()


@njit(cache=True)
@no_type_check
def _top(line, at, spread):
    """Where the top is along a line of cells, and how much higher its logarithm is than the cell's."""
    here = np.log(max(line[at], _FLOOR))
    width = 1 / (spread * spread)
    before = np.log(max(line[at - 1], _FLOOR)) if at > 0 else np.nan
    after = np.log(max(line[at + 1], _FLOOR)) if at < len(line) - 1 else np.nan
    if np.isnan(before) and np.isnan(after):
        return float(at), 0.0
    if np.isnan(before):
        before = 2 * here - after - width
    elif np.isnan(after):
        after = 2 * here - before - width
    slope, bend = (after - before) / 2, 2 * here - before - after
    if bend <= 1e-6:
        return float(at), 0.0
    step = min(0.5, max(-0.5, slope / bend))
    return at + step, slope * step - bend * step * step / 2
