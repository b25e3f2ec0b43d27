"""Rendered label sets: one dot of its own colour for each keypoint, so that its place can be measured again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton.from_names(("nose", "left_ear", "right_ear"))
"""Red, green and blue dots; the ears change places in a mirror image."""


def picture(points: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Dots at ``(3, 2)`` points, the first red, the second green, the third blue, on black."""
    y, x = np.mgrid[: size[1], : size[0]]
    dots = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points]
    return np.round(250 * np.stack(dots, -1)).astype(np.uint8)


def dot_place(channel: np.ndarray) -> np.ndarray:
    """The centroid of the only dot of a channel."""
    y, x = np.mgrid[: channel.shape[0], : channel.shape[1]]
    weight = channel.astype(np.float64)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def label_set(folder: Path, count: int, size: tuple[int, int], sigma: float, views: int = 1, seed: int = 0) -> Labels:
    """Frames of pictures that lie in a folder, with the dots' places as labels."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(count):
        names = [Path(f"view{v}") / f"img{i:03d}.png" for v in range(views)]
        points = rng.uniform(0.25, 0.75, (views, 1, 3, 2)) * size
        for name, own in zip(names, points[:, 0], strict=True):
            write_image(folder / name, picture(own, size, sigma))
        truth = Instances.from_keypoints(points.astype(np.float32))
        frames.append(Frame(tuple(ImageRef(name) for name in names), truth))
    return Labels(SKELETON, tuple(frames), root=folder)
