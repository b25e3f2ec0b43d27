"""Clips of pictures whose frames are nearly alike, and a network whose points are easy to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from vitruve.curation.embedding import Embedder
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SIDE = 24
KINDS = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]])


class Colors(nn.Module):
    """Means of the channels over a grid of two by two cells."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)[..., None, None]


def colors() -> Embedder:
    return Embedder(Colors(), True, "colours", size=SIDE)


def clips(root: Path, count: int = 8, each: int = 5, kinds: int = 2) -> Labels:
    """Clips of a kind of object each, on grounds of their own; the n-th is of day n // 2."""
    rng = np.random.default_rng(0)
    frames = []
    for clip in range(count):
        ground = rng.integers(0, 256, 3)
        for index in range(each):
            image = np.broadcast_to(ground, (48, 64, 3)).copy() + rng.integers(-2, 3, (48, 64, 3))
            x, y = 8 + 2 * index, 12
            image[y : y + 16, x : x + 16] = KINDS[clip % kinds] + rng.integers(-9, 10, 3)
            path = Path(f"images/clip{clip} 2020051{clip // 2}/frame_{7 * index:03d}.png")
            write_image(root / path, np.clip(image, 0, 255).astype(np.uint8))
            found = Instances(
                np.zeros((1, 1, 0, 2)),
                np.zeros((1, 1, 0), np.int8),
                boxes=np.array([[[x, y, x + 16.0, y + 16.0]]]) - 0.5,
                categories=np.array([[clip % kinds]]),
            )
            frames.append(Frame((ImageRef(path, size=(64, 48)),), found, session=path.parent.name))
    return Labels(Skeleton(()), tuple(frames), root, tuple("abc"[:kinds]))
