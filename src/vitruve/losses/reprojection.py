"""Predicted keypoints must still lie on their labels after they were triangulated and projected back."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float

from vitruve.losses.masked import masked_mean
from vitruve.losses.view_pairs import precise, triangulated_pairs
from vitruve.structures.camera import Camera

Render = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def reprojection_heatmap_mse(
    points: Float[torch.Tensor, "B V K 2"],
    cameras: Camera,
    known: Bool[torch.Tensor, "B V K"],
    render: Render,
    targets: Float[torch.Tensor, "B V K h w"],
) -> Float[torch.Tensor, ""]:
    """Squared difference of target maps and maps at the reprojected points, summed over pixels, mean over known points.

    Each keypoint is triangulated from every pair of the views that have it labelled, the mean of these points is
    projected into all of those views (Lightning Pose's ``supervised_reprojection_heatmap_mse``; Aharon et al. 2025,
    arXiv 2510.09903).

    Args:
        points: Predictions in original pixels.
        cameras: ``(B, V)``.
        known: Which points are labelled, with a place.
        render: Draws target maps at points in original pixels, with derivatives; also says which lie on the map. NaN
            and what lies beyond the map must give empty maps without a gradient.
        targets: Maps at the labelled points.

    Returns:
        The loss, from 0 to 2; zero where no two views share a labelled point.
    """
    cameras = precise(cameras)
    pairs, there = triangulated_pairs(points, cameras, known)
    count = there.sum(1)
    mean = pairs.sum(1) / count.clamp_min(1)[..., None]
    counted = known & (count > 0)[:, None]
    with torch.no_grad():
        seen = counted & cameras.project(mean[:, None]).isfinite().all(-1)
    # A point behind a camera has no picture and no derivative: one before it takes its place and is not drawn.
    axis = torch.tensor([0.0, 0.0, 1.0]).to(mean)
    before = (cameras.rotation.swapaxes(-1, -2) @ (axis - cameras.translation)[..., None])[..., 0]
    projected = cameras.project(torch.where(seen[..., None], mean[:, None], before[:, :, None]))
    maps, _ = render(torch.where(seen[..., None], projected, torch.nan).to(targets))
    return masked_mean((maps - targets).square().sum((-2, -1)), counted)
