"""From settings and prepared labels to what a trainer trains: network, terms, batches and their order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from vitruve.config.schema import Config
from vitruve.data.augment import augmentation
from vitruve.data.crops import jittered
from vitruve.data.dataset import Pick, PoseDataset
from vitruve.data.loaders import EpochBatches, TrainingSet, loader, training_loader
from vitruve.data.tiles import tiled
from vitruve.errors import ConfigError
from vitruve.evaluation.subspace import Subspace
from vitruve.inference.device import pick_device
from vitruve.networks.weights import load_matching, read_weights
from vitruve.structures.batch import Batch, TrainingBatch
from vitruve.training.domain import build_domain, on_video
from vitruve.training.module import PoseModule
from vitruve.training.optim import Plan
from vitruve.training.prepare import Prepared
from vitruve.training.settings import TrainingSettings
from vitruve.training.supervised_terms import term_weights
from vitruve.training.team import Team, check_team
from vitruve.training.unsupervised import (
    FEWEST_STEPS,
    UnsupervisedTerms,
    build_terms,
    build_windows,
    fit_subspaces,
    unlabelled_recordings,
)

_ALONE = Team()


@dataclass(frozen=True, eq=False)
class Assembled:
    """Everything but the trainer.

    Attributes:
        module: The network with its losses and its plan.
        training_set: Labelled frames, augmented, and windows of video.
        validation_set: The frames of the split ``validation``.
        frames_to_keep: The frames of the split ``train`` without augmentation.
        batches: The order of training.
        subspaces: What poses are measured against.
        device: ``cpu``, ``cuda`` or ``mps``.
        settings: The section ``training``.
        team: The processes that train together.
    """

    module: PoseModule
    training_set: TrainingSet
    validation_set: PoseDataset
    frames_to_keep: PoseDataset
    batches: EpochBatches
    subspaces: Mapping[str, Subspace]
    device: str
    settings: TrainingSettings
    team: Team = _ALONE

    def train_loader(self) -> DataLoader[TrainingBatch]:
        """Batches in the order of training."""
        return training_loader(self.training_set, self.batches, _workers(self.settings, self.device))

    def validation_loader(self) -> DataLoader[Batch]:
        """The validation frames in their own order; of several processes, each has a part of them.

        Where there are fewer frames than processes, each has all of them.
        """
        count, team = len(self.validation_set), self.team
        shared = count >= team.size
        order = EpochBatches(
            count,
            self.settings.val_batch_size,
            shuffle=False,
            rank=team.rank if shared else 0,
            ranks=team.size if shared else 1,
        )
        return loader(self.validation_set, order, min(_workers(self.settings, self.device), 2))


def assemble(config: Config, prepared: Prepared, *, fresh: bool = True, team: Team = _ALONE) -> Assembled:
    """Build what is trained, and everything that can show that it cannot be.

    Args:
        config: All settings.
        prepared: Labels, task and algorithm.
        fresh: Start from published weights or a checkpoint where the settings say so; a training that goes on
            replaces all weights anyway.
        team: The processes that train together.

    Returns:
        The parts.

    Raises:
        ConfigError: The settings cannot work with the labels.
        InputError: An image or a video cannot be read.
    """
    settings, labels = config.training, prepared.labels
    device = pick_device(settings.device, "training.device")
    if team.size > 1:
        check_team(team, settings, device)
        _check_shares(team, settings, len(labels.split("train")))
    videos = on_video(config)
    recordings = unlabelled_recordings(videos)
    torch.manual_seed(settings.rng_seed_model_pt)
    algorithm = prepared.kind(config.model, prepared.task, pretrained=settings.backbone_pretrained and fresh)
    weights = str(getattr(algorithm.backbone, "origin", "random"))
    if config.model.checkpoint is not None and fresh:
        start = Path(config.model.checkpoint)
        logging.getLogger(__name__).info(load_matching(algorithm, read_weights(start), start))
        weights = str(config.model.checkpoint)
    changes = jittered(augmentation(settings.imgaug, settings.imgaug_hflip), config.crop)
    train, validation = labels.split("train"), labels.split("validation")
    for part in (train, validation):
        prepared.cache.fill(part, [image for frame in part for image in frame.images])
    size, needs, seed = prepared.task.input_size, algorithm.needs, settings.rng_seed_data_pt
    if needs.boxes and config.data.tiles is not None:
        train, validation = (tiled(part, config.data.tiles, seed) for part in (train, validation))
    frames = PoseDataset(train, size, needs, prepared.cache, changes, seed, settings.imgaug_3d)
    subspaces = fit_subspaces(videos, labels, needs.instances)
    terms = build_terms(videos, labels, algorithm, subspaces)
    windows, per_batch = None, 0
    if terms is not None:
        # As labelled frames are: a network that never sees a view turned by itself must not be judged by such views.
        seen = frames.augmentation or changes
        windows, per_batch = build_windows(videos, recordings, size, algorithm, seen, prepared.cropping)
    adapted = build_domain(config, algorithm, frames.augmentation or changes)
    domain, targets = adapted or (None, None)
    batches = _order(settings, len(train), terms, per_batch, len(targets or ()), team)

    def describe(epoch: int, batch: int) -> Sequence[str]:
        return [train[pick.index].name for pick in batches.picks(epoch)[batch] if isinstance(pick, Pick)]

    if channels_last(settings, device):
        for parameter in algorithm.parameters():
            # Not Module.to(): that refuses networks with three-dimensional convolutions, whose weights have five axes.
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    # What detectors are asked for differs too much from what published weights were made for.
    plan = Plan.of(settings, len(batches), waits=weights != "random" and not needs.boxes)
    weights_of = partial(term_weights, config, algorithm)
    return Assembled(
        PoseModule(algorithm, settings, plan, changes, describe, terms, weights_of, weights, team, domain),
        TrainingSet(frames, windows, targets),
        PoseDataset(validation, size, needs, prepared.cache),
        PoseDataset(train, size, needs, prepared.cache),
        batches,
        # What is reported of predictions without labels is of one animal.
        {} if needs.instances else subspaces,
        device,
        settings,
        team,
    )


def _check_shares(team: Team, settings: TrainingSettings, count: int) -> None:
    least = 2 if settings.train_batch_size > 1 else 1
    if count < least * team.size:
        raise ConfigError(
            f"training.parallel.processes: {team.size} processes cannot share {count} training frames out; each needs "
            f"{least} at least, so take {max(1, count // least)}"
        )


def _order(
    settings: TrainingSettings, count: int, terms: UnsupervisedTerms | None, per_batch: int, targets: int, team: Team
) -> EpochBatches:
    first = None if terms is None else terms.first_epoch
    return EpochBatches(
        count,
        settings.train_batch_size,
        shuffle=True,
        seed=settings.rng_seed_data_pt,
        limit=settings.limit_train_batches,
        at_least=1 if terms is None else FEWEST_STEPS,
        # While the terms do not count, no video is decoded for them.
        windows=0 if first is None else per_batch,
        windows_from=first or 0,
        targets=targets,
        rank=team.rank,
        ranks=team.size,
    )


def channels_last(settings: TrainingSettings, device: str) -> bool:
    """Whether images are laid out with their channels innermost, which processors and newer cards prefer."""
    return device != "mps" if settings.channels_last is None else settings.channels_last


def _workers(settings: TrainingSettings, device: str) -> int:
    if settings.num_workers is not None:
        return settings.num_workers
    # On the processor they would take cores from the network; images are in memory, so one process keeps up.
    return 0 if device == "cpu" else min(8, torch.get_num_threads())
