"""An algorithm with no network to speak of: it sees the brightest pixel, and how bright the frames of a window are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.inference.predictor import Predictor
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("spot", "other"), ((0, 1),))


class Means(nn.Module):
    def __init__(self, reach: int) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        flat = images[:, 0].float().flatten(1)
        place = flat.argmax(-1)
        width = images.shape[-1]
        points = torch.stack([place % width, place // width], -1).float()
        mean, frames = images.float().flatten(1).mean(-1), torch.arange(len(images))
        ends = [mean[(frames + step).clamp(0, len(images) - 1)] for step in (-self.reach, self.reach)]
        return {"points": points, "ends": torch.stack(ends, -1)}


class Bright(ImageAlgorithm):
    """Keypoint 0 is the brightest pixel of the middle frame; keypoint 1 holds the first and the last frame's mean."""

    def __init__(self, context: int = 0) -> None:
        super().__init__(ModelSettings(), Task(SKELETON, (32, 32)))
        self.network = Means(context)
        self.needs = Needs(context=context)

    def encode(self, batch: Any) -> Any:
        raise AssertionError("nothing here trains")

    def loss(self, outputs: Any, targets: Any) -> Any:
        raise AssertionError("nothing here trains")

    def decode(self, outputs: Any, batch: Any) -> Instances:
        spot, ends = outputs["points"], outputs["ends"]
        found = Instances.from_keypoints(
            torch.stack([spot, spot], -2)[:, :, None], keypoint_scores=torch.full((*spot.shape[:2], 1, 2), 0.95)
        ).transformed(batch.to_image_of(len(spot)))
        found.keypoints[:, :, 0, 1] = ends
        return found


class Broken(Predictor):
    """Stops after so many batches, like a process that is killed: what is written is written."""

    def __init__(self, algorithm: ImageAlgorithm, after: int) -> None:
        super().__init__(algorithm, 4)
        self._left = after

    def run_batch(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("killed")
        return super().run_batch(*arguments)


def predictor(batch_size: int = 4, context: int = 0) -> Predictor:
    return Predictor(Bright(context), batch_size)


def numbered(count: int) -> list[np.ndarray]:
    """Images whose brightness is their number times four, with a bright pixel whose place tells it as well."""
    images = [np.full((32, 32, 3), 4 * index, np.uint8) for index in range(count)]
    for index, image in enumerate(images):
        image[3 + index // 20, index % 20] = 255
    return images


def spots(count: int) -> np.ndarray:
    return np.array([(index % 20, 3 + index // 20) for index in range(count)], float)
