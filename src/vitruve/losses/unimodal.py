"""One peak: a predicted map must look like the target of the keypoint that is read from it."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float

from vitruve.codecs import heatmap
from vitruve.losses.heatmap import HEATMAP_LOSSES
from vitruve.losses.settings import Unimodal
from vitruve.losses.unsupervised import UnsupervisedLoss, WindowPredictions


class UnimodalLoss(UnsupervisedLoss):
    """Distance of each map from a Gaussian at its own keypoint, over the confident ones.

    Args:
        settings: Its section.
    """

    needs_heatmaps: ClassVar[bool] = True

    def __init__(self, settings: Unimodal) -> None:
        assert settings.log_weight is not None
        super().__init__(settings.log_weight)
        self.threshold = settings.prob_threshold

    def forward(self, predictions: WindowPredictions) -> Float[torch.Tensor, ""]:
        """In the unit of the supervised loss of the same name."""
        maps, points = predictions.heatmaps, predictions.in_heatmap
        assert maps is not None and points is not None
        # The keypoint is what the map is judged by, not what is to be moved.
        points = points.detach()
        size = (int(maps.shape[-1]), int(maps.shape[-2]))
        targets, inside = heatmap.encode(
            points, torch.zeros(points.shape[:-1], dtype=torch.bool, device=points.device), size
        )
        learned = inside & (predictions.scores >= self.threshold)
        return HEATMAP_LOSSES[self.name.rpartition("_")[2]](maps, targets, learned)


class UnimodalMse(UnimodalLoss):
    """Squared error."""

    name: ClassVar[str] = "unimodal_mse"


class UnimodalKl(UnimodalLoss):
    """Kullback-Leibler divergence."""

    name: ClassVar[str] = "unimodal_kl"


class UnimodalJs(UnimodalLoss):
    """Jensen-Shannon divergence."""

    name: ClassVar[str] = "unimodal_js"
