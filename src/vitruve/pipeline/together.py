"""Training by several processes: the first one does all that a training is, the others take part in its steps."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from vitruve.config.schema import Config
from vitruve.errors import Interrupted
from vitruve.run import RunFiles

_P = ParamSpec("_P")
_S = TypeVar("_S", Config, Path)


def together(work: Callable[Concatenate[_S, _P], Path]) -> Callable[Concatenate[_S, _P], Path]:
    """Have what trains networks done by all processes that ``torchrun`` started.

    Args:
        work: Trains; only the first process carries it out, and calls the others by :func:`call_others`.

    Returns:
        The same for one process alone. Others than the first get an empty path.
    """

    @functools.wraps(work)
    def everyone(what: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> Path:
        from vitruve.training.team import Team

        team = Team.of_environment()
        if not team.first:
            while take_part():
                pass
            return Path()
        done = work(what, *args, **kwargs)
        team.share(None)
        return done

    return everyone


def call_others(config: Config, run: RunFiles, *, resume: bool) -> None:
    """Have the other processes train a network together with this one, which begins to train now.

    Args:
        config: All settings.
        run: The run.
        resume: Go on with it.
    """
    from vitruve.training.team import Team

    Team.of_environment().share((config.model_dump(mode="json"), str(run.path), resume))


def take_part() -> bool:
    """Wait for the first process to train a network, and train it with that one.

    Returns:
        Whether there was one; the first process says when there are no more.
    """
    from vitruve.training.fit import fit
    from vitruve.training.prepare import prepare
    from vitruve.training.team import Team

    # What there is to say of settings and labels, the first process says.
    warnings.simplefilter("ignore")
    logging.getLogger("vitruve").setLevel(logging.ERROR)
    called = Team.of_environment().share()
    if called is None:
        return False
    settings, directory, resume = called
    config, run = Config.examine(settings)[0], RunFiles(Path(directory))
    try:
        fit(config, prepare(config, run), run, resume=resume, quiet=True)
    except (Interrupted, KeyboardInterrupt):
        return False
    return True


def with_processes(config: Config, count: int) -> Config:
    """The same settings with the number of processes in them, so that a run goes on with as many.

    Args:
        config: All settings.
        count: How many processes there are.

    Returns:
        The settings; those that say otherwise already are left alone.
    """
    training = config.training
    if training.parallel.processes is not None:
        return config
    parallel = training.parallel.model_copy(update={"processes": count})
    return config.model_copy(update={"training": training.model_copy(update={"parallel": parallel})})
