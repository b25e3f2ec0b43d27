"""OpenPose of separable convolutions on a thin MobileNet."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from vitruve.algorithms.base import Task
from vitruve.algorithms.paf_network import Branches, PafNetwork, build_backbone, number_of_maps
from vitruve.algorithms.paf_targets import PafSettings, PafTargets
from vitruve.algorithms.settings import ModelSettings


class MobilenetThinOpenPoseSettings(PafSettings):
    """Settings of ``model.model_type: mobilenet_thin_openpose``."""

    backbone: str = Field(
        "mobilenet_thin", min_length=1, description="Name of the backbone (`vitruve list backbones`)."
    )


class MobilenetThinOpenPose(PafTargets):
    """The network of Kim's tf-pose-estimation (``mobilenet_thin``), with linear outputs."""

    Config: ClassVar[type[ModelSettings]] = MobilenetThinOpenPoseSettings
    description = "part affinity fields in six stages of separable convolutions, any number of instances an image"

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, MobilenetThinOpenPoseSettings)
        backbone = build_backbone(config, task, pretrained)
        width, maps = config.head_channels, number_of_maps(task, len(self.limbs))
        stages = []
        for stage in range(config.num_stages):
            inputs, hidden = (backbone.channels + sum(maps), width) if stage else (backbone.channels, 4 * width)
            conf, paf = (_branch(inputs, width, hidden) for _ in maps)
            stages.append(Branches(nn.Identity(), conf, paf, hidden, maps))
        self.network = PafNetwork(backbone, nn.Identity(), stages)


def _branch(inputs: int, width: int, hidden: int) -> nn.Sequential:
    layers = [layer for number in range(3) for layer in _separable(width if number else inputs, width, 3)]
    return nn.Sequential(*layers, *_separable(width, hidden, 1))


def _separable(inputs: int, outputs: int, size: int) -> tuple[nn.Module, ...]:
    """Each channel by itself, then all of each cell."""
    return (
        nn.Conv2d(inputs, inputs, size, padding=size // 2, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
