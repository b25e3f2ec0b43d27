"""An algorithm without weights that finds any number of instances: one at each bright pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

PAIR = Skeleton(("spot", "right"), ((0, 1),))
SIZE = 64


class Same(nn.Module):
    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"images": images[:, 0].float()}


class Spots(ImageAlgorithm):
    """Keypoint 0 is a bright pixel, keypoint 1 lies 12 px to its right, but is missing beyond the middle."""

    needs = Needs(instances=True)

    def __init__(self) -> None:
        super().__init__(ModelSettings(), Task(PAIR, (SIZE, SIZE)))
        self.network = Same()

    def encode(self, batch: Any) -> Any:
        raise AssertionError("nothing here trains")

    def loss(self, outputs: Any, targets: Any) -> Any:
        raise AssertionError("nothing here trains")

    def decode(self, outputs: Any, batch: Any) -> Instances:
        images = outputs["images"][:, 0]
        found = [torch.nonzero(image > 200).flip(-1).float() for image in images]
        most = max(len(each) for each in found)
        points = torch.full((len(images), 1, most, 2, 2), torch.nan)
        for row, each in zip(points, found, strict=True):
            row[0, : len(each)] = torch.stack([each, each + torch.tensor([12.0, 0.0])], 1)
        points[..., 1, :][points[..., 0, 0] > SIZE / 2] = torch.nan
        there = points[..., 0, 0].isfinite()
        scores = torch.where(there, 0.9 - 0.1 * torch.arange(most), torch.nan)
        people = Instances.from_keypoints(
            points, keypoint_scores=torch.where(points[..., 0].isfinite(), scores[..., None], torch.nan), scores=scores
        )
        return people.transformed(batch.to_image_of(len(points)))


def walks(count: int) -> list[list[tuple[int, int]]]:
    """Where the spots are: none at first, then one, then three, of which one leaves."""
    frames = []
    for t in range(count):
        spots = [(4 + t, 10)] if t >= 3 else []
        spots += [(40 - t, 30), (10, 50)] if t >= 7 else []
        frames.append(spots[:2] if t > 15 else spots)
    return frames


def pictures(count: int) -> list[np.ndarray]:
    images = [np.full((SIZE, SIZE, 3), 30, np.uint8) for _ in range(count)]
    for image, spots in zip(images, walks(count), strict=True):
        for x, y in spots:
            image[y, x] = 255
    return images
