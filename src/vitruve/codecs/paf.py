"""Confidence maps and part affinity fields (Cao et al. 2017, Realtime multi-person 2D pose estimation).

A confidence map (one a keypoint) is a Gaussian around that keypoint of each person, the highest where several overlap;
one more map, the background, is one less the highest of them all. A part affinity field (two channels a limb: x, y)
holds the limb's direction, a vector of length one, at each cell that lies on the limb of a person, and zero elsewhere.

Keypoints come in pixels of the network's input. Cell j of stride s is at ``(j + 0.5) * s - 0.5`` input pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float

from vitruve.codecs.heatmap import to_heatmap

LEAST = 0.01
"""Confidence below which a Gaussian ends."""


def encode_parts(
    points: Float[torch.Tensor, "I N K 2"], size: tuple[int, int], stride: int, sigma: float
) -> Float[torch.Tensor, "I K1 h w"]:
    """Confidence maps of keypoints and of the background.

    Only the cells around each keypoint are computed, so that crowds cost little.

    Args:
        points: In input pixels; NaN where there is nothing.
        size: Width and height of the maps, in cells.
        stride: Input pixels a cell.
        sigma: Standard deviation, in input pixels.

    Returns:
        From 0 to 1; the last map is the background.
    """
    width, height = size
    images, _, count = points.shape[:3]
    spread = sigma / stride
    end = math.sqrt(-2 * math.log(LEAST))
    reach = math.ceil(end * spread)
    cells = to_heatmap(points, stride)
    known = cells.isfinite().all(-1)
    cells = torch.where(known[..., None], cells, 0.0)
    steps = torch.arange(-reach, reach + 1, device=points.device)
    places = cells.round()[..., None, :] + steps[:, None]  # (I, N, K, r, 2)
    away = (places - cells[..., None, :]).square() / (2 * spread**2)
    exponent = away[..., :, None, 1] + away[..., None, :, 0]  # (I, N, K, r, r)
    x, y = places[..., None, :, 0], places[..., :, None, 1]
    inside = known[..., None, None] & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    values = torch.where(inside & (exponent <= -math.log(LEAST)), torch.exp(-exponent), 0.0)
    maps = torch.arange(images * count, device=points.device).view(images, 1, count, 1, 1)
    index = (maps * height + y.clamp(0, height - 1).long()) * width + x.clamp(0, width - 1).long()
    parts = points.new_zeros(images * count * height * width)
    parts = parts.scatter_reduce(0, index.expand_as(values).flatten(), values.flatten(), "amax")
    parts = parts.view(images, count, height, width)
    return torch.cat([parts, 1 - parts.amax(1, keepdim=True)], 1)


def encode_limbs(
    points: Float[torch.Tensor, "I N K 2"],
    limbs: Sequence[tuple[int, int]],
    size: tuple[int, int],
    stride: int,
    width: float,
) -> Float[torch.Tensor, "I L2 h w"]:
    """Part affinity fields of limbs.

    Args:
        points: In input pixels; NaN where there is nothing.
        limbs: Keypoints at both ends; a limb points from the first to the second.
        size: Width and height of the maps, in cells.
        stride: Input pixels a cell.
        width: How far from a limb's line, and beyond its ends, a cell still lies on it, in input pixels.

    Returns:
        Channels ``2 i`` and ``2 i + 1`` are x and y of limb ``i``: the mean over those who have it there, as people
        overlap. An end that is missing, or is where the other is, leaves a limb out.
    """
    cells = to_heatmap(points, stride)
    reach = width / stride
    rows, columns = (torch.arange(side, device=points.device, dtype=points.dtype) for side in (size[1], size[0]))
    fields = []
    for first, second in limbs:
        start, span = cells[..., first, :], cells[..., second, :] - cells[..., first, :]  # (I, N, 2)
        length = span.norm(dim=-1)
        known = length > 0  # False for NaN
        direction = torch.where(known[..., None], span / length[..., None], 0.0)
        x = columns - start[..., :1]  # (I, N, w)
        y = rows - start[..., 1:]  # (I, N, h)
        ux, uy = direction[..., :1, None], direction[..., 1:, None]
        along = x[..., None, :] * ux + y[..., :, None] * uy  # (I, N, h, w)
        aside = x[..., None, :] * uy - y[..., :, None] * ux
        on = (aside.abs() <= reach) & (along >= -reach) & (along <= length[..., None, None] + reach)
        on &= known[..., None, None]
        total = torch.einsum("inhw,inc->ichw", on.to(points.dtype), direction)
        fields.append(total / on.sum(1, keepdim=True).clamp_min(1))
    return torch.cat(fields, 1) if fields else points.new_zeros(len(points), 0, size[1], size[0])
