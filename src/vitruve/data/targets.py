"""Label-free images of another domain, such as another laboratory's: what a network is to feel at home in as well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitruve.algorithms.base import Needs
from vitruve.data.augment import Augmentation
from vitruve.data.dataset import Pick, PoseDataset, Sample
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError
from vitruve.geometry.affine import Size
from vitruve.media.sources import expand_sources
from vitruve.media.video import VideoReader, is_video
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

_FRAMES_A_VIDEO = 200


@dataclass(frozen=True)
class TargetPick:
    """Which image of the other domain to take, and when."""

    epoch: int
    step: int
    index: int


@dataclass(frozen=True, eq=False)
class TargetSample(Sample):
    """An image of the other domain: one view, one frame, no truth."""


class TargetImages:
    """Images without labels, changed at random as labelled ones are.

    Args:
        folder: Holds images, or videos, of each of which up to 200 frames are taken, evenly spread.
        size: Width and height of the network's input.
        needs: What the algorithm asks for.
        augmentation: Changes at random.
        cache_gb: Most memory for decoded images, in GB.
        seed: Together with the pick the seed of every draw.

    Raises:
        ConfigError: There is no such folder.
        InputError: It holds no image or video, or one that cannot be read.
    """

    def __init__(
        self, folder: Path, size: Size, needs: Needs, augmentation: Augmentation, cache_gb: float, seed: int
    ) -> None:
        if not folder.is_dir():
            raise ConfigError(f"data.target_dir={folder}: no such folder; give the folder of the unlabelled images")
        images = [image for path in expand_sources([folder]) for image in _images(path)]
        nothing = Skeleton(("none",))
        frames = tuple(Frame((image,), Instances.empty(1)) for image in images)
        plain = Needs(instances=needs.instances)
        labels = Labels(nothing, frames)
        self._frames = PoseDataset(labels, size, plain, ImageCache(cache_gb), augmentation, seed)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, pick: TargetPick) -> TargetSample:
        """The image of a pick: ``(1, 1, 3, H, W)``."""
        sample = self._frames[Pick(pick.epoch, pick.index, pick.step + 1)]
        return TargetSample(sample.images, sample.to_image)


def _images(path: Path) -> list[ImageRef]:
    if not is_video(path):
        return [ImageRef(path)]
    with VideoReader(path) as video:
        count = video.count()
    chosen = np.unique(np.linspace(0, count - 1, min(count, _FRAMES_A_VIDEO)).astype(int))
    return [ImageRef(path, int(index)) for index in chosen]
