"""Where the cube around the animal is."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float

from vitruve.geometry.triangulation import triangulate_robust
from vitruve.structures.camera import Camera

# Of the room that the animal leaves in the cube on either side, at most this much is used up by chance in training.
_JITTER = 0.8


def jittered_middle(points: Float[torch.Tensor, "B K 3"], edge: float) -> Float[torch.Tensor, "B 3"]:
    """The middle of the labelled points, moved at random so far that they stay in the cube.

    Args:
        points: In mm; NaN where not known. All of them may be.
        edge: Of the cube.

    Returns:
        The middles; NaN where no point is known.
    """
    low, high = _extent(points, torch.isfinite(points).all(-1, keepdim=True).expand_as(points))
    room = (edge - (high - low)).clamp_min(0) / 2
    return (low + high) / 2 + _JITTER * room * (2 * torch.rand(len(points), 3).to(points) - 1)


def body_middle(
    cameras: Camera, pixels: Float[torch.Tensor, "B V K 2"], likelihoods: Float[torch.Tensor, "B V K"], edge: float
) -> Float[torch.Tensor, "B 3"]:
    """The middle of what the views see together.

    Keypoints are triangulated robustly, weighed by their likelihood. Along each axis, those count that lie in the part
    as long as the cube which holds most of their likelihood: one that is far off does not move the cube.

    Args:
        cameras: ``(B, V)``.
        pixels: In original images.
        likelihoods: From 0; 0 leaves a view out.
        edge: Of the cube.

    Returns:
        The middles in mm; NaN where no keypoint is seen by two cameras.
    """
    points = triangulate_robust(cameras, pixels, likelihoods)
    known = torch.isfinite(points).all(-1)
    points = torch.where(known[..., None], points, torch.nan)
    beyond = points[:, None] - points[:, :, None]  # (B, from, to, axis)
    within = (beyond >= 0) & (beyond <= edge)  # False for NaN
    held = (within * likelihoods.sum(1)[:, None, :, None]).sum(2)
    best = held.argmax(1, keepdim=True)  # (B, 1, axis)
    chosen = within.gather(1, best[:, :, None].expand(-1, -1, within.shape[2], -1))[:, 0]
    low, high = _extent(points, chosen)
    return (low + high) / 2


def _extent(
    points: Float[torch.Tensor, "B K 3"], chosen: Bool[torch.Tensor, "B K 3"]
) -> tuple[Float[torch.Tensor, "B 3"], Float[torch.Tensor, "B 3"]]:
    low = torch.where(chosen, points, torch.inf).amin(1)
    high = torch.where(chosen, points, -torch.inf).amax(1)
    some = chosen.any(1)
    return torch.where(some, low, torch.nan), torch.where(some, high, torch.nan)
