"""Tables with the header rows scorer, bodyparts and coords: as DataFrames, as CSV text, as HDF5."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.formats.csv_table import read_csv_header, read_csv_parts, read_csv_table
from vitruve.formats.hdf5_table import KEY, is_hdf5, read_hdf5_table
from vitruve.formats.keypoint_table import Column, KeypointTable, build_table, identity_name
from vitruve.structures.instances import UNLABELLED
from vitruve.structures.labels import Frame, ImageRef, Labels

if TYPE_CHECKING:
    import pandas as pd

PREDICTED = ("x", "y", "likelihood")
DECIMALS = 4
"""Of coordinates and likelihoods in tables of predictions."""
_SPLIT = ("set", "", "")
_LONGEST_SPLIT = 16
_WIDEST_HDF5 = 60_000
_PIECE = 2000


def to_frame(labels: Labels, likelihood: bool, split: bool, *, visible: bool = False, view: int = 0) -> pd.DataFrame:
    """Labels of single animals as a DataFrame, as predictions are usually handed around.

    Args:
        labels: At least one frame, with at most one instance each.
        likelihood: Add a column with the confidence to each keypoint.
        split: Add the column ``set`` at the end.
        visible: Add a column with the visibility (0, 1, 2) to each keypoint.
        view: Which of the V views.

    Returns:
        One row a frame, named by its image or its number in the video; columns are (scorer, bodyparts,
        coords).

    Raises:
        InputError: A frame holds several instances.
    """
    table = labels_table(one_animal(labels), view)
    return table_frame(table, likelihood=likelihood, split=split, visible=visible)


def one_animal(labels: Labels) -> Labels:
    """Labels with one instance a frame, or none.

    Args:
        labels: With places for several.

    Returns:
        The same labels without places that nobody takes.

    Raises:
        InputError: A frame holds several instances.
    """
    frames = []
    for frame in labels.frames:
        there = np.flatnonzero(frame.instances.present.any(0))
        if len(there) > 1:
            raise InputError(
                f"image '{frame.name}' holds {len(there)} instances, but this table has room for one; "
                "use a format for several animals (deeplabcut, sleap), or keep the first of each image only"
            )
        one = there if len(there) else slice(0, 1)
        frames.append(replace(frame, instances=frame.instances[:, one]))
    return replace(labels, frames=tuple(frames))


def from_frame(frame: pd.DataFrame, source: str = "table") -> KeypointTable:
    """The arrays in a DataFrame, the inverse of :func:`to_frame`.

    Args:
        frame: Columns are (scorer, bodyparts, coords) or (scorer, individuals, bodyparts, coords).
        source: What to call it in messages.

    Returns:
        The checked table: names, index, keypoints, visible, scores, splits.

    Raises:
        InputError: The columns are others, or a value is not as it should be.
    """
    if frame.columns.nlevels not in (3, 4):
        raise InputError(f"{source}: {frame.columns.nlevels} column levels; expected scorer, bodyparts, coords")
    headers = [tuple(str(part) for part in column) for column in frame.columns]
    has_split = headers[-1][0] == "set"
    numbers = frame.iloc[:, : len(headers) - has_split]
    columns = [Column(*h) if len(h) == 4 else Column(h[0], "", h[1], h[2]) for h in headers]
    index = ["/".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.index]
    try:
        values = numbers.to_numpy(dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{source}: a value is no number ({error}); coordinates must be numbers") from error
    splits = ["" if s is None or s != s else str(s) for s in frame.iloc[:, -1]] if has_split else None
    places = [f"row {number}" for number in range(1, len(index) + 1)]
    return build_table(source, columns[: len(columns) - has_split], index, places, values, splits)


def labels_table(labels: Labels, view: int = 0) -> KeypointTable:
    """The arrays of labels, with one individual for each place on the N axis.

    Args:
        labels: At least one frame.
        view: Which of the V views.

    Returns:
        The table. Instances that only fill up the axis behind the last real one are left out.

    Raises:
        InputError: There is no frame.
    """
    if not labels.frames:
        raise InputError("these labels hold no frame; a table needs at least one")
    parts = [frame.instances.map(lambda array: array[view]) for frame in labels.frames]
    count = max(1, *(int(np.flatnonzero(part.present).max(initial=-1)) + 1 for part in parts))
    shape = (len(parts), count, len(labels.skeleton))
    dtype = np.result_type(*{part.keypoints.dtype for part in parts})
    keypoints = np.full((*shape, 2), np.nan, dtype)
    visible = np.full(shape, UNLABELLED, np.int8)
    scores = np.full(shape, np.nan)
    for row, part in enumerate(parts):
        number = min(count, part.keypoints.shape[0])
        keypoints[row, :number] = part.keypoints[:number]
        visible[row, :number] = part.visible[:number]
        if part.keypoint_scores is not None:
            scores[row, :number] = part.keypoint_scores[:number]
    index = _index([_row_image(frame, view) for frame in labels.frames])
    return KeypointTable(
        "labels",
        labels.scorer,
        labels.skeleton.names,
        tuple(identity_name("individual", n) for n in range(count)) if count > 1 else ("",),
        index,
        tuple(f"row {number}" for number in range(1, len(index) + 1)),
        keypoints,
        visible,
        scores if any(part.keypoint_scores is not None for part in parts) else None,
        tuple(frame.split for frame in labels.frames),
    )


def _row_image(frame: Frame, view: int) -> ImageRef:
    """What a row is named by: where the view is missing, the first image of the instant, so that rows stay apart."""
    return frame.first_image if frame.images[view].missing else frame.images[view]


def _index(images: list[ImageRef]) -> tuple[str, ...] | tuple[int, ...]:
    numbers = [image.index for image in images if image.index is not None]
    if numbers and len(numbers) < len(images):
        file = next(image.path for image in images if image.index is None)
        raise InputError(f"a table cannot hold frames of a video and image files ('{file}') at once; split them")
    names = [image.name for image in images]
    if len(set(names)) < len(names):
        twice = next(image for image in images if names.count(image.name) > 1)
        where = f"frame {twice.index} of a video" if numbers else f"image '{twice.name}'"
        raise InputError(f"{where} would be in this table twice; write one table a video, or images as files")
    return tuple(numbers) if numbers else tuple(names)


def table_frame(table: KeypointTable, *, likelihood: bool, split: bool = False, visible: bool = False) -> pd.DataFrame:
    """A table as a DataFrame; with more than one individual, or a named one, its columns have four levels.

    Args:
        table: The table.
        likelihood: Add a column with the confidence to each keypoint.
        split: Add the column ``set`` at the end.
        visible: Add a column with the visibility to each keypoint.

    Returns:
        The DataFrame.
    """
    import pandas as pd

    arrays = {"x": table.keypoints[..., 0], "y": table.keypoints[..., 1]}
    if likelihood:
        missing = np.full(table.visible.shape, np.nan)
        arrays["likelihood"] = missing if table.scores is None else table.scores
    if visible:
        arrays["visible"] = table.visible.astype(np.float64)
    several = table.individuals != ("",)
    headers = [
        (table.scorer, individual, name, coord) if several else (table.scorer, name, coord)
        for individual in table.individuals
        for name in table.names
        for coord in arrays
    ]
    levels = ["scorer", "individuals", "bodyparts", "coords"] if several else ["scorer", "bodyparts", "coords"]
    frame = pd.DataFrame(
        np.stack(list(arrays.values()), -1).reshape(len(table.index), -1),
        index=pd.Index(list(table.index)),
        columns=pd.MultiIndex.from_tuples(headers, names=levels),
    )
    if visible:
        frame = frame.astype({header: np.int8 for header in headers if header[-1] == "visible"})
    if split:
        frame[(*_SPLIT, "") if several else _SPLIT] = [name or "" for name in table.splits or [""] * len(frame)]
    return frame


def header_lines(scorer: str, names: Sequence[str], coords: Sequence[str] = PREDICTED) -> list[str]:
    """The three header rows of a CSV file of single animals.

    Args:
        scorer: Who labelled, or which network predicted.
        names: The K keypoints.
        coords: The columns of each keypoint.

    Returns:
        Three lines without line ends.
    """
    count = len(names) * len(coords)
    rows = (
        ["scorer", *[scorer] * count],
        ["bodyparts", *(name for name in names for _ in coords)],
        ["coords", *(list(coords) * len(names))],
    )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().splitlines()


def format_rows(
    index: Sequence[str | int], keypoints: Float[np.ndarray, "T K 2"], scores: Float[np.ndarray, "T K"]
) -> str:
    """Predictions as rows of CSV text: every number with 4 decimals, NaN as an empty cell.

    Args:
        index: T image names or frame numbers.
        keypoints: ``(T, K, 2)`` in pixels.
        scores: ``(T, K)`` confidence.

    Returns:
        T lines, each with its line end; empty for T = 0.
    """
    values = np.concatenate([np.asarray(keypoints, np.float64), np.asarray(scores, np.float64)[..., None]], -1)
    template = f",%.{DECIMALS}f" * (len(PREDICTED) * values.shape[1])
    names = io.StringIO()
    csv.writer(names, lineterminator="\n").writerows([name] for name in index)
    lines = zip(
        names.getvalue().splitlines(),
        values.reshape(len(values), values.shape[1] * len(PREDICTED)).tolist(),
        strict=True,
    )
    return "".join(name + (template % tuple(row)).replace("nan", "") + "\n" for name, row in lines)


def write_h5(csv_path: Path, h5_path: Path) -> None:
    """Copy a finished CSV file of predictions to HDF5, as DeepLabCut does: pandas' table layout.

    A file that counts the frames of a video is copied in pieces, so memory does not grow with its length.

    Args:
        csv_path: The finished file.
        h5_path: The file to write; it is replaced in one step.

    Raises:
        InputError: The CSV file is damaged, or it has too many columns for HDF5.
    """
    import pandas as pd

    header = read_csv_header(csv_path)
    columns = pd.MultiIndex.from_tuples(
        [(c.scorer, c.keypoint, c.coord) if header.rows < 4 else tuple(c) for c in header.columns],
        names=["scorer", *(["individuals"] if header.rows == 4 else []), "bodyparts", "coords"],
    )
    # pandas keeps the column names in one attribute; HDF5 takes no attribute above 64 KiB. A name is stored
    # once, a reference to it and the brackets around each column take about 25 bytes.
    if sum(25 + len(c.keypoint.encode()) for c in header.columns) > _WIDEST_HDF5:
        raise InputError(f"{csv_path}: {len(columns)} columns are too many for HDF5; keep the CSV file")
    with atomic_path(h5_path) as temporary, pd.HDFStore(str(temporary), "w") as store:
        for part in read_csv_parts(csv_path, size=_PIECE):
            numbered = all(name.isdigit() for name in part.names)
            index = pd.Index([int(name) for name in part.names] if numbered else part.names)
            frame = pd.DataFrame(part.values, index=index, columns=columns)
            widths = {} if numbered else {"index": _longest_name(csv_path)}
            if part.splits is not None:
                frame[(*_SPLIT, "")[: columns.nlevels]] = part.splits
                widths["values"] = _LONGEST_SPLIT
            store.append(KEY, frame, index=False, min_itemsize=widths)


def _longest_name(csv_path: Path) -> int:
    return max(len(name.encode()) for part in read_csv_parts(csv_path) for name in part.names)


def read_predictions(path: Path) -> pd.DataFrame:
    """Predictions from CSV or HDF5.

    Args:
        path: The file; which of both it is shows inside.

    Returns:
        Columns are (scorer, bodyparts, coords) and, for labelled frames, ``set`` at the end.

    Raises:
        InputError: The file is not as it should be.
    """
    table = read_hdf5_table(path) if is_hdf5(path) else read_csv_table(path)
    return table_frame(table, likelihood=table.scores is not None, split=table.splits is not None)
