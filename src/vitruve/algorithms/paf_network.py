"""The network of confidence maps and part affinity fields, for every algorithm that learns them in stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from vitruve.algorithms.base import Outputs, Task
from vitruve.algorithms.paf_targets import PafSettings
from vitruve.networks.stride_backbone import StrideBackbone


class Branches(nn.Module):
    """One stage: confidence maps by one branch, fields by the other.

    Args:
        trunk: What both see.
        conf: What comes before the maps.
        paf: And before the fields.
        hidden: Channels that ``conf`` and ``paf`` give.
        maps: How many maps and how many channels of fields.
    """

    def __init__(self, trunk: nn.Module, conf: nn.Module, paf: nn.Module, hidden: int, maps: tuple[int, int]) -> None:
        super().__init__()
        self.trunk = trunk
        self.conf = nn.Sequential(conf, _linear(hidden, maps[0]))
        self.paf = nn.Sequential(paf, _linear(hidden, maps[1]))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Confidence maps, and fields."""
        seen = self.trunk(features)
        return self.conf(seen), self.paf(seen)


class PafNetwork(nn.Module):
    """Backbone, features, and stages of which each sees the features and what the stage before found.

    Args:
        backbone: Gives one map.
        features: What is made of it.
        stages: At least one.
    """

    def __init__(self, backbone: StrideBackbone, features: nn.Module, stages: Sequence[Branches]) -> None:
        super().__init__()
        self.backbone = backbone
        self.features = features
        self.stages = nn.ModuleList(stages)

    def forward(self, images: torch.Tensor) -> Outputs:
        """``conf_<stage>`` and ``paf_<stage>``: of all stages in training, else of the last."""
        features = self.features(self.backbone(images))
        outputs: Outputs = {}
        seen = features
        for number, stage in enumerate(self.stages, 1):
            parts, limbs = stage(seen)
            if self.training or number == len(self.stages):
                outputs |= {f"conf_{number}": parts, f"paf_{number}": limbs}
            seen = torch.cat([features, parts, limbs], 1)
        return outputs


def number_of_maps(task: Task, limbs: int) -> tuple[int, int]:
    """Confidence maps, with the background's, and channels of fields, of a skeleton with so many limbs."""
    return len(task.skeleton) + 1, 2 * limbs


def build_backbone(config: PafSettings, task: Task, pretrained: bool) -> StrideBackbone:
    """The backbone that the settings name, for maps of their stride.

    Args:
        config: Names the backbone.
        task: Has the size of the input.
        pretrained: Start from published weights.

    Returns:
        The backbone.
    """
    weights = Path(config.backbone_checkpoint) if config.backbone_checkpoint else None
    return StrideBackbone(
        config.backbone, task.input_size, config.output_stride, pretrained=pretrained, weights_file=weights
    )


def _linear(inputs: int, outputs: int) -> nn.Conv2d:
    """The last convolution of a branch: linear, and near zero at first, as almost all of every map is."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.normal_(layer.weight, std=0.01)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
