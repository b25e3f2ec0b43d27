"""JARVIS' EfficientTrack, for every algorithm on it: features exchanged over several sizes, maps of two sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from vitruve.algorithms.base import Outputs, Targets, Task
from vitruve.algorithms.heatmap_targets import HeatmapTargets, HeatmapTargetSettings
from vitruve.algorithms.settings import ModelSettings
from vitruve.errors import ConfigError
from vitruve.networks.backbone import Backbone
from vitruve.networks.bifpn import BiFPN, Merge, enlarged
from vitruve.structures.batch import Batch

Size = Literal["small", "medium", "large"]

_BY_SIZE = "efficientnet"
_MERGED = 3


class _Widths(NamedTuple):
    backbone: str
    channels: int
    layers: int


_SIZES: dict[str, _Widths] = {
    "small": _Widths("efficientnet_b0", 56, 3),
    "medium": _Widths("efficientnet_b1", 88, 4),
    "large": _Widths("efficientnet_b3", 160, 6),
}


class EfficientTrackSettings(HeatmapTargetSettings):
    """Settings of every algorithm on this network."""

    model_size: Size = Field("small", description="How large the network is: small, medium or large.")
    backbone: str = Field(
        _BY_SIZE,
        min_length=1,
        description="`efficientnet` takes b0, b1 or b3 as model_size says; or the name of another backbone "
        "(`vitruve list backbones`).",
    )


class EfficientTrackNetwork(nn.Module):
    """Backbone, BiFPN, and a head for maps of each of two strides.

    The coarse maps are learned beside the fine ones and help the features; the fine ones are read.

    Args:
        config: Names the size.
        task: Sizes and keypoints.
        pretrained: Start the backbone from published weights.

    Attributes:
        stride: Of the fine maps, in input pixels; the coarse ones have twice as much.

    Raises:
        ConfigError: The backbone has no maps as fine as the coarse head asks for.
    """

    def __init__(self, config: EfficientTrackSettings, task: Task, pretrained: bool) -> None:
        super().__init__()
        self.stride = 2**task.downsample_factor
        size = _SIZES[config.model_size]
        name = size.backbone if config.backbone == _BY_SIZE else config.backbone
        self.backbone = Backbone(
            name,
            task.input_size,
            finest_stride=2 * self.stride,
            pretrained=pretrained,
            weights_file=Path(config.backbone_checkpoint) if config.backbone_checkpoint else None,
        )
        if self.backbone.strides[0] != 2 * self.stride or len(self.backbone.strides) < 2:
            raise ConfigError(
                f"model.backbone={config.backbone!r}: its feature maps have strides "
                f"{', '.join(map(str, self.backbone.strides))}, and {config.model_type} with data.downsample_factor="
                f"{task.downsample_factor} begins at {2 * self.stride}; choose a convolutional backbone"
            )
        merged = min(_MERGED, len(self.backbone.strides))
        self.bifpn = BiFPN(self.backbone.channels, size.channels, size.layers, merged)
        self.merge = Merge(size.channels, merged)
        keypoints = len(task.skeleton)
        self.coarse_head = nn.Conv2d(size.channels, keypoints, 3, padding=1)
        self.fine_head = nn.ConvTranspose2d(size.channels, keypoints, 4, stride=2, padding=1)
        for head in (self.coarse_head, self.fine_head):
            nn.init.normal_(head.weight, std=0.01)
            assert head.bias is not None
            nn.init.zeros_(head.bias)

    def forward(self, images: torch.Tensor) -> Outputs:
        """Maps before the softmax: ``heatmaps`` ``(N, K, H / stride, W / stride)`` and ``coarse`` of half that size."""
        levels = self.bifpn(self.backbone(images))
        merged = F.silu(self.merge([enlarged(level, levels[0]) for level in levels]))
        return {"heatmaps": self.fine_head(merged), "coarse": self.coarse_head(merged)}

    def heads(self) -> Iterator[nn.Module]:
        """What comes after the BiFPN: the last layers."""
        yield from (self.merge, self.coarse_head, self.fine_head)


class EfficientTrackTargets(HeatmapTargets):
    """The side of such an algorithm that knows maps: both sizes are learned alike, the fine ones are read.

    Unlike in JARVIS, what is not labelled is left out instead of being taught as absent, and positions are decoded to
    a fraction of a pixel.
    """

    Config: ClassVar[type[ModelSettings]] = EfficientTrackSettings

    def __init__(self, config: EfficientTrackSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        self.network: EfficientTrackNetwork = EfficientTrackNetwork(config, task, pretrained)

    def encode(self, batch: Batch) -> Targets:
        """As for maps of one size, and ``coarse`` ``(B, V, K, h / 2, w / 2)``."""
        coarse, _ = self.target_maps(batch, 2 * self.stride)
        return {**super().encode(batch), "coarse": coarse}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``heatmap_<kind>`` and ``coarse_heatmap_<kind>``."""
        coarse = self.map_distance(outputs["coarse"], {**targets, "heatmaps": targets["coarse"]})
        return {**super().loss(outputs, targets), f"coarse_heatmap_{self.kind}": coarse}
