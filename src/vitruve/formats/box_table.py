"""Tables of detections: a row each, and one without a box for an image that shows nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.structures.labels import Labels

HEADER = ("image", "class", "score", "x1", "y1", "x2", "y2")
DECIMALS, SCORE_DECIMALS = 2, 4


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one image.

    Attributes:
        boxes: Edges in pixels.
        scores: From 0 to 1.
        classes: Indices of classes.
    """

    boxes: Float[np.ndarray, "N 4"]
    scores: Float[np.ndarray, " N"]
    classes: Int[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.scores)


def write_boxes(path: Path, rows: Iterable[tuple[str, Detections]], classes: Sequence[str]) -> None:
    """Write a table, an image after the other.

    Args:
        path: The CSV file.
        rows: The name of each image (the number of a video's frame) with what was found in it.
        classes: Names of the classes.

    Raises:
        InputError: The file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(HEADER)
        for name, found in rows:
            if not len(found):
                table.writerow(_empty(name))
            for box, score, number in zip(found.boxes, found.scores, found.classes, strict=True):
                numbers = [f"{score:.{SCORE_DECIMALS}f}", *(f"{edge:.{DECIMALS}f}" for edge in box)]
                table.writerow([name, classes[number], *numbers])


def read_boxes(path: Path, classes: Sequence[str]) -> Iterator[tuple[str, Detections]]:
    """Read what :func:`write_boxes` wrote, in constant memory.

    Args:
        path: The CSV file.
        classes: Names of the classes.

    Yields:
        The name of each image with what was found in it.

    Raises:
        InputError: It is no such table, or names another class.
    """
    number = {name: index for index, name in enumerate(classes)}
    name: str | None = None
    held: list[tuple[int, list[float]]] = []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            table = csv.reader(stream)
            if tuple(next(table, ())) != HEADER:
                raise InputError(f"{path}: its first line must be {','.join(HEADER)}; give a table of detections")
            for image, label, *cells in table:
                if image != name and name is not None:
                    yield name, _detections(held)
                    held = []
                name = image
                if label and label not in number:
                    raise InputError(f"{path}: line {table.line_num}: class '{label}'; known are {', '.join(classes)}")
                if label:
                    held.append((number[label], [float(cell) for cell in cells]))
            if name is not None:
                yield name, _detections(held)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table of detections ({error})") from error


def _empty(name: str) -> list[str]:
    return [name, *[""] * (len(HEADER) - 1)]


def _detections(rows: Sequence[tuple[int, list[float]]]) -> Detections:
    values = np.array([cells for _, cells in rows]).reshape(-1, 5)
    return Detections(values[:, 1:], values[:, 0], np.array([number for number, _ in rows], np.int64))


def detections_of(labels: Labels, view: int = 0) -> Iterator[tuple[str, Detections]]:
    """Predictions as rows of a table.

    Args:
        labels: With boxes and classes.
        view: Which of the views.

    Yields:
        The name of each image with what was found in it, the best first.
    """
    for frame in labels:
        found = frame.instances[view]
        found = found[np.asarray(found.present)]
        boxes = np.zeros((0, 4)) if found.boxes is None else found.boxes
        scores = np.ones(len(boxes)) if found.scores is None else found.scores
        classes = np.zeros(len(boxes), np.int64) if found.categories is None else found.categories
        order = np.argsort(-scores, kind="stable")
        yield frame.images[view].name, Detections(boxes[order], scores[order], classes[order])


def as_line(name: str, found: Detections) -> str:
    """What was found in an image as one line, for a table that grows while it is predicted.

    Args:
        name: Of the image.
        found: What was found.

    Returns:
        The name, and for each detection its class's index, score and edges.
    """
    cells = [name]
    for box, score, number in zip(found.boxes, found.scores, found.classes, strict=True):
        cells += [str(int(number)), f"{score:.{SCORE_DECIMALS}f}", *(f"{edge:.{DECIMALS}f}" for edge in box)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells if len(cells) > 1 else _empty(name))
    return text.getvalue()


def of_cells(cells: Sequence[str]) -> Detections:
    """The inverse of :func:`as_line`, without the name."""
    values = np.array([float(cell) for cell in cells if cell]).reshape(-1, 6)
    return Detections(values[:, 2:], values[:, 1], values[:, 0].astype(np.int64))
