"""Prediction of a recording of calibrated cameras: points in space, frame by frame, with what speaks for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.algorithms import registry
from vitruve.atomic import atomic_json
from vitruve.errors import ConfigError, InputError
from vitruve.formats.calibration import write_cameras
from vitruve.formats.coordinates_3d import INFO, PredictionInfo, write_info
from vitruve.formats.skeleton_file import FILE_NAME as SKELETON
from vitruve.formats.skeleton_file import write_skeleton
from vitruve.inference.jobs import Job, stamp_of
from vitruve.inference.open import Opened
from vitruve.inference.progress import progress
from vitruve.inference.rows import groups
from vitruve.pipeline.after_prediction_3d import finish_3d
from vitruve.pipeline.prediction_folder import PredictionFolder
from vitruve.pipeline.rig_recording import RigRecording
from vitruve.pipeline.stages import Stages
from vitruve.pipeline.summary_3d import summarised
from vitruve.pipeline.tables_3d import LOG, table_headers, table_rows
from vitruve.run import RunFiles
from vitruve.structures.camera import Camera, stack_cameras

PREFIX = "Predictions_3D"
REPORT = "report.json"
CALIBRATION = "calibration.toml"


@dataclass(frozen=True)
class Predicted:
    """What became of a recording.

    Attributes:
        folder: Holds all tables.
        frames: Rows of each table.
        located: How many of them have points.
        seconds: Time it took.
        frames_per_second: Of each stage, had it worked alone, and ``end_to_end``.
    """

    folder: Path
    frames: int
    located: int
    seconds: float
    frames_per_second: dict[str, float | None]


def predict_recording(
    opened: Opened,
    recording: RigRecording,
    info: PredictionInfo,
    parent: Path,
    *,
    frame_column: bool = False,
    smooth: bool = False,
) -> Predicted:
    """Predict a recording into a folder of its own.

    An interrupted prediction goes on when the same one is asked for again. Memory does not grow with the recording
    until the points are all there: the lengths of bones, and smoothing, are of all frames together.

    Args:
        opened: A run that gives points in space.
        recording: The videos and cameras.
        info: What ``info.yaml`` says of them.
        parent: Where the folder ``Predictions_3D_<time>`` is made.
        frame_column: Begin the rows of points with the number of the frame.
        smooth: Also write the points smoothed over time.

    Returns:
        What was done.

    Raises:
        InputError: A video cannot be read, an output cannot be written, or the animal was nowhere located (everything
            is written then).
    """
    predictor = opened.predictor
    names, views = predictor.algorithm.task.skeleton.names, list(recording.cameras)
    paths = tuple(recording.source.videos)
    stamp = {
        **stamp_of(Job(paths[0], parent, beside=paths), opened.identity, predictor.batch_size),
        "frames": [recording.start, recording.count],
        "cameras": {name: _plain(camera) for name, camera in recording.cameras.items()},
        "frame_column": frame_column,
    }
    began = time.monotonic()
    with (
        Stages(predictor) as stages,
        PredictionFolder(
            parent,
            PREFIX,
            stamp,
            table_headers(names, views, frame_column=frame_column),
            predictor.batch_size,
        ) as folder,
        progress(f"predicting {recording.folder.name}", recording.count, folder.done) as advance,
        closing(
            predictor.stream_source(
                replace(recording.source, videos=stages.watched(recording.source.videos)),
                recording.start + folder.done,
            )
        ) as predictions,
    ):
        rig = stack_cameras(tuple(recording.cameras.values()))
        made = recording.count - folder.done
        for group in groups(predictions, predictor.batch_size):
            with stages.writing():
                folder.append(table_rows(group, rig, frame_column=frame_column))
            advance(len(group))
    seconds = time.monotonic() - began
    rates = stages.frames_per_second(made, seconds)
    summary = summarised(folder.path, views, names)
    write_skeleton(predictor.algorithm.task.skeleton, folder.path / SKELETON)
    write_cameras(recording.cameras, folder.path / CALIBRATION)
    write_info(replace(info, number_frames=recording.count), folder.path / INFO)
    report: dict[str, Any] = {
        "cameras": views,
        "frames": recording.count,
        "batch_size": predictor.batch_size,
        "runtime": opened.runtime,
        "seconds": round(seconds, 3),
        "frames_per_second": rates,
        **summary,
    }
    atomic_json(folder.path / REPORT, report)
    if summary["located"]:
        finish_3d(folder.path, smooth=smooth, frame_column=frame_column)
    target = folder.finish()
    if not summary["located"]:
        raise nowhere_located(recording.folder, recording.count, summary, target)
    return Predicted(target, recording.count, summary["located"], seconds, rates)


def nowhere_located(source: Path, frames: int, summary: Mapping[str, Any], folder: Path) -> InputError:
    """What is said of a source in which the animal was not found.

    Args:
        source: The recording or video.
        frames: How many were looked at.
        summary: As :func:`vitruve.pipeline.summary_3d.log_summary` gives it.
        folder: Of the prediction.

    Returns:
        The error.
    """
    each = ", ".join(f"{name} {value:.2f}" for name, value in summary["best_confidence"].items())
    return InputError(
        f"{source}: the animal was located in none of {frames} frames; the best confidence of each camera was {each}; "
        f"the usual reason: {summary['not_located_because']}. "
        f"{folder / LOG} gives the reason frame by frame"
    )


def check_run(directory: Path) -> None:
    """Make sure that a run gives points in space, before its weights are read.

    Args:
        directory: The run directory.

    Raises:
        RunError: It is no finished run.
        ConfigError: It gives none.
    """
    kind = str(RunFiles(directory).read_model()["model"]["model_type"])
    if not registry.get(kind).needs.cameras:
        raise ConfigError(
            f"{directory}: a network of type {kind} gives no points in space; take a run of hybridnet, or predict "
            "single videos with predict2d"
        )


def _plain(camera: Camera) -> list[Any]:
    return [None if value is None else np.asarray(value).tolist() for value in vars(camera).values()]
