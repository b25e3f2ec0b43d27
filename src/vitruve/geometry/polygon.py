"""The pixels of polygons, without an image in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vitruve.structures.mask import Mask


def polygon_mask(polygons: Sequence[Float[np.ndarray, "_ 2"]], size: tuple[int, int]) -> Mask:
    """The pixels whose centres lie in any of some polygons.

    Args:
        polygons: Corners in pixels, each polygon closed by itself; where it crosses itself, what lies inside an even
            number of times is outside.
        size: Width and height of the image; what lies beyond it is left out.

    Returns:
        The mask.
    """
    parts = [_intervals(np.asarray(polygon, np.float64), size) for polygon in polygons]
    starts = [start for start, _ in parts] or [np.zeros(0, np.int64)]
    ends = [end for _, end in parts] or [np.zeros(0, np.int64)]
    return Mask.from_intervals(size, np.concatenate(starts), np.concatenate(ends))


def box_mask(boxes: Float[np.ndarray, "N 4"], size: tuple[int, int]) -> Mask:
    """The pixels whose centres lie in any of some boxes ``x1 y1 x2 y2``."""
    return polygon_mask([box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2) for box in boxes], size)


def _intervals(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """First pixels, and those after the last ones, of what is inside in each column."""
    width, height = size
    following = np.roll(corners, -1, 0)
    left = np.where((corners[:, 0] <= following[:, 0])[:, None], corners, following)
    right = np.where((corners[:, 0] <= following[:, 0])[:, None], following, corners)
    # A column belongs to an edge from its left end up to, without, its right end: corners are met once.
    first = np.clip(np.ceil(left[:, 0]), 0, width).astype(np.int64)
    last = np.clip(np.ceil(right[:, 0]), 0, width).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(corners)), counts)
    columns = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (right[:, 1] - left[:, 1]) / (right[:, 0] - left[:, 0])
    heights = left[edge, 1] + (columns - left[edge, 0]) * slope[edge]
    order = np.lexsort((heights, columns))
    rows = np.clip(np.ceil(heights[order]), 0, height).astype(np.int64) + columns[order] * height
    return rows[::2], rows[1::2]
