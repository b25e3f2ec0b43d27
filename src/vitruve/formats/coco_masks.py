"""COCO's segmentations: polygons, and lengths of runs as numbers or as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.geometry.polygon import box_mask, polygon_mask
from vitruve.structures.mask import Mask

_EDGE = 0.5
"""Polygons and boxes count from the corner of the first pixel, whose centre is (0, 0) here."""
_FIRST, _BITS = 48, 5


def read_segmentation(where: str, value: Any, size: tuple[int, int]) -> Mask | None:
    """The mask of one annotation.

    Args:
        where: File and annotation, for messages.
        value: A list of polygons, or ``counts`` and ``size`` of run lengths.
        size: Width and height of the image.

    Returns:
        The mask; None where there is none.

    Raises:
        InputError: It is neither, or not of this image.
    """
    if not value:
        return None
    if isinstance(value, list):
        polygons = [_polygon(where, each) for each in value]
        return polygon_mask(polygons, size)
    return _mask(where, value, size)


def check_segmentation(where: str, value: Any, size: tuple[int, int]) -> None:
    """Find what is wrong with a mask that nothing needs.

    Args:
        where: File and annotation, for messages.
        value: As for :func:`read_segmentation`.
        size: Width and height of the image.

    Raises:
        InputError: It is no mask, or not of this image.
    """
    if isinstance(value, list):
        for each in value:
            _polygon(where, each)
    elif value:
        _mask(where, value, size)


def write_segmentation(mask: Mask) -> dict[str, Any]:
    """Run lengths as numbers, which every reader of COCO knows."""
    return {"counts": mask.runs.tolist(), "size": [mask.size[1], mask.size[0]]}


def box_region(boxes: Float[np.ndarray, "N 4"], size: tuple[int, int]) -> Mask:
    """The pixels in any of some boxes ``x1 y1 x2 y2`` of COCO, which count from the corner of the first pixel."""
    return box_mask(boxes - _EDGE, size)


def segmentation_box(where: str, value: Any) -> Float[np.ndarray, " 4"]:
    """The box ``x1 y1 x2 y2`` around what an annotation covers, as COCO counts.

    Args:
        where: File and annotation, for messages.
        value: As for :func:`read_segmentation`.

    Returns:
        Edges, from the corner of the first pixel; NaN where nothing is covered.

    Raises:
        InputError: It is neither polygons nor run lengths.
    """
    if not value:
        return np.full(4, np.nan)
    if isinstance(value, list):
        corners = np.concatenate([_polygon(where, each) for each in value]) + _EDGE
        return np.concatenate([corners.min(0), corners.max(0)])
    size = value.get("size") if isinstance(value, dict) else None
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise InputError(f"{where}.segmentation.size: {size}; must be height and width of the image")
    return mask_box(_mask(where, value, (size[1], size[0])))


def mask_box(mask: Mask) -> Float[np.ndarray, " 4"]:
    """The box around a mask, edges of pixels, counted as COCO does from the corner of the first pixel; NaN if empty."""
    rows, columns = np.nonzero(mask.array())
    if not len(rows):
        return np.full(4, np.nan)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)


def _mask(where: str, value: Any, size: tuple[int, int]) -> Mask:
    """The mask that run lengths describe."""
    if not isinstance(value, dict) or "counts" not in value:
        raise InputError(f"{where}.segmentation: must be a list of polygons, or counts and size of run lengths")
    if value.get("size") != [size[1], size[0]]:
        raise InputError(
            f"{where}.segmentation.size: {value.get('size')}, but the image has height and width {[size[1], size[0]]}"
        )
    counts = value["counts"]
    try:
        return Mask(size, np.array(_decoded(counts) if isinstance(counts, str) else counts, np.int64).reshape(-1))
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise InputError(f"{where}.segmentation.counts: do not describe this image ({error})") from error


def _polygon(where: str, values: Any) -> np.ndarray:
    try:
        corners = np.array(values, np.float64)
    except (TypeError, ValueError):
        corners = np.zeros(0)
    if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2 or not np.isfinite(corners).all():
        raise InputError(f"{where}.segmentation: a polygon must be x, y of three corners or more, as finite numbers")
    return corners.reshape(-1, 2) - _EDGE


def _decoded(text: str) -> list[int]:
    """Run lengths from COCO's text (``rleFrString``): five bits a character, each run as the change over two."""
    runs: list[int] = []
    value = shift = 0
    for bits in _characters(text):
        value |= (bits & 0x1F) << shift
        shift += _BITS
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def _characters(text: str) -> Iterable[int]:
    for character in text:
        bits = ord(character) - _FIRST
        if not 0 <= bits < 64:
            raise ValueError(f"'{character}' is no part of run lengths")
        yield bits
