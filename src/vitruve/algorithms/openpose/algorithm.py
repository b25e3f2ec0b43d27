"""OpenPose: confidence maps and part affinity fields in six stages, any number of instances an image."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from vitruve.algorithms.base import Task
from vitruve.algorithms.paf_network import Branches, PafNetwork, build_backbone, number_of_maps
from vitruve.algorithms.paf_targets import NormSettings, PafTargets
from vitruve.algorithms.settings import ModelSettings


class OpenPoseSettings(NormSettings):
    """Settings of ``model.model_type: openpose``."""

    backbone: str = Field("vgg19", min_length=1, description="Name of the backbone (`vitruve list backbones`).")


class OpenPose(PafTargets):
    """The two-branch network of Cao et al. 2017: each stage sees the features and what the stage before found."""

    Config: ClassVar[type[ModelSettings]] = OpenPoseSettings
    description = "confidence maps and part affinity fields in six stages, any number of instances an image"

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, OpenPoseSettings)
        backbone = build_backbone(config, task, pretrained)
        width, maps, norm = config.head_channels, number_of_maps(task, len(self.limbs)), config.batch_norm
        channels = backbone.channels
        features = nn.Sequential(*_conv(channels, 2 * width, 3, norm), *_conv(2 * width, width, 3, norm))
        stages = [Branches(nn.Identity(), _first(width, norm), _first(width, norm), 4 * width, maps)]
        for _ in range(1, config.num_stages):
            conf, paf = (_later(width + sum(maps), width, norm) for _ in maps)
            stages.append(Branches(nn.Identity(), conf, paf, width, maps))
        self.network = PafNetwork(backbone, features, stages)


def _first(width: int, norm: bool) -> nn.Sequential:
    layers = [layer for _ in range(3) for layer in _conv(width, width, 3, norm)]
    return nn.Sequential(*layers, *_conv(width, 4 * width, 1, norm))


def _later(inputs: int, width: int, norm: bool) -> nn.Sequential:
    layers = [layer for number in range(5) for layer in _conv(width if number else inputs, width, 7, norm)]
    return nn.Sequential(*layers, *_conv(width, width, 1, norm))


def _conv(inputs: int, outputs: int, size: int, norm: bool) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=not norm)
    # Without normalisation, a stack of this depth needs variances kept from the start (He et al. 2015).
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    normal = (nn.BatchNorm2d(outputs),) if norm else ()
    return convolution, *normal, nn.ReLU(inplace=True)
