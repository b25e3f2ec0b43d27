"""Smooth motion: keypoints must not jump from one frame to the next."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float

from vitruve.errors import ConfigError
from vitruve.losses.settings import Temporal
from vitruve.losses.unsupervised import UnsupervisedLoss, WindowPredictions, beyond, both_confident, distances


class TemporalLoss(UnsupervisedLoss):
    """Mean motion beyond ``epsilon``, in original pixels a frame.

    Pairs of frames in which a keypoint's confidence is below ``prob_threshold`` once count as zero, because the
    keypoint may be out of sight.

    Args:
        settings: Its section.
        joints: Number of keypoints.

    Raises:
        ConfigError: There are not as many values of epsilon as keypoints.
    """

    name: ClassVar[str] = "temporal"
    epsilon: torch.Tensor

    def __init__(self, settings: Temporal, joints: int) -> None:
        assert settings.log_weight is not None
        super().__init__(settings.log_weight)
        values = settings.epsilon if isinstance(settings.epsilon, tuple) else (settings.epsilon,)
        if len(values) not in (1, joints):
            raise ConfigError(
                f"losses.temporal.epsilon: {len(values)} values for {joints} keypoints; give one, or one a keypoint"
            )
        self.threshold = settings.prob_threshold
        self.register_buffer("epsilon", torch.tensor(values, dtype=torch.float32))

    def forward(self, predictions: WindowPredictions) -> Float[torch.Tensor, ""]:
        """Pixels a frame; zero for windows of one frame."""
        moved = distances(predictions.keypoints[:, 1:] - predictions.keypoints[:, :-1])
        excess = beyond(moved, self.epsilon) * both_confident(predictions.scores, self.threshold)
        return excess.mean() if excess.numel() else moved.sum()
