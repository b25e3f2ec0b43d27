"""Plausible poses and agreeing views: the distance of predictions from the subspace that the labels span."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float

from vitruve.errors import ConfigError
from vitruve.evaluation.subspace import Subspace, gathered
from vitruve.losses.settings import PcaLoss as PcaSettings
from vitruve.losses.unsupervised import UnsupervisedLoss, WindowPredictions, beyond, distances


class PcaLoss(UnsupervisedLoss):
    """Mean distance from a subspace beyond epsilon, in original pixels.

    Args:
        settings: The section of the term; its epsilon, where given, takes the place of the subspace's own.
        subspace: Fitted to the training labels.

    Raises:
        ConfigError: There are not as many values of epsilon as keypoints.
    """

    mean: torch.Tensor
    components: torch.Tensor
    epsilon: torch.Tensor

    def __init__(self, settings: PcaSettings, subspace: Subspace) -> None:
        assert settings.log_weight is not None
        super().__init__(settings.log_weight)
        given = subspace.epsilon if settings.epsilon is None else settings.epsilon
        values = given if isinstance(given, tuple) else (given,)
        if len(values) not in (1, subspace.columns.shape[1]):
            raise ConfigError(
                f"losses.{subspace.name}.epsilon: {len(values)} values for {subspace.columns.shape[1]} keypoints; "
                "give one, or one a keypoint"
            )
        self.subspace = subspace
        self.register_buffer("mean", torch.tensor(subspace.mean, dtype=torch.float32))
        self.register_buffer("components", torch.tensor(subspace.components, dtype=torch.float32))
        self.register_buffer("epsilon", torch.tensor(values, dtype=torch.float32))

    def forward(self, predictions: WindowPredictions) -> Float[torch.Tensor, ""]:
        """Pixels a keypoint, of the points of which every part was found."""
        rows: torch.Tensor = gathered(predictions.keypoints, self.subspace.columns)
        found = predictions.scores.isfinite().flatten(-2)[..., self.subspace.columns].all(-1, keepdim=True)
        pairs = rows.reshape(*rows.shape[:-1], self.subspace.columns.shape[1], 2)
        if self.subspace.centering is not None:
            middle = pairs.mean(-2, True) if self.subspace.centering == "mean" else pairs.median(-2, True).values
            pairs = pairs - middle
        away = pairs.flatten(-2) - self.mean
        away = away - (away @ self.components.T) @ self.components
        excess = torch.where(found, beyond(distances(away.reshape(pairs.shape)), self.epsilon), 0.0)
        return excess.sum() / (found.sum() * excess.shape[-1]).clamp_min(1)


class PcaSingleviewLoss(PcaLoss):
    """Poses must be like the labelled poses."""

    name: ClassVar[str] = "pca_singleview"


class PcaMultiviewLoss(PcaLoss):
    """Views of one body part must be views of one point in space."""

    name: ClassVar[str] = "pca_multiview"
