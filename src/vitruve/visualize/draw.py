"""Keypoints and limbs on images, and many images on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vitruve.errors import InputError, nearest
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

# OpenCV takes sub-pixel positions as whole numbers of 1/16 px; like ours, they count from a pixel's centre.
_SHIFT = 4
_UNIT = 1 << _SHIFT
_OUTLINE = (20, 20, 20)
_SHEET = 24
# Multiples of the golden ratio are spread evenly over the circle, however many there are.
_GOLDEN = (5**0.5 - 1) / 2


def keypoint_colors(skeleton: Skeleton, colormap: str = "cool") -> UInt8[np.ndarray, "K 3"]:
    """One colour a keypoint, spread evenly over a colour map of matplotlib.

    Args:
        skeleton: Its own ``colors`` win over the colour map.
        colormap: A name that matplotlib knows (``eval.colormap`` of Lightning Pose).

    Returns:
        ``(K, 3)`` RGB, 0 to 255.

    Raises:
        InputError: There is no such colour map.
    """
    if skeleton.colors is not None:
        return np.array(skeleton.colors, np.uint8).reshape(-1, 3)
    return np.array(_spread(colormap, len(skeleton)), np.uint8).reshape(-1, 3)


def instance_colors(numbers: Sequence[int]) -> UInt8[np.ndarray, "N 3"]:
    """One colour an instance; neighbouring numbers are far apart on the circle of hues.

    Args:
        numbers: Tracks, or any other numbers of instances.

    Returns:
        ``(N, 3)`` RGB, 0 to 255.
    """
    hues = np.asarray(numbers, np.float64).reshape(-1, 1) * _GOLDEN + np.array([0.0, 2 / 3, 1 / 3])
    return np.asarray(np.rint(255 * np.clip(np.abs((hues % 1) * 6 - 3) - 1, 0, 1)), np.uint8)


def draw_instances(
    image: np.ndarray,
    instances: Instances,
    skeleton: Skeleton,
    *,
    threshold: float = 0.9,
    radius: float | None = None,
    colors: np.ndarray | None = None,
    labels: bool = False,
) -> UInt8[np.ndarray, "H W 3"]:
    """Draw keypoints as discs and the skeleton's edges as lines.

    What is missing, unlabelled, outside the image or below the threshold is left out, with the edges that end
    there.

    Args:
        image: ``(H, W, 3)`` uint8 RGB; it is not changed.
        instances: ``(N, K, 2)`` in pixels of this image: one view, without leading axes.
        skeleton: Gives edges, names and, where it has them, colours.
        threshold: Lowest confidence to draw, 0 to 1. Keypoints without scores (labels) are always drawn.
        radius: Of the discs, in pixels; by default it grows with the image.
        colors: RGB 0 to 255, ``(K, 3)`` or, for each instance its own, ``(N, K, 3)``; by default
            :func:`keypoint_colors`.
        labels: Write each keypoint's name beside it.

    Returns:
        A drawn copy of the image.

    Raises:
        InputError: The image, the instances or the colours have the wrong shape.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(f"draw: image is {image.dtype} {image.shape}; it must be uint8 (height, width, 3)")
    keypoints = np.asarray(instances.keypoints)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(skeleton), 2):
        raise InputError(f"draw: keypoints are {keypoints.shape}; they must be (N, {len(skeleton)}, 2), one view")
    canvas = np.array(image, order="C")
    if not keypoints.size:
        return canvas
    palette = keypoint_colors(skeleton) if colors is None else np.asarray(colors)
    if palette.shape not in ((*keypoints.shape[1:2], 3), (*keypoints.shape[:2], 3)):
        raise InputError(f"draw: colors are {palette.shape}; they must be (K, 3) or (N, K, 3)")
    paints = np.broadcast_to(palette, (*keypoints.shape[:2], 3)).tolist()
    shown = _shown(keypoints, instances, threshold, image.shape)
    size = _default_radius(image.shape) if radius is None else radius
    # Whatever is not shown may be NaN, which has no whole number; the value put in its place is never read.
    places = np.rint(np.where(shown[..., None], keypoints, 0) * _UNIT).astype(int).tolist()
    width = max(1, round(size * 0.6))
    disc, ring = round(size * _UNIT), round((size + max(0.75, size * 0.2)) * _UNIT)
    for points, drawn, paint in zip(places, shown.tolist(), paints, strict=True):
        for start, end in skeleton.edges:
            if drawn[start] and drawn[end]:
                middle = [(a + b) // 2 for a, b in zip(paint[start], paint[end], strict=True)]
                cv2.line(canvas, points[start], points[end], middle, width, cv2.LINE_AA, _SHIFT)
        for point, color, here in zip(points, paint, drawn, strict=True):
            if here:
                cv2.circle(canvas, point, ring, _OUTLINE, cv2.FILLED, cv2.LINE_AA, _SHIFT)
                cv2.circle(canvas, point, disc, color, cv2.FILLED, cv2.LINE_AA, _SHIFT)
        if labels:
            _write_names(canvas, points, drawn, paint, skeleton.names, size)
    return canvas


def contact_sheet(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], columns: int) -> UInt8[np.ndarray, "H W 3"]:
    """Many images as one, row by row, with a thin gap between them.

    Args:
        images: RGB images; smaller ones stand in the middle of a cell as large as the largest.
        columns: How many stand side by side, at least 1.

    Returns:
        One RGB image.

    Raises:
        InputError: There is no image or no column.
    """
    if not images or columns < 1:
        raise InputError(f"contact sheet: {len(images)} images in {columns} columns; at least one of each is needed")
    columns = min(columns, len(images))
    gap = 4
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), _SHEET, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top = gap + row * (height + gap) + (height - image.shape[0]) // 2
        left = gap + column * (width + gap) + (width - image.shape[1]) // 2
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def _shown(
    keypoints: Float[np.ndarray, "N K 2"], instances: Instances, threshold: float, shape: tuple[int, ...]
) -> np.ndarray:
    x, y = keypoints[..., 0], keypoints[..., 1]
    # A comparison with NaN is False: missing coordinates and missing scores drop out by themselves.
    shown = (x >= -0.5) & (x <= shape[1] - 0.5) & (y >= -0.5) & (y <= shape[0] - 0.5)
    shown &= np.asarray(instances.visible) > 0
    if instances.keypoint_scores is not None:
        shown &= np.asarray(instances.keypoint_scores) >= threshold
    return np.asarray(shown)


def _default_radius(shape: tuple[int, ...]) -> float:
    return max(1.5, 0.008 * float(np.hypot(shape[0], shape[1])))


def _write_names(
    canvas: np.ndarray,
    points: list[list[int]],
    drawn: list[bool],
    paint: list[list[int]],
    names: tuple[str, ...],
    size: float,
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = max(0.3, size * 0.09)
    for point, here, color, name in zip(points, drawn, paint, names, strict=True):
        if here:
            place = (round(point[0] / _UNIT + 1.6 * size), round(point[1] / _UNIT - 0.8 * size))
            cv2.putText(canvas, name, place, font, scale, _OUTLINE, max(2, round(3 * scale)), cv2.LINE_AA)
            cv2.putText(canvas, name, place, font, scale, color, 1, cv2.LINE_AA)


@lru_cache(maxsize=32)
def _spread(colormap: str, count: int) -> tuple[tuple[int, ...], ...]:
    from matplotlib import colormaps

    if colormap not in colormaps:
        raise InputError(f"colormap '{colormap}' is not one of matplotlib{nearest(colormap, colormaps)}")
    table = colormaps[colormap](np.linspace(0, 1, max(count, 1)), bytes=True)
    return tuple(tuple(int(part) for part in color[:3]) for color in table[:count])
