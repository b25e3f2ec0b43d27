"""Smooth heatmaps: a map must not change abruptly from one frame to the next."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float

from vitruve.losses.settings import TemporalHeatmap
from vitruve.losses.unsupervised import UnsupervisedLoss, WindowPredictions, beyond, both_confident


class TemporalHeatmapLoss(UnsupervisedLoss):
    """Mean change of probability maps between consecutive frames, beyond ``epsilon``.

    Args:
        settings: Its section.
    """

    needs_heatmaps: ClassVar[bool] = True

    def __init__(self, settings: TemporalHeatmap) -> None:
        assert settings.log_weight is not None
        super().__init__(settings.log_weight)
        self.epsilon, self.threshold = settings.epsilon, settings.prob_threshold

    @abstractmethod
    def change(self, later: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        """How far maps are apart, from their logarithms ``(..., n)``."""

    def forward(self, predictions: WindowPredictions) -> Float[torch.Tensor, ""]:
        """In the unit of :meth:`change`; zero for windows of one frame."""
        assert predictions.heatmaps is not None
        logs = predictions.heatmaps.float().flatten(-2).log_softmax(-1)
        changes = self.change(logs[:, 1:], logs[:, :-1])
        excess = beyond(changes, self.epsilon) * both_confident(predictions.scores, self.threshold)
        return excess.mean() if excess.numel() else logs.sum() * 0


class TemporalHeatmapMse(TemporalHeatmapLoss):
    """Squared differences, mean over pixels."""

    name: ClassVar[str] = "temporal_heatmap_mse"

    def change(self, later: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        """Mean over pixels."""
        return (later.exp() - earlier.exp()).square().mean(-1)


class TemporalHeatmapKl(TemporalHeatmapLoss):
    """Kullback-Leibler divergence of the later map from the earlier one, in nats."""

    name: ClassVar[str] = "temporal_heatmap_kl"

    def change(self, later: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
        """Sum over pixels."""
        return (earlier.exp() * (earlier - later)).sum(-1)
