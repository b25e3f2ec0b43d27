"""A feature pyramid of fixed strides on any backbone (Lin et al. 2017, FPN)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn
from torchvision.ops import FeaturePyramidNetwork


class Pyramid(nn.Module):
    """Maps of a backbone in, maps of the same number of channels out, each with half the resolution of the last.

    A backbone that lacks a stride, as plain transformers lack all but one, has its nearest map resampled (Li et al.
    2022, ViTDet). Levels coarser than its last are made of that one.

    Args:
        channels: Channels of the backbone's maps, finest first.
        strides: Their strides in pixels of the input.
        wanted: Strides of the pyramid, each twice the last.
        width: Channels of every level.
        coarser: How levels beyond the backbone's last are made: ``pool`` takes every second cell, as Faster R-CNN does,
            ``convolution`` learns them, as RetinaNet does.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        wanted: Sequence[int],
        width: int = 256,
        coarser: Literal["pool", "convolution"] = "pool",
    ) -> None:
        super().__init__()
        last = max(strides[-1], wanted[0])
        self._wanted = [stride for stride in wanted if stride <= last]
        self._sources = [min(range(len(strides)), key=lambda i: abs(math.log(strides[i] / s))) for s in self._wanted]
        self._kept = [strides[i] == s for i, s in zip(self._sources, self._wanted, strict=True)]
        self.fpn = FeaturePyramidNetwork([channels[i] for i in self._sources], width)
        beyond = len(wanted) - len(self._wanted)
        convolutions = [nn.Conv2d(width, width, 3, 2, 1) for _ in range(beyond)] if coarser == "convolution" else []
        for layer in convolutions:
            nn.init.kaiming_uniform_(layer.weight, a=1)
        self.beyond = nn.ModuleList(convolutions or [nn.MaxPool2d(1, 2) for _ in range(beyond)])

    def forward(self, maps: Sequence[torch.Tensor], size: tuple[int, int]) -> list[Float[torch.Tensor, "N C _ _"]]:
        """The levels, finest first.

        Args:
            maps: Of the backbone, finest first.
            size: Height and width of the images.

        Returns:
            ``(N, width, ceil(H / stride), ceil(W / stride))`` of each level.
        """
        chosen = {
            str(level): maps[source] if kept else _resampled(maps[source], size, stride)
            for level, (source, kept, stride) in enumerate(zip(self._sources, self._kept, self._wanted, strict=True))
        }
        levels = list(self.fpn(chosen).values())
        for number, layer in enumerate(self.beyond):
            learned = isinstance(layer, nn.Conv2d)
            levels.append(layer(F.relu(levels[-1]) if learned and number else levels[-1]))
        return levels


def _resampled(value: torch.Tensor, size: tuple[int, int], stride: int) -> torch.Tensor:
    target = (-(-size[0] // stride), -(-size[1] // stride))
    return F.interpolate(value, size=target, mode="bilinear", align_corners=False)
