"""Coordinates straight from the network: fast and compact, less precise than heatmaps."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Outputs, Targets, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.losses.coordinates import COORDINATE_LOSSES
from vitruve.networks.backbone import Backbone
from vitruve.structures.batch import Batch
from vitruve.structures.instances import OCCLUDED, Instances

_TOLERANCE = 12.0
"""Input pixels within which the likelihood is stated: as far as heatmaps of stride 4 look around their peak."""


class RegressionSettings(ModelSettings):
    """Settings of ``model.model_type: regression``."""

    regression_loss_type: Literal["laplace", "mse"] = Field(
        "laplace",
        description="laplace learns how far off each coordinate may be, which gives the likelihood; mse does not: "
        "its likelihood is 1.",
    )


class RegressionNetwork(nn.Module):
    """Backbone, a narrow map, two linear layers.

    The map is flattened, not averaged: where a feature lies is what is asked for.

    Args:
        config: Names the backbone.
        task: Sizes and keypoints.
        pretrained: Start the backbone from published weights.
    """

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool) -> None:
        super().__init__()
        weights = Path(config.backbone_checkpoint) if config.backbone_checkpoint else None
        self.backbone = Backbone(
            config.backbone, task.input_size, finest_stride=8, pretrained=pretrained, weights_file=weights
        )
        stride, channels = self.backbone.strides[-1], self.backbone.channels[-1]
        width, height = (-(-side // stride) for side in task.input_size)
        self.count = len(task.skeleton)
        self.reduce = nn.Sequential(nn.Conv2d(channels, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
        self.head = nn.Sequential(
            nn.Linear(64 * width * height, 256), nn.ReLU(inplace=True), nn.Linear(256, 4 * self.count)
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.001)
        nn.init.zeros_(last.bias)

    def forward(self, images: torch.Tensor) -> Outputs:
        """``points`` ``(N, K, 2)`` as a share of width and height, and ``log_scale`` of the same shape."""
        values = self.head(self.reduce(self.backbone(images)[-1]).flatten(1)).float().unflatten(-1, (self.count, 4))
        return {"points": values[..., :2] + 0.5, "log_scale": values[..., 2:].clamp(-5, 5) - 3}


class Regression(ImageAlgorithm):
    """Coordinates as shares of the input's width and height."""

    Config: ClassVar[type[ModelSettings]] = RegressionSettings
    description = "coordinates straight from the network, one animal an image"

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, RegressionSettings)
        self.kind = config.regression_loss_type
        self.network = RegressionNetwork(config, task, pretrained)

    @property
    def likelihood_reach(self) -> float:
        """See :meth:`decode`. With ``mse`` the likelihood is always 1, and states nothing."""
        return _TOLERANCE

    def encode(self, batch: Batch) -> Targets:
        """``points`` ``(B, V, K, 2)`` and ``learned`` ``(B, V, K)``, of the first instance."""
        truth = batch.truth_in_input
        assert truth is not None
        size = torch.tensor(batch.input_size, device=truth.keypoints.device)
        points = (truth.keypoints[:, :, 0] + 0.5) / size
        learned = (truth.visible[:, :, 0] >= OCCLUDED) & ((points >= 0) & (points <= 1)).all(-1)
        return {"points": points, "learned": learned}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``regression_<kind>``."""
        points, log_scale = outputs["points"], outputs["log_scale"]
        distance = COORDINATE_LOSSES[self.kind](points, log_scale, targets["points"], targets["learned"])
        return {f"regression_{self.kind}": distance}

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """One instance a view, in original pixels.

        The likelihood is the probability, under the learned Laplace distribution, of lying within 12 input pixels
        in x and in y.
        """
        points, log_scale = outputs["points"], outputs["log_scale"]
        size = torch.tensor(batch.input_size, device=points.device)
        if self.kind == "mse":
            scores = torch.ones_like(points[..., 0])
        else:
            scores = (1 - torch.exp(-_TOLERANCE / (size * log_scale.exp()))).prod(-1)
        found = (points * size - 0.5)[:, :, None]
        instances = Instances.from_keypoints(
            found, keypoint_scores=scores[:, :, None], scores=scores.mean(-1, keepdim=True)
        )
        return instances.transformed(batch.to_image_of(len(found)))
