"""A network that finds coloured blobs exactly, for tests that need confident keypoints without training."""

from __future__ import annotations

import torch
from torch import nn

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Task
from vitruve.inference.samples import Samples
from vitruve.structures.skeleton import Skeleton

SIZE = 64
SCALE = 2.0
"""Original pixels to an input pixel."""
STRIDE = 4


class BlobNetwork(nn.Module):
    """The red channel is the map of the first keypoint, the green one that of the second."""

    def __init__(self) -> None:
        super().__init__()
        self.pick = nn.Conv2d(3, 8, 3, padding=1)
        self.shrink = nn.Conv2d(8, 8, STRIDE, stride=STRIDE, groups=8)
        self.predict = nn.Conv2d(8, 2, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
            for channel in range(2):
                self.pick.weight[channel, channel] = 1 / 9
                self.shrink.weight[channel] = 1 / STRIDE**2
                self.predict.weight[channel, channel] = 14.0

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        x = images.to(self.pick.weight.dtype) / 255
        return {"heatmaps": self.predict(torch.relu(self.shrink(torch.relu(self.pick(x)))))}


def blob_algorithm() -> Algorithm:
    """The heatmap algorithm around :class:`BlobNetwork`."""
    kind = registry.get("heatmap")
    task = Task(Skeleton(("red", "green")), (SIZE, SIZE))
    algorithm = kind(kind.Config(backbone="test_resnet"), task)
    algorithm.network = BlobNetwork()
    return algorithm.eval()


def blob_samples(count: int = 12, seed: int = 0) -> tuple[Samples, torch.Tensor]:
    """Images with a red and a green blob, and where they are.

    Args:
        count: How many; every other one is a validation sample.
        seed: Of the places.

    Returns:
        The samples, and ``(count, 2, 2)`` places in original pixels.
    """
    generator = torch.Generator().manual_seed(seed)
    places = 12 + (SIZE - 24) * torch.rand(count, 2, 2, generator=generator)
    axis = torch.arange(SIZE)
    squared = (axis[None, None, None] - places[..., 0, None, None]) ** 2
    squared = squared + (axis[None, None, :, None] - places[..., 1, None, None]) ** 2
    images = torch.zeros(count, 1, 1, 3, SIZE, SIZE, dtype=torch.uint8)
    images[:, 0, 0, :2] = (255 * torch.exp(-squared / (2 * 5.0**2))).round().to(torch.uint8)
    to_image = torch.diag(torch.tensor([SCALE, SCALE, 1.0])).expand(count, 1, 3, 3).clone()
    splits = tuple("train" if i % 2 else "validation" for i in range(count))
    return Samples(images, to_image, splits), places * SCALE
