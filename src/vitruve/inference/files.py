"""Predictions as files: finished ones are kept, interrupted ones go on where they stopped."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.atomic import atomic_json
from vitruve.errors import InputError
from vitruve.formats.table import format_rows, header_lines, read_predictions, write_h5
from vitruve.inference.jobs import Job, check_owner, same_note, stamp_of, title
from vitruve.inference.predictor import Prediction, Predictor
from vitruve.inference.progress import progress
from vitruve.media.video import VideoReader, VideoWriter, is_video
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.draw import draw_instances, keypoint_colors


@dataclass(frozen=True)
class Look:
    """How keypoints are drawn into videos.

    Attributes:
        threshold: Keypoints with a lower likelihood are not drawn.
        colormap: Name of a matplotlib colormap.
    """

    threshold: float = 0.9
    colormap: str = "cool"


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
    """

    table: Path
    labeled_video: Path | None
    outputs: tuple[Path, ...]
    frames: int
    seconds: float
    skipped: bool


def predict_to_files(
    predictor: Predictor,
    job: Job,
    *,
    scorer: str,
    identity: str,
    look: Look = Look(),
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
        look: How keypoints are drawn.
        overwrite: Predict again even if everything is there.

    Returns:
        What was done.

    Raises:
        InputError: The source cannot be read, the outputs belong to another source, or the disk is full.
    """
    began = time.monotonic()
    stamp = stamp_of(job, identity, predictor.batch_size)
    renamed = same_note(job.note, stamp) and not job.part.is_file()  # killed between the rename and the note
    same = job.table.is_file() and (same_note(job.finished, stamp) or renamed)
    drawn_same = same and same_note(job.drawn, _drawing(stamp, look))
    whole = same and (drawn_same or job.labeled_video is None) and ("h5" not in job.formats or _follows_table(job))
    if whole and not overwrite and all(path.is_file() for path in job.outputs):
        return Done(job.table, job.labeled_video, tuple(job.outputs), 0, 0.0, True)
    going_on = same_note(job.note, stamp) and job.part.is_file()
    if not overwrite and not going_on and job.table.is_file():
        check_owner(job.finished, stamp, job)
    if overwrite:
        job.finished.unlink(missing_ok=True)
    frames, drawn = 0, False
    if overwrite or not same:
        frames, drawn = _write_table(predictor, job, scorer, stamp, look, overwrite)
    # In this order a prediction that is killed here is known to be whole, by the one file or by the other.
    atomic_json(job.finished, stamp)
    job.note.unlink(missing_ok=True)
    if "h5" in job.formats:
        write_h5(job.table, job.table.with_suffix(".h5"))
    if job.labeled_video is not None and isinstance(job.source, Path):
        if not drawn and not (drawn_same and not overwrite and job.labeled_video.is_file()):
            draw_video(job.source, job.table, job.labeled_video, predictor.algorithm.task.skeleton, look)
        atomic_json(job.drawn, _drawing(stamp, look))
    return Done(job.table, job.labeled_video, tuple(job.outputs), frames, time.monotonic() - began, False)


def draw_video(source: Path, table: Path, target: Path, skeleton: Skeleton, look: Look) -> None:
    """Draw predictions from a table into a copy of a video.

    Args:
        source: The video.
        table: Its predictions.
        target: The video to write.
        skeleton: Edges and colours.
        look: How keypoints are drawn.

    Raises:
        InputError: A file cannot be read or written.
    """
    values = read_predictions(table).to_numpy(float).reshape(-1, len(skeleton), 3)
    colors = keypoint_colors(skeleton, look.colormap)
    with (
        VideoReader(source) as video,
        VideoWriter(target, video.fps) as writer,
        progress(f"drawing {source.name}", len(values)) as advance,
    ):
        for image, row in zip(video.frames(), values, strict=False):
            one = Instances.from_keypoints(row[None, :, :2], keypoint_scores=row[None, :, 2])
            writer.write(draw_instances(image, one, skeleton, threshold=look.threshold, colors=colors))
            advance(1)


def _write_table(
    predictor: Predictor, job: Job, scorer: str, stamp: dict[str, Any], look: Look, overwrite: bool
) -> tuple[int, bool]:
    """Append rows to the part file and rename it when it is whole.

    Returns:
        The rows that were added, and whether the video was drawn as well.
    """
    skeleton = predictor.algorithm.task.skeleton
    part = job.part
    header = "".join(line + "\n" for line in header_lines(scorer, skeleton.names))
    done = 0
    if not overwrite and part.is_file() and same_note(job.note, stamp):
        done = _keep_whole_batches(part, header, predictor.batch_size)
    if done == 0:
        _start(part, header)
        atomic_json(job.note, stamp)
    # A drawn video cannot be appended to: after an interruption it is drawn from the finished table instead.
    draw = job.labeled_video if done == 0 and isinstance(job.source, Path) else None
    added = 0
    with ExitStack() as stack:
        writer, total = _open_writer(stack, job, draw)
        advance = stack.enter_context(progress(title(job), total, done))
        with _saying(part):
            stream = stack.enter_context(part.open("a", encoding="utf-8", newline=""))
        colors = keypoint_colors(skeleton, look.colormap)
        predictions = stack.enter_context(closing(predictor.stream_source(_readable(job.source), done)))
        for group in _groups(predictions, predictor.batch_size):
            points = np.stack([_points(prediction) for prediction in group])
            names = [prediction.frame.images[0].name for prediction in group]
            rows = format_rows(names, points[..., :2], points[..., 2])
            with _saying(part):
                stream.write(rows)
                stream.flush()
            if writer is not None:
                for prediction, row in zip(group, points, strict=True):
                    one = Instances.from_keypoints(row[None, :, :2], keypoint_scores=row[None, :, 2])
                    writer.write(
                        draw_instances(prediction.images[0], one, skeleton, threshold=look.threshold, colors=colors)
                    )
            added += len(group)
            advance(len(group))
        with _saying(part):
            os.fsync(stream.fileno())
    with _saying(job.table):
        part.replace(job.table)
    return added, draw is not None


def _points(prediction: Prediction) -> np.ndarray:
    """``(K, 3)``: x, y, likelihood of the first instance, rounded as the table rounds them."""
    instances = prediction.frame.instances
    scores = instances.keypoint_scores
    if instances.keypoints.shape[1] == 0 or scores is None:
        return np.full((instances.num_keypoints, 3), np.nan)
    points = np.concatenate([instances.keypoints[0, 0], scores[0, 0, :, None]], -1).astype(np.float64)
    # Drawing from these numbers or from the table later must give the same pixels.
    points[:, :2], points[:, 2] = points[:, :2].round(4), points[:, 2].round(6)
    return points


def _groups(predictions: Iterator[Prediction], size: int) -> Iterator[list[Prediction]]:
    group: list[Prediction] = []
    for prediction in predictions:
        group.append(prediction)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _open_writer(stack: ExitStack, job: Job, draw: Path | None) -> tuple[VideoWriter | None, int | None]:
    if isinstance(job.source, tuple):
        return None, len(job.source)
    if not is_video(job.source):
        return None, 1
    with VideoReader(job.source) as video:
        total, rate = video.estimated_count, video.fps
    return (stack.enter_context(VideoWriter(draw, rate)) if draw is not None else None), total


def _readable(source: Path | tuple[Path, ...]) -> Any:
    return source if isinstance(source, Path) else list(source)


def _start(part: Path, header: str) -> None:
    with _saying(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(header, encoding="utf-8", newline="")


@contextmanager
def _saying(path: Path) -> Iterator[None]:
    """Say which file cannot be written, and what to do about it."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space and run again: it goes on there" if full else "choose another --output"
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from error


def _keep_whole_batches(part: Path, header: str, batch_size: int) -> int:
    """Cut a part file behind its last whole batch; returns the rows that stay, 0 when it must begin anew."""
    text = part.read_bytes()
    start = len(header.encode())
    if text[:start] != header.encode():
        return 0
    ends = [match.end() for match in re.finditer(b"\n", text) if match.end() > start]
    keep = len(ends) // batch_size * batch_size
    with part.open("rb+") as stream:
        stream.truncate(ends[keep - 1] if keep else start)
    return keep


def _follows_table(job: Job) -> bool:
    """Whether the HDF5 file was made from the table that is there, not from an earlier one."""
    file = job.table.with_suffix(".h5")
    return file.is_file() and file.stat().st_mtime_ns >= job.table.stat().st_mtime_ns


def _drawing(stamp: dict[str, Any], look: Look) -> dict[str, Any]:
    return {**stamp, "threshold": look.threshold, "colormap": look.colormap}
