"""JARVIS' tables of predictions, ``data3D.csv`` and ``data2D.csv``, and the ``info.yaml`` beside them.

Two header rows, the keypoints and x, y, (z,) confidence, then one row a frame from the first one on. Frames are not
numbered; a first column ``frame`` may be added. What was not detected is ``NaN``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import Float, Int

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.skeleton_file import read_yaml
from vitruve.formats.table import DECIMALS
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

COORDINATES = {2: ("x", "y", "confidence"), 3: ("x", "y", "z", "confidence")}
"""The columns of each keypoint in the plane and in space."""
FILE_NAMES = {2: "data2D.csv", 3: "data3D.csv"}
INFO = "info.yaml"
FRAME = "frame"


@dataclass(frozen=True)
class PredictionInfo:
    """What ``info.yaml`` says of a prediction.

    Attributes:
        recording_path: The folder of videos, or the video.
        dataset_name: The name or folder of the calibration; None where it was that of the training set.
        frame_start: The first frame.
        number_frames: How many frames; -1 to the end.
    """

    recording_path: str
    dataset_name: str | None = None
    frame_start: int = 0
    number_frames: int = -1


@dataclass(frozen=True)
class CoordinateTable:
    """What a table holds.

    Attributes:
        names: The K keypoints.
        points: ``(T, K, D)`` in millimetres (D = 3) or pixels (D = 2); NaN where missing.
        confidence: ``(T, K)`` from 0 to 1.
        numbers: T numbers of frames.
    """

    names: tuple[str, ...]
    points: Float[np.ndarray, "T K D"]
    confidence: Float[np.ndarray, "T K"]
    numbers: Int[np.ndarray, " T"]


def header_lines(names: Sequence[str], dims: int = 3, *, frame_column: bool = False) -> list[str]:
    """The two header rows.

    Args:
        names: The K keypoints.
        dims: 2 or 3.
        frame_column: There is a first column with the number of the frame.

    Returns:
        Two lines without line ends.
    """
    coords = COORDINATES[dims]
    front = [FRAME] if frame_column else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(front + [name for name in names for _ in coords])
    writer.writerow(front + list(coords) * len(names))
    return text.getvalue().splitlines()


def format_rows(
    points: Float[np.ndarray, "T K D"], confidence: Float[np.ndarray, "T K"], numbers: Sequence[int] | None = None
) -> str:
    """Predictions as rows: numbers with 4 decimals, all of a keypoint ``NaN`` where any coordinate is missing.

    Args:
        points: ``(T, K, D)`` in millimetres (D = 3) or pixels (D = 2).
        confidence: ``(T, K)`` from 0 to 1.
        numbers: T frame numbers for a first column.

    Returns:
        T lines, each with its line end; empty for T = 0.
    """
    values = np.concatenate([points, confidence[..., None]], -1).astype(np.float64)
    values[np.isnan(points).any(-1)] = np.nan
    rows = values.reshape(len(values), -1)
    template = ",".join([f"%.{DECIMALS}f"] * rows.shape[1])
    front = [""] * len(rows) if numbers is None else [f"{number}," for number in numbers]
    # Row by row: as Python's numbers, all rows of an hour's recording would take gigabytes.
    lines = (start + template % tuple(row.tolist()) + "\n" for start, row in zip(front, rows, strict=True))
    return "".join(lines).replace("nan", "NaN")


def write_coordinates(labels: Labels, path: Path, *, frame_column: bool = False) -> None:
    """Write predictions of one animal: ``data3D.csv`` where frames have points in space, else ``data2D.csv``.

    Args:
        labels: Frames in order, with at most one instance each; in the plane, those of the first view.
        path: The file; it is replaced in one step.
        frame_column: Add a first column with the numbers of the frames, which must be of a video.

    Raises:
        InputError: There is no frame, a frame holds several instances or is no frame of a video.
    """
    if not labels.frames:
        raise InputError("these labels hold no frame; a table needs at least one")
    dims = 3 if any(frame.instances_3d is not None for frame in labels) else 2
    count = len(labels.skeleton)
    points = np.full((len(labels), count, dims), np.nan)
    confidence = np.full((len(labels), count), np.nan)
    for row, frame in enumerate(labels):
        found = frame.instances_3d if dims == 3 else frame.instances[0]
        there = np.zeros(0, int) if found is None else np.flatnonzero(found.present)
        if len(there) > 1:
            raise InputError(f"frame '{frame.name}' holds {len(there)} instances; {path.name} has room for one")
        if found is not None and len(there):
            points[row] = found.keypoints[there[0]]
            confidence[row] = 1.0 if found.keypoint_scores is None else found.keypoint_scores[there[0]]
    numbers = [_number(frame) for frame in labels] if frame_column else None
    head = "\n".join(header_lines(labels.skeleton.names, dims, frame_column=frame_column))
    atomic_write(path, f"{head}\n{format_rows(points, confidence, numbers)}")


def read_coordinates(path: Path, *, names: Sequence[str] | None = None, frame_start: int | None = None) -> Labels:
    """Predictions of one animal.

    Args:
        path: ``data3D.csv`` or ``data2D.csv``, or the folder that holds one of them.
        names: The keypoints, for a file without header rows; numbered by default.
        frame_start: The number of the first frame, for a file without frame column; that of ``info.yaml`` beside it by
            default, else 0.

    Returns:
        One frame a row, of a video without a name, scored. Points in space are in ``instances_3d``.

    Raises:
        InputError: The file is not as it should be; the message names the row.
    """
    table = read_table(path, names=names, frame_start=frame_start)
    frames = tuple(map(_frame, table.numbers.tolist(), table.points, table.confidence))
    folder = path if path.is_dir() else path.parent
    return Labels(Skeleton.from_names(table.names), frames, folder, scorer="jarvis")


def read_table(path: Path, *, names: Sequence[str] | None = None, frame_start: int | None = None) -> CoordinateTable:
    """Predictions of one animal as arrays, for recordings of any length: 8 bytes a number.

    Args:
        path: As for :func:`read_coordinates`.
        names: As there.
        frame_start: As there.

    Returns:
        The table.

    Raises:
        InputError: As there.
    """
    if path.is_dir():
        path = next(
            (path / name for name in reversed(FILE_NAMES.values()) if (path / name).is_file()), path / "data3D.csv"
        )
    rows = _rows(path)
    front = list(islice(rows, 2))
    head = [cells for _, cells in front] if front and not _is_number(front[0][1][0]) else []
    numbered = bool(head) and head[0][0] == FRAME
    dims, found = _columns(path, [cells[numbered:] for cells in head], len(front[0][1]) if front else 0)
    if names is not None and head and tuple(names) != found:
        raise InputError(f"{path}: row 1: has {', '.join(found)}, but the keypoints are {', '.join(names)}")
    if names is not None and len(names) != len(found):
        raise InputError(f"{path}: row 1: {len(found)} keypoints for {len(names)} names")
    width = numbered + len(found) * (dims + 1)
    body = (_values(path, number, cells, width, numbered) for number, cells in chain(front[len(head) :], rows))
    values = np.fromiter(chain.from_iterable(body), np.float64).reshape(-1, width)
    if frame_start is None:
        info = path.parent / INFO
        frame_start = read_info(info).frame_start if info.is_file() else 0
    numbers = values[:, 0].astype(int) if numbered else frame_start + np.arange(len(values))
    table = values[:, int(numbered) :].reshape(len(values), len(found), dims + 1)
    return CoordinateTable(found if names is None else tuple(names), table[..., :dims], table[..., dims], numbers)


def read_info(path: Path) -> PredictionInfo:
    """The ``info.yaml`` of a prediction.

    Args:
        path: The file.

    Returns:
        What it says.

    Raises:
        InputError: A key is missing or wrong.
    """
    content = read_yaml(path)
    recording, dataset = content.get("recording_path"), content.get("dataset_name")
    if not isinstance(recording, str):
        raise InputError(f"{path}: recording_path: must be the path of the recording")
    if dataset is not None and not isinstance(dataset, str):
        raise InputError(f"{path}: dataset_name: must be a name, a folder or null")
    counts = [content.get(key, default) for key, default in (("frame_start", 0), ("number_frames", -1))]
    if any(isinstance(count, bool) or not isinstance(count, int) for count in counts) or counts[0] < 0:
        raise InputError(f"{path}: frame_start, number_frames: must be whole numbers, the first one from 0")
    return PredictionInfo(recording, dataset, *counts)


def write_info(info: PredictionInfo, path: Path) -> None:
    """Write the ``info.yaml`` of a prediction; :func:`read_info` gives the same one back.

    Args:
        info: What it says.
        path: The file; it is replaced in one step.

    Raises:
        InputError: The file cannot be written.
    """
    atomic_write(path, yaml.safe_dump(asdict(info), sort_keys=False, allow_unicode=True))


def _number(frame: Frame) -> int:
    number = frame.images[0].index
    if number is None:
        raise InputError(f"frame '{frame.name}': is no frame of a video and has no number")
    return number


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            yield from ((number, cells) for number, cells in enumerate(csv.reader(stream), 1) if cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: cannot be read as CSV ({reason}); give {' or '.join(FILE_NAMES.values())}"
        ) from error


def _columns(path: Path, head: list[list[str]], width: int) -> tuple[int, tuple[str, ...]]:
    """Dimensions and keypoint names."""
    if not head:
        dims = 2 if "2d" in path.name.lower() else 3
        if not width or width % (dims + 1):
            raise InputError(f"{path}: row 1: has {width} columns; expected {', '.join(COORDINATES[dims])} a keypoint")
        return dims, tuple(f"keypoint_{number}" for number in range(width // (dims + 1)))
    for dims, coords in COORDINATES.items():
        step = len(coords)
        names = head[0][::step]
        repeated = [name for name in names for _ in coords]
        if len(head) == 2 and names and head[0] == repeated and tuple(head[1]) == coords * len(names):
            if len(set(names)) < len(names):
                raise InputError(f"{path}: row 1: a keypoint is named twice; names must differ")
            return dims, tuple(names)
    raise InputError(f"{path}: rows 1 and 2: must name each keypoint over x, y, z, confidence (or x, y, confidence)")


def _values(path: Path, number: int, cells: list[str], width: int, numbered: bool) -> list[float]:
    if len(cells) != width:
        raise InputError(f"{path}: row {number}: has {len(cells)} columns; expected {width}")
    try:
        values = [float(cell) if cell else np.nan for cell in cells]
    except ValueError:
        odd = next(cell for cell in cells if cell and not _is_number(cell))
        raise InputError(f"{path}: row {number}: '{odd}' is no number; give one, or NaN") from None
    if numbered and not values[0].is_integer():
        raise InputError(f"{path}: row {number}: the frame must be a whole number")
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _frame(index: int, points: np.ndarray, scores: np.ndarray) -> Frame:
    found = Instances.from_keypoints(points[None], keypoint_scores=scores[None])
    if points.shape[-1] == 2:
        return Frame((ImageRef(Path(), index),), found.map(lambda array: array[None]))
    return Frame((ImageRef(Path(), index),), Instances.empty(len(points)), instances_3d=found)
