"""Anchors: boxes of known sizes over every cell of a feature pyramid, which a detector moves onto objects.

Boxes are ``x1 y1 x2 y2`` in pixels of the input, counted from the corner of its first pixel: a cell ``i`` of stride
``s`` covers ``i * s`` to ``(i + 1) * s``, and its anchors have their middle in its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

Shapes = tuple[tuple[tuple[float, float], ...], ...]
"""Widths and heights of the anchors of each level, in pixels of the input."""

RATIOS = (0.5, 1.0, 2.0)
"""Height over width, as in Faster R-CNN."""

_ALIKE = 1.25
"""Two ratios that differ by less than this factor are one."""

_SCALE = 8.0
_RATIO_QUANTILES = (1 / 6, 1 / 2, 5 / 6)
_SCALES = np.geomspace(1, 16, 33)


def ladder(strides: Sequence[int], scale: float, ratios: Sequence[float] = RATIOS, octaves: int = 1) -> Shapes:
    """Anchors that grow with the stride of their level.

    Args:
        strides: Of the levels, in pixels.
        scale: Square root of an anchor's area, in strides of its level.
        ratios: Heights over widths.
        octaves: Sizes a level: those between it and the next, evenly spread on a logarithmic scale.

    Returns:
        The shapes.
    """
    steps = [scale * 2 ** (step / octaves) for step in range(octaves)]
    return tuple(
        tuple((stride * step / ratio**0.5, stride * step * ratio**0.5) for step in steps for ratio in ratios)
        for stride in strides
    )


def fit(
    sizes: Float[np.ndarray, "n 2"], strides: Sequence[int], octaves: int = 1, ratios: Sequence[float] | None = None
) -> Shapes:
    """Anchors that objects of known sizes are matched by best.

    The ratios are quantiles of the objects' own; the scale is the one at which the best anchor of each object overlaps
    it most, on average.

    Args:
        sizes: Widths and heights of objects in pixels of the input, above 0.
        strides: Of the levels, in pixels.
        octaves: Sizes a level; see :func:`ladder`.
        ratios: Heights over widths, instead of the objects' own.

    Returns:
        The shapes, rounded to a hundredth of a pixel; those of :func:`ladder` at a scale of 8 where there is no object.
    """
    if not len(sizes):
        return ladder(strides, _SCALE, ratios or RATIOS, octaves)
    ratios = ratios or _ratios(sizes)
    scores = [best_overlap(sizes, ladder(strides, scale, ratios, octaves)).mean() for scale in _SCALES]
    found = ladder(strides, float(_SCALES[int(np.argmax(scores))]), ratios, octaves)
    return tuple(tuple((round(w, 2), round(h, 2)) for w, h in level) for level in found)


def _ratios(sizes: Float[np.ndarray, "n 2"]) -> list[float]:
    found: list[float] = []
    for ratio in np.exp(np.quantile(np.log(sizes[:, 1] / sizes[:, 0]), _RATIO_QUANTILES)).tolist():
        if all(max(ratio / other, other / ratio) > _ALIKE for other in found):
            found.append(ratio)
    return found


def best_overlap(sizes: Float[np.ndarray, "n 2"], shapes: Shapes) -> Float[np.ndarray, " n"]:
    """The IoU of each object with the anchor most like it, where both have one middle.

    Args:
        sizes: Widths and heights of objects.
        shapes: Of the anchors.

    Returns:
        From 0 to 1.
    """
    known = np.array([shape for level in shapes for shape in level])
    common = np.minimum(sizes[:, None], known).prod(-1)
    return np.asarray((common / (sizes.prod(-1)[:, None] + known.prod(-1) - common)).max(1))


def place(
    shapes: Shapes, strides: Sequence[int], size: tuple[int, int], device: torch.device | str = "cpu"
) -> list[Float[torch.Tensor, "_ 4"]]:
    """All anchors of an input.

    Args:
        shapes: Of each level.
        strides: Of each level.
        size: Width and height of the input.
        device: Where they are to be.

    Returns:
        Of each level, row by row and cell by cell, the shapes of one cell after one another.
    """
    levels = []
    for stride, level in zip(strides, shapes, strict=True):
        columns, rows = (torch.arange(-(-side // stride), device=device) for side in size)
        y, x = torch.meshgrid((rows + 0.5) * stride, (columns + 0.5) * stride, indexing="ij")
        middle = torch.stack([x, y, x, y], -1).reshape(-1, 1, 4)
        sides = torch.tensor(level, device=device) / 2
        levels.append((middle + torch.cat([-sides, sides], 1)).reshape(-1, 4))
    return levels
