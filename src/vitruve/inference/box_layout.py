"""Detections as rows of a table, and drawn into videos."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vitruve.formats.box_table import HEADER, Detections, as_line, detections_of, of_cells, read_boxes, write_boxes
from vitruve.formats.hub import write_labels
from vitruve.inference.drawing import Look
from vitruve.inference.jobs import Job
from vitruve.inference.layout import images_of
from vitruve.inference.overlap import overlap
from vitruve.inference.predictor import Prediction
from vitruve.inference.progress import progress
from vitruve.inference.rows import saying
from vitruve.media.video import VideoReader, VideoWriter
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.boxes import draw_boxes

_log = logging.getLogger(__name__)

# Frames that are decoded ahead of drawing.
_AHEAD = 4


class BoxLayout:
    """A row an image while it grows; a row a detection when it is whole.

    Args:
        classes: Names of the classes.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.header = ",".join(HEADER) + "\n"
        self._classes = tuple(classes)

    def found(self, prediction: Prediction, view: int) -> Detections:
        """What was found in a view, rounded as the table rounds."""
        one = Labels(Skeleton(()), (prediction.frame,))
        _, found = next(detections_of(one, view))
        return of_cells(as_line("", found).rstrip("\n").split(",")[1:])

    def rows(self, names: Sequence[str], found: Sequence[Detections]) -> str:
        """One row an image."""
        return "".join(as_line(name, each) for name, each in zip(names, found, strict=True))

    def finish(self, job: Job) -> None:
        """Write the table, and where it is asked for COCO's json."""
        with saying(job.table):
            write_boxes(job.table, self._read(job.part), self._classes)
            if "coco" in job.formats:
                names, found = zip(*self._read(job.part), strict=True)
                people = [_instances(each) for each in found]
                images = images_of(job, names)
                frames = tuple(Frame((image,), each) for image, each in zip(images, people, strict=True))
                write_labels(Labels(Skeleton(()), frames, categories=self._classes), job.coco, "coco")
            job.part.unlink()

    def _read(self, part: Path) -> Iterator[tuple[str, Detections]]:
        with part.open(encoding="utf-8", newline="") as stream:
            next(stream)
            for name, *cells in csv.reader(stream):
                yield name, of_cells(cells)


def _instances(found: Detections) -> Instances:
    nothing = np.zeros((1, len(found), 0, 2), np.float32)
    return Instances(
        nothing,
        nothing[..., 0].astype(np.int8),
        boxes=found.boxes[None],
        scores=found.scores[None],
        categories=found.classes[None],
    )


class BoxPainter:
    """Draws the detections of frame after frame, and counts those that reach the threshold.

    Args:
        classes: Names of the classes.
        threshold: Least score that is drawn.
    """

    def __init__(self, classes: Sequence[str], threshold: float) -> None:
        self._classes, self._threshold = tuple(classes), threshold
        self._best, self._shown = 0.0, 0

    def count(self, found: Detections) -> None:
        """Count the detections of a frame, drawn or not."""
        self._best = max(self._best, float(found.scores.max(initial=0)))
        self._shown += int((found.scores >= self._threshold).sum())

    def draw(self, image: UInt8[np.ndarray, "H W 3"], frame: int, found: Detections) -> UInt8[np.ndarray, "H W 3"]:
        """Draw a frame.

        Args:
            image: Its pixels.
            frame: Its number, which is not looked at.
            found: What was found in it.

        Returns:
            A drawn copy.
        """
        return draw_boxes(image, found.boxes, found.classes, self._classes, found.scores, self._threshold)

    def warn(self, video: Path) -> None:
        """Say so in a warning when no detection was shown."""
        if not self._shown and self._best:
            _log.warning(
                "%s: shows no box, as the best score is %.2f; draw again with a --threshold below it", video, self._best
            )


def draw_box_video(source: Path, table: Path, target: Path, classes: Sequence[str], look: Look, start: int = 0) -> None:
    """Draw the detections of a table into a copy of a video.

    Args:
        source: The video.
        table: Its table.
        target: The video to write.
        classes: Names of the classes.
        look: Says which are drawn.
        start: The frame that the first row is of.

    Raises:
        InputError: A file cannot be read or written.
    """
    painter = BoxPainter(classes, look.threshold)
    with (
        VideoReader(source) as video,
        VideoWriter(target, video.fps, times=video.uneven_times(start)) as writer,
        closing(overlap(video.frames(start), _AHEAD)) as images,
        progress(f"drawing {source.name}", video.estimated_count) as advance,
    ):
        rows = zip(images, read_boxes(table, classes), strict=False)
        for frame, (image, (_, found)) in enumerate(rows, start):
            painter.count(found)
            writer.write(painter.draw(image, frame, found))
            advance(1)
    painter.warn(target)
