"""The network of one map a keypoint, for every algorithm that looks at images one by one to begin with."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import nn

from vitruve.algorithms.base import Outputs, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.errors import ConfigError
from vitruve.networks.backbone import Backbone
from vitruve.networks.heads import PyramidHead


class HeatmapNetwork(nn.Module):
    """Backbone and pyramid head.

    Args:
        config: Names the backbone.
        task: Sizes and keypoints.
        pretrained: Start the backbone from published weights.

    Raises:
        ConfigError: The input is not a multiple of the backbone's stride.
    """

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool) -> None:
        super().__init__()
        self.stride = 2**task.downsample_factor
        weights = Path(config.backbone_checkpoint) if config.backbone_checkpoint else None
        self.backbone = Backbone(
            config.backbone,
            task.input_size,
            finest_stride=self.stride,
            pretrained=pretrained,
            weights_file=weights,
        )
        coarsest = max(self.backbone.strides)
        common = math.lcm(coarsest, 32)  # 32 is what data.image_resize_dims takes
        for side, length in zip(("width", "height"), task.input_size, strict=True):
            if length % coarsest:
                raise ConfigError(
                    f"data.image_resize_dims.{side}={length}: {config.backbone} shrinks images {coarsest} times; "
                    f"take a multiple of {coarsest} and of 32, such as {max(1, round(length / common)) * common}"
                )
        self.head = PyramidHead(self.backbone.channels, self.backbone.strides, self.stride, len(task.skeleton))

    def forward(self, images: torch.Tensor) -> Outputs:
        """``heatmaps``: ``(N, K, H / stride, W / stride)`` before the softmax."""
        return {"heatmaps": self.head(self.backbone(images))}
