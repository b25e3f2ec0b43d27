"""Boxes around animals: from keypoints, without gaps, smooth in time.

A box is the area to look at, as edges ``x1 y1 x2 y2`` in original pixels. The pixel in column ``x`` covers the area
from ``x - 0.5`` to ``x + 0.5``, so a whole image of width ``W`` is the area from ``-0.5`` to ``W - 0.5``. Boxes are not
bound to whole pixels nor to the image: what lies outside is black. While they are made they are kept as centre and
size, ``cx cy w h``, because each of these may be missing (NaN) on its own, and is filled and smoothed on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from vitruve.geometry.affine import Size

Boxes = Float[np.ndarray, "*lead 4"]

SmoothMethod = Literal["median", "mean", "savgol"]

_SAVGOL_DEGREE = 2


@dataclass(frozen=True)
class BoxRule:
    """How large a box is, around what.

    Attributes:
        ratio: Times the extent of the keypoints, where ``size`` is None.
        size: Longer side of the box in pixels, or None.
        threshold: Keypoints of lower likelihood do not count, 0 to 1.
        min_size: Shorter side of the box in pixels, at least: keypoints that coincide have no extent.
        aspect: Width over height, that of the network's input, so that nothing is distorted.
    """

    ratio: float = 2.0
    size: float | None = None
    threshold: float = 0.0
    min_size: float = 32.0
    aspect: float = 1.0


def centred(edges: Boxes) -> Boxes:
    """Centre and size ``cx cy w h`` of boxes given by their edges."""
    low, high = edges[..., :2], edges[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], -1)


def edges(boxes: Boxes) -> Boxes:
    """Edges ``x1 y1 x2 y2`` of boxes given by centre and size."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return np.concatenate([middle - half, middle + half], -1)


def overlaps(
    some: Float[np.ndarray, "M 4"], others: Float[np.ndarray, "N 4"], within: Bool[np.ndarray, " N"] | None = None
) -> Float[np.ndarray, "M N"]:
    """Intersection over union of each box with each of the others.

    Args:
        some: Edges.
        others: Edges.
        within: Of which of the others it is not the union but the first box that the intersection is divided by: how
            much of it lies within them. None for none.

    Returns:
        From 0 to 1; 0 where a box is NaN or both are empty.
    """
    with np.errstate(invalid="ignore"):
        common = np.minimum(some[:, None, 2:], others[:, 2:]) - np.maximum(some[:, None, :2], others[:, :2])
        both = np.maximum(common, 0).prod(-1)
        own, theirs = ((boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (some, others))
        union = own[:, None] + theirs - both
        if within is not None:
            union = np.where(within, own[:, None], union)
        return np.where(union > 0, both / np.where(union > 0, union, 1), 0.0)


def whole_image(size: Size, aspect: float) -> Float[np.ndarray, " 4"]:
    """The smallest box of a proportion that holds a whole image.

    Args:
        size: Width and height of the image.
        aspect: Width over height of the box.

    Returns:
        Centre and size; it sticks out where the proportions differ.
    """
    height = max(size[1], size[0] / aspect)
    return np.array([(size[0] - 1) / 2, (size[1] - 1) / 2, aspect * height, height])


def boxes_around(
    points: Float[np.ndarray, "T K 2"], scores: Float[np.ndarray, "T K"] | None, rule: BoxRule
) -> Float[np.ndarray, "T 4"]:
    """Boxes around keypoints, one a frame.

    Proportional boxes are the smallest ones of the rule's proportion that hold the extent of the keypoints ``ratio``
    times; the idea of a fixed or proportional size around anchor keypoints is that of Lightning Pose's ``create_bbox``.

    Args:
        points: The anchor keypoints in original pixels, NaN where missing.
        scores: Their likelihood, or None where all of them count.
        rule: Size, proportion, threshold.

    Returns:
        Centre and size. The centre is NaN in a frame where no keypoint counts; a proportional size also where only one
        does, because that has no extent.
    """
    there = ~np.isnan(points).any(-1)
    if scores is not None:
        with np.errstate(invalid="ignore"):
            there &= scores >= rule.threshold
    count = there.sum(-1)
    low = np.where(there[..., None], points.astype(np.float64), np.inf).min(1, initial=np.inf)
    high = np.where(there[..., None], points.astype(np.float64), -np.inf).max(1, initial=-np.inf)
    low[count == 0] = high[count == 0] = np.nan
    if rule.size is not None:
        height = np.full(len(points), rule.size / max(1.0, rule.aspect))
    else:
        extent = rule.ratio * (high - low)
        height = np.maximum(extent[:, 1], extent[:, 0] / rule.aspect)
        height = np.where(count > 1, height, np.nan)
    height = np.maximum(height, rule.min_size * max(1.0, 1 / rule.aspect))
    return np.concatenate([(low + high) / 2, (rule.aspect * height)[:, None], height[:, None]], -1)


def known_median(values: Float[np.ndarray, "T V 4"]) -> Float[np.ndarray, "V 4"]:
    """The median over time of what is known; NaN where nothing is.

    Unlike numpy's it warns of nothing, and so is fit for threads, in which warnings cannot be silenced.

    Args:
        values: At least one instant, NaN where missing.

    Returns:
        The medians.
    """
    ordered = np.sort(values, 0)  # NaN comes last
    count = (~np.isnan(values)).sum(0, keepdims=True)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(values) - 1)
    return (np.take_along_axis(ordered, low, 0) + np.take_along_axis(ordered, high, 0))[0] / 2


def fill_gaps(boxes: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, "T 4"]:
    """Fill what is missing by straight lines in time; before the first and after the last known value it stays.

    Args:
        boxes: Centre and size, NaN where missing.

    Returns:
        The same without NaN, as far as each of the four is known at any time at all.
    """
    time = np.arange(len(boxes))
    filled = boxes.copy()
    for column in filled.T:
        known = ~np.isnan(column)
        if known.any():
            column[~known] = np.interp(time[~known], time[known], column[known])
    return filled


def smooth_boxes(
    boxes: Float[np.ndarray, "T 4"], method: SmoothMethod = "median", window: int = 5, *, one_size: bool = False
) -> Float[np.ndarray, "T 4"]:
    """Smooth centres and sizes over time.

    Args:
        boxes: Centre and size, without NaN.
        method: ``median`` or ``mean`` of the window, which is cut off at both ends of the sequence; or ``savgol``, a
            parabola fitted to the window (Savitzky and Golay 1964).
        window: Frames, an odd number of at least 1.
        one_size: Give all boxes the median size.

    Returns:
        The smoothed boxes.

    Raises:
        ValueError: The window is even or below 1.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"window={window}: must be an odd number of frames, at least 1")
    reach = min(window // 2, (len(boxes) - 1) // 2) if method == "savgol" else window // 2
    result = boxes.copy()
    if method == "savgol":
        if 2 * reach + 1 > _SAVGOL_DEGREE:
            from scipy.signal import savgol_filter  # it takes half a second to import, and every command reads settings

            result = savgol_filter(boxes, 2 * reach + 1, _SAVGOL_DEGREE, axis=0)
            result[:, 2:] = np.maximum(result[:, 2:], boxes[:, 2:].min(0))  # a parabola may overshoot, a size must not
    elif reach and len(boxes):
        padded = np.pad(boxes, ((reach, reach), (0, 0)), constant_values=np.nan)
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
        result = (np.nanmedian if method == "median" else np.nanmean)(windows, -1)
    if one_size and len(boxes):
        result[:, 2:] = np.median(boxes[:, 2:], 0)
    return result


def window_box(boxes: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, " 4"]:
    """One box for consecutive frames that are looked at through the same crop.

    An animal that fills half of its box stays inside as long as it moves by less than the box is long.

    Args:
        boxes: Centre and size of each frame, all of one proportion, at least one.

    Returns:
        The middle of the centres; the median size, larger by half of how far the centres move.
    """
    low, high = boxes[:, :2].min(0), boxes[:, :2].max(0)
    size = np.median(boxes[:, 2:], 0)
    return np.concatenate([(low + high) / 2, size * (1 + 0.5 * ((high - low) / size).max())])
