"""Feature maps of several strides, exchanged in both directions (BiFPN: Tan, Pang and Le 2020, EfficientDet)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

_LEAST = 1e-4


class BiFPN(nn.Module):
    """Layers that pass what each level knows down to the finest and back up to the coarsest.

    Args:
        inputs: Channels of the feature maps, finest first; each map is half as large as the one before it.
        channels: Channels of the results.
        layers: How often everything is exchanged, at least once.
        outputs: How many of the finest levels are wanted in the end.
        coarser: Levels that are added beyond the coarsest map.
    """

    def __init__(self, inputs: Sequence[int], channels: int, layers: int, outputs: int, coarser: int = 1) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(given, channels, 1, bias=False), nn.BatchNorm2d(channels)) for given in inputs
        )
        self.coarser = coarser
        levels = len(inputs) + coarser
        self.layers = nn.ModuleList(
            _Layer(channels, levels, levels if number < layers else outputs) for number in range(1, layers + 1)
        )

    def forward(self, maps: Sequence[Float[torch.Tensor, "N _ _ _"]]) -> list[Float[torch.Tensor, "N C _ _"]]:
        """Maps that know of all levels.

        Args:
            maps: Feature maps, finest first.

        Returns:
            The finest levels, finest first, in the sizes of the feature maps.
        """
        levels = [lateral(each) for lateral, each in zip(self.lateral, maps, strict=True)]
        for _ in range(self.coarser):
            levels.append(_down(levels[-1]))
        for layer in self.layers:
            levels = layer(levels)
        return levels


class Merge(nn.Module):
    """A weighted mean of maps with learned weights that are never negative, then a separable convolution.

    Args:
        channels: Of the maps and of the result.
        count: How many maps.
    """

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(count))
        self.convolution = separable(channels, channels)

    def forward(self, maps: Sequence[Float[torch.Tensor, "N C H W"]]) -> Float[torch.Tensor, "N C H W"]:
        """The merged map; all are of one size."""
        weights = F.relu(self.weights)
        weights = weights / (weights.sum() + _LEAST)
        merged: torch.Tensor = self.convolution(F.silu(sum(w * each for w, each in zip(weights, maps, strict=True))))
        return merged


def separable(channels: int, outputs: int) -> nn.Sequential:
    """A 3 x 3 convolution of each channel by itself, a mixture of the channels, and a batch norm."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


def enlarged(values: Float[torch.Tensor, "N C _ _"], like: torch.Tensor) -> Float[torch.Tensor, "N C H W"]:
    """A map at the size of another one, by its nearest pixels."""
    return F.interpolate(values, size=like.shape[-2:], mode="nearest")


class _Layer(nn.Module):
    def __init__(self, channels: int, levels: int, outputs: int) -> None:
        super().__init__()
        self.downward = nn.ModuleList(Merge(channels, 2) for _ in range(levels - 1))
        # The finest level is done on the way down, and the coarsest has nothing but itself on the way up.
        self.upward = nn.ModuleList(Merge(channels, 2 if level == levels - 1 else 3) for level in range(1, outputs))

    def forward(self, levels: list[torch.Tensor]) -> list[torch.Tensor]:
        middle = [levels[-1]]
        for merge, level in zip(self.downward, reversed(levels[:-1]), strict=True):
            middle.append(merge([level, enlarged(middle[-1], level)]))
        middle.reverse()
        found = [middle[0]]
        for merge, level, passed in zip(self.upward, levels[1:], middle[1:], strict=False):
            given = [level, passed, _down(found[-1])] if passed is not level else [level, _down(found[-1])]
            found.append(merge(given))
        return found


def _down(values: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(values, 3, 2, 1)
