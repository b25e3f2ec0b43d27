"""From feature maps to one map a keypoint."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn


class PyramidHead(nn.Module):
    """Merges feature maps from the coarsest to the finest and ends in one map a keypoint.

    The top-down path of a feature pyramid (Lin et al. 2017): what the coarse maps know about the whole animal meets
    what the fine ones know about edges, which places a keypoint better than upsampling the coarsest map alone.

    Args:
        channels: Channels of the feature maps, finest first.
        strides: Their strides in input pixels.
        stride: Stride of the result.
        outputs: Number of result maps.
        width: Channels in between.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], stride: int, outputs: int, width: int = 64
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.stride = stride
        self.width = width
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1, bias=False) for c in channels)
        # A plain transformer has one coarse map; each doubling gets a convolution of its own. Patches of 14 pixels do
        # not halve down to the stride: what is left of the way is interpolated.
        self.steps = self._plan()
        self.refine = nn.ModuleList(_block(width) for _ in self.steps)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in channels)
        self.predict = nn.Conv2d(width, outputs, 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        assert self.predict.bias is not None
        nn.init.zeros_(self.predict.bias)

    def _plan(self) -> list[int | None]:
        """For each doubling on the way down, the index of the lateral map that joins, or None."""
        steps: list[int | None] = []
        at = self.strides[-1]
        while at > self.stride:
            at //= 2
            steps.append(self.strides.index(at) if at in self.strides else None)
        return steps

    def forward(self, maps: Sequence[Float[torch.Tensor, "N _ _ _"]]) -> Float[torch.Tensor, "N K H W"]:
        """One map a keypoint.

        Args:
            maps: Feature maps, finest first.

        Returns:
            Maps of the input's size over the stride, before any softmax.
        """
        logits: torch.Tensor = self.predict(self.merge(maps))
        return logits

    def merge(self, maps: Sequence[Float[torch.Tensor, "N _ _ _"]]) -> Float[torch.Tensor, "N _ H W"]:
        """The feature maps as one, from which :attr:`predict` reads the result.

        Args:
            maps: Feature maps, finest first.

        Returns:
            A map of the input's size over the stride, with as many channels as the head is wide.
        """
        x = self.norms[-1](self.lateral[-1](maps[-1]))
        for refine, joins in zip(self.refine, self.steps, strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            if joins is not None:
                x = x + self.norms[joins](self.lateral[joins](maps[joins]))
            x = refine(x)
        if self.strides[-1] != self.stride * 2 ** len(self.steps):
            size = [side * self.strides[-1] // self.stride for side in maps[-1].shape[-2:]]
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return x


def _block(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )
