"""Training of one run: the trainer around an assembled module, and what it leaves behind."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger

from vitruve import __version__
from vitruve.algorithms.base import Algorithm, Task
from vitruve.atomic import remove_leftovers
from vitruve.config.schema import Config
from vitruve.data.images import ImageCache
from vitruve.errors import TrainingError
from vitruve.evaluation.subspace import Subspace
from vitruve.formats.dataset_version import versions_among
from vitruve.inference.samples import save_samples
from vitruve.networks.weights import load_exactly, read_weights
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels
from vitruve.training.assemble import assemble
from vitruve.training.callbacks import Ending, Interruption, Keeper, Order, Reporter, save_weights
from vitruve.training.checkpoint import SafetensorsCheckpoints
from vitruve.training.crops import crop_record
from vitruve.training.display import Display
from vitruve.training.precision import judged_by
from vitruve.training.prepare import Prepared
from vitruve.training.settings import TrainingSettings
from vitruve.training.strategies import Consensus, strategy_for
from vitruve.training.team import Team, lost

# A checkpoint holds the network three times over: one after each short epoch would cost more than it saves.
_CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Fitted:
    """What :func:`fit` leaves behind.

    Attributes:
        algorithm: With the weights that the run keeps.
        cache: The decoded images, for whoever works on them next.
    """

    algorithm: Algorithm
    cache: ImageCache


def fit(
    config: Config,
    prepared: Prepared,
    run: RunFiles,
    *,
    resume: bool = False,
    quiet: bool = False,
    begin: Callable[[], None] = lambda: None,
    checkpoint_seconds: float = _CHECKPOINT_SECONDS,
) -> Fitted:
    """Train an algorithm and write what prediction needs into the run.

    Of several processes that ``torchrun`` started, each calls this; the first one writes.

    Args:
        config: All settings.
        prepared: Labels, task and algorithm.
        run: Where everything goes.
        resume: Go on from the run's last checkpoint, if it has one.
        quiet: Show nothing on the terminal.
        begin: Called when all that can be wrong with settings has shown and nothing is written yet.
        checkpoint_seconds: Time between two checkpoints to go on from; they are written at the end of epochs.

    Returns:
        The trained algorithm.

    Raises:
        ConfigError: The settings cannot work with the labels.
        TrainingError: The loss became NaN or infinite.
        Interrupted: The user pressed Ctrl-C.
        KeyboardInterrupt: The user did so when the last batch was done; the run is written.
    """
    settings, team = config.training, Team.of_environment()
    team.join()
    going_on = resume and run.last.is_file()
    parts = assemble(config, prepared, fresh=not going_on, team=team)
    device, plan = parts.device, parts.module.plan
    if team.first:
        begin()
        for folder in (run.path, run.last.parent):
            remove_leftovers(folder)
        save_samples(run.samples, {"train": parts.frames_to_keep, "validation": parts.validation_set})
    unit = "mm" if parts.module.algorithm.needs.truth_3d else "px"
    with Display(plan, unit) as display, _silence(), Interruption(run, team.first) as interruption, _company(team, run):
        trainer = pl.Trainer(
            accelerator={"cpu": "cpu", "cuda": "gpu", "mps": "mps"}[device],
            devices=team.local_size,
            num_nodes=team.machines,
            strategy=strategy_for(settings) if team.size > 1 else "auto",
            use_distributed_sampler=False,
            precision=precision(settings, device),
            max_epochs=plan.epochs,
            min_epochs=settings.min_epochs,
            min_steps=settings.min_steps,
            accumulate_grad_batches=settings.accumulate_grad_batches,
            check_val_every_n_epoch=_validation_every(settings),
            val_check_interval=settings.val_check_interval,
            log_every_n_steps=settings.log_every_n_steps,
            profiler=settings.profiler,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=TensorBoardLogger(str(run.tensorboard), name=config.model.model_name, version=0),
            plugins=[SafetensorsCheckpoints()],
            callbacks=[
                *([Consensus(settings)] if team.size > 1 else []),
                interruption,
                Order(parts.batches),
                Ending(plan),
                *_early_stopping(settings, parts.module.algorithm),
                # A row is written before the checkpoint that builds on it: what is there twice is cut off again.
                Reporter(run, plan, (lambda numbers: None) if quiet or not team.first else display.show),
                Keeper(run, settings.ckpt_every_n_epochs, checkpoint_seconds, plan.steps),
            ],
        )
        trainer.fit(
            parts.module,
            parts.train_loader(),
            parts.validation_loader(),
            ckpt_path=str(run.last) if going_on else None,
        )
    algorithm = parts.module.algorithm
    if not team.first:
        return Fitted(algorithm, prepared.cache)
    if run.best.is_file():
        load_exactly(algorithm, read_weights(run.best), run.best)
    algorithm.eval().to("cpu")
    save_weights(algorithm, run.weights)
    weights = parts.module.backbone_weights
    run.write_model(model_record(config, prepared.task, prepared.labels, parts.subspaces, weights))
    if interruption.asked:
        # Too late for the last batch, but what follows training is not begun.
        raise KeyboardInterrupt
    return Fitted(algorithm, prepared.cache)


def model_record(
    config: Config, task: Task, labels: Labels, subspaces: Mapping[str, Subspace], backbone_weights: str
) -> dict[str, Any]:
    """What ``model.json`` says of a network: enough to build it again and to know where it came from.

    Args:
        config: All settings.
        task: What the network is built for.
        labels: What it learned from.
        subspaces: What poses are measured against.
        backbone_weights: What the backbone started from, as ``Backbone.origin`` says.

    Returns:
        Plain values.
    """
    return {
        "vitruve_version": __version__,
        "model": config.model.model_dump(mode="json"),
        "backbone_weights": backbone_weights,
        "task": task.to_dict(),
        "scorer": f"{config.model.model_type}_tracker",
        "view_names": list(labels.view_names),
        "split": {frame.name: frame.split for frame in labels},
        "data_hash": data_hash(labels),
        "dataset_versions": versions_among(config.data.label_files()),
        "crop": crop_record(config),
        "subspaces": {name: each.to_dict() for name, each in subspaces.items()},
    }


def data_hash(labels: Labels) -> str:
    """A SHA-256 of image names, keypoints, visibility and, where these are all, boxes with their classes."""
    digest = hashlib.sha256()
    for frame in labels:
        digest.update("\n".join(image.name for image in frame.images).encode())
        for array in (frame.instances.keypoints.astype("<f4"), frame.instances.visible.astype("<i1")):
            digest.update(np.ascontiguousarray(array).tobytes())
        boxes, categories = frame.instances.boxes, frame.instances.categories
        if not frame.instances.num_keypoints and boxes is not None and categories is not None:
            digest.update(boxes.astype("<f4").tobytes() + categories.astype("<i8").tobytes())
    return digest.hexdigest()


def precision(settings: TrainingSettings, device: str) -> Any:
    """Lightning's name for the number format of the forward pass."""
    chosen = settings.precision
    if chosen == "auto":
        chosen = "bf16" if _gains_from_bf16(device) else ("16" if device == "cuda" else "32")
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[chosen]


def _gains_from_bf16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "mps":
        return False
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _validation_every(settings: TrainingSettings) -> int | None:
    interval = settings.val_check_interval
    if interval is None:
        return settings.check_val_every_n_epoch
    # A share is one of every epoch; a number of batches is counted across epochs.
    return None if isinstance(interval, int) else 1


def _early_stopping(settings: TrainingSettings, algorithm: Algorithm) -> list[pl.Callback]:
    if not settings.early_stopping:
        return []
    name, mode = judged_by(algorithm)
    return [
        EarlyStopping(
            name,
            mode=mode,
            patience=settings.early_stop_patience,
            check_finite=False,
            # With validations, not with epochs: a checkpoint at the end of an epoch must know of it.
            check_on_train_epoch_end=False,
        )
    ]


@contextmanager
def _company(team: Team, run: RunFiles) -> Iterator[None]:
    """Say in one line that another process of the team is gone."""
    try:
        yield
    except RuntimeError as error:
        if team.size == 1 or not lost(error):
            raise
        raise TrainingError(
            f"another of the {team.size} processes that train together is gone; the last checkpoint is kept, and "
            f"training goes on with: vitruve train resume={run.path}"
        ) from error


class _silence:
    """Keeps Lightning's own advice, which is about other ways of using it, off the terminal."""

    def __enter__(self) -> None:
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.filterwarnings("ignore", module="lightning.*")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        self._loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *error: object) -> None:
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)
        self._caught.__exit__(None, None, None)
