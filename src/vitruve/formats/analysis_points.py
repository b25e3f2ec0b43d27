"""JARVIS' tables of an analysis: ``frame_names.csv`` and one ``points_<method>.csv`` for the truth and each method.

A row is a frameset: x, y and z of every keypoint in millimetres, without header. JARVIS writes a missing point of the
truth as (0, 0, 0); here it is NaN, and both are read.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.table import DECIMALS
from vitruve.formats.text_file import read_text
from vitruve.structures.labels import Frame

NAMES = "frame_names.csv"
TRUTH = "GroundTruth"
_PREFIX = "points_"


def write_analysis_points(
    folder: Path, names: Sequence[str], methods: Mapping[str, Float[np.ndarray, "T K 3"]]
) -> None:
    """Write the tables of an analysis.

    Args:
        folder: Made when missing; its tables are replaced.
        names: T names of framesets.
        methods: Points in millimetres by method, with the truth as :data:`TRUTH`.

    Raises:
        InputError: The folder cannot be written.
    """
    atomic_write(folder / NAMES, "".join(f"{name}\n" for name in names))
    for method, points in methods.items():
        rows = points.reshape(len(points), -1).tolist()
        text = "".join(",".join(f"{value:.{DECIMALS}f}" for value in row) + "\n" for row in rows)
        atomic_write(folder / f"{_PREFIX}{method}.csv", text.replace("nan", "NaN"))


def read_analysis_points(folder: Path) -> tuple[tuple[str, ...], dict[str, Float[np.ndarray, "T K 3"]]]:
    """Read the tables of an analysis: its own ones and those that somebody has put beside them.

    Args:
        folder: The analysis.

    Returns:
        Names of the framesets (numbers where there is no such file), and points by method, the truth first.

    Raises:
        InputError: There is no truth, or a table is of another shape than the truth.
    """
    truth_file = folder / f"{_PREFIX}{TRUTH}.csv"
    if not truth_file.is_file():
        raise InputError(f"{truth_file}: missing; give a folder that 'vitruve analyze validation' has written")
    truth = _read(truth_file)
    found = {TRUTH: truth}
    for file in sorted(folder.glob(f"{_PREFIX}*.csv")):
        points = _read(file)
        if points.shape != truth.shape:
            raise InputError(
                f"{file}: {len(points)} rows of {points.shape[1]} keypoints, but {truth_file.name} has {len(truth)} of "
                f"{truth.shape[1]}; give the same framesets and keypoints in the same order"
            )
        found.setdefault(file.stem.removeprefix(_PREFIX), points)
    names = tuple(str(number) for number in range(len(truth)))
    if (folder / NAMES).is_file():
        lines = read_text(folder / NAMES, "the names of framesets").splitlines()
        names = tuple(line for line in lines if line.strip())
        if len(names) != len(truth):
            raise InputError(f"{folder / NAMES}: {len(names)} names for {len(truth)} rows of {truth_file.name}")
    return names, found


def frameset_name(frame: Frame) -> str:
    """The name of a frameset, as JARVIS has it: the recording, and the image's name without its ending."""
    image = frame.first_image
    number = image.path.stem if image.index is None else f"Frame_{image.index}"
    return f"{frame.session}/{number}" if frame.session else number


def _read(path: Path) -> Float[np.ndarray, "T K 3"]:
    rows: list[list[float]] = []
    # No cell has an end of line in it.
    for number, line in enumerate(read_text(path, "a table of points").splitlines(), 1):
        if not line:
            continue
        try:
            [cells] = csv.reader([line])
            row = [float(cell) if cell.strip() else np.nan for cell in cells]
        except (csv.Error, ValueError):
            raise InputError(f"{path}: row {number}: holds something that is no number; expected no header") from None
        if len(row) % 3 or (rows and len(row) != len(rows[0])):
            raise InputError(f"{path}: row {number}: {len(row)} columns; expected x, y and z of each keypoint")
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: holds no row; expected one a frameset, with x, y and z of each keypoint")
    points = np.array(rows, np.float64).reshape(len(rows), -1, 3)
    points[(points == 0).all(-1) | np.isnan(points).any(-1)] = np.nan
    return points
