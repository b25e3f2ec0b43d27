"""Several networks, which differ in the seed of their weights, as one run.

Each network is an ordinary run, ``member_0``, ``member_1`` and so on, in the run's directory. Beside them lie the same
files that a run of one network has, made from the median of their predictions.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.errors import Interrupted, RunError, VitruveError
from vitruve.evaluation.report import Report, evaluate
from vitruve.evaluation.windows import read_windows, windows_of
from vitruve.formats.csv_table import looks_like_header
from vitruve.formats.hub import read_labels
from vitruve.inference.load import load_run
from vitruve.media.images import image_size
from vitruve.media.sources import expand_sources
from vitruve.media.video import is_video
from vitruve.pipeline.diagnostics import subspaces_of, write_for_labels
from vitruve.pipeline.ensemble_predict import finished_members, predict_ensemble
from vitruve.pipeline.ensemble_tables import write_median
from vitruve.pipeline.known_images import with_splits_of
from vitruve.pipeline.predict import with_keypoints_of
from vitruve.pipeline.report import describe_run, own_labels, own_predictions, pixels_of
from vitruve.pipeline.train import resume_run, train_run
from vitruve.run import RunFiles, read_json
from vitruve.structures.labels import Labels

_log = logging.getLogger(__name__)


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
    run = RunFiles(directory)
    if run.config.is_file():
        raise RunError(
            f"{directory}: holds a run already; choose another hydra.run.dir, "
            f"or go on with it: vitruve train resume={directory}"
        )
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
    config = Config.load(run.config) if run.config.is_file() else Config()
    if config.ensemble == 1:
        return resume_run(directory, quiet=quiet)
    if run.status.is_file() and read_json(run.status).get("status") == "COMPLETED":
        raise RunError(f"resume={directory}: this run is finished; train a new one, or predict with it")
    return _train_members(config, run, quiet=quiet)


def evaluate_ensemble(directory: Path, labels: Path | None, output: Path | None) -> tuple[Report, dict[str, Path]]:
    """Compare the median of an ensemble's predictions with labels and write the report.

    Args:
        directory: The run directory.
        labels: A label file to predict; None for the run's own labels and predictions.
        output: Folder of the report, or None.

    Returns:
        The report and its files.

    Raises:
        VitruveError: The run or the labels are not as they should be.
    """
    run = RunFiles(directory)
    members = finished_members(run)
    config = Config.load(run.config)
    about = describe_run(run, config)
    if labels is None:
        truth = own_labels(config, run)
        predictions = own_predictions(run, truth)
        # The networks look at the same part of each image, so they speak of the same window.
        windows = read_windows(members[0].windows, truth)
        folder = output or run.evaluation
    else:
        (done,) = predict_ensemble(directory, [labels])
        truth = read_labels(labels, root=config.data.data_dir)
        predictions = read_labels(done.table, "lightning_pose", truth.root)
        windows = _windows(members[0], config, truth)
        truth = with_splits_of(truth, members[0].read_model(), config.data.data_dir, str(labels))
        folder = output or run.evaluation / labels.stem
        about["Labels"] = labels.name
    predictions = with_keypoints_of(predictions, truth.skeleton, str(members[0].path))
    report = evaluate(truth, predictions, windows=windows)
    return report, report.write(folder, images=pixels_of(truth), about=about)


def _windows(member: RunFiles, config: Config, labels: Labels) -> Float[np.ndarray, "F V 2"] | None:
    """The windows that likelihoods speak of in images that were just predicted; None for crops, which are not known."""
    if config.cropped or any(image.index is not None for frame in labels for image in frame.images):
        return None
    frames = tuple(
        replace(frame, images=tuple(replace(image, size=image_size(labels.path(image))) for image in frame.images))
        for frame in labels
    )
    algorithm = load_run(member.path).algorithm
    return windows_of(replace(labels, frames=frames), algorithm.task.input_size, algorithm.likelihood_reach)


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
            done += int(read_json(member.status)["progress"]["completed"])
            run.write_status("TRAINING", done, max(total, done))
        run.write_status("EVALUATING", done, done)
        _follow_up(config, run)
    except (KeyboardInterrupt, Interrupted):
        run.write_status("INTERRUPTED", done, max(total, done))
        more = f"; it goes on with: vitruve train resume={run.path}" if run.members() else " before the first network"
        raise Interrupted(f"stopped by Ctrl-C{more}") from None
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
        resume_run(member.path, quiet=quiet)


def _is_finished(member: RunFiles) -> bool:
    return member.status.is_file() and read_json(member.status).get("status") == "COMPLETED"


def _follow_up(config: Config, run: RunFiles) -> None:
    """The files that a run of one network has: labels, predictions, their errors, videos."""
    members = finished_members(run)
    first = members[0]
    for file in config.data.label_files():
        copy = first.path / f"{file.stem}.csv"
        if copy.is_file():
            atomic_write(run.path / copy.name, copy.read_bytes())
    for table in sorted(first.path.glob("predictions*.csv")):
        if looks_like_header(table) is not None:
            write_median([member.path / table.name for member in members], run.path / table.name)
    truth = own_labels(config, run)
    predictions = with_keypoints_of(own_predictions(run, truth), truth.skeleton, str(run.predictions))
    _write_errors(run, truth, predictions)
    write_for_labels(run, predictions, subspaces_of(first.read_model()), run.predictions.stem)
    evaluate_ensemble(run.path, None, None)
    folder = config.eval.test_videos_directory
    if config.eval.predict_vids_after_training and folder is not None:
        _predict_videos(config, run, folder)


def _write_errors(run: RunFiles, truth: Labels, predictions: Labels) -> None:
    report = evaluate(truth, replace(predictions, skeleton=truth.skeleton))
    for view in truth.view_names if len(truth[0].images) > 1 else ("",):
        middle = f"_{view}" if view else ""
        table = report.pixel_error_table(view or None)
        atomic_write(run.path / f"predictions{middle}_pixel_error.csv", table.to_csv(float_format="%.4f"))


def _predict_videos(config: Config, run: RunFiles, folder: Path) -> None:
    videos: Sequence[Path] = [path for path in expand_sources([folder]) if is_video(path)] if folder.is_dir() else []
    if not videos:
        _log.warning("eval.test_videos_directory=%s: holds no video; nothing is predicted after training", folder)
        return
    predict_ensemble(
        run.path,
        videos,
        output=config.eval.saved_vid_preds_dir,
        labeled_video=config.eval.save_vids_after_training,
    )
