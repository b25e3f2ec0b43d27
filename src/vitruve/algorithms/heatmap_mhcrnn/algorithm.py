"""One probability map a keypoint, from a frame and the two before and after it."""

from __future__ import annotations

from typing import ClassVar

import torch

from vitruve.algorithms.base import ImageAlgorithm, Needs, Outputs, Targets, Task
from vitruve.algorithms.heatmap_mhcrnn.network import REACH, ContextNetwork
from vitruve.algorithms.heatmap_targets import HeatmapTargets, HeatmapTargetSettings
from vitruve.algorithms.settings import ModelSettings
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances


class HeatmapMHCRNNSettings(HeatmapTargetSettings):
    """Settings of ``model.model_type: heatmap_mhcrnn``."""


class HeatmapMHCRNN(HeatmapTargets, ImageAlgorithm):
    """Two maps a keypoint: one of the frame alone, one with its neighbours. The surer one is believed.

    Output ``heatmaps`` is the context head's, ``static`` that of the frame alone.
    """

    Config: ClassVar[type[ModelSettings]] = HeatmapMHCRNNSettings
    description = "one probability map a keypoint from five frames in a row, one animal an image"
    needs = Needs(context=REACH)

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        self.network = ContextNetwork(config, task, pretrained)

    def forward(self, batch: Batch) -> Outputs:
        """Outputs with the axes ``(B * P, V, ...)``."""
        if not isinstance(self.network, ContextNetwork):
            return super().forward(batch)  # a compiled network gives all frames
        # In labelled windows one frame in five is asked for: the others' heads are neither computed nor do they blur
        # the running means of normalisation with windows that reach from one entry of the batch into the next.
        views, length = batch.images.shape[1:3]
        outputs: Outputs = self.network(batch.images.flatten(0, 2), length)

        def by_frame(value: torch.Tensor) -> torch.Tensor:
            windows = value.reshape(-1, views, length - 2 * REACH, *value.shape[1:])
            return windows.transpose(1, 2).flatten(0, 1)

        return {name: by_frame(value) for name, value in outputs.items()}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``heatmap_<kind>`` of the context head and ``heatmap_<kind>_static``: both learn the same target."""
        return {
            f"heatmap_{self.kind}": self.map_distance(outputs["heatmaps"], targets),
            f"heatmap_{self.kind}_static": self.map_distance(outputs["static"], targets),
        }

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """One instance a view, in original pixels; of each keypoint what the surer head says."""
        points, likelihoods = self.read_maps(outputs["heatmaps"])
        alone, alone_likelihoods = self.read_maps(outputs["static"])
        surer = alone_likelihoods > likelihoods
        points = torch.where(surer[..., None], alone, points)
        return self.instances(points, torch.where(surer, alone_likelihoods, likelihoods), batch)
