"""A detector that needs no training: it finds white patches, whole or cut off, and tells wide ones from high ones."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import find_objects, label
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs, Task
from vitruve.algorithms.crowd import gathered
from vitruve.algorithms.settings import ModelSettings
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

CLASSES = ("wide", "high")


class _Bright(nn.Module):
    def forward(self, images):
        return {"bright": images.float().mean(1) / 255}


class PatchDetector(ImageAlgorithm):
    description = "white patches"
    needs = Needs(instances=True, boxes=True)

    def __init__(self, size):
        super().__init__(ModelSettings(), Task(Skeleton(()), size, categories=CLASSES))
        self.network = _Bright()

    def encode(self, batch):
        return {}

    def loss(self, outputs, targets):
        return {}

    def decode(self, outputs, batch):
        found = []
        for image in outputs["bright"].flatten(0, 1).numpy() > 0.5:
            places = [
                p for p in find_objects(label(image)[0]) if (p[0].stop - p[0].start) * (p[1].stop - p[1].start) > 4
            ]
            boxes = np.array([[x.start, y.start, x.stop, y.stop] for y, x in places], np.float32).reshape(-1, 4) - 0.5
            sides = boxes[:, 2:] - boxes[:, :2]
            # The larger, the surer.
            scores = 1 - 1 / (1 + np.sqrt(sides.prod(1)))
            nothing = torch.zeros(len(boxes), 0, 2)
            classes = torch.from_numpy((sides[:, 1] > sides[:, 0]).astype(np.int64))
            found.append(
                Instances(
                    nothing,
                    nothing[..., 0].to(torch.int8),
                    boxes=torch.from_numpy(boxes),
                    scores=torch.from_numpy(scores.astype(np.float32)),
                    categories=classes,
                )
            )
        return gathered(found, batch)


def patches(size, count, rng, sides=(8, 60)):
    """A black picture with white patches that are apart, and their boxes with classes."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    taken = np.zeros(image.shape[:2], bool)
    boxes = []
    while len(boxes) < count:
        long, short = np.sort(rng.integers(*sides, 2))[::-1] + np.array([2, 0])
        width, height = (long, short) if rng.random() < 0.5 else (short, long)
        x, y = rng.integers(0, size[0] - width), rng.integers(0, size[1] - height)
        around = (slice(max(0, y - 3), y + height + 3), slice(max(0, x - 3), x + width + 3))
        if taken[around].any():
            continue
        taken[y : y + height, x : x + width] = True
        image[y : y + height, x : x + width] = 255
        boxes.append([x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5])
    boxes = np.array(boxes, np.float64)
    sides_ = boxes[:, 2:] - boxes[:, :2]
    return image, boxes, (sides_[:, 1] > sides_[:, 0]).astype(int)
