"""The verb: a search from a settings file, one that goes on, and the page of one."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vitruve.config.compose import compose
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, RunError, nearest
from vitruve.pipeline.start import settings_of_runs
from vitruve.tuning.folder import StudyFiles
from vitruve.tuning.objective import objective_of
from vitruve.tuning.page import StudyPage
from vitruve.tuning.search import Tuned, begin_search, resume_search
from vitruve.tuning.settings import TuneSettings
from vitruve.tuning.space import read_space
from vitruve.tuning.storage import open_storage
from vitruve.tuning.study import SharedStudy

_log = logging.getLogger(__name__)

# What processes of one study may have of their own; in all else they agree.
_OWN = ("max_trials", "max_hours", "processes", "storage", "port", "sampler", "pruner", "initial_points", "seed")


def tune(
    config: str | Path | Mapping[str, Any] | Config | None = None,
    overrides: Sequence[str] = (),
    *,
    config_name: str | None = None,
    study_dir: str | Path | None = None,
    quiet: bool = False,
) -> Tuned:
    """Search for the settings that train best.

    Args:
        config: A YAML file, its folder, a mapping, or settings; its section ``tune`` says what to search. None
            completes overrides that name ``data.data_dir`` by the defaults, and takes the example without them.
        overrides: Settings that differ, as ``key.sub=value``; ``resume=STUDY`` goes on with a study, or takes part in
            one that other processes are at.
        config_name: Name of the file when ``config`` is its folder.
        study_dir: Folder of the study; by default ``outputs/<date>/<time>``, or what ``hydra.run.dir`` says.
        quiet: Say nothing.

    Returns:
        What was found; ``best`` is a file for ``vitruve train``.

    Raises:
        ConfigError: The space or a setting is wrong.
        InputError: The storage cannot be opened, or the data are not as they should be.
        RunError: There is a study in the folder already, or none to go on with.
        TrainingError: One trial after the other failed.
        Interrupted: Ctrl-C, or the page; the message says how to go on.
    """
    if isinstance(config, (Config, Mapping)):
        if not all(item.startswith("hydra.") for item in overrides):
            raise ConfigError("overrides go with a settings file; change the settings themselves instead")
        settings = config if isinstance(config, Config) else Config.from_mapping(config)
        return begin_search(settings, _folder(study_dir) or compose(None, None, overrides).run_dir, quiet=quiet)
    resumed = [item.partition("=")[2] for item in overrides if item.lstrip("+").startswith("resume=")]
    if resumed and resumed[-1] not in ("", "null"):
        if config is not None or config_name is not None:
            raise ConfigError("resume: a study goes on with its own settings; leave the settings file out")
        others = [item for item in overrides if not item.lstrip("+").startswith("resume=")]
        return resume_search(_settings_of(Path(resumed[-1]), others), Path(resumed[-1]).absolute(), quiet=quiet)
    given = None if config is None else str(config)
    made = settings_of_runs(given, config_name, overrides, multirun=False, run_dir=_folder(study_dir))[0]
    return begin_search(made.config, made.run_dir, quiet=quiet)


def watch_study(directory: str | Path, *, port: int | None = None) -> None:
    """Show the page of a study until Ctrl-C.

    Args:
        directory: The folder of the study.
        port: As ``tune.port``; None for that of the study.

    Raises:
        RunError: There is no study.
    """
    shared, config = open_study(directory)
    wanted = config.tune.port if port is None else port
    with StudyPage(shared, config.tune.max_trials, 0 if wanted is None else wanted) as page:
        _log.info("page: %s", page.address)
        while True:
            time.sleep(1)


def open_study(directory: str | Path) -> tuple[SharedStudy, Config]:
    """A study that was begun, to be looked at or spoken to.

    Args:
        directory: Its folder.

    Returns:
        The study, and the settings that it began with.

    Raises:
        RunError: There is no study.
        InputError: Its storage cannot be opened.
        ConfigError: Its settings are damaged.
    """
    files = StudyFiles(Path(directory).absolute())
    config = _settings_of(files.path, [])
    column, direction = objective_of(config)
    storage = open_storage(config.tune.storage, files.journal)
    return SharedStudy(storage, config.tune.name or files.path.name, direction, column, read_space(config)), config


def _folder(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given).absolute()


def _settings_of(directory: Path, overrides: Sequence[str]) -> Config:
    """The settings of a study, but for what a process may have of its own."""
    files = StudyFiles(directory)
    if not files.settings.is_file():
        raise RunError(f"{directory}: no {files.settings.name} there, so there is no study; vitruve tune begins one")
    for item in overrides:
        key = item.partition("=")[0].lstrip("+").removeprefix("tune.")
        if key not in _OWN or not item.lstrip("+").startswith("tune."):
            hint = nearest(key, _OWN) if key not in TuneSettings.model_fields else ""
            raise ConfigError(
                f"{item}: a study goes on with its own settings{hint}; beside resume, there may be "
                + ", ".join(f"tune.{each}" for each in _OWN)
            )
    return compose(str(files.settings), None, overrides, quiet=True).config
