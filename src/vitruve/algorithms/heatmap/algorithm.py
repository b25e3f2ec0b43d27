"""One probability map a keypoint, one animal an image: the standard of two-dimensional pose."""

from __future__ import annotations

from typing import ClassVar

from vitruve.algorithms.base import ImageAlgorithm, Task
from vitruve.algorithms.heatmap_network import HeatmapNetwork
from vitruve.algorithms.heatmap_targets import HeatmapTargets, HeatmapTargetSettings
from vitruve.algorithms.settings import ModelSettings


class HeatmapSettings(HeatmapTargetSettings):
    """Settings of ``model.model_type: heatmap``."""


class Heatmap(HeatmapTargets, ImageAlgorithm):
    """A map a keypoint of each image."""

    Config: ClassVar[type[ModelSettings]] = HeatmapSettings
    description = "one probability map a keypoint, one animal an image"

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        self.network = HeatmapNetwork(config, task, pretrained)
