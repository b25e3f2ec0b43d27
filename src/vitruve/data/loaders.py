"""Batches in an order that depends on seed and epoch alone, so that training can go on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from vitruve.data.dataset import Pick, PoseDataset, collate
from vitruve.structures.batch import Batch


class EpochBatches(Sampler[list[Pick]]):
    """The picks of each batch of an epoch.

    Args:
        count: Number of frames.
        batch_size: Frames a batch; the last batch of an epoch may be smaller, but a training batch never has one
            frame alone beside larger ones, because batch normalisation cannot learn from it.
        shuffle: Draw a new order each epoch; otherwise the frames' own.
        seed: Seed of the orders.
        limit: At most this many batches (a whole number), or this share of them.
    """

    def __init__(
        self, count: int, batch_size: int, *, shuffle: bool, seed: int = 0, limit: float | None = None
    ) -> None:
        self._count = count
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._seed = seed
        self._limit = limit
        self.epoch = 0

    @property
    def sampler(self) -> EpochBatches:
        """Itself: Lightning announces epochs to the sampler within a batch sampler, and to no batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration is for."""
        self.epoch = epoch

    def picks(self, epoch: int) -> list[list[Pick]]:
        """All batches of an epoch."""
        order = np.arange(self._count)
        if self._shuffle:
            order = np.random.default_rng([self._seed, epoch]).permutation(self._count)
        starts = range(0, self._count, self._batch_size)
        batches = [[Pick(epoch, int(i)) for i in order[start : start + self._batch_size]] for start in starts]
        if self._shuffle and self._batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
            batches.pop()
        if self._limit is not None:
            keep = int(self._limit) if isinstance(self._limit, int) else int(self._limit * len(batches))
            batches = batches[: max(1, keep)]
        return batches

    def __iter__(self) -> Iterator[list[Pick]]:
        return iter(self.picks(self.epoch))

    def __len__(self) -> int:
        return len(self.picks(0))


def loader(dataset: PoseDataset, batches: EpochBatches, workers: int) -> DataLoader[Batch]:
    """A loader of batches.

    Args:
        dataset: Gives samples for picks.
        batches: Gives the picks.
        workers: Processes that prepare samples; 0 prepares them in this one, which is best where the processor
            trains as well and images are kept in memory.

    Returns:
        The loader.
    """
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # samples go in, the collated batch comes out
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
