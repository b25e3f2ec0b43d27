"""Any timm network as a feature pyramid.

One contract: images in, a list of feature maps out, finest first, each with a known number of channels and stride.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import nn

from vitruve.errors import ConfigError, nearest
from vitruve.networks.hub import patient_for_seconds
from vitruve.networks.weights import load_matching, read_weights

# Names that Lightning Pose gives its backbones, and the timm networks they are. Weights that timm does not carry
# (pose data sets) have to come from a file.
_ALIASES: Mapping[str, str] = {
    **{f"resnet50_{data}": "resnet50" for data in ("animal_apose", "animal_ap10k", "human_jhmdb")},
    **{f"resnet50_human_{data}": "resnet50" for data in ("res_rle", "top_res", "hand")},
    "resnet50_contrastive": "resnet50",
    "vits_dino": "vit_small_patch16_224.dino",
    "vitb_dino": "vit_base_patch16_224.dino",
    "vits_dinov2": "vit_small_patch14_dinov2.lvd142m",
    "vitb_dinov2": "vit_base_patch14_dinov2.lvd142m",
    "vits_dinov3": "vit_small_patch16_dinov3.lvd1689m",
    "vitb_dinov3": "vit_base_patch16_dinov3.lvd1689m",
    "vitb_imagenet": "vit_base_patch16_224.mae",
    "vitb_sam": "samvit_base_patch16.sa1b",
    "vitt_sam2": "sam2_hiera_tiny.fb_r896",
    "vits_sam2": "sam2_hiera_small.fb_r896",
    "vitb_sam2": "sam2_hiera_base_plus.fb_r896",
    "mobilenetv1": "mobilenetv1_100",
    "mobilenetv2": "mobilenetv2_100",
}

ONE_MAP: Mapping[str, str] = {
    "vggtiny": "9 convolutions, up to 384 channels",
    "mobilenet_dilated": "mobilenetv1_100 up to its 512 channels, with a dilated block",
    "mobilenet_thin": "mobilenetv1_100, three depths joined to 1152 channels",
    "mobilenet_small": "the first half of mobilenetv1_100, three depths joined to 704 channels",
}
"""HyperPose's networks that timm lacks. They give one map, which is what algorithms for several instances look at
(:class:`vitruve.networks.stride_backbone.StrideBackbone`)."""

_HYPERPOSE = ("mobilenetv1", "mobilenetv2")

_WITHOUT = ", without its own weights: they are not published for timm (model.backbone_checkpoint)"


class Backbone(nn.Module):
    """A timm network cut open at its feature maps.

    Args:
        name: A timm name (``resnet18``, ``convnext_tiny.in12k``, ``vit_small_patch16_224``) or one of Lightning
            Pose's.
        input_size: Width and height of the images, in pixels. Networks with a fixed grid are built for it.
        finest_stride: Feature maps finer than this are left out.
        output_stride: Where the network can do that, coarser maps keep this stride and their convolutions are dilated
            instead (Chen et al. 2015, DeepLab); the other networks are as always.
        pretrained: Take the published weights (downloaded once, then from the local cache). Without a connection
            the weights are random and a warning says so.
        weights_file: A safetensors file with weights for this network, taken instead.
        freeze_norm: Batch normalisation stays in evaluation, whatever the mode; None where the network is pretrained.

    Attributes:
        pretrained: Whether the weights are others than random ones, or were when training began.
        origin: Where they come from: ``published``, ``published <network>`` where those of the name itself are not,
            ``random``, or the file.

    Raises:
        ConfigError: There is no network of that name, or the file does not fit it.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        name: str,
        input_size: tuple[int, int],
        *,
        finest_stride: int = 4,
        output_stride: int | None = None,
        pretrained: bool = False,
        weights_file: Path | None = None,
        freeze_norm: bool | None = False,
    ) -> None:
        super().__init__()
        timm_name = resolve_name(name)
        self.name = name
        self._freeze_norm = freeze_norm
        published = pretrained and weights_file is None
        self.net, self.pretrained = _create(timm_name, input_size, finest_stride, output_stride, published)
        if published and _lacks_weights(name):
            begins = f"{timm_name}'s, learned from photographs" if self.pretrained else "random ones"
            warnings.warn(
                f"model.backbone={name}: the weights that Lightning Pose has under this name are not published for "
                f"timm; starting from {begins}. Give model.backbone_checkpoint=FILE.safetensors for them",
                stacklevel=2,
            )
        # Swin transformers keep channels last.
        self._channels_at_end = getattr(self.net, "output_fmt", None) == "NHWC"
        info = self.net.feature_info
        # A plain transformer gives one stride only; its last map has seen everything the earlier ones have.
        reductions = [int(r) for r in info.reduction()]
        self._keep = [i for i, r in enumerate(reductions) if r not in reductions[i + 1 :]]
        self.strides = [reductions[i] for i in self._keep]
        self.channels = [int(info.channels()[i]) for i in self._keep]
        config = timm.get_pretrained_cfg(timm_name, allow_unregistered=True)
        mean, std = (config.mean, config.std) if config else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(1, 3, 1, 1))
        self._try(input_size)
        if weights_file is not None:
            report = load_matching(self.net, read_weights(weights_file), weights_file)
            self.pretrained = True
            logging.getLogger(__name__).info("%s: %s", weights_file, report)
        own = f"published {timm_name}" if _lacks_weights(name) else "published"
        self.origin = str(weights_file) if weights_file is not None else own if self.pretrained else "random"

    def train(self, mode: bool = True) -> Backbone:
        """Set the mode; that of batch normalisation stays evaluation where it is frozen."""
        super().train(mode)
        if self.pretrained if self._freeze_norm is None else self._freeze_norm:
            for layer in self.net.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()
        return self

    def forward(self, images: torch.Tensor) -> list[Float[torch.Tensor, "N _ _ _"]]:
        """Feature maps of RGB images.

        Args:
            images: ``(N, 3, H, W)`` with values from 0 to 255, of any number type.

        Returns:
            One map for each of :attr:`strides`, finest first.
        """
        return self.maps(self.normalized(images))

    def maps(self, normal: Float[torch.Tensor, "N 3 H W"]) -> list[Float[torch.Tensor, "N _ _ _"]]:
        """What :meth:`forward` gives, of images that :meth:`normalized` gave."""
        maps = self.net(normal)
        if self._channels_at_end:
            maps = [each.permute(0, 3, 1, 2) for each in maps]
        return [maps[i] for i in self._keep]

    def normalized(self, images: torch.Tensor) -> Float[torch.Tensor, "N 3 H W"]:
        """Images in the numbers that the network was trained on; arguments as for :meth:`forward`."""
        normal: torch.Tensor = (images.to(self.mean.dtype) - self.mean) / self.std
        return normal

    def _try(self, size: tuple[int, int]) -> None:
        """Let one image through: some networks take other sizes than they say, or give other maps."""
        multiple = math.lcm(32, *self.strides)
        training = self.training
        try:
            with torch.no_grad():
                maps = self.eval()(torch.zeros(1, 3, size[1], size[0]))
            for found, channels, stride in zip(maps, self.channels, self.strides, strict=True):
                wanted = (channels, -(-size[1] // stride), -(-size[0] // stride))
                if tuple(found.shape[1:]) != wanted:
                    raise ValueError(f"a map is {tuple(found.shape[1:])} where it should be {wanted}")
        except (RuntimeError, AssertionError, ValueError) as error:
            raise ConfigError(
                f"model.backbone={self.name!r}: does not work on images of {size[0]} x {size[1]} pixels "
                f"({_line(error)}); set data.image_resize_dims to multiples of {multiple}, or choose another backbone"
            ) from error
        finally:
            self.train(training)


def resolve_name(name: str) -> str:
    """The timm name behind a backbone's name.

    Args:
        name: A timm name or one of Lightning Pose's.

    Returns:
        The timm name.

    Raises:
        ConfigError: There is no such network.
    """
    timm_name = _ALIASES.get(name, name)
    if name in ONE_MAP:
        raise ConfigError(
            f"model.backbone={name!r}: gives one map, for algorithms that find several instances; choose another"
        )
    if not timm.is_model(timm_name.split(".")[0]):
        known = [*_ALIASES, *ONE_MAP, *timm.list_models()]
        raise ConfigError(
            f"model.backbone={name!r}: no such network{nearest(name, known)}; see 'vitruve list backbones'"
        )
    return timm_name


def list_backbones(pattern: str | None = None) -> list[tuple[str, str]]:
    """Backbones that can be named in ``model.backbone``.

    Args:
        pattern: A part of the name, or a pattern with ``*``; None lists the aliases and all of timm's.

    Returns:
        Pairs of a name and what it is.
    """
    text = pattern or ""
    wanted = text if "*" in text else f"*{text}*"
    aliases = [
        (name, f"{_whose(name)} name for {timm_name}{_WITHOUT if _lacks_weights(name) else ''}")
        for name, timm_name in _ALIASES.items()
        if fnmatchcase(name, wanted)
    ]
    aliases += [
        (name, f"HyperPose's: {form}; only with algorithms for several instances")
        for name, form in ONE_MAP.items()
        if fnmatchcase(name, wanted)
    ]
    return aliases + [(name, "timm") for name in timm.list_models(wanted)]


def _whose(name: str) -> str:
    return "HyperPose's" if name in _HYPERPOSE else "Lightning Pose's"


def _lacks_weights(name: str) -> bool:
    """Whether a name stands for weights that timm does not have; a timm name with a dot says which it has."""
    return name not in _HYPERPOSE and "." not in _ALIASES.get(name, ".")


def _create(
    name: str, size: tuple[int, int], finest: int, output_stride: int | None, pretrained: bool
) -> tuple[Any, bool]:
    """Build the feature network, with an image size and an output stride where the kind of network takes one.

    Returns:
        The network, and whether it has published weights.
    """
    # The first maps of a convolutional network are finer than any heatmap; leaving them out saves their memory.
    options: dict[str, Any] = {"features_only": True, "in_chans": 3, "img_size": (size[1], size[0])}
    try:
        try:
            probe = timm.create_model(name, pretrained=False, **options)
        except TypeError:  # a convolutional network takes any size, and no such argument
            del options["img_size"]
            probe, options = _dilated(name, options, output_stride)
    except (RuntimeError, AttributeError, TypeError, AssertionError, ValueError) as error:
        raise ConfigError(
            f"model.backbone={name!r}: timm gives no feature maps of it for {size[0]} x {size[1]} pixels "
            f"({_line(error)}); choose another"
        ) from error
    reductions = [int(r) for r in probe.feature_info.reduction()]
    # The probe shows some of a network's maps only (a transformer's last three): its own numbers of them are not ours.
    places = list(zip(probe.feature_info.out_indices, reductions, strict=True))
    keep = [index for index, reduction in places if reduction >= finest] or [places[-1][0]]
    options["out_indices"] = tuple(keep[-1:] if len(set(reductions)) == 1 else keep)
    if pretrained:
        try:
            with patient_for_seconds():
                return _published(name, options), True
        except Exception as error:  # whatever the hub's client raises without a connection: there are many kinds
            warnings.warn(
                f"model.backbone={name!r}: no published weights could be had ({_line(error)}); starting from random "
                "ones. Give model.backbone_checkpoint=FILE.safetensors, or say so by "
                "training.backbone_pretrained=false",
                stacklevel=3,
            )
    return timm.create_model(name, pretrained=False, **options), False


def _dilated(name: str, options: dict[str, Any], stride: int | None) -> tuple[Any, dict[str, Any]]:
    """A convolutional network with an output stride where it takes one, and the options that it was built with."""
    if stride in (8, 16, 32):  # what timm's networks know
        dilated = {**options, "output_stride": stride}
        # Each kind of network says no in its own way.
        with suppress(TypeError, AssertionError, NotImplementedError, ValueError):
            return timm.create_model(name, pretrained=False, **dilated), dilated
    return timm.create_model(name, pretrained=False, **options), options


def _published(name: str, options: Mapping[str, Any]) -> Any:
    """A feature network with its published weights, whatever the size of images these were learned on."""
    try:
        return timm.create_model(name, pretrained=True, **options)
    except RuntimeError:
        # timm resamples the positions of most transformers, but not those of Segment Anything's encoder.
        own_size = {key: value for key, value in options.items() if key != "img_size"}
        learned = timm.create_model(name, pretrained=True, **own_size)
    net = timm.create_model(name, pretrained=False, **options)
    load_matching(net, learned.state_dict(), Path(name))
    return net


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
