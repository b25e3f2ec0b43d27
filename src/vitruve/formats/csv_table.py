"""CSV files with header rows for scorer, bodyparts and coords, read strictly and in pieces."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.formats.keypoint_table import COORDS, Column, KeypointTable, build_table

_MISSING = frozenset({"", "nan", "-nan", "na", "n/a", "#n/a", "null", "none", "<na>"})
_EXPECTED = "3 header rows: scorer, bodyparts, coords (x, y and so on)"
_HEADER_ROWS = 4


@dataclass(frozen=True)
class CsvHeader:
    """What the header rows of a CSV file say.

    Attributes:
        columns: One header a column of numbers.
        index_width: The number of columns that name the image: one, or three in newer DeepLabCut files.
        has_split: Whether the last column is the split (``set``).
        rows: The number of header rows: 3, 2 without the scorer, or 4 with individuals.
    """

    columns: tuple[Column, ...]
    index_width: int
    has_split: bool
    rows: int


class CsvPart(NamedTuple):
    """Some rows: image names, places in the file, ``(F, C)`` numbers, and the cells of the column ``set``."""

    names: list[str]
    places: list[str]
    values: Float[np.ndarray, "F C"]
    splits: list[str] | None


def read_csv_header(path: Path) -> CsvHeader:
    """The header of a CSV file of keypoints.

    Args:
        path: The file.

    Returns:
        What it says.

    Raises:
        InputError: The file is missing, empty or no text, or header rows are missing.
    """
    with _records(path) as records:
        return _header(path, [cells for _, cells in islice(records, _HEADER_ROWS)])


def looks_like_header(path: Path) -> CsvHeader | None:
    """The header of a file, or None where it is no CSV file of keypoints.

    Args:
        path: Any path.

    Returns:
        What the header says.
    """
    if path.suffix.lower() != ".csv" or not path.is_file():
        return None
    try:
        return read_csv_header(path)
    except InputError:
        return None


def read_csv_parts(path: Path, size: int = 4096) -> Iterator[CsvPart]:
    """The rows of a CSV file in pieces, so that a file of any length can be passed on in constant memory.

    Args:
        path: The file.
        size: The largest number of rows in a piece.

    Yields:
        The pieces, none of them empty.

    Raises:
        InputError: The header is not as it should be, a row has another number of cells, or a cell is no
            number.
    """
    header = read_csv_header(path)
    with _records(path) as records:
        rows = _data_rows(path, header, islice(records, header.rows, None))
        while part := list(islice(rows, size)):
            yield _part(path, header, part)


def read_csv_table(path: Path) -> KeypointTable:
    """A whole CSV file of keypoints.

    Args:
        path: The file.

    Returns:
        The checked table.

    Raises:
        InputError: Something in the file is not as it should be; the message names the row as an editor
            counts it.
    """
    header = read_csv_header(path)
    parts = list(read_csv_parts(path))
    return build_table(
        str(path),
        header.columns,
        [name for part in parts for name in part.names],
        [place for part in parts for place in part.places],
        np.concatenate([np.zeros((0, len(header.columns))), *(part.values for part in parts)]),
        [split for part in parts for split in part.splits or ()] if header.has_split else None,
    )


@contextmanager
def _records(path: Path) -> Iterator[Iterator[tuple[int, list[str]]]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a CSV file of keypoints")
    with path.open("rb") as stream:
        start = stream.read(8192)
    if not start.strip():
        raise InputError(f"{path}: the file is empty; expected {_EXPECTED}")
    if b"\0" in start:
        raise InputError(f"{path}: not a text file; expected CSV with {_EXPECTED}")
    with path.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.reader(text)
        try:
            yield ((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as CSV in UTF-8") from error
        except csv.Error as error:
            raise InputError(f"{path}: row {reader.line_num}: not CSV ({error})") from error


def _header(path: Path, rows: list[list[str]]) -> CsvHeader:
    number = next((n for n, cells in enumerate(rows) if _is_coords(cells)), None)
    if number is None:
        hint = "; its cells are separated by ';': save it with commas" if rows and ";" in "".join(rows[0]) else ""
        raise InputError(f"{path}: no header row with x and y among the first rows; expected {_EXPECTED}{hint}")
    if number == 0:
        raise InputError(f"{path}: row 1: the rows above 'coords' are missing; expected {_EXPECTED}")
    head = rows[: number + 1]
    if number == 1 and head[0][0].lower() == "scorer":
        raise InputError(f"{path}: row 2: the header row 'bodyparts' is missing; expected {_EXPECTED}")
    for line, cells in enumerate(head[:-1]):
        if len(cells) != len(head[-1]):
            raise InputError(
                f"{path}: row {line + 1}: {len(cells)} cells, but row {number + 1} has {len(head[-1])}; "
                "all header rows need the same number"
            )
    coords = head[-1]
    width = next((n for n, cell in enumerate(coords) if n and cell), len(coords))
    has_split = _is_split(head)
    names = [(*([""] * (3 - number)), *(row[n] for row in head)) for n in range(width, len(coords) - has_split)]
    if number == 2:
        names = [(scorer, "", keypoint, coord) for _, scorer, keypoint, coord in names]
    return CsvHeader(tuple(Column(*name) for name in names), width, has_split, number + 1)


def _is_coords(cells: list[str]) -> bool:
    values = [cell for cell in cells[1:] if cell]
    # Three index columns leave empty cells after the first one, and the column 'set' leaves one at the end.
    return bool(values) and (cells[0].lower() == "coords" or all(cell in COORDS for cell in values))


def _is_split(head: list[list[str]]) -> bool:
    return not head[-1][-1] and "set" in (row[-1] for row in head[:-1])


def _data_rows(
    path: Path, header: CsvHeader, records: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    width = header.index_width + len(header.columns) + header.has_split
    for place, (line, cells) in enumerate(records):
        if not any(cells):
            continue
        # pandas writes the name of a named index as one more row that is otherwise empty. A row of an image
        # in which nothing is labelled looks the same but for its name: an image has a suffix or a number.
        name = cells[: header.index_width][-1]
        empty = not any(cells[header.index_width :])
        if place == 0 and empty and not Path(name).suffix and not name.isdigit():
            continue
        if len(cells) != width:
            raise InputError(f"{path}: row {line}: {len(cells)} cells, but the header has {width}")
        yield line, cells


def _part(path: Path, header: CsvHeader, rows: list[tuple[int, list[str]]]) -> CsvPart:
    start, stop = header.index_width, header.index_width + len(header.columns)
    try:
        values = np.array([[cell or "nan" for cell in cells[start:stop]] for _, cells in rows], dtype=np.float64)
    except ValueError:
        numbers = [
            [_number(path, line, c, cell) for c, cell in zip(header.columns, cells[start:stop], strict=True)]
            for line, cells in rows
        ]
        values = np.array(numbers, dtype=np.float64)
    return CsvPart(
        ["/".join(cell for cell in cells[:start] if cell) for _, cells in rows],
        [f"row {line}" for line, _ in rows],
        values,
        [cells[-1] for _, cells in rows] if header.has_split else None,
    )


def _number(path: Path, line: int, column: Column, cell: str) -> float:
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise InputError(
            f"{path}: row {line}: {column.coord} of keypoint '{column.keypoint}' is '{cell}'; "
            "give a number or leave it empty"
        ) from None
