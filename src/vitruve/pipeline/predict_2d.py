"""Prediction of one video as JARVIS keeps it: keypoints in pixels, ``data2D.csv`` with ``info.yaml``."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_json
from vitruve.errors import ConfigError
from vitruve.formats.coordinates_3d import FILE_NAMES, INFO, PredictionInfo, format_rows, header_lines, write_info
from vitruve.formats.skeleton_file import FILE_NAME as SKELETON
from vitruve.formats.skeleton_file import write_skeleton
from vitruve.inference.jobs import Job, stamp_of
from vitruve.inference.open import Opened
from vitruve.inference.progress import progress
from vitruve.inference.rows import groups
from vitruve.media.recordings import Recording
from vitruve.media.video import VideoReader
from vitruve.pipeline.predict_3d import REPORT, Predicted, nowhere_located
from vitruve.pipeline.prediction_folder import PredictionFolder
from vitruve.pipeline.rig_recording import frames_of
from vitruve.pipeline.stages import Stages
from vitruve.pipeline.summary_3d import log_summary
from vitruve.pipeline.tables_3d import LOG, log_header, log_rows, seen_points

PREFIX = "Predictions_2D"


def predict_video(
    opened: Opened, video: Path, info: PredictionInfo, parent: Path, *, frame_column: bool = False
) -> Predicted:
    """Predict a video into a folder of its own.

    An interrupted prediction goes on when the same one is asked for again. Memory does not grow with the video.

    Args:
        opened: A run that gives keypoints in single images.
        video: The file.
        info: What ``info.yaml`` says of it.
        parent: Where the folder ``Predictions_2D_<time>`` is made.
        frame_column: Begin the rows of points with the number of the frame.

    Returns:
        What was done.

    Raises:
        ConfigError: The run needs several views.
        InputError: The video cannot be read, an output cannot be written, or the animal was nowhere located
            (everything is written then).
    """
    predictor = opened.predictor
    if predictor.algorithm.needs.views:
        raise ConfigError("this run looks at several cameras together; predict a recording with predict3d")
    with VideoReader(video) as reader:
        count = frames_of(video, reader.count(), info.frame_start, info.number_frames)
    names = predictor.algorithm.task.skeleton.names
    stamp = {
        **stamp_of(Job(video, parent), opened.identity, predictor.batch_size),
        "frames": [info.frame_start, count],
        "frame_column": frame_column,
    }
    headers = {FILE_NAMES[2]: header_lines(names, 2, frame_column=frame_column), LOG: log_header([video.name])}
    lines = {name: "".join(line + "\n" for line in head) for name, head in headers.items()}
    began = time.monotonic()
    with (
        Stages(predictor) as stages,
        PredictionFolder(parent, PREFIX, stamp, lines, predictor.batch_size) as folder,
        progress(f"predicting {video.name}", count, folder.done) as advance,
        closing(
            predictor.stream_source(stages.watched(Recording((video,))), info.frame_start + folder.done)
        ) as predictions,
    ):
        for group in groups(islice(predictions, count - folder.done), predictor.batch_size):
            with stages.writing():
                pixels, likely = (np.stack(values)[:, 0] for values in zip(*map(seen_points, group), strict=True))
                found = np.isfinite(pixels).all(-1).any(-1) & np.array([not each.shot.note for each in group])
                pixels[~found] = np.nan
                numbers = [int(each.frame.images[0].index or 0) for each in group]
                rows = format_rows(pixels, likely, numbers if frame_column else None)
                folder.append({FILE_NAMES[2]: rows, LOG: log_rows(group, numbers, found)})
            advance(len(group))
    seconds = time.monotonic() - began
    rates = stages.frames_per_second(count - folder.done, seconds)
    summary = log_summary(folder.path, [video.name])
    write_skeleton(predictor.algorithm.task.skeleton, folder.path / SKELETON)
    write_info(replace(info, number_frames=count), folder.path / INFO)
    report = {"frames": count, "batch_size": predictor.batch_size, "runtime": opened.runtime}
    atomic_json(folder.path / REPORT, {**report, "seconds": round(seconds, 3), "frames_per_second": rates, **summary})
    target = folder.finish()
    if not summary["located"]:
        raise nowhere_located(video, count, summary, target)
    return Predicted(target, count, summary["located"], seconds, rates)
