"""Tables of bounding boxes as Lightning Pose keeps them: columns ``,x,y,h,w``, the top-left pixel and the size.

A video's table has one row a frame, by position; that of labelled frames names the images. A box ``x y h w`` is the
pixels ``x`` to ``x + w - 1``, so the area from ``x - 0.5`` to ``x + w - 0.5``: that is what
:mod:`vitruve.geometry.boxes` calculates with.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.errors import InputError

HEADER = ",x,y,h,w\n"
SUFFIX = "_bbox.csv"

_COLUMNS = ["x", "y", "h", "w"]
_EXPECTED = "a CSV table with the header ',x,y,h,w'"
# To area edges x1 y1 x2 y2, from x y h w.
_HALF = 0.5


@dataclass(frozen=True, eq=False)
class BoxTable:
    """The boxes in a file.

    Attributes:
        source: The file, for messages.
        names: The first cell of each row: a frame number or an image.
        edges: ``x1 y1 x2 y2`` a row, in original pixels.
    """

    source: Path
    names: tuple[str, ...]
    edges: Float[np.ndarray, "T 4"]

    @property
    def numbered(self) -> bool:
        """Whether its rows are the frames of a video."""
        return all(name.isascii() and name.isdigit() for name in self.names)

    def __contains__(self, name: str) -> bool:
        """Whether there is a box for an image."""
        return self._row_of(name) is not None

    def of_image(self, name: str) -> Float[np.ndarray, " 4"]:
        """The box of an image.

        Args:
            name: Its path; it may begin further up than the table's names do.

        Returns:
            The edges.

        Raises:
            InputError: The table has no row of that image.
        """
        row = self._row_of(name)
        if row is None:
            raise InputError(f"{self.source}: has no row for image '{name}'; add its box, or leave the image out")
        return self.edges[row]

    def _row_of(self, name: str) -> int | None:
        parts = Path(name.replace("\\", "/")).parts
        ends = ("/".join(parts[start:]).replace("//", "/", 1) for start in range(len(parts)))
        return next((self._rows[end] for end in ends if end in self._rows), None)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {Path(name.replace("\\", "/")).as_posix(): row for row, name in enumerate(self.names)}


def boxes_file(stem: str) -> str:
    """The name of the table that belongs to a video or to a table of keypoints called ``stem``."""
    return stem + SUFFIX


def to_columns(edges: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, "T 4"]:
    """``x y h w`` as a file holds them, with its 4 decimals.

    Args:
        edges: ``x1 y1 x2 y2``.

    Returns:
        One row a box.
    """
    x1, y1, x2, y2 = edges.T
    return np.stack([x1 + _HALF, y1 + _HALF, y2 - y1, x2 - x1], -1).round(4) + 0.0


def from_columns(columns: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, "T 4"]:
    """``x1 y1 x2 y2``, the inverse of :func:`to_columns`."""
    x, y, h, w = columns.T
    return np.stack([x - _HALF, y - _HALF, x - _HALF + w, y - _HALF + h], -1)


def as_written(edges: Float[np.ndarray, "T 4"]) -> Float[np.ndarray, "T 4"]:
    """Boxes as a file would give them back: whoever uses these uses the same numbers as a reader of the file."""
    return from_columns(to_columns(edges))


def format_boxes(names: Sequence[str | int], edges: Float[np.ndarray, "T 4"]) -> str:
    """Boxes as rows of CSV text, with 4 decimals.

    Args:
        names: T image names or frame numbers.
        edges: ``x1 y1 x2 y2`` in original pixels.

    Returns:
        T lines, each with its line end.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, row in zip(names, to_columns(edges).tolist(), strict=True):
        writer.writerow([name, *(f"{value:.4f}".rstrip("0").rstrip(".") for value in row)])
    return text.getvalue()


def write_boxes(path: Path, names: Sequence[str | int], edges: Float[np.ndarray, "T 4"]) -> None:
    """Write a table of boxes in one step.

    Args:
        path: The CSV file.
        names: T image names or frame numbers.
        edges: ``x1 y1 x2 y2`` in original pixels.

    Raises:
        InputError: The file cannot be written.
    """
    atomic_write(path, HEADER + format_boxes(names, edges))


def looks_like_boxes(path: Path) -> bool:
    """Whether a file begins as a table of boxes does.

    Args:
        path: Any path.

    Returns:
        True for a CSV file with the right header.
    """
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open("rb") as stream:
        first = stream.readline(1000)
    cells = first.decode("utf-8-sig", "replace").strip().split(",")
    return [cell.strip().lower() for cell in cells[1:]] == _COLUMNS


def read_boxes(path: Path) -> BoxTable:
    """Read a table of boxes.

    Args:
        path: The CSV file.

    Returns:
        Its boxes.

    Raises:
        InputError: The file is missing or of another form, a cell is no number, a box has no area, or an image stands
            there twice; the message names the row as an editor counts it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give {_EXPECTED}")
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a text file ({error}); give {_EXPECTED}") from error
    if not rows or [cell.strip().lower() for cell in rows[0][1:]] != _COLUMNS:
        found = ",".join(rows[0])[:60] if rows else ""
        raise InputError(f"{path}: row 1: the header is '{found}'; give {_EXPECTED}")
    names: dict[str, int] = {}
    values = []
    for line, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        name, box = _row(path, line, cells)
        if name in names:
            raise InputError(f"{path}: '{name}' is in row {names[name]} and in row {line}; keep one of the two rows")
        names[name] = line
        values.append(box)
    if not values:
        raise InputError(f"{path}: no row below the header; at least one box is needed")
    table = BoxTable(path, tuple(names), from_columns(np.array(values)))
    if table.numbered:
        for place, (name, line) in enumerate(names.items()):
            if int(name) != place:
                raise InputError(
                    f"{path}: row {line}: frame {name}, but frame {place} is due; a video needs one row a frame, "
                    "in order"
                )
    return table


def read_last_boxes(path: Path, count: int) -> Float[np.ndarray, "n 4"]:
    """The last boxes of a table that is still being written.

    Args:
        path: The file; all its rows are whole.
        count: How many, at most.

    Returns:
        Edges.
    """
    lines = path.read_text(encoding="utf-8").splitlines()[1:][-count:]
    return from_columns(np.array([_row(path, 0, cells)[1] for cells in csv.reader(lines)]).reshape(-1, 4))


def _row(path: Path, line: int, cells: list[str]) -> tuple[str, list[float]]:
    if len(cells) != len(_COLUMNS) + 1:
        raise InputError(f"{path}: row {line}: {len(cells)} cells, but the header has {len(_COLUMNS) + 1}")
    values = []
    for column, cell in zip(_COLUMNS, cells[1:], strict=True):
        try:
            value = float(cell)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise InputError(f"{path}: row {line}: {column} is '{cell}'; give a finite number of pixels")
        values.append(value)
    if values[2] <= 0 or values[3] <= 0:
        raise InputError(f"{path}: row {line}: h={cells[3]}, w={cells[4]}; a box needs a height and a width above 0")
    name = cells[0].strip()
    if not name:
        raise InputError(f"{path}: row {line}: the first cell is empty; give the frame number or the image")
    # pandas writes frame numbers as 0.0 where an index has become a column of floats.
    return (name[:-2] if name.endswith(".0") and name[:-2].isdigit() else name), values
