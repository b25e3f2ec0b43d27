"""Predictions as files: finished ones are kept, interrupted ones go on where they stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.algorithms.base import Algorithm
from vitruve.atomic import atomic_json
from vitruve.errors import InputError
from vitruve.formats.bbox_file import HEADER, format_boxes, read_last_boxes
from vitruve.formats.table import write_h5
from vitruve.inference.box_layout import BoxLayout, BoxPainter, draw_box_video
from vitruve.inference.drawing import Look, Painter, draw_video
from vitruve.inference.jobs import Job, check_owner, row_name, same_note, stamp_of, title
from vitruve.inference.layout import Layout, OneAnimal, SeveralAnimals
from vitruve.inference.predictor import Predictor
from vitruve.inference.progress import progress
from vitruve.inference.rows import cut_rows, groups, saying, start_rows, whole_rows
from vitruve.inference.shots import Forgiving
from vitruve.inference.unreadable import unreadable_images
from vitruve.media.recordings import Recording
from vitruve.media.video import VideoReader, VideoWriter, is_video


@dataclass(frozen=True)
class Done:
    """What became of a job.

    Attributes:
        table: The CSV file.
        labeled_video: The drawn video, or None.
        outputs: All files of the job.
        frames: Frames predicted now; none of them when the job was finished before.
        seconds: Time it took.
        skipped: It was finished before.
        unreadable: What is wrong with images that could not be read; their rows are empty.
    """

    table: Path
    labeled_video: Path | None
    outputs: tuple[Path, ...]
    frames: int
    seconds: float
    skipped: bool
    unreadable: tuple[str, ...] = ()


def predict_to_files(
    predictor: Predictor,
    job: Job,
    *,
    scorer: str,
    identity: str,
    look: Look | None = None,
    overwrite: bool = False,
) -> Done:
    """Predict a video, or several images, into a table.

    Rows are appended to a hidden file beside the table, which is renamed when it is whole. A prediction that was
    killed goes on behind the last whole batch, so that it ends with the file an unbroken one would have written.

    Args:
        predictor: The network.
        job: What is to be predicted, and where to.
        scorer: First header row of the table.
        identity: Names the weights and the runtime; only rows of the same identity are kept.
        look: How keypoints are drawn; None for the usual way.
        overwrite: Predict again even if everything is there.

    Returns:
        What was done.

    Raises:
        InputError: The source cannot be read, the outputs belong to another source, or the disk is full.
    """
    return predict_views(predictor, (job,), scorer=scorer, identity=identity, look=look, overwrite=overwrite)[0]


def predict_views(
    predictor: Predictor,
    jobs: Sequence[Job],
    *,
    scorer: str,
    identity: str,
    look: Look | None = None,
    overwrite: bool = False,
    data_dir: Path | None = None,
) -> list[Done]:
    """Predict the views of one recording together, each into a table of its own.

    Args:
        predictor: The network.
        jobs: One a view, in the order of the views: of videos, or of as many images each.
        scorer: As for :func:`predict_to_files`, like all that follows.
        identity: Names the weights and the runtime.
        look: How keypoints are drawn.
        overwrite: Predict again even if everything is there.
        data_dir: Folder that names of images in it begin from; see :func:`vitruve.inference.jobs.row_name`.

    Returns:
        What was done, one a view. Images that cannot be read have an empty row.

    Raises:
        InputError: As for :func:`predict_to_files`, the videos have different lengths, or no image can be read.
    """
    began, look = time.monotonic(), look or Look()
    states = [_state(job, stamp_of(job, identity, predictor.batch_size), look) for job in jobs]
    if all(state.whole for state in states) and not overwrite:
        return [_done(job, 0, 0.0, skipped=True) for job in jobs]
    going_on = all(
        same_note(job.note, state.stamp) and job.part.is_file() for job, state in zip(jobs, states, strict=True)
    )
    for job, state in zip(jobs, states, strict=True):
        if not overwrite and not going_on and job.table.is_file():
            check_owner(job.finished, state.stamp, job)
        if overwrite:
            job.finished.unlink(missing_ok=True)
    frames, drawn = 0, False
    if overwrite or not all(state.same for state in states):
        stamps = [state.stamp for state in states]
        frames, drawn = _write_tables(predictor, jobs, scorer, stamps, look, overwrite, data_dir)
    for job, state in zip(jobs, states, strict=True):
        # In this order a prediction that is killed here is known to be whole, by the one file or by the other.
        atomic_json(job.finished, state.stamp)
        job.note.unlink(missing_ok=True)
        if "h5" in job.formats:
            write_h5(job.table, job.table.with_suffix(".h5"))
        if job.labeled_video is not None and isinstance(job.source, Path):
            if not drawn and not (state.drawn and not overwrite and job.labeled_video.is_file()):
                _draw(predictor.algorithm, job, look)
            atomic_json(job.drawn, _drawing(state.stamp, look))
    seconds = time.monotonic() - began
    return [_done(job, frames, seconds, skipped=False) for job in jobs]


def _done(job: Job, frames: int, seconds: float, *, skipped: bool) -> Done:
    unreadable = unreadable_images(job.source, job.table)
    return Done(job.table, job.labeled_video, tuple(job.outputs), frames, seconds, skipped, unreadable)


@dataclass(frozen=True)
class _State:
    """How far a job is: its stamp, whether the table and the drawn video are of it, and whether all is there."""

    stamp: dict[str, Any]
    same: bool
    drawn: bool
    whole: bool


def _state(job: Job, stamp: dict[str, Any], look: Look) -> _State:
    renamed = same_note(job.note, stamp) and not job.part.is_file()  # killed between the rename and the note
    same = job.table.is_file() and (same_note(job.finished, stamp) or renamed)
    same = same and (job.boxes is None or job.boxes.is_file())
    # It holds scores that the table does not.
    same = same and ("coco" not in job.formats or job.coco.is_file())
    drawn = same and same_note(job.drawn, _drawing(stamp, look))
    whole = same and (drawn or job.labeled_video is None) and ("h5" not in job.formats or _follows_table(job))
    return _State(stamp, same, drawn, whole and all(path.is_file() for path in job.outputs))


def _write_tables(
    predictor: Predictor,
    jobs: Sequence[Job],
    scorer: str,
    stamps: Sequence[dict[str, Any]],
    look: Look,
    overwrite: bool,
    data_dir: Path | None,
) -> tuple[int, bool]:
    """Append rows to the part file of each view and rename them when they are whole.

    Returns:
        The rows that were added to each, and whether the videos were drawn as well.
    """
    algorithm = predictor.algorithm
    layout = _layout(scorer, predictor)
    # Nothing is written for a source that cannot be opened.
    expected = [_expected(job) for job in jobs]
    parts = {job.part: layout.header for job in jobs} | {
        job.boxes_part: HEADER for job in jobs if job.boxes is not None
    }
    done = 0
    if not overwrite and all(same_note(job.note, stamp) for job, stamp in zip(jobs, stamps, strict=True)):
        done = min(whole_rows(part, first, predictor.batch_size) for part, first in parts.items())
    for part, first in parts.items():
        if done:
            cut_rows(part, first, done)
        else:
            start_rows(part, first)
    if not done:
        for job, stamp in zip(jobs, stamps, strict=True):
            atomic_json(job.note, stamp)
    # A drawn video cannot be appended to: after an interruption it is drawn from the finished table instead.
    draw = done == 0 and isinstance(jobs[0].source, Path) and jobs[0].labeled_video is not None
    painters = [_painter(predictor, look) for _ in jobs]
    added = 0
    with ExitStack() as stack:
        writers = [_open_writer(stack, job) for job in jobs] if draw else []
        advance = stack.enter_context(progress(title(jobs[0]), expected[0], done))
        streams = {}
        for part in parts:
            with saying(part):
                streams[part] = stack.enter_context(part.open("a", encoding="utf-8", newline=""))
        known = _last_boxes(jobs, algorithm.needs.context + 1) if done else None
        start = jobs[0].start + done
        predictions = stack.enter_context(closing(predictor.stream_source(_readable(jobs), start, known)))
        wanted = islice(predictions, None if jobs[0].count is None else jobs[0].count - done)
        for group in groups(wanted, predictor.batch_size):
            for view, job in enumerate(jobs):
                found = [layout.found(prediction, view) for prediction in group]
                names = [row_name(prediction.frame.images[view], data_dir) for prediction in group]
                rows = {job.part: layout.rows(names, found)}
                if job.boxes is not None:
                    boxes = np.array([prediction.frame.images[view].box for prediction in group])
                    rows[job.boxes_part] = format_boxes(names, boxes)
                for part, text in rows.items():
                    with saying(part):
                        streams[part].write(text)
                        streams[part].flush()
                for prediction, each in zip(group, found, strict=True):
                    painters[view].count(each)
                    if writers:
                        index = prediction.frame.images[view].index or 0
                        writers[view].write(painters[view].draw(prediction.images[view], index, each))
            added += len(group)
            advance(len(group))
        for part, stream in streams.items():
            with saying(part):
                os.fsync(stream.fileno())
    for job in jobs:
        problems = unreadable_images(job.source, job.part)
        if isinstance(job.source, tuple) and len(problems) == len(job.source):
            for file in (file for each in jobs for file in (each.part, each.boxes_part, each.note)):
                file.unlink(missing_ok=True)
            raise InputError(problems[0] + (f" (and so are the other {len(problems) - 1})" if problems[1:] else ""))
    for job, painter in zip(jobs, painters, strict=True):
        if job.boxes is not None:
            with saying(job.table):
                job.boxes_part.replace(job.boxes)
        layout.finish(job)
        if draw and job.labeled_video is not None:
            painter.warn(job.labeled_video)
    return added, draw


def _layout(scorer: str, predictor: Predictor) -> Layout[Any]:
    algorithm = predictor.algorithm
    if algorithm.needs.boxes:
        return BoxLayout(algorithm.task.categories)
    kind = SeveralAnimals if predictor.several else OneAnimal
    return kind(scorer, algorithm.task.skeleton, algorithm.task.categories[0])


def _painter(predictor: Predictor, look: Look) -> Painter | BoxPainter:
    algorithm = predictor.algorithm
    if algorithm.needs.boxes:
        return BoxPainter(algorithm.task.categories, look.threshold)
    return Painter(algorithm.task.skeleton, look, several=predictor.several)


def _draw(algorithm: Algorithm, job: Job, look: Look) -> None:
    assert job.labeled_video is not None and isinstance(job.source, Path)
    if algorithm.needs.boxes:
        draw_box_video(job.source, job.table, job.labeled_video, algorithm.task.categories, look, job.start)
    else:
        draw_video(job.source, job.table, job.labeled_video, algorithm.task.skeleton, look, start=job.start)


def _open_writer(stack: ExitStack, job: Job) -> VideoWriter:
    assert job.labeled_video is not None and isinstance(job.source, Path)
    with VideoReader(job.source) as video:
        return stack.enter_context(VideoWriter(job.labeled_video, video.fps, times=video.uneven_times(job.start)))


def _expected(job: Job) -> int | None:
    """How many rows the table will have, if known."""
    if job.count is not None:
        return job.count
    if isinstance(job.source, tuple):
        return len(job.source)
    if not is_video(job.source):
        return 1
    with VideoReader(job.source) as video:
        return video.estimated_count


def _readable(jobs: Sequence[Job]) -> Any:
    images = [job.source for job in jobs if isinstance(job.source, tuple)]
    if len(jobs) > 1:
        return Forgiving(zip(*images, strict=True)) if images else Recording(str(job.source) for job in jobs)
    return Forgiving(images[0]) if images else jobs[0].source


def _last_boxes(jobs: Sequence[Job], count: int) -> np.ndarray | None:
    """The last boxes written, ``(n, V, 4)``; None where whole images are looked at."""
    if any(job.boxes is None for job in jobs):
        return None
    return np.stack([read_last_boxes(job.boxes_part, count) for job in jobs], 1)


def _follows_table(job: Job) -> bool:
    """Whether the HDF5 file was made from the table that is there, not from an earlier one."""
    file = job.table.with_suffix(".h5")
    return file.is_file() and file.stat().st_mtime_ns >= job.table.stat().st_mtime_ns


def _drawing(stamp: dict[str, Any], look: Look) -> dict[str, Any]:
    return {**stamp, "threshold": look.threshold, "colormap": look.colormap}
