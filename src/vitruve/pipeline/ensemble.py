"""Several networks, which differ in the seed of their weights, as one run.

Each network is an ordinary run, ``member_0``, ``member_1`` and so on, in the run's directory. Beside them lie the same
files that a run of one network has, made from the median of their predictions.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from vitruve.algorithms import registry
from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, Interrupted, RunError, VitruveError
from vitruve.pipeline.after_training import check_before, predict_videos, unseen_labels, view_endings, write_errors
from vitruve.pipeline.diagnostics import subspaces_of
from vitruve.pipeline.ensemble_predict import finished_members, predict_ensemble
from vitruve.pipeline.ensemble_tables import write_median
from vitruve.pipeline.predict import with_keypoints_of
from vitruve.pipeline.report import evaluate_run, own_labels, own_predictions
from vitruve.pipeline.together import together
from vitruve.pipeline.train import check_new, train_run
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels

_log = logging.getLogger(__name__)


@together
def train_networks(config: Config, directory: Path, *, quiet: bool = False) -> Path:
    """Train one network, or the networks of an ensemble, as ``ensemble`` says.

    Args:
        config: All settings.
        directory: The run directory; must not hold a run yet.
        quiet: Show no progress.

    Returns:
        The run directory.

    Raises:
        RunError: There is a run in the directory already.
        VitruveError: Settings, labels or images are not as they should be.
    """
    if config.ensemble == 1:
        return train_run(config, directory, quiet=quiet)
    if registry.get(config.model.model_type).needs.instances:
        raise ConfigError(
            f"ensemble={config.ensemble}: {config.model.model_type} finds any number of instances, of which there is "
            "no median; set ensemble=1"
        )
    run = RunFiles(directory)
    check_new(run)
    check_before(config, config.data.view_names or ())
    there = directory.is_dir()
    _begin(run, config)
    try:
        return _train_members(config, run, quiet=quiet)
    except VitruveError:
        if not run.members():
            # Nothing was trained: what is wrong with the settings must not leave half a run behind.
            for file in (run.config, run.status):
                file.unlink(missing_ok=True)
            if not there:
                shutil.rmtree(directory)
        raise


@together
def resume_networks(directory: Path, *, quiet: bool = False) -> Path:
    """Go on with a training that was interrupted, of one network or of an ensemble.

    Args:
        directory: Its run directory.
        quiet: Show no progress.

    Returns:
        The run directory.

    Raises:
        RunError: There is nothing to go on with.
    """
    run = RunFiles(directory)
    run.check_idle()
    if not (run.config.is_file() and run.status.is_file()):
        missing = run.status.name if run.config.is_file() else run.config.name
        raise RunError(f"resume={directory}: no {missing} there, so there is no run to go on with")
    if _is_finished(run):
        raise RunError(f"resume={directory}: this run is finished; train a new one, or predict with it")
    config = Config.load(run.config)
    if config.ensemble == 1:
        return train_run(config, directory, resume=True, quiet=quiet)
    return _train_members(config, run, quiet=quiet)


def _begin(run: RunFiles, config: Config) -> None:
    # The status comes first, as in a run of one network: a folder without one is not gone on with.
    run.write_status("TRAINING", 0, config.ensemble * (config.training.max_epochs or 0))
    atomic_write(run.config, config.to_yaml())


def _train_members(config: Config, run: RunFiles, *, quiet: bool) -> Path:
    done = 0
    total = config.ensemble * (config.training.max_epochs or 0)
    try:
        for index in range(config.ensemble):
            member = run.member(index)
            if not quiet:
                _log.info("network %d of %d: %s", index + 1, config.ensemble, member.path)
            _train_member(_member_config(config, index), member, quiet=quiet)
            done += member.read_status().completed
            run.write_status("TRAINING", done, max(total, done))
        run.write_status("EVALUATING", done, done)
        _follow_up(config, run)
    except (KeyboardInterrupt, Interrupted):
        run.write_status("INTERRUPTED", done, max(total, done))
        more = f"; it goes on with: vitruve train resume={run.path}" if run.members() else " before the first network"
        raise Interrupted(f"stopped{more}") from None
    except VitruveError as error:
        run.write_status("FAILED", done, max(total, done), message=str(error))
        raise
    run.write_status("COMPLETED", done, done)
    return run.path


def _member_config(config: Config, index: int) -> Config:
    """The settings of one network. Videos are predicted by all of them together."""
    seed = config.training.rng_seed_model_pt + index
    return config.model_copy(
        update={
            "ensemble": 1,
            "training": config.training.model_copy(update={"rng_seed_model_pt": seed}),
            "eval": config.eval.model_copy(update={"predict_vids_after_training": False}),
        }
    )


def _train_member(config: Config, member: RunFiles, *, quiet: bool) -> None:
    if not member.config.is_file():
        train_run(config, member.path, quiet=quiet)
    elif not _is_finished(member):
        train_run(config, member.path, resume=True, quiet=quiet)


def _is_finished(run: RunFiles) -> bool:
    """Whether training is over, with all that follows it, and its tables are still there."""
    if not run.status.is_file() or run.read_status().status != "COMPLETED":
        return False
    errors = list(run.path.glob("predictions*_pixel_error.csv"))
    return bool(errors) and all(file.with_name(file.name.replace("_pixel_error", "")).is_file() for file in errors)


def _follow_up(config: Config, run: RunFiles) -> None:
    """The files that a run of one network has: labels, predictions, their errors, videos."""
    members = finished_members(run)
    first = members[0]
    for file in config.data.label_files():
        copy = first.path / f"{file.stem}.csv"
        if copy.is_file():
            atomic_write(run.path / copy.name, copy.read_bytes())
    truth = own_labels(config, run)
    _measure(run, members, truth, run.predictions.stem)
    for stem, unseen in unseen_labels(config, truth):
        _measure(run, members, unseen, stem)
    evaluate_run(run.path)
    predict_videos(config, run, first, predict_ensemble)


def _measure(run: RunFiles, members: Sequence[RunFiles], truth: Labels, stem: str) -> None:
    """The medians of what the networks have predicted on labelled frames, and their errors."""
    for end, _ in view_endings(truth):
        table = f"{stem}{end}.csv"
        write_median([member.path / table for member in members], run.path / table)
    predictions = with_keypoints_of(own_predictions(run, truth, stem), truth.skeleton, str(run.path))
    write_errors(run, truth, predictions, None, subspaces_of(members[0].read_model()), stem)
