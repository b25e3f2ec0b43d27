"""Training with all that follows it: predictions on the labelled frames, their errors, the videos."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitruve.algorithms import registry
from vitruve.atomic import atomic_path, atomic_write
from vitruve.config.schema import Config
from vitruve.data.images import ImageCache
from vitruve.errors import Interrupted, RunError, VitruveError
from vitruve.evaluation.boxes_page import write_box_report
from vitruve.evaluation.boxes_report import evaluate_boxes
from vitruve.evaluation.classes import ClassReport, class_table, write_class_report
from vitruve.evaluation.page import write_report
from vitruve.evaluation.report import Report
from vitruve.evaluation.windows import windows_of, write_windows
from vitruve.formats.hub import write_labels
from vitruve.inference.load import load_run
from vitruve.inference.looks import Looks
from vitruve.inference.open import in_parts, open_locator
from vitruve.inference.predictor import Predictor
from vitruve.pipeline.after_training import check_before, predict_videos, unseen_labels, view_endings, write_errors
from vitruve.pipeline.diagnostics import subspaces_of
from vitruve.pipeline.label_predictions import write_table
from vitruve.pipeline.predict import predict_sources
from vitruve.pipeline.report import describe_run, pixels_of
from vitruve.pipeline.supervise import supervise
from vitruve.pipeline.together import call_others, with_processes
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels
from vitruve.training.crops import Cropping

if TYPE_CHECKING:
    from vitruve.training.fit import Fitted

_log = logging.getLogger(__name__)


def train_run(config: Config, directory: Path, *, resume: bool = False, quiet: bool = False) -> Path:
    """Train, predict the labelled frames, measure the errors, predict the videos the settings name.

    Args:
        config: All settings.
        directory: The run directory.
        resume: Go on with the run that is there; otherwise there must be none.
        quiet: Show no progress.

    Returns:
        The run directory.

    Raises:
        RunError: There is a run in the directory already.
        Interrupted: Ctrl-C, or a request to end.
        VitruveError: Settings, labels or images are not as they should be.
    """
    from vitruve.training.team import Team, processes_of

    run, team = RunFiles(directory), Team.of_environment()
    if not resume:
        check_new(run)
    try:
        if team.size > 1:
            config = with_processes(config, team.size)
        elif processes_of(config.training) > 1:
            config = with_processes(config, processes_of(config.training))
            return supervise(config, run, resume=resume, quiet=quiet)
        elif config.training.parallel.strategy != "sync_sgd":
            _log.warning(
                "training.parallel.strategy=%s: without effect on one process; set training.parallel.processes",
                config.training.parallel.strategy,
            )
        return _train_run(config, run, resume=resume, quiet=quiet)
    except KeyboardInterrupt:
        raise _stopped(run) from None


def _stopped(run: RunFiles) -> Interrupted:
    if not run.status.is_file():
        return Interrupted("stopped before training began; nothing is written yet")
    status = run.read_status()
    run.write_status("INTERRUPTED", status.completed, status.total)
    return Interrupted(f"stopped; it goes on with: vitruve train resume={run.path}")


def _train_run(config: Config, run: RunFiles, *, resume: bool, quiet: bool) -> Path:
    from vitruve.training.domain import on_video
    from vitruve.training.fit import Fitted, fit
    from vitruve.training.prepare import prepare
    from vitruve.training.unsupervised import unlabelled_recordings

    if resume and not (run.last.is_file() or run.model.is_file()):
        _log.warning("%s: was broken off before its first checkpoint, so it begins anew", run.path)
    trained = resume and run.model.is_file()
    if not trained:
        # Before the images are read, which may take minutes.
        unlabelled_recordings(on_video(config))
        call_others(config, run, resume=resume)
    prepared = prepare(config, run)
    check_before(config, prepared.labels.view_names)

    def begin() -> None:
        # The status comes first: a folder without one is no run, and is not gone on with.
        run.write_status("TRAINING", 0, config.training.max_epochs or 0)
        atomic_write(run.config, config.to_yaml())
        _keep_labels(prepared.labels, config, run)
        prepared.cropping.keep(prepared.labels)

    if trained:
        # Training itself was over: only what follows it is missing.
        fitted = Fitted(load_run(run.path).algorithm, prepared.cache)
    else:
        fitted = fit(config, prepared, run, resume=resume, quiet=quiet, begin=begin)
    # Epochs as they really were: steps or early stopping may have ended training before max_epochs.
    epochs = run.read_status().completed
    try:
        _follow_up(config, run, fitted, prepared.labels)
    except VitruveError as error:
        run.write_status("FAILED", epochs, epochs, message=str(error))
        raise
    run.write_status("COMPLETED", epochs, epochs)
    return run.path


def check_new(run: RunFiles) -> None:
    """Make sure that a directory holds no run yet.

    Args:
        run: The directory.

    Raises:
        RunError: It does.
    """
    if run.config.is_file():
        raise RunError(
            f"{run.path}: holds a run already; choose another hydra.run.dir, "
            f"or go on with it: vitruve train resume={run.path}"
        )


def _follow_up(config: Config, run: RunFiles, fitted: Fitted, labels: Labels) -> None:
    """Predict the labelled frames, measure the errors, predict the videos."""
    locator = open_locator(config, fitted.algorithm.task, run, frames_expected=0)
    looks = Looks.of(config.inference, fitted.algorithm.needs)
    predictor = Predictor(fitted.algorithm, config.training.test_batch_size, locator=locator, looks=looks)
    if fitted.algorithm.needs.boxes:
        predictor = in_parts(predictor, config)

    def pixels(frame: Frame) -> np.ndarray:
        return fitted.cache.read(labels, frame.images[0])

    if fitted.algorithm.needs.classes:
        table = class_table(labels, predictor.predict_labels(labels, fitted.cache))
        atomic_write(run.predictions, table.to_csv(float_format="%.4f"))
        write_class_report(ClassReport(table), run.evaluation, config.model.model_name)
        return
    if fitted.algorithm.needs.boxes:
        _measure_boxes(config, run, predictor, labels, "predictions", run.evaluation, fitted.cache)
        for stem, unseen in unseen_labels(config, labels):
            name = stem.replace("predictions", config.data.label_files()[0].stem)
            _measure_boxes(config, run, predictor, unseen, stem, run.evaluation / name)
        predict_videos(config, run, run, predict_sources)
        return
    report = _measure(config, run, predictor, labels, "predictions", fitted.cache)
    write_report(report, run.evaluation, images=pixels, about=describe_run(run, config))
    for stem, unseen in unseen_labels(config, labels):
        _measure(config, run, predictor, Cropping(config).unseen(unseen), stem)
    predict_videos(config, run, run, predict_sources)


def _measure(
    config: Config, run: RunFiles, predictor: Predictor, labels: Labels, stem: str, cache: ImageCache | None = None
) -> Report:
    """Predict labelled frames into ``<stem>.csv``, one a view where there are several, and measure the errors."""
    predictions = replace(predictor.predict_labels(labels, cache), scorer=f"{config.model.model_type}_tracker")
    algorithm = predictor.algorithm
    windows = windows_of(predictions, algorithm.task.input_size, algorithm.likelihood_reach)
    if windows is not None and stem == run.predictions.stem:
        write_windows(run.windows, predictions, windows)
    split, several = any(frame.split for frame in labels), algorithm.needs.instances
    for view, (end, _) in enumerate(view_endings(labels)):
        table = run.path / f"{stem}{end}.csv"
        # The table of several instances has no room for their scores and splits.
        formats = ("csv", "coco") if several else ("csv",)
        write_table(predictions, table, several=several, view=view, split=split, formats=formats)
    subspaces = subspaces_of(run.read_model())
    return write_errors(run, labels, predictions, windows, subspaces, stem, several=several)


def _measure_boxes(
    config: Config,
    run: RunFiles,
    predictor: Predictor,
    labels: Labels,
    stem: str,
    folder: Path,
    cache: ImageCache | None = None,
) -> None:
    """Predict labelled frames into ``<stem>.csv`` and ``<stem>.json``, and report how well objects were found."""
    found = replace(predictor.predict_labels(labels, cache), scorer=f"{config.model.model_type}_tracker")
    write_table(found, run.path / f"{stem}.csv", several=True, formats=("csv", "coco"))
    write_box_report(evaluate_boxes(labels, found), folder, images=pixels_of(labels), about=describe_run(run, config))


def _keep_labels(labels: Labels, config: Config, run: RunFiles) -> None:
    """A copy of what the run learned from, so that it can be evaluated where the data are not."""
    if registry.get(config.model.model_type).needs.classes:
        return  # classes: model.json has their names, predictions.csv those of the images
    single = len(labels.skeleton) and all(frame.instances.keypoints.shape[:2] == (1, 1) for frame in labels)
    files = config.data.label_files()
    if single:
        write_labels(labels, run.path / f"{files[0].stem}.csv")
        return
    for file in files:
        # Files of several sets may have one name; they are read where they are.
        if file.is_file() and not config.data.sets:
            with atomic_path(run.path / file.name) as temporary:
                shutil.copyfile(file, temporary)
