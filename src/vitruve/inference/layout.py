"""How predictions become the rows of a table: of one animal, or of any number of them.

A table is written row by row while its video is predicted, and how many animals there are at most is known at the end
only. So the rows of several animals are as long as there are animals in each frame, in the hidden file that grows; when
it is whole, all are filled up to the longest, in constant memory. Nothing has to be set beforehand, and an interrupted
prediction goes on as one of a single animal does.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_path
from vitruve.formats.csv_table import read_csv_table
from vitruve.formats.hub import write_labels
from vitruve.formats.keypoint_table import identity_name
from vitruve.formats.table import DECIMALS, PREDICTED, format_rows, header_lines
from vitruve.inference.jobs import Job
from vitruve.inference.predictor import Prediction
from vitruve.inference.rows import saying
from vitruve.media.video import VideoReader
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in an image, in the numbers that stand in a table.

    Attributes:
        points: x, y and likelihood of N instances, NaN where missing.
        scores: Confidence of each instance, NaN where there is none.
    """

    points: Float[np.ndarray, "N K 3"]
    scores: Float[np.ndarray, " N"]


T = TypeVar("T")


class Layout(Protocol[T]):
    """Rows of a table, made of what was found in each image.

    Attributes:
        header: What the hidden file begins with.
    """

    header: str

    def found(self, prediction: Prediction, view: int) -> T:
        """What was found in a view, rounded as the table rounds: a drawing of it or of the table is the same."""
        ...

    def rows(self, names: Sequence[str], found: Sequence[T]) -> str:
        """One row an image."""
        ...

    def finish(self, job: Job) -> None:
        """Make the table of the hidden file, and where it is asked for COCO's json, which holds more than the table."""
        ...


class OneAnimal:
    """A row has the keypoints of the first instance.

    Args:
        scorer: First header row of the table.
        skeleton: The keypoints.
        category: What is found.
    """

    def __init__(self, scorer: str, skeleton: Skeleton, category: str) -> None:
        self.header = "".join(line + "\n" for line in header_lines(scorer, skeleton.names))
        self._skeleton, self._category = skeleton, category

    def found(self, prediction: Prediction, view: int) -> Found:
        """The first instance; its keypoints are NaN where there is none."""
        found = _all_found(prediction, view)
        joints = len(self._skeleton)
        points = found.points[:1] if len(found.points) else np.full((1, joints, 3), np.nan)
        return Found(points, found.scores[:1] if len(found.scores) else np.full(1, np.nan))

    def rows(self, names: Sequence[str], found: Sequence[Found]) -> str:
        """One row an image."""
        points = np.concatenate([each.points for each in found])
        return format_rows(names, points[..., :2], points[..., 2])

    def finish(self, job: Job) -> None:
        """The hidden file is the table."""
        with saying(job.table):
            if "coco" in job.formats:
                rows = read_csv_table(job.part)
                likely = np.zeros(rows.visible.shape) if rows.scores is None else rows.scores
                people = [
                    Instances.from_keypoints(points[None], keypoint_scores=scores[None])
                    for points, scores in zip(rows.keypoints, likely, strict=True)
                ]
                _write_coco(job, self._skeleton, self._category, list(zip(rows.index, people, strict=True)))
            job.part.replace(job.table)


class SeveralAnimals:
    """A row has score and keypoints of each instance, the best first; the table has as many places as are needed.

    Args:
        scorer: First header row of the table.
        skeleton: The keypoints.
        category: What is found.
    """

    def __init__(self, scorer: str, skeleton: Skeleton, category: str) -> None:
        self._scorer, self._skeleton, self._category = scorer, skeleton, category
        self._width = 1 + len(PREDICTED) * len(skeleton)
        each = [f"{name} {coord}" for name in skeleton.names for coord in PREDICTED]
        self.header = _line([scorer, "score", *each])

    def found(self, prediction: Prediction, view: int) -> Found:
        """Those with a keypoint."""
        found = _all_found(prediction, view)
        there = np.isfinite(found.points).all(-1).any(-1)
        return Found(found.points[there], found.scores[there])

    def rows(self, names: Sequence[str], found: Sequence[Found]) -> str:
        """One row an image; one without instances is as long as with one."""
        return "".join(_line([name, *self._cells(each)]) for name, each in zip(names, found, strict=True))

    def finish(self, job: Job) -> None:
        """Fill all rows up to the longest."""
        most = max((len(people) for _, people in self._read(job.part)), default=0)
        names = [identity_name("individual", number) for number in range(max(most, 1))]
        joints = self._skeleton.names
        columns = [(self._scorer, who, name, coord) for who in names for name in joints for coord in PREDICTED]
        with saying(job.table):
            with atomic_path(job.table) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
                for title, *cells in zip(("scorer", "individuals", "bodyparts", "coords"), *columns, strict=True):
                    out.write(_line([title, *cells]))
                for name, people in self._read(job.part):
                    cells = [cell for each in people for cell in each[1:]]
                    out.write(_line([name, *cells, *[""] * (len(columns) - len(cells))]))
            if "coco" in job.formats:
                rows = [(name, self._instances(people)) for name, people in self._read(job.part)]
                _write_coco(job, self._skeleton, self._category, rows)
            job.part.unlink()

    def _instances(self, people: list[list[str]]) -> Instances:
        values = np.array([[float(cell or "nan") for cell in each] for each in people]).reshape(-1, self._width)
        points = values[:, 1:].reshape(1, len(values), len(self._skeleton), len(PREDICTED))
        scores = None if np.isnan(values[:, 0]).any() else values[None, :, 0]
        return Instances.from_keypoints(points[..., :2], keypoint_scores=points[..., 2], scores=scores)

    def _cells(self, found: Found) -> list[str]:
        if not len(found.points):
            return [""] * self._width
        values = np.concatenate([found.scores[:, None], found.points.reshape(len(found.points), -1)], 1)
        return ["" if value != value else f"{value:.{DECIMALS}f}" for value in values.ravel().tolist()]

    def _read(self, part: Path) -> Iterator[tuple[str, list[list[str]]]]:
        """The name of each row and the cells of each instance in it."""
        with part.open(encoding="utf-8", newline="") as stream:
            next(stream)
            for name, *cells in csv.reader(stream):
                each = [cells[start : start + self._width] for start in range(0, len(cells), self._width)]
                yield name, [people for people in each if any(people)]


def _all_found(prediction: Prediction, view: int) -> Found:
    instances = prediction.frame.instances
    likely = instances.keypoint_scores
    if instances.keypoints.shape[1] == 0 or likely is None:
        return Found(np.zeros((0, instances.num_keypoints, 3)), np.zeros(0))
    points = np.concatenate([instances.keypoints[view], likely[view, ..., None]], -1).astype(np.float64)
    scores = np.full(len(points), np.nan) if instances.scores is None else np.asarray(instances.scores[view], float)
    return Found(points.round(DECIMALS), scores)


def _write_coco(job: Job, skeleton: Skeleton, category: str, rows: Sequence[tuple[str | int, Instances]]) -> None:
    images = images_of(job, [name for name, _ in rows])
    frames = tuple(Frame((image,), people) for image, (_, people) in zip(images, rows, strict=True))
    write_labels(Labels(skeleton, frames, categories=(category,)), job.coco, "coco")


def images_of(job: Job, names: Sequence[str | int]) -> list[ImageRef]:
    """The images that the rows of a table are of.

    Args:
        job: The table.
        names: Of its rows.

    Returns:
        One a row; those of a video have its size.
    """
    if not (isinstance(job.source, Path) and job.of_video):
        return [ImageRef(Path(str(name))) for name in names]
    with VideoReader(job.source) as video:
        size = (video.width, video.height)
    return [ImageRef(Path(job.source.name), int(name), size) for name in names]


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
