"""What HyperPose leaves behind of a training: ``log.txt``, ``newest_model.npz``, pictures."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vitruve.algorithms.base import Outputs, Targets
from vitruve.compat.hyperpose import weights
from vitruve.compat.hyperpose.adapted import Adapted
from vitruve.compat.hyperpose.custom import array
from vitruve.compat.hyperpose.human import humans_of
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.translate import intervals, steps
from vitruve.structures.batch import Batch

NEWEST = "newest_model.npz"
_log = logging.getLogger(__name__)


def newest(config: Configuration) -> Path:
    """The weights that evaluation and testing load."""
    return config.model.model_dir / NEWEST


def write_log(config: Configuration, line: str) -> None:
    """Add a line to ``log.txt``."""
    path = config.log.log_path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
    _log.info("%s", line)


class Journal:
    """Sees each training step of the process that writes.

    Args:
        config: What ``Config.get_config()`` gave.
        saved: The module whose weights are ``newest_model.npz``.
        model: Has parts and colours.
        visualizer: Draws, or None for no pictures.
        done: Steps that an earlier part of the training did.
        processes: How many train together; each does its share of the steps.
    """

    def __init__(
        self, config: Configuration, saved: nn.Module, model: Any, visualizer: Any, done: int = 0, processes: int = 1
    ) -> None:
        self._config = config
        self._saved = saved
        self._model = model
        self._visualizer = visualizer
        self._done = done
        self._total = max(1, steps(config) // processes)
        self._intervals = intervals(config)

    def __call__(self, algorithm: Adapted, batch: Batch, outputs: Outputs, targets: Targets, losses: Targets) -> None:
        """Called before the step is taken."""
        log, save, vis = self._intervals
        if self._done and self._done % save == 0:
            weights.save(self._saved, newest(self._config))
        self._done += 1
        if self._done % log == 0 or self._done == 1:
            terms = ", ".join(f"{name} {float(value.detach()):.6g}" for name, value in losses.items())
            total = sum(float(value.detach()) for value in losses.values())
            write_log(self._config, f"Train Step={self._done} / {self._total}: total_loss {total:.6g}, {terms}")
        if self._visualizer is not None and self._done % vis == 0:
            self._draw(algorithm, batch, outputs, targets)

    def _draw(self, algorithm: Adapted, batch: Batch, outputs: Outputs, targets: Targets) -> None:
        with torch.no_grad():
            found = algorithm.decode({name: value.detach() for name, value in outputs.items()}, _in_input(batch))
        edges = algorithm.task.skeleton.edges
        people = [humans_of(found[n, 0], self._model.parts, edges, self._model.colors) for n in range(len(batch))]
        wanted = {name: array(value) for name, value in algorithm.target_maps(targets).items()}
        mask = None if batch.ignore is None else (~batch.ignore[:, 0]).cpu().numpy()
        self._visualizer.visualize_compare(
            image_batch=array(batch.images[:, 0, 0]) / 255,
            predict_x=algorithm.arrays(outputs),
            target_x=wanted,
            mask_batch=mask,
            humans_list=people,
            name=f"train_{self._done}",
        )


def _in_input(batch: Batch) -> Batch:
    """The same batch, for decoding in pixels of the input."""
    eye = torch.eye(3, device=batch.to_image.device).expand_as(batch.to_image)
    return Batch(batch.images, eye, ignore=batch.ignore)
