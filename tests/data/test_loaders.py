from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rendered import label_set

from vitruve.algorithms.base import Needs
from vitruve.data.augment import PRESETS
from vitruve.data.dataset import Pick, PoseDataset
from vitruve.data.images import ImageCache
from vitruve.data.loaders import EpochBatches, loader
from vitruve.structures.batch import Batch


def _indices(batches: list[list[Pick]]) -> list[list[int]]:
    return [[pick.index for pick in batch] for batch in batches]


def test_frames_in_their_own_order() -> None:
    batches = EpochBatches(7, 3, shuffle=False)
    assert _indices(list(batches)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(batches) == 3


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 3), st.integers(0, 5))
def test_an_epoch_shows_every_frame_once_but_for_a_lonely_last_one(
    count: int, size: int, seed: int, epoch: int
) -> None:
    sampler = EpochBatches(count, size, shuffle=True, seed=seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    shown = Counter(pick.index for batch in batches for pick in batch)
    assert all(pick.epoch == epoch for batch in batches for pick in batch)
    lonely = size > 1 and count > size and count % size == 1
    assert len(shown) == count - lonely and set(shown.values()) <= {1}
    if count > 1 and size > 1:
        assert min(len(batch) for batch in batches) > 1


def test_seed_and_epoch_alone_decide_the_order() -> None:
    one, two = EpochBatches(20, 4, shuffle=True, seed=1), EpochBatches(20, 4, shuffle=True, seed=1)
    for epoch in range(3):  # one has gone through the epochs before, two has not
        one.set_epoch(epoch)
        before = list(one)
    two.set_epoch(2)
    assert list(two) == before == two.picks(2)
    assert _indices(two.picks(2)) != _indices(two.picks(1))
    assert two.picks(2) != EpochBatches(20, 4, shuffle=True, seed=2).picks(2)


@pytest.mark.parametrize(("limit", "number"), [(None, 10), (3, 3), (100, 10), (1.0, 10), (0.25, 2), (0.01, 1)])
def test_a_limit_in_batches_or_as_a_share(limit: float | None, number: int) -> None:
    batches = EpochBatches(40, 4, shuffle=True, limit=limit)
    assert len(batches) == len(list(batches)) == number
    assert list(batches) == EpochBatches(40, 4, shuffle=True).picks(0)[:number]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_gives_whole_batches_that_repeat(tmp_path: Path, workers: int) -> None:
    labels = label_set(tmp_path, 5, (64, 48), 2)
    data = PoseDataset(labels, (64, 32), Needs(), ImageCache(1), PRESETS["dlc"], seed=7)
    sampler = EpochBatches(5, 2, shuffle=True, seed=7)
    batches = loader(data, sampler, workers)
    epochs: dict[int, list[Batch]] = {}
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        epochs[epoch] = list(batches)
    assert [len(batch) for batch in epochs[0]] == [2, 2]
    fresh = EpochBatches(5, 2, shuffle=True, seed=7)
    fresh.set_epoch(1)
    for one, two in zip(epochs[1], loader(data, fresh, 0), strict=True):
        assert torch.equal(one.images, two.images) and torch.equal(one.to_image, two.to_image)
