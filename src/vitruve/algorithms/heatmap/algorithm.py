"""One probability map a keypoint, one animal an image: the standard of two-dimensional pose."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Outputs, Targets, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import heatmap
from vitruve.errors import ConfigError
from vitruve.losses.heatmap import HEATMAP_LOSSES
from vitruve.networks.backbone import Backbone
from vitruve.networks.heads import PyramidHead
from vitruve.structures.batch import Batch
from vitruve.structures.instances import OCCLUDED, UNLABELLED, Instances


class HeatmapSettings(ModelSettings):
    """Settings of ``model.model_type: heatmap``."""

    heatmap_loss_type: Literal["mse", "kl", "js"] = Field(
        "kl",
        description="Distance of predicted and target maps: squared error, Kullback-Leibler or Jensen-Shannon.",
    )


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


class Heatmap(ImageAlgorithm):
    """A map a keypoint; targets and decoding of :mod:`vitruve.codecs.heatmap`."""

    Config: ClassVar[type[ModelSettings]] = HeatmapSettings
    description = "one probability map a keypoint, one animal an image"

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, HeatmapSettings)
        self.network = HeatmapNetwork(config, task, pretrained)
        self.stride = 2**task.downsample_factor
        self._kind = config.heatmap_loss_type

    def encode(self, batch: Batch) -> Targets:
        """``heatmaps`` ``(B, V, K, h, w)`` and ``learned`` ``(B, V, K)``, of the first instance."""
        truth = batch.truth_in_input
        assert truth is not None
        points = heatmap.to_heatmap(truth.keypoints[:, :, 0], self.stride)
        visible = truth.visible[:, :, 0]
        uniform = visible == OCCLUDED
        points = torch.where((visible > OCCLUDED)[..., None], points, torch.nan)
        if self.task.missing_is_uniform:
            uniform = uniform | (visible == UNLABELLED)
        width, height = batch.input_size
        maps, learned = heatmap.encode(points, uniform, (width // self.stride, height // self.stride))
        return {"heatmaps": maps, "learned": learned}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``heatmap_<kind>``, the distance of predicted and target maps."""
        logits = outputs["heatmaps"][:, :, outputs["heatmaps"].shape[2] // 2]
        distance = HEATMAP_LOSSES[self._kind](logits, targets["heatmaps"], targets["learned"])
        return {f"heatmap_{self._kind}": distance}

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """One instance a view, in original pixels."""
        logits = outputs["heatmaps"][:, :, outputs["heatmaps"].shape[2] // 2]
        points, scores = heatmap.decode(logits)
        found = heatmap.from_heatmap(points, self.stride)[:, :, None]
        instances = Instances.from_keypoints(
            found, keypoint_scores=scores[:, :, None], scores=scores.mean(-1, keepdim=True)
        )
        return instances.transformed(batch.to_image)
