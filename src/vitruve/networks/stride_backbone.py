"""Backbones that end in one map of a given stride, as algorithms for several instances look at it."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from vitruve.errors import ConfigError, RunError
from vitruve.networks.backbone import Backbone
from vitruve.networks.weights import load_matching, read_weights


class _Cut(NamedTuple):
    """Where a MobileNet is left: the last block of each joined depth, as stage and block, and which one is dilated."""

    network: str
    depths: tuple[tuple[int, int], ...]
    dilated: tuple[int, int] | None = None


# HyperPose's forms of published networks; thin and small are those of Kim's tf-pose-estimation, dilated is that of
# Osokin 2018 (Lightweight OpenPose).
_CUTS: Mapping[str, _Cut] = {
    "mobilenetv1": _Cut("mobilenetv1_100", ((3, 5),)),
    "mobilenetv2": _Cut("mobilenetv2_100", ((3, 3),)),
    "mobilenet_dilated": _Cut("mobilenetv1_100", ((3, 5),), dilated=(3, 1)),
    "mobilenet_thin": _Cut("mobilenetv1_100", ((1, 1), (3, 1), (3, 5))),
    "mobilenet_small": _Cut("mobilenetv1_100", ((0, 0), (1, 1), (3, 1))),
}
_ALWAYS_CUT = ("mobilenet_dilated", "mobilenet_thin", "mobilenet_small")

_VGG_CONVOLUTIONS = 10
"""How many are kept at stride 8: up to conv4_2 of VGG-19, as in OpenPose (Cao et al. 2017), or conv4_3 of VGG-16."""

_TINY = (32, 64, "pool", 128, 128, "pool", 200, 200, 200, "pool", 384, 384)


class StrideBackbone(nn.Module):
    """Images in, one map out.

    A timm network with dilated convolutions in place of its last steps down, where it can have them; else its map of
    that stride, with the deeper ones enlarged and added. HyperPose's names (``vggtiny``, ``vgg16``, ``vgg19``,
    ``resnet18``, ``resnet50``, ``mobilenetv1``, ``mobilenetv2``, ``mobilenet_dilated``, ``mobilenet_thin``,
    ``mobilenet_small``) are cut where HyperPose cuts them, and begin with timm's weights of the same network.

    Args:
        name: One of HyperPose's, or any that :class:`Backbone` takes.
        input_size: Width and height of the images in pixels, multiples of the stride.
        stride: Of the map, in input pixels.
        pretrained: Take the published weights, as :class:`Backbone` does.
        weights_file: A safetensors file with weights, taken instead: of this network as it is, or of the timm network
            it is made of.

    Attributes:
        channels: Channels of the map.
        stride: Of the map, in input pixels.
        pretrained: Whether the weights are others than random ones.
        origin: Where they come from; see :class:`Backbone`.

    Raises:
        ConfigError: There is no network of that name, or it does not work on such images.
        RunError: The file does not fit.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        name: str,
        input_size: tuple[int, int],
        stride: int,
        *,
        pretrained: bool = False,
        weights_file: Path | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.stride = stride
        published = pretrained and weights_file is None
        self.trunk: _Levels | _Chain
        source: Backbone | None = None
        if name == "vggtiny":
            self.trunk = _tiny(published)
        else:
            network = _CUTS[name].network if name in _ALWAYS_CUT else name
            source = Backbone(network, input_size, finest_stride=stride, output_stride=stride, pretrained=published)
            self.trunk = _trunk(name, source, stride)
        for label, value in (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225))):
            buffer = 255 * torch.tensor(value).view(1, 3, 1, 1) if source is None else getattr(source, label)
            self.register_buffer(label, buffer.clone())
        self.pretrained, self.origin = (False, "random") if source is None else (source.pretrained, source.origin)
        self.channels = self.trunk.channels
        self._try(input_size)
        if weights_file is not None:
            self._load(weights_file, None if source is None else source.net)

    def forward(self, images: torch.Tensor) -> Float[torch.Tensor, "N _ _ _"]:
        """The map of RGB images.

        Args:
            images: ``(N, 3, H, W)`` with values from 0 to 255, of any number type.

        Returns:
            ``(N, channels, H / stride, W / stride)``.
        """
        size = (images.shape[-2] // self.stride, images.shape[-1] // self.stride)
        found: torch.Tensor = self.trunk(self.normalized(images), size)
        return found

    def normalized(self, images: torch.Tensor) -> Float[torch.Tensor, "N 3 H W"]:
        """Images in the numbers that the network was trained on; arguments as for :meth:`forward`."""
        normal: torch.Tensor = (images.to(self.mean.dtype) - self.mean) / self.std
        return normal

    def _load(self, file: Path, net: nn.Module | None) -> None:
        weights = read_weights(file)
        try:
            report = load_matching(self, weights, file)
        except RunError:
            if net is None:
                raise
            report = load_matching(net, weights, file)
        self.pretrained, self.origin = True, str(file)
        logging.getLogger(__name__).info("%s: %s", file, report)

    def _try(self, size: tuple[int, int]) -> None:
        multiple = math.lcm(32, self.stride)
        if any(side % self.stride for side in size):
            raise ConfigError(
                f"model.backbone={self.name!r}: maps of stride {self.stride} do not cover images of {size[0]} x "
                f"{size[1]} pixels; set data.image_resize_dims to multiples of {multiple}"
            )
        training = self.training
        with torch.no_grad():
            found = self.eval()(torch.zeros(1, 3, size[1], size[0]))
        self.train(training)
        assert tuple(found.shape[1:]) == (self.channels, size[1] // self.stride, size[0] // self.stride)


class _Levels(nn.Module):
    """The map of the stride out of a pyramid, with what the deeper ones know."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.net = backbone
        self.channels = backbone.channels[0]
        self.deeper = nn.ModuleList(nn.Conv2d(c, self.channels, 1, bias=False) for c in backbone.channels[1:])

    def forward(self, images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        first, *others = self.net.maps(images)
        joined = _fitted(first, size)
        for squeeze, each in zip(self.deeper, others, strict=True):
            joined = joined + _fitted(squeeze(each), size)
        return joined


class _Chain(nn.Module):
    """Parts one after another; what each of them gives, joined."""

    def __init__(self, parts: Sequence[nn.Module], channels: Sequence[int]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.channels = sum(channels)

    def forward(self, images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        found, value = [], images
        for part in self.parts:
            value = part(value)
            found.append(_fitted(value, size))
        return found[0] if len(found) == 1 else torch.cat(found, 1)


def _fitted(value: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A map in another size: the highest values of a whole number of cells, or else what lies between."""
    height, width = value.shape[-2:]
    if (height, width) == size:
        return value
    if height % size[0] == 0 and width % size[1] == 0:
        return F.max_pool2d(value, (height // size[0], width // size[1]))
    return F.interpolate(value, size=size, mode="bilinear", align_corners=False)


def _trunk(name: str, source: Backbone, stride: int) -> _Levels | _Chain:
    if name in ("vgg16", "vgg19") and stride == 8:
        return _vgg(source.net)
    if name in _CUTS and (stride < 32 or name in _ALWAYS_CUT):
        return _mobile(source.net, _CUTS[name])
    return _Levels(source)


def _mobile(net: Any, cut: _Cut) -> _Chain:
    """The blocks of a MobileNet up to each joined depth."""
    parts: list[nn.Module] = []
    channels: list[int] = []
    held: list[nn.Module] = [net.conv_stem, net.bn1]
    for stage, blocks in enumerate(net.blocks):
        for number, block in enumerate(blocks):
            convolutions = [part for part in block.modules() if isinstance(part, nn.Conv2d)]
            if cut.network == "mobilenetv1_100":
                # timm dilates all blocks that follow a step left out.
                reach = 2 if (stage, number) == cut.dilated else 1
                convolutions[0].dilation = convolutions[0].padding = (reach, reach)
            held.append(block)
            if (stage, number) in cut.depths:
                parts.append(nn.Sequential(*held))
                channels.append(convolutions[-1].out_channels)
                held = []
    return _Chain(parts, channels)


def _vgg(net: Any) -> _Chain:
    """A VGG up to one of its convolutions."""
    layers: list[nn.Module] = []
    left = _VGG_CONVOLUTIONS
    for layer in net.children():
        if not left and not isinstance(layer, nn.ReLU):
            break
        left -= isinstance(layer, nn.Conv2d)
        layers.append(layer)
    return _Chain([nn.Sequential(*layers)], [512])


def _tiny(published: bool) -> _Chain:
    """HyperPose's own small VGG, of stride 8."""
    if published:
        warnings.warn(
            "model.backbone='vggtiny': no weights are published; starting from random ones. Give "
            "model.backbone_checkpoint=FILE.safetensors, or say so by training.backbone_pretrained=false",
            stacklevel=3,
        )
    layers: list[nn.Module] = []
    before = 3
    for width in _TINY:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        before = width
    return _Chain([nn.Sequential(*layers)], [before])
