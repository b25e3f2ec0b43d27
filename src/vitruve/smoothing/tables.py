"""The tables that the smoother writes: two-dimensional, three-dimensional, and how well its intervals cover labels."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_json, atomic_write
from vitruve.errors import InputError
from vitruve.formats.csv_table import looks_like_header
from vitruve.formats.table import header_lines
from vitruve.smoothing.members import SCORER

COLUMNS = (
    *("x", "y", "likelihood", "x_ens_median", "y_ens_median", "x_ens_var", "y_ens_var"),
    *("x_posterior_var", "y_posterior_var"),
)
COLUMNS_3D = ("x", "y", "z", "x_posterior_var", "y_posterior_var", "z_posterior_var")
COLUMNS_PUPIL = (
    *("diameter", "center_x", "center_y"),
    *("diameter_posterior_var", "center_x_posterior_var", "center_y_posterior_var"),
)
# Which predictions each table of a folder was made of.
_INPUTS = "inputs.json"
_FORMAT = "%.4f,%.4f,%.4f,%.4f,%.4f,%.6g,%.6g,%.6g,%.6g"
_FORMAT_STATE = "%.9g,%.9g,%.9g,%.6g,%.6g,%.6g"


def write_table(
    path: Path,
    names: Sequence[str],
    index: Sequence[str | int],
    columns: Float[np.ndarray, "T K C"],
    kind: Sequence[str] = COLUMNS,
) -> None:
    """Write what was smoothed of one camera, of points in space or of pupils, as CSV with three header rows.

    Args:
        path: The file; it is replaced in one step.
        names: The K keypoints, or pupils.
        index: T frame numbers or image names.
        columns: NaN is written as an empty cell.
        kind: The names of the C columns: ``COLUMNS``, ``COLUMNS_3D`` or ``COLUMNS_PUPIL``.

    Raises:
        InputError: The file cannot be written.
    """
    form = _FORMAT if kind == COLUMNS else _FORMAT_STATE
    template = "".join("," + form for _ in names)
    cells = io.StringIO()
    csv.writer(cells, lineterminator="\n").writerows([name] for name in index)
    rows = columns.reshape(len(columns), -1).tolist()
    body = (
        name + (template % tuple(row)).replace("nan", "")
        for name, row in zip(cells.getvalue().splitlines(), rows, strict=True)
    )
    atomic_write(path, "\n".join([*header_lines(SCORER, names, kind), *body]) + "\n")


def write_coverage(path: Path, rows: Sequence[dict[str, str | int | float]]) -> None:
    """Write how well intervals cover labels.

    Args:
        path: The CSV file; it is replaced in one step.
        rows: What :func:`vitruve.smoothing.coverage.coverage` found.

    Raises:
        InputError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{value:.4f}" if isinstance(value, float) else value for key, value in row.items()})
    atomic_write(path, text.getvalue().replace("nan", ""))


def check_target(path: Path, inputs: Sequence[Path]) -> None:
    """Refuse to write over predictions that are not the smoother's own, or were made of other files.

    A table may be made again, also with members added or left out.

    Args:
        path: The file to write.
        inputs: The files that were read.

    Raises:
        InputError: The file is an input, holds something else, or is of inputs of which none is given.
    """
    if not path.exists():
        return
    header = looks_like_header(path)
    own = header is not None and header.columns[0].scorer == SCORER
    if not own or path.resolve() in {file.resolve() for file in inputs}:
        raise InputError(f"{path}: is there already and was not written by the smoother; choose another --output")
    before = _recorded(path.parent).get(path.name, [])
    if before and not set(before) & set(_relative(inputs, path.parent)):
        raise InputError(f"{path}: was made of other predictions ({before[0]}); choose another --output")


def record_inputs(paths: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Note which predictions tables are made of, in ``inputs.json`` beside them.

    Args:
        paths: Tables in one folder.
        inputs: The files that were read.

    Raises:
        InputError: The file cannot be written.
    """
    folder = paths[0].parent
    made_of = dict.fromkeys((path.name for path in paths), _relative(inputs, folder))
    atomic_json(folder / _INPUTS, _recorded(folder) | made_of)


def _recorded(folder: Path) -> dict[str, list[str]]:
    try:
        found = json.loads((folder / _INPUTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _relative(files: Sequence[Path], folder: Path) -> list[str]:
    """Paths that stay true where a folder and what lies around it are moved together."""
    return [Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix() for file in files]
