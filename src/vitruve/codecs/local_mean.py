"""Peaks that a compiled decoder has found, read again from their maps so that they move as the maps do."""

from __future__ import annotations

import torch
from jaxtyping import Float

RADIUS = 3
"""How far around a keypoint cells are looked at, in cells, in x and in y."""


def local_mean(
    maps: Float[torch.Tensor, "K h w"], points: Float[torch.Tensor, "N K 2"], radius: int = RADIUS
) -> Float[torch.Tensor, "N K 2"]:
    """The mean place around keypoints, weighted by the square of each one's map.

    Confidence that is taken from one side of a keypoint and given to the other moves it. Squares leave cells alone that
    the network is sure are none. The differentiable counterpart of a peak (soft-argmax: Sun et al. 2018, Integral human
    pose regression), here in a window, since a map holds the keypoints of several instances.

    Args:
        maps: One map a keypoint; what lies below zero counts as zero.
        points: In cells; NaN where there is none.
        radius: Half the side of the window, in cells.

    Returns:
        Places in cells: near ``points``, but not the same. Zero where there is none.
    """
    count, height, width = maps.shape
    known = points.isfinite().all(-1)
    middle = torch.where(known[..., None], points, 0.0).detach().round().long()
    steps = torch.arange(-radius, radius + 1, device=maps.device)
    x, y = middle[..., :1] + steps, middle[..., 1:] + steps  # (N, K, r)
    inside = ((x >= 0) & (x < width))[..., None, :] & ((y >= 0) & (y < height))[..., :, None]
    kinds = torch.arange(count, device=maps.device)[:, None, None]
    read = maps[kinds, y.clamp(0, height - 1)[..., :, None], x.clamp(0, width - 1)[..., None, :]]  # (N, K, r, r)
    weights = (read.clamp_min(0) * inside).square()
    total = weights.sum((-2, -1)).clamp_min(1e-6)
    mean = torch.stack([(weights.sum(-2) * x).sum(-1), (weights.sum(-1) * y).sum(-1)], -1) / total[..., None]
    return torch.where(known[..., None], mean, 0.0)
