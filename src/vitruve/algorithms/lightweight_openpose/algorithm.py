"""Lightweight OpenPose: part affinity fields in two light stages, for processors."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from vitruve.algorithms.base import Task
from vitruve.algorithms.paf_network import Branches, PafNetwork, build_backbone, number_of_maps
from vitruve.algorithms.paf_targets import NormSettings, PafTargets
from vitruve.algorithms.settings import ModelSettings


class LightweightOpenPoseSettings(NormSettings):
    """Settings of ``model.model_type: lightweight_openpose``."""

    backbone: str = Field(
        "mobilenet_dilated", min_length=1, description="Name of the backbone (`vitruve list backbones`)."
    )
    num_stages: int = Field(2, ge=1, description="Stages of the head; each but the first corrects the one before.")


class LightweightOpenPose(PafTargets):
    """The network of Osokin 2018: one trunk a stage for maps and fields, 7 x 7 convolutions taken apart."""

    Config: ClassVar[type[ModelSettings]] = LightweightOpenPoseSettings
    description = "part affinity fields in two light stages, for processors, any number of instances an image"

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, LightweightOpenPoseSettings)
        backbone = build_backbone(config, task, pretrained)
        width, maps, norm = config.head_channels, number_of_maps(task, len(self.limbs)), config.batch_norm
        first = nn.Sequential(*(layer for _ in range(3) for layer in _conv(width, width, 3, norm)))
        stages = [_stage(first, width, 4 * width, maps, norm)]
        for _ in range(1, config.num_stages):
            blocks = (_Block(width if number else width + sum(maps), width, norm) for number in range(5))
            stages.append(_stage(nn.Sequential(*blocks), width, width, maps, norm))
        self.network = PafNetwork(backbone, _Features(backbone.channels, width, norm), stages)


class _Features(nn.Module):
    """Fewer channels, and three separable convolutions whose result is added."""

    def __init__(self, inputs: int, width: int, norm: bool) -> None:
        super().__init__()
        self.align = nn.Sequential(*_conv(inputs, width, 1, norm))
        separable = (
            layer
            for _ in range(3)
            for layer in (
                nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
                nn.ELU(),
                nn.Conv2d(width, width, 1, bias=False),
                nn.ELU(),
            )
        )
        self.trunk = nn.Sequential(*separable)
        self.last = nn.Sequential(*_conv(width, width, 3, norm))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        aligned = self.align(features)
        joined: torch.Tensor = self.last(aligned + self.trunk(aligned))
        return joined


class _Block(nn.Module):
    """Sees 7 x 7 cells: the second of its two 3 x 3 convolutions is dilated."""

    def __init__(self, inputs: int, width: int, norm: bool) -> None:
        super().__init__()
        self.first = nn.Sequential(*_conv(inputs, width, 1, norm))
        self.trunk = nn.Sequential(*_conv(width, width, 3, True), *_conv(width, width, 3, True, dilation=2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        first = self.first(features)
        added: torch.Tensor = first + self.trunk(first)
        return added


def _stage(trunk: nn.Module, width: int, hidden: int, maps: tuple[int, int], norm: bool) -> Branches:
    conf, paf = (nn.Sequential(*_conv(width, hidden, 1, norm)) for _ in maps)
    return Branches(trunk, conf, paf, hidden, maps)


def _conv(inputs: int, outputs: int, size: int, norm: bool, *, dilation: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2 * dilation, dilation=dilation, bias=not norm)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    normal = (nn.BatchNorm2d(outputs),) if norm else ()
    return convolution, *normal, nn.ReLU(inplace=True)
