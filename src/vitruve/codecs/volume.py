"""Keypoints as probabilities of the voxels of a cube.

The cube has ``side`` voxels along each axis; voxel i is centred ``(i - (side - 1) / 2) * spacing`` from the cube's
middle. A keypoint is taught as a Gaussian of ``SIGMA`` voxels whose voxels add up to one, and read as the expected
place under a softmax over the voxels (soft-argmax: Sun et al. 2018, Integral human pose regression).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float

SIGMA = 1.0
"""Standard deviation of the target, in voxels."""
REACH = 2.5
"""The likelihood is the share of probability this near to the keypoint along each axis, in voxels."""


def axis(side: int, spacing: float, device: torch.device | None = None) -> Float[torch.Tensor, " {side}"]:
    """Centres of the voxels along one axis, from the middle of the cube.

    Args:
        side: Number of voxels.
        spacing: Their distance.
        device: Where the result is to be.

    Returns:
        Places in the unit of ``spacing``.
    """
    return (torch.arange(side, device=device, dtype=torch.float32) - (side - 1) / 2) * spacing


def grid(side: int, spacing: float, device: torch.device | None = None) -> Float[torch.Tensor, "{side}**3 3"]:
    """Centres of all voxels from the middle of the cube.

    Args:
        side: Voxels along each axis.
        spacing: Their distance.
        device: Where the result is to be.

    Returns:
        x, y, z in the unit of ``spacing``; x changes slowest, as volumes are indexed.
    """
    along = axis(side, spacing, device)
    return torch.cartesian_prod(along, along, along)


def encode(
    points: Float[torch.Tensor, "*lead 3"], side: int, spacing: float
) -> tuple[Float[torch.Tensor, "*lead {side} {side} {side}"], Bool[torch.Tensor, "*lead"]]:
    """Target volumes for points.

    Args:
        points: From the middle of the cube, in the unit of ``spacing``; NaN or outside where nothing is learned.
        side: Voxels along each axis.
        spacing: Their distance.

    Returns:
        Volumes that each add up to one, and which of them are to be learned. The others are zero.
    """
    inside = (points.abs() <= side * spacing / 2).all(-1)  # False for NaN
    away = (axis(side, spacing, points.device) - points[..., None]) / spacing  # (..., 3, side)
    x, y, z = (-away.square() / (2 * SIGMA**2)).softmax(-1).unbind(-2)
    volume = x[..., :, None, None] * y[..., None, :, None] * z[..., None, None, :]
    return torch.where(inside[..., None, None, None], volume, 0.0), inside


def decode(
    logits: Float[torch.Tensor, "*lead side side side"], spacing: float
) -> tuple[Float[torch.Tensor, "*lead 3"], Float[torch.Tensor, "*lead"]]:
    """The expected place of each keypoint, and how likely it is near there.

    Args:
        logits: Volumes before the softmax.
        spacing: Distance of voxels.

    Returns:
        Places from the middle of the cube, in the unit of ``spacing``, and likelihoods from 0 to 1.
    """
    side = logits.shape[-1]
    probability = logits.float().flatten(-3).softmax(-1).reshape(logits.shape)
    along = axis(side, spacing, logits.device)
    # The expected place along an axis needs the other two summed out only.
    # No products of matrices: in mixed precision they would round places to bfloat16.
    points = torch.stack([(probability.sum(others) * along).sum(-1) for others in ((-1, -2), (-1, -3), (-2, -3))], -1)
    x, y, z = ((along - points[..., None]).abs() <= REACH * spacing).unbind(-2)
    near = x[..., :, None, None] & y[..., None, :, None] & z[..., None, None, :]
    return points, (probability * near).sum((-1, -2, -3)).clamp(0.0, 1.0)
