"""Prediction of videos, images and label files with a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from vitruve.atomic import atomic_json, atomic_write
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, nearest
from vitruve.formats.hub import read_labels
from vitruve.formats.table import to_frame
from vitruve.geometry.warp import use_one_thread
from vitruve.inference.device import pick_device
from vitruve.inference.files import Done, Look, predict_to_files
from vitruve.inference.jobs import Job, is_finished, jobs_for, stamp_of
from vitruve.inference.load import Loaded, load_run
from vitruve.inference.predictor import Predictor
from vitruve.inference.samples import Samples, load_samples
from vitruve.inference.settings import Runtime
from vitruve.media.images import IMAGE_SUFFIXES
from vitruve.media.sources import expand_sources
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader, is_video
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels

_log = logging.getLogger(__name__)


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

    if runtime is not None and runtime not in get_args(Runtime):
        raise ConfigError(
            f"--runtime {runtime}: no such runtime{nearest(runtime, get_args(Runtime))}; "
            f"known are {', '.join(get_args(Runtime))}"
        )
    loaded = load_run(directory)
    config = Config.load(loaded.run.config)
    values = {**config.inference.model_dump(), **({"runtime": runtime} if runtime else {})}
    settings = type(config.inference).model_validate(values)
    device = pick_device(settings.device, "inference.device")
    loaded.algorithm.to(device)
    name, network = choose(
        loaded.algorithm,
        loaded.run,
        settings,
        _samples(loaded),
        _log.warning,
        frames_expected=frames_expected,
    )
    loaded.algorithm.network = network
    predictor = Predictor(loaded.algorithm, batch_size or config.inference.batch_size, device)
    return Opened(predictor, loaded.record, config, name, f"{loaded.weights_hash} {name}")


def _samples(loaded: Loaded) -> Samples | None:
    """What runtimes are compared on; they cannot be where an algorithm needs more than images."""
    if loaded.algorithm.needs.cameras or not loaded.run.samples.is_file():
        return None
    return load_samples(loaded.run.samples)


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
    folders = (output or run.video_predictions, output or run.path / "image_preds")
    jobs = jobs_for(files, *folders, formats=formats, labeled_video=labeled_video)
    expected = len(files) - len(videos) + sum(_estimated_frames(path) for path in videos)
    opened = open_run(directory, runtime, batch_size, expected)
    _leave_cores_to(opened.runtime)
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


def _leave_cores_to(runtime: str) -> None:
    """Let only the network use several cores: threads that decode and warp wait for one another more than they help."""
    import torch

    use_one_thread()
    if not runtime.startswith("torch"):
        torch.set_num_threads(1)


def _is_label_file(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES


def _estimated_frames(video: Path) -> int:
    with VideoReader(video) as reader:
        return reader.estimated_count or 0


def _predict_table(opened: Opened, run: RunFiles, table: Path, output: Path | None, overwrite: bool) -> Done:
    """Predict the images of a label file."""
    began = time.monotonic()
    target = (output or run.path / "image_preds" / table.stem) / "predictions.csv"
    job = Job(table, target)
    stamp = stamp_of(job, opened.identity, opened.predictor.batch_size)
    if not overwrite and is_finished(job, stamp):
        return Done(target, None, (target,), 0, 0.0, True)
    labels = labels_for(opened, table)
    predictions = replace(opened.predictor.predict_labels(labels), scorer=str(opened.record["scorer"]))
    frame = to_frame(predictions, likelihood=True, split=False)
    atomic_write(target, frame.to_csv(float_format="%.4f"))
    atomic_json(job.finished, stamp)
    return Done(target, None, (target,), len(labels), time.monotonic() - began, False)


def labels_for(opened: Opened, table: Path) -> Labels:
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
