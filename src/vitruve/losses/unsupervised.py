"""The contract of an unsupervised term, and the predictions it is given.

A term looks at what a network predicts on unlabelled video and says how implausible it is. It never sees pixels or
algorithms, so any algorithm learns with any term whose needs it meets. Terms are Lightning Pose's (Biderman et al.
2024); each lives in a file of its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import nn


@dataclass(frozen=True, eq=False)
class WindowPredictions:
    """What a network predicts on windows of consecutive frames.

    Attributes:
        keypoints: ``(S, T, V, K, 2)`` in original pixels, whatever the augmentation was: window, time, view, keypoint.
            Any number where the keypoint was not found.
        scores: ``(S, T, V, K)`` likelihoods from 0 to 1, without a gradient; NaN where the keypoint was not found.
        heatmaps: ``(S, T, V, K, h, w)`` before the softmax, or None where the algorithm has none.
        in_heatmap: ``(S, T, V, K, 2)`` the keypoints in heatmap pixels, or None where there are none.
    """

    keypoints: Float[torch.Tensor, "S T V K 2"]
    scores: Float[torch.Tensor, "S T V K"]
    heatmaps: Float[torch.Tensor, "S T V K h w"] | None = None
    in_heatmap: Float[torch.Tensor, "S T V K 2"] | None = None


class UnsupervisedLoss(nn.Module, ABC):
    """A term on unlabelled video.

    Args:
        log_weight: The term counts ``1 / (2 exp(log_weight))``.
    """

    name: ClassVar[str]
    needs_heatmaps: ClassVar[bool] = False

    def __init__(self, log_weight: float) -> None:
        super().__init__()
        self.weight = 1 / (2 * math.exp(log_weight))

    @abstractmethod
    def forward(self, predictions: WindowPredictions) -> Float[torch.Tensor, ""]:
        """The term before its weight; zero where there is nothing to object to."""


def beyond(values: Float[torch.Tensor, "*lead"], epsilon: torch.Tensor | float) -> Float[torch.Tensor, "*lead"]:
    """What of each value lies above what costs nothing."""
    return torch.relu(values - epsilon)


def both_confident(scores: Float[torch.Tensor, "S T V K"], threshold: float) -> Bool[torch.Tensor, "S _ V K"]:
    """Which pairs of consecutive frames have a confidence of at least ``threshold`` in both."""
    confident = scores >= threshold
    return confident[:, 1:] & confident[:, :-1]


def distances(
    away: Float[torch.Tensor, "*lead D"],
) -> Float[torch.Tensor, "*lead"]:
    """Euclidean lengths whose gradient is zero, not NaN, where nothing is away."""
    square = away.square().sum(-1)
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
