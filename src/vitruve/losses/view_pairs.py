"""Points in space from each pair of calibrated views, with derivatives."""

from __future__ import annotations

from itertools import combinations

import torch
from jaxtyping import Bool, Float

from vitruve.geometry.triangulation import triangulate
from vitruve.structures.camera import Camera


def precise(cameras: Camera) -> Camera:
    """Cameras in double precision where the device has it: rays that nearly meet leave few digits of single."""
    return cameras.map(lambda array: array if array.device.type == "mps" else array.double())


def triangulated_pairs(
    points: Float[torch.Tensor, "B V K 2"], cameras: Camera, known: Bool[torch.Tensor, "B V K"]
) -> tuple[Float[torch.Tensor, "B P K 3"], Bool[torch.Tensor, "B P K"]]:
    """Each keypoint in space, once for each pair of views.

    Args:
        points: In original pixels.
        cameras: ``(B, V)``, as :func:`precise` gives them.
        known: Which points are used.

    Returns:
        Points in the unit of the calibration, in the precision of the cameras, and which of them there are: those whose
        two views are used and see one point. The others are 0 and have no gradient.
    """
    points = points.to(cameras.intrinsics)
    with torch.no_grad():
        reached = cameras.undistort(points).isfinite().all(-1)
    # What a lens cannot see has no derivative: it is replaced before anything is computed from it.
    usable = known & reached
    points = torch.where(usable[..., None], points, cameras.intrinsics[..., None, :2, 2])
    pairs = torch.tensor(list(combinations(range(points.shape[1]), 2)), device=points.device)
    found = triangulate(cameras[:, pairs], points[:, pairs])
    there = usable[:, pairs].all(2) & found.isfinite().all(-1)
    return torch.where(there[..., None], found, 0.0), there
