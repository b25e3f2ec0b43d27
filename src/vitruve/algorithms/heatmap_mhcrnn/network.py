"""A network that sees each frame once and reads every map twice: from the frame alone, and from five in a row."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from vitruve.algorithms.base import Outputs, Task
from vitruve.algorithms.heatmap_network import HeatmapNetwork
from vitruve.algorithms.settings import ModelSettings

REACH = 2
"""Frames before and after the one whose keypoints are asked for."""
_WIDTH = 48


class Recurrence(nn.Module):
    """A light gated recurrent unit (Ravanelli et al. 2018) of maps: what came before is kept or replaced, by pixel.

    Args:
        width: Channels of the maps and of the state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2 * width)
        self.state = nn.Conv2d(width, 2 * width, 3, padding=1)

    def enter(self, maps: Float[torch.Tensor, "N C h w"]) -> Float[torch.Tensor, "N C2 h w"]:
        """What maps bring in: how much is replaced, and by what. The same whenever they are met."""
        entered: torch.Tensor = self.norm(self.input(maps))
        return entered

    def forward(self, entered: list[Float[torch.Tensor, "N C2 h w"]]) -> Float[torch.Tensor, "N C h w"]:
        """The state after the last of some maps.

        Args:
            entered: What each of them brings in, the first one first.

        Returns:
            The state.
        """
        replaced, by = entered[0].chunk(2, 1)
        state = replaced.sigmoid() * by.relu()
        for each in entered[1:]:
            replaced, by = (each + self.state(state)).chunk(2, 1)
            share = replaced.sigmoid()
            state = share * by.relu() + (1 - share) * state
        return state


class ContextHead(nn.Module):
    """One map a keypoint of a frame, from its features and those of the two frames before and after it.

    The idea is Lightning Pose's multi-head convolutional recurrent network (Biderman et al. 2024): one recurrence
    comes from the past, another from the future, and both end at the frame asked for. Here they carry features, not
    maps of keypoints; they are one recurrence, since what moves forwards may as well move backwards; and they work at
    half the resolution, while the frame's own features join in full.

    Args:
        channels: Channels of the features.
        outputs: Number of result maps.
        size: Height and width of the features.
    """

    def __init__(self, channels: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.shrink = nn.Sequential(
            nn.Conv2d(channels, _WIDTH, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(inplace=True),
        )
        self.recurrence = Recurrence(_WIDTH)
        self.join = nn.Sequential(nn.Conv2d(2 * _WIDTH, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.predict = nn.Conv2d(channels, outputs, 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        assert self.predict.bias is not None
        nn.init.zeros_(self.predict.bias)

    def forward(self, features: Float[torch.Tensor, "N C h w"], window: int | None) -> Float[torch.Tensor, "F K h w"]:
        """Maps of the frames that have their neighbours.

        Args:
            features: Of frames in a row.
            window: A new row begins after so many, five at least; None where all are one row.

        Returns:
            Before any softmax, row by row.
        """
        entered = self.recurrence.enter(self.shrink(features))
        past = [_shifted(entered, step, window) for step in range(-REACH, 1)]
        future = [_shifted(entered, -step, window) for step in range(-REACH, 1)]
        state = self.recurrence([torch.cat(pair) for pair in zip(past, future, strict=True)])
        context = self.join(torch.cat(state.chunk(2), 1))
        large = F.interpolate(context, scale_factor=2.0, mode="nearest")[..., : self.size[0], : self.size[1]]
        maps: torch.Tensor = self.predict(self.refine(large + _shifted(features, 0, window)))
        return maps


class ContextNetwork(HeatmapNetwork):
    """Backbone and pyramid, once a frame, and two heads on them; arguments and errors as for its base."""

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool) -> None:
        super().__init__(config, task, pretrained)
        self.reach = REACH
        width, height = (side // self.stride for side in task.input_size)
        self.context = ContextHead(self.head.width, len(task.skeleton), (height, width))

    def forward(self, images: torch.Tensor, window: int | None = None) -> Outputs:
        """Maps before the softmax, of size ``(H / stride, W / stride)``: of the context head and of the static one.

        Args:
            images: ``(N, 3, H, W)`` with values from 0 to 255.
            window: Frames that follow one another; None for all N.

        Returns:
            ``heatmaps`` and ``static``, each ``(P, K, h, w)``. With a window: of the frames that have their neighbours
            within it. Without: of all frames; beyond both ends of the N the outermost one is seen again.
        """
        features = self.head.merge(self.backbone(images))
        if window is None:
            first, last = features[:1], features[-1:]
            features = torch.cat([first] * REACH + [features] + [last] * REACH)
        static = self.head.predict(_shifted(features, 0, window))
        return {"heatmaps": self.context(features, window), "static": static}


def _shifted(frames: torch.Tensor, step: int, window: int | None) -> torch.Tensor:
    """For each frame that has its neighbours within its row, the one so many steps later."""
    end = step - REACH
    inner = slice(REACH + step, end if end < 0 else None)
    # Joining rows keeps channels innermost in memory, which taking them from a tensor of five axes does not.
    return frames[inner] if window is None else torch.cat([row[inner] for row in torch.split(frames, window)])
