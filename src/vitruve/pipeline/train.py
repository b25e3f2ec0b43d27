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
from vitruve.data.dataset import checked
from vitruve.data.images import ImageCache
from vitruve.errors import InputError, Interrupted, RunError, VitruveError
from vitruve.evaluation.report import Report, evaluate
from vitruve.evaluation.windows import windows_of, write_windows
from vitruve.formats.bbox_file import boxes_file
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.table import to_frame
from vitruve.inference.load import load_run
from vitruve.inference.open import open_locator
from vitruve.inference.predictor import Predictor
from vitruve.media.sources import expand_sources
from vitruve.media.video import is_video
from vitruve.pipeline.diagnostics import subspaces_of, write_for_labels
from vitruve.pipeline.predict import predict_sources, with_keypoints_of
from vitruve.pipeline.report import describe_run
from vitruve.pipeline.views import check_videos
from vitruve.run import RunFiles, read_json
from vitruve.structures.labels import Frame, Labels
from vitruve.training.crops import Cropping

if TYPE_CHECKING:
    from vitruve.training.fit import Fitted

_log = logging.getLogger(__name__)

# What the names of label files end in that Lightning Pose predicts after training: other animals, other days.
_UNSEEN = ("new", "test")


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

    if resume and not (run.last.is_file() or run.model.is_file()):
        _log.warning("%s: was broken off before its first checkpoint, so it begins anew", run.path)
    prepared = prepare(config, run)
    videos = config.eval.test_videos_directory
    if prepared.kind.needs.views and config.eval.predict_vids_after_training and videos is not None:
        check_videos(videos, prepared.labels.view_names)

    def begin() -> None:
        # The status comes first: a folder without one is no run, and is not gone on with.
        run.write_status("TRAINING", 0, config.training.max_epochs or 0)
        atomic_write(run.config, config.to_yaml())
        _keep_labels(prepared.labels, config, run)
        prepared.cropping.keep(prepared.labels)

    if resume and run.model.is_file():
        # Training itself was over: only what follows it is missing.
        fitted = Fitted(load_run(run.path).algorithm, prepared.cache)
    else:
        fitted = fit(config, prepared, run, resume=resume, quiet=quiet, begin=begin)
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
    locator = open_locator(config, fitted.algorithm.task, run, frames_expected=0)
    predictor = Predictor(fitted.algorithm, config.training.test_batch_size, locator=locator)

    def pixels(frame: Frame) -> np.ndarray:
        return fitted.cache.read(labels, frame.images[0])

    report = _measure(config, run, predictor, labels, "predictions", fitted.cache)
    report.write(run.evaluation, images=pixels, about=describe_run(run, config))
    for ending in _UNSEEN:
        unseen = _unseen_labels(config, labels, ending)
        if unseen is not None:
            _measure(config, run, predictor, Cropping(config).unseen(unseen), f"predictions_{ending}")
    folder = config.eval.test_videos_directory
    if config.eval.predict_vids_after_training and folder is not None:
        _predict_videos(config, run, folder)


def _measure(
    config: Config, run: RunFiles, predictor: Predictor, labels: Labels, stem: str, cache: ImageCache | None = None
) -> Report:
    """``<stem>.csv``, ``<stem>_pixel_error.csv`` and its like; one of each a view where there are several."""
    predictions = replace(predictor.predict_labels(labels, cache), scorer=f"{config.model.model_type}_tracker")
    algorithm = predictor.algorithm
    windows = windows_of(predictions, algorithm.task.input_size, algorithm.likelihood_reach)
    if windows is not None and stem == run.predictions.stem:
        write_windows(run.windows, predictions, windows)
    report = evaluate(labels, predictions, windows=windows)
    names = predictions.view_names if len(predictions[0].images) > 1 else ("",)
    for view, name in enumerate(names):
        whole = f"{stem}_{name}" if name else stem
        split = any(frame.split for frame in labels)
        table = to_frame(predictions, likelihood=True, split=split, view=view)
        atomic_write(run.path / f"{whole}.csv", table.to_csv(float_format="%.4f"))
        errors = report.pixel_error_table(name or None)
        atomic_write(run.path / f"{whole}_pixel_error.csv", errors.to_csv(float_format="%.4f"))
    write_for_labels(run, predictions, subspaces_of(run.read_model()), stem)
    return report


def _unseen_labels(config: Config, labels: Labels, ending: str) -> Labels | None:
    """Labels that training never sees: ``<label file>_<ending>.csv`` beside the label file of each view."""
    files = [file.with_name(f"{file.stem}_{ending}{file.suffix}") for file in config.data.label_files()]
    if not any(file.is_file() for file in files):
        return None
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise InputError(f"{missing}: missing, although other views have such a file; add it, or remove those")
    found = read_labels(
        files[0] if len(files) == 1 else files, config.data.label_format, config.data.data_dir, labels.view_names
    )
    return checked(with_keypoints_of(found, labels.skeleton, str(files[0])))


def _predict_videos(config: Config, run: RunFiles, folder: Path) -> None:
    videos = expand_sources([folder]) if folder.is_dir() else []
    videos = [path for path in videos if is_video(path)]
    if not videos:
        _log.warning("eval.test_videos_directory=%s: holds no video; nothing is predicted after training", folder)
        return
    beside = None
    if config.cropped and not run.locator.is_dir():
        beside = folder
        lacking = next((path for path in videos if not (folder / boxes_file(path.stem)).is_file()), None)
        if lacking is not None:
            _log.warning(
                "%s: no crop.locator is set and there is no %s beside it; no video is predicted after training",
                lacking,
                boxes_file(lacking.stem),
            )
            return
    predict_sources(
        run.path,
        videos,
        output=config.eval.saved_vid_preds_dir,
        labeled_video=config.eval.save_vids_after_training,
        boxes=beside,
        heatmaps=config.eval.predict_vids_after_training_save_heatmaps,
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
