"""What an algorithm for several instances is shown: whole proportions, and where nothing is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rendered import SKELETON

from vitruve.algorithms.base import Needs
from vitruve.data.augment import Augmentation
from vitruve.data.dataset import Pick, PoseDataset, collate
from vitruve.data.images import ImageCache
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.mask import Mask

SIZE = (96, 96)
SEVERAL = Needs(instances=True)
STRONG = Augmentation(rotate=1.0, crop_pad=1.0, zoom=1.0, hflip=0.5, elastic=1.0)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """White where nothing is known, black elsewhere; the second frame knows all of its image."""
    folder = tmp_path_factory.mktemp("crowd")
    white = np.zeros((60, 120), bool)
    white[10:40, 50:90] = True
    frames = []
    for name, mask in (("a.png", white), ("b.png", None)):
        write_image(
            folder / name,
            np.where(white if mask is not None else np.zeros_like(white), 255, 0)[..., None]
            .repeat(3, -1)
            .astype(np.uint8),
        )
        people = Instances.from_keypoints(np.full((1, 2, 3, 2), 30, np.float32), crowds=np.array([[False, True]]))
        ignore = () if mask is None else (Mask.from_array(mask),)
        frames.append(Frame((ImageRef(Path(name)),), people, ignore=ignore))
    return Labels(SKELETON, tuple(frames), root=folder)


def test_images_keep_their_proportions(labels: Labels) -> None:
    for needs, scales in ((SEVERAL, (0.8, 0.8)), (Needs(), (0.8, 1.6))):
        sample = PoseDataset(labels, SIZE, needs, ImageCache(0))[0]
        np.testing.assert_allclose(1 / np.diag(sample.to_image[0])[:2], scales, rtol=1e-6)


@pytest.mark.parametrize("changes", [None, STRONG], ids=["plain", "augmented"])
def test_a_mask_moves_with_its_image(labels: Labels, changes: Augmentation | None) -> None:
    data = PoseDataset(labels, SIZE, SEVERAL, ImageCache(0), changes)
    for epoch in range(8):
        sample = data[Pick(epoch, 0)]
        assert sample.ignore is not None and sample.ignore.any()
        np.testing.assert_array_equal(sample.ignore[0], sample.images[0, 0, 0] > 127)


def test_a_batch_has_a_mask_for_each_image_or_none(labels: Labels) -> None:
    data = PoseDataset(labels, SIZE, SEVERAL, ImageCache(0))
    batch = collate([data[0], data[1]])
    assert batch.ignore is not None and batch.ignore.shape == (2, 1, 96, 96)
    assert bool(batch.ignore[0].any()) and not bool(batch.ignore[1].any())
    assert batch.truth is not None and batch.truth.crowds is not None
    assert batch.truth.crowds.tolist() == [[[False, True]]] * 2
    without = replace(labels, frames=labels.frames[1:])
    assert collate([PoseDataset(without, SIZE, SEVERAL, ImageCache(0))[0]]).ignore is None
    assert collate([PoseDataset(labels, SIZE, Needs(), ImageCache(0))[0]]).ignore is None


def test_views_take_their_masks_along(labels: Labels) -> None:
    frame = labels[0]
    double = replace(frame, images=frame.images * 2, instances=frame.instances[[0, 0]], ignore=(None, *frame.ignore))
    one = replace(labels, frames=(double,)).views((1,))
    assert one[0].ignore == frame.ignore
