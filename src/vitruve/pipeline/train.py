"""Training with all that follows it: predictions on the labelled frames, their errors, the videos."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.errors import Interrupted, RunError, VitruveError
from vitruve.evaluation.report import Report, evaluate
from vitruve.formats.hub import write_labels
from vitruve.formats.table import to_frame
from vitruve.inference.load import load_run
from vitruve.inference.predictor import Predictor
from vitruve.media.sources import expand_sources
from vitruve.media.video import is_video
from vitruve.pipeline.predict import predict_sources
from vitruve.pipeline.report import describe_run
from vitruve.run import RunFiles, read_json
from vitruve.structures.labels import Frame, Labels

if TYPE_CHECKING:
    from vitruve.training.fit import Fitted

_log = logging.getLogger(__name__)


def train_run(config: Config, directory: Path, *, quiet: bool = False) -> Path:
    """Train, predict the labelled frames, measure the errors, predict the videos the settings name.

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
    run = RunFiles(directory)
    if run.config.is_file():
        raise RunError(
            f"{directory}: holds a run already; choose another hydra.run.dir, "
            f"or go on with it: vitruve train resume={directory}"
        )
    return _train(config, run, resume=False, quiet=quiet)


def resume_run(directory: Path, *, quiet: bool = False) -> Path:
    """Go on with a training that was interrupted.

    Args:
        directory: Its run directory.
        quiet: Show no progress.

    Returns:
        The run directory.

    Raises:
        RunError: There is nothing to go on with.
    """
    run = RunFiles(directory)
    if not (run.config.is_file() and run.status.is_file()):
        missing = run.status.name if run.config.is_file() else run.config.name
        raise RunError(f"resume={directory}: no {missing} there, so there is no run to go on with")
    if run.model.is_file() and run.predictions.is_file() and run.pixel_error.is_file():
        raise RunError(f"resume={directory}: this run is finished; train a new one, or predict with it")
    return _train(Config.load(run.config), run, resume=True, quiet=quiet)


def _train(config: Config, run: RunFiles, *, resume: bool, quiet: bool) -> Path:
    from vitruve.training.fit import Fitted, fit
    from vitruve.training.prepare import prepare

    prepared = prepare(config)

    def begin() -> None:
        # The status comes first: a folder without one is no run, and is not gone on with.
        run.write_status("TRAINING", 0, config.training.max_epochs or 0)
        atomic_write(run.config, config.to_yaml())
        _keep_labels(prepared.labels, config, run)

    if resume and run.model.is_file():
        # Training itself was over: only what follows it is missing.
        fitted = Fitted(load_run(run.path).algorithm, prepared.cache)
    else:
        fitted = fit(
            config,
            prepared.labels,
            prepared.task,
            prepared.kind,
            run,
            resume=resume,
            quiet=quiet,
            cache=prepared.cache,
            begin=begin,
        )
    # Epochs as they really were: steps or early stopping may have ended training before max_epochs.
    epochs = int(read_json(run.status)["progress"]["completed"])
    try:
        _follow_up(config, run, fitted, prepared.labels)
    except KeyboardInterrupt:
        run.write_status("INTERRUPTED", epochs, epochs)
        raise Interrupted(
            f"stopped by Ctrl-C after training; it goes on with: vitruve train resume={run.path}"
        ) from None
    except VitruveError as error:
        run.write_status("FAILED", epochs, epochs, message=str(error))
        raise
    run.write_status("COMPLETED", epochs, epochs)
    return run.path


def _follow_up(config: Config, run: RunFiles, fitted: Fitted, labels: Labels) -> None:
    """Predict the labelled frames, measure the errors, predict the videos."""
    predictor = Predictor(fitted.algorithm, config.training.test_batch_size)
    predictions = replace(predictor.predict_labels(labels, fitted.cache), scorer=f"{config.model.model_type}_tracker")

    def pixels(frame: Frame) -> np.ndarray:
        return fitted.cache.read(labels, frame.images[0])

    report = evaluate(labels, predictions)
    _write_predictions(run, predictions, report)
    report.write(run.evaluation, images=pixels, about=describe_run(run, config))
    folder = config.eval.test_videos_directory
    if config.eval.predict_vids_after_training and folder is not None:
        _predict_videos(config, run, folder)


def _write_predictions(run: RunFiles, predictions: Labels, report: Report) -> None:
    """``predictions.csv`` and ``predictions_pixel_error.csv``; one of each a view where there are several."""
    names = predictions.view_names if len(predictions[0].images) > 1 else ("",)
    for view, name in enumerate(names):
        suffix = f"_{name}" if name else ""
        table = to_frame(predictions, likelihood=True, split=True, view=view)
        atomic_write(run.path / f"predictions{suffix}.csv", table.to_csv(float_format="%.4f"))
        errors = report.pixel_error_table(name or None)
        atomic_write(run.path / f"predictions{suffix}_pixel_error.csv", errors.to_csv(float_format="%.4f"))


def _predict_videos(config: Config, run: RunFiles, folder: Path) -> None:
    videos = expand_sources([folder]) if folder.is_dir() else []
    videos = [path for path in videos if is_video(path)]
    if not videos:
        _log.warning("eval.test_videos_directory=%s: holds no video; nothing is predicted after training", folder)
        return
    predict_sources(
        run.path,
        videos,
        output=config.eval.saved_vid_preds_dir,
        labeled_video=config.eval.save_vids_after_training,
    )


def _keep_labels(labels: Labels, config: Config, run: RunFiles) -> None:
    """A copy of what the run learned from, so that it can be evaluated where the data are not."""
    single = all(frame.instances.keypoints.shape[:2] == (1, 1) for frame in labels)
    files = config.data.label_files()
    if single:
        write_labels(labels, run.path / f"{files[0].stem}.csv")
        return
    for file in files:
        if file.is_file():
            shutil.copy2(file, run.path / file.name)
