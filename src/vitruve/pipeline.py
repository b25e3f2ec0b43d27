"""What the verbs do, step by step: training with all that follows it, prediction of sources, evaluation, bench."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.data.images import ImageCache
from vitruve.errors import InputError, RunError
from vitruve.evaluation.report import Report, evaluate
from vitruve.formats.hub import read_labels, write_labels
from vitruve.formats.table import to_frame
from vitruve.inference.files import Done, Look, jobs_for, predict_to_files
from vitruve.inference.load import load_run
from vitruve.inference.predictor import Predictor
from vitruve.media.images import IMAGE_SUFFIXES, read_image
from vitruve.media.sources import expand_sources
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader, is_video
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels

if TYPE_CHECKING:
    from vitruve.inference.bench import BenchReport

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
    if not run.config.is_file():
        raise RunError(f"resume={directory}: no config.yaml there, so there is no run to go on with")
    if run.model.is_file() and run.predictions.is_file() and run.pixel_error.is_file():
        raise RunError(f"resume={directory}: this run is finished; train a new one, or predict with it")
    return _train(Config.load(run.config), run, resume=True, quiet=quiet)


def _train(config: Config, run: RunFiles, *, resume: bool, quiet: bool) -> Path:
    from vitruve.training.fit import Fitted, fit
    from vitruve.training.prepare import prepare

    # All that can be wrong with settings and labels shows before the directory is made.
    prepared = prepare(config)
    run.path.mkdir(parents=True, exist_ok=True)
    atomic_write(run.config, config.to_yaml())
    _keep_labels(prepared.labels, config, run)
    if resume and run.model.is_file():
        # Training itself was over: only what follows it is missing.
        fitted = Fitted(load_run(run.path).algorithm, ImageCache(config.data.cache_gb))
    else:
        fitted = fit(config, prepared.labels, prepared.task, prepared.kind, run, resume=resume, quiet=quiet)
    predictor = Predictor(fitted.algorithm, config.training.test_batch_size)
    predictions = replace(
        predictor.predict_labels(prepared.labels, fitted.cache), scorer=f"{config.model.model_type}_tracker"
    )

    def pixels(frame: Frame) -> np.ndarray:
        return fitted.cache.read(prepared.labels, frame.images[0])

    report = evaluate(prepared.labels, predictions)
    _write_predictions(run, predictions, report)
    report.write(run.evaluation, images=pixels, about=_about(run, config))
    folder = config.eval.test_videos_directory
    if config.eval.predict_vids_after_training and folder is not None:
        _predict_videos(config, run, folder)
    epochs = config.training.max_epochs or 0
    run.write_status("COMPLETED", epochs, epochs)
    return run.path


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


def _own_labels(config: Config, run: RunFiles) -> Labels:
    files = config.data.label_files()
    copies = [run.path / f"{file.stem}.csv" for file in files]
    found = copies if all(copy.is_file() for copy in copies) else list(files)
    return read_labels(found[0] if len(found) == 1 else found, None, config.data.data_dir, config.data.view_names or ())


def _about(run: RunFiles, config: Config) -> dict[str, str]:
    return {
        "Run": run.path.name if run.path.parent == run.path else f"{run.path.parent.name}/{run.path.name}",
        "Algorithm": f"{config.model.model_type} on {config.model.backbone}",
        "Labels": ", ".join(file.name for file in config.data.label_files()),
    }


@dataclass(frozen=True)
class Opened:
    """A run in use.

    Attributes:
        predictor: Its network.
        record: ``model.json``.
        config: Its settings.
        runtime: What carries the network out.
        identity: Names weights and runtime.
    """

    predictor: Predictor
    record: dict[str, Any]
    config: Config
    runtime: str
    identity: str


def open_run(
    directory: Path,
    runtime: str | None = None,
    batch_size: int | None = None,
    frames_expected: int | None = None,
) -> Opened:
    """Load a run's network and choose what carries it out.

    Args:
        directory: The run directory.
        runtime: Its name; None as the run's settings say.
        batch_size: Images that go through the network together; None as the run's settings say.
        frames_expected: How many images will be predicted, if known.

    Returns:
        The run in use.

    Raises:
        RunError: The directory is no finished run, or is damaged.
        ConfigError: The runtime is unknown or cannot be used here.
    """
    from vitruve.inference.runtimes.select import choose
    from vitruve.inference.samples import load_samples

    loaded = load_run(directory)
    config = Config.load(loaded.run.config)
    values = {**config.inference.model_dump(), **({"runtime": runtime} if runtime else {})}
    settings = type(config.inference).model_validate(values)
    name, network = choose(
        loaded.algorithm,
        loaded.run,
        settings,
        load_samples(loaded.run.samples) if loaded.run.samples.is_file() else None,
        _log.warning,
        frames_expected=frames_expected,
    )
    loaded.algorithm.network = network
    predictor = Predictor(loaded.algorithm, batch_size or config.inference.batch_size)
    return Opened(predictor, loaded.record, config, name, f"{loaded.weights_hash} {name}")


def predict_sources(
    directory: Path,
    sources: Sequence[Path],
    *,
    output: Path | None = None,
    formats: Sequence[str] = ("csv",),
    labeled_video: bool = False,
    threshold: float | None = None,
    overwrite: bool = False,
    runtime: str | None = None,
    batch_size: int | None = None,
) -> list[Done]:
    """Predict videos, images and label files; see :func:`vitruve.api.predict`.

    Args:
        directory: The run directory.
        sources: Videos, images, folders of them, label files.
        output: Folder of the files, or None.
        formats: ``csv``, ``h5``.
        labeled_video: Draw videos.
        threshold: Likelihood from which keypoints are drawn.
        overwrite: Predict again.
        runtime: What carries the network out.
        batch_size: Images that go through the network together.

    Returns:
        What became of each.
    """
    run = RunFiles(directory)
    run.read_model()
    tables = [path for path in sources if _is_label_file(path)]
    files = expand_sources([path for path in sources if path not in tables]) if len(tables) < len(sources) else []
    videos = [path for path in files if is_video(path)]
    images = [path for path in files if path not in set(videos)]
    jobs = [
        *jobs_for(videos, output or run.video_predictions, formats=formats, labeled_video=labeled_video),
        *jobs_for(images, output or run.path / "image_preds", formats=formats, labeled_video=False),
    ]
    expected = len(images) + sum(_estimated_frames(path) for path in videos)
    opened = open_run(directory, runtime, batch_size, expected)
    look = Look(
        opened.config.eval.confidence_thresh_for_vid if threshold is None else threshold,
        opened.config.eval.colormap,
    )
    done = [
        predict_to_files(
            opened.predictor,
            job,
            scorer=str(opened.record["scorer"]),
            identity=opened.identity,
            look=look,
            overwrite=overwrite,
        )
        for job in jobs
    ]
    for table in tables:
        done.append(_predict_table(opened, run, table, output, overwrite))
    return done


def _is_label_file(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES


def _estimated_frames(video: Path) -> int:
    with VideoReader(video) as reader:
        return reader.estimated_count or 0


def _predict_table(opened: Opened, run: RunFiles, table: Path, output: Path | None, overwrite: bool) -> Done:
    """Predict the images of a label file."""
    began = time.monotonic()
    target = (output or run.path / "image_preds" / table.stem) / "predictions.csv"
    if target.is_file() and not overwrite:
        return Done(target, None, (target,), 0, 0.0, True)
    labels = _labels_for(opened, table)
    predictions = replace(opened.predictor.predict_labels(labels), scorer=str(opened.record["scorer"]))
    frame = to_frame(predictions, likelihood=True, split=False)
    atomic_write(target, frame.to_csv(float_format="%.4f"))
    return Done(target, None, (target,), len(labels), time.monotonic() - began, False)


def _labels_for(opened: Opened, table: Path) -> Labels:
    """Labels from a file, which must have the run's keypoints."""
    from vitruve.data.dataset import checked

    labels = read_labels(table, root=_root_of(table, opened.config))
    names = opened.predictor.algorithm.task.skeleton.names
    if set(labels.skeleton.names) != set(names):
        extra = [name for name in labels.skeleton.names if name not in names]
        missing = [name for name in names if name not in labels.skeleton.names]
        parts = [f"has {', '.join(extra)} beyond them"] * bool(extra) + [f"lacks {', '.join(missing)}"] * bool(missing)
        raise InputError(
            f"{table}: other keypoints than the run's: {' and '.join(parts)}; give labels of the same keypoints"
        )
    return checked(labels)


def _root_of(table: Path, config: Config) -> Path | None:
    """Image paths start beside the label file, or, as in Lightning Pose, in the run's ``data_dir``."""
    inside = config.data.data_dir
    if inside is not None and inside.is_dir() and table.resolve().is_relative_to(inside.resolve()):
        return inside
    return None


def evaluate_run(directory: Path, labels: Path | None, output: Path | None) -> tuple[Report, dict[str, Path]]:
    """Compare predictions with labels and write the report.

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
    run.read_model()
    if labels is None:
        config = Config.load(run.config)
        truth = _own_labels(config, run)
        paths = [run.predictions]
        if len(truth[0].images) > 1:
            paths = [run.path / f"predictions_{name}.csv" for name in truth.view_names]
        predictions = read_labels(
            paths[0] if len(paths) == 1 else paths, "lightning_pose", truth.root, truth.view_names
        )
        predictions = replace(predictions, skeleton=truth.skeleton)
        folder = output or run.evaluation
    else:
        opened = open_run(directory)
        config = opened.config
        truth = _labels_for(opened, labels)
        predictions = replace(opened.predictor.predict_labels(truth), scorer=str(opened.record["scorer"]))
        folder = output or run.path / "evaluation" / labels.stem
    report = evaluate(truth, predictions)
    about = {**_about(run, config), **({} if labels is None else {"Labels": labels.name})}
    return report, report.write(folder, images=_pixels(truth), about=about)


def _pixels(labels: Labels) -> Callable[[Frame], np.ndarray] | None:
    """Reads the images of frames, where they are all still there."""
    if not all(labels.path(image).is_file() for frame in labels for image in frame.images):
        return None

    def read(frame: Frame) -> np.ndarray:
        return read_image(labels.path(frame.images[0]))

    return read


def bench_run(directory: Path, source: Path | None) -> BenchReport:
    """Measure where the time of a prediction goes; see :func:`vitruve.api.bench`.

    Args:
        directory: The run directory.
        source: A video, or None.

    Returns:
        The measurements.
    """
    from vitruve.inference.bench import bench

    return bench(directory, source)
