"""Batches in an order that depends on seed and epoch alone, so that training can go on where it stopped."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from vitruve.data.dataset import Pick, PoseDataset, Sample, collate
from vitruve.data.targets import TargetImages, TargetPick, TargetSample
from vitruve.data.windows import VideoWindows, WindowPick
from vitruve.structures.batch import Batch, TrainingBatch

Picks = list[Pick | WindowPick | TargetPick]
"""What one batch is made of."""

_GRACE_SECONDS = 10
"""For the batch at hand; clusters wait for 30 s or more between SIGTERM and SIGKILL."""


class EpochBatches(Sampler[Picks]):
    """The picks of each batch of an epoch.

    Args:
        count: Number of frames.
        batch_size: Frames a batch; the last batch of an epoch may be smaller, but a training batch never has one
            frame alone beside larger ones, because batch normalisation cannot learn from it.
        shuffle: Draw a new order each epoch; otherwise the frames' own.
        seed: Seed of the orders.
        limit: At most this many batches (a whole number), or this share of them.
        at_least: Begin the frames anew, in another order, until an epoch has this many batches.
        windows: Windows of unlabelled video that each batch holds as well.
        windows_from: First epoch in which it does.
        targets: Number of images of another domain; each batch holds as many as it holds frames at most.
        rank: Number of the process that these batches are for, among those that share each epoch out.
        ranks: How many they are. Each has as many batches, all frames are in one of them, and the n-th batches of all
            processes are what one process would have as the n-th if its batches were that much larger.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        limit: float | None = None,
        at_least: int = 1,
        windows: int = 0,
        windows_from: int = 0,
        targets: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self._count = count
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._seed = seed
        self._limit = limit
        self._at_least = at_least
        self._windows = windows
        self._windows_from = windows_from
        self._targets = targets
        self._rank = rank
        self._ranks = ranks
        self.epoch = 0

    @property
    def sampler(self) -> EpochBatches:
        """Itself: Lightning announces epochs to the sampler within a batch sampler, and to no batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration is for."""
        self.epoch = epoch

    def picks(self, epoch: int) -> list[Picks]:
        """All batches of an epoch."""
        frames = self._round(epoch, 0)
        for turn in range(1, math.ceil(self._at_least / len(frames))):
            frames += self._round(epoch, turn)
        frames = frames[: max(self._at_least, self._per_round())]
        if self._limit is not None:
            keep = int(self._limit) if isinstance(self._limit, int) else int(self._limit * len(frames))
            frames = frames[: max(1, keep)]
        windows = self._windows if epoch >= self._windows_from else 0
        return [
            [
                *batch,
                *(WindowPick(epoch, step, self._rank * windows + window) for window in range(windows)),
                *(TargetPick(epoch, step, index) for index in self._target_indices(epoch * len(frames) + step)),
            ]
            for step, batch in enumerate(frames)
        ]

    def _target_indices(self, step: int) -> list[int]:
        """Each image of the other domain once, in this process or another, before any is taken again."""
        if not self._targets:
            return []
        first = (step * self._ranks + self._rank) * self._batch_size
        places = np.arange(first, first + self._batch_size)
        rounds = {
            turn: np.random.default_rng([self._seed, int(turn)]).permutation(self._targets)
            for turn in np.unique(places // self._targets)
        }
        return [int(rounds[place // self._targets][place % self._targets]) for place in places]

    def _round(self, epoch: int, turn: int) -> list[list[Pick]]:
        """Every frame once, in this process or in another."""
        order = np.arange(self._count)
        if self._shuffle:
            seed = [self._seed, epoch, turn] if turn else [self._seed, epoch]
            order = np.random.default_rng(seed).permutation(self._count)
        if self._ranks > 1:
            return [[Pick(epoch, int(i), turn) for i in part] for part in self._shares(order)]
        starts = range(0, self._count, self._batch_size)
        batches = [[Pick(epoch, int(i), turn) for i in order[start : start + self._batch_size]] for start in starts]
        if self._shuffle and self._batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
            batches.pop()
        return batches

    def _shares(self, order: np.ndarray) -> list[np.ndarray]:
        """This process's part of each batch of all processes."""
        starts = list(range(0, len(order), self._batch_size * self._ranks))
        if self._shuffle and len(starts) > 1 and len(order) - starts[-1] < 2 * self._ranks:
            # Too few for batch normalisation to learn from: the last two batches share their frames, or become one.
            half = (starts[-2] + len(order) + 1) // 2
            starts[-1:] = [half] if len(order) - half >= 2 * self._ranks else []
        shares = [np.array_split(part, self._ranks)[self._rank] for part in np.split(order, starts[1:])]
        return [share for share in shares if len(share)]

    def _per_round(self) -> int:
        return len(self._round(0, 0))

    def __iter__(self) -> Iterator[Picks]:
        return iter(self.picks(self.epoch))

    def __len__(self) -> int:
        return len(self.picks(0))


class TrainingSet(Dataset[Sample]):
    """Labelled frames and what is unlabelled, by their picks.

    Args:
        frames: The labelled frames.
        windows: Windows of unlabelled video, or None.
        targets: Images of another domain, or None.
    """

    def __init__(
        self, frames: PoseDataset, windows: VideoWindows | None = None, targets: TargetImages | None = None
    ) -> None:
        self.frames = frames
        self.windows = windows
        self.targets = targets

    def __getitem__(self, pick: Pick | WindowPick | TargetPick) -> Sample:
        """The sample of a pick."""
        if isinstance(pick, Pick):
            return self.frames[pick]
        if isinstance(pick, TargetPick):
            assert self.targets is not None
            return self.targets[pick]
        assert self.windows is not None
        return self.windows[pick]


def collate_training(samples: Sequence[Sample]) -> TrainingBatch:
    """Samples as the parts of a training batch: with truth, windows of video, images of another domain.

    Args:
        samples: At least one with truth.

    Returns:
        The batch, in main memory.
    """
    target = [sample for sample in samples if isinstance(sample, TargetSample)]
    windows = [sample for sample in samples if sample.truth is None and not isinstance(sample, TargetSample)]
    labelled = collate([sample for sample in samples if sample.truth is not None])
    return TrainingBatch(labelled, *(collate(part) if part else None for part in (windows, target)))


def loader(dataset: PoseDataset, batches: EpochBatches, workers: int) -> DataLoader[Batch]:
    """A loader of labelled batches.

    Args:
        dataset: Gives samples for picks.
        batches: Gives the picks.
        workers: Processes that prepare samples; 0 prepares them in this one, which is best where the processor
            trains as well and images are kept in memory.

    Returns:
        The loader.
    """
    return _loader(dataset, collate, batches, workers)


def training_loader(dataset: TrainingSet, batches: EpochBatches, workers: int) -> DataLoader[TrainingBatch]:
    """A loader of training batches; arguments as for :func:`loader`."""
    return _loader(dataset, collate_training, batches, workers)


def _loader(dataset: Dataset[Sample], together: Any, batches: EpochBatches, workers: int) -> DataLoader[Any]:
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=together,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_put_off_sigterm,
    )


def _put_off_sigterm(worker: int) -> None:
    """Let a worker process live on for a while after SIGTERM.

    What ends a job signals all its processes. A worker that died at once would break off the batch with which the main
    process ends cleanly; that one ends its workers itself.
    """
    if hasattr(signal, "alarm"):  # not on Windows, where there are no process groups to be signalled
        signal.signal(signal.SIGTERM, _end_later)


def _end_later(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # the second time it is the main process that wants this one to end
    signal.alarm(_GRACE_SECONDS)
