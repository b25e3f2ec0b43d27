"""What proposes settings, and what ends trials early."""

from __future__ import annotations

import os
import zlib
from socket import gethostname

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from vitruve.tuning.settings import TuneSettings
from vitruve.tuning.space import Space

_MANY_PROCESSES = 4
_MANY_TRIALS = 200
# Before this share of its epochs a trial is not compared: learning rates rise first, and networks begin at random.
_WARM_UP = 1 / 3


def initial_points(settings: TuneSettings, space: Space) -> int:
    """Trials before proposals build on them.

    Args:
        settings: The section ``tune``.
        space: What is searched.

    Returns:
        At least one.
    """
    return settings.initial_points or len(space.dimensions) + 1


def sampler_name(settings: TuneSettings, space: Space) -> str:
    """Which sampler ``auto`` is.

    Proposals of a Gaussian process cost time with the cube of the trials, and it knows nothing of conditions; with many
    processes, all of them are about equally good.

    Args:
        settings: The section ``tune``.
        space: What is searched.

    Returns:
        ``gp``, ``tpe`` or ``random``.
    """
    if settings.sampler != "auto":
        return settings.sampler
    few = settings.processes <= _MANY_PROCESSES and settings.max_trials <= _MANY_TRIALS
    return "gp" if few and space.fixed else "tpe"


def build_sampler(settings: TuneSettings, space: Space, first: bool) -> BaseSampler:
    """The sampler of a process.

    Args:
        settings: The section ``tune``.
        space: What is searched.
        first: Whether the study begins with this process: then the seed alone decides. Others, and those that go on,
            must not propose the same again.

    Returns:
        Of Optuna.
    """
    own = [] if first else [os.getpid(), zlib.crc32(gethostname().encode())]
    seed = int(np.random.SeedSequence([settings.seed, *own]).generate_state(1)[0])
    count, name = initial_points(settings, space), sampler_name(settings, space)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=count, warn_independent_sampling=False)
    if name == "tpe":
        return optuna.samplers.TPESampler(
            seed=seed,
            n_startup_trials=count,
            multivariate=True,
            group=True,
            constant_liar=True,
            warn_independent_sampling=False,
        )
    return optuna.samplers.RandomSampler(seed=seed)


def build_pruner(settings: TuneSettings, space: Space, epochs: int | None) -> BasePruner:
    """The pruner of a study.

    Args:
        settings: The section ``tune``.
        space: What is searched.
        epochs: Of a trial; None where steps bound it.

    Returns:
        Of Optuna.
    """
    if settings.pruner == "median":
        warm_up = int(_WARM_UP * (epochs or 0))
        return optuna.pruners.MedianPruner(n_startup_trials=initial_points(settings, space), n_warmup_steps=warm_up)
    if settings.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs or "auto")
    return optuna.pruners.NopPruner()
