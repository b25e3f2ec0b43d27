"""Predicted keypoints, triangulated from each pair of cameras, must meet the labelled points in space."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float

from vitruve.losses.masked import masked_mean
from vitruve.losses.unsupervised import distances
from vitruve.losses.view_pairs import precise, triangulated_pairs
from vitruve.structures.camera import Camera


def pairwise_projections(
    points: Float[torch.Tensor, "B V K 2"],
    cameras: Camera,
    known: Bool[torch.Tensor, "B V K"],
    truth: Float[torch.Tensor, "B K 3"],
) -> Float[torch.Tensor, ""]:
    """Distance in space between labelled points and those of every pair of views that have them labelled, mean of all.

    Lightning Pose's ``supervised_pairwise_projections``.

    Args:
        points: Predictions in original pixels.
        cameras: ``(B, V)``.
        known: Which points are labelled, with a place.
        truth: Labelled points, in the unit of the calibration; NaN where unknown.

    Returns:
        The loss in that unit; zero where no two views share a labelled point.
    """
    pairs, there = triangulated_pairs(points, precise(cameras), known)
    there = there & truth.isfinite().all(-1)[:, None]
    away = torch.where(there[..., None], pairs - truth.to(pairs)[:, None], 0.0)
    return masked_mean(distances(away), there).to(points)
