"""Predictions of several networks as one: medians, or what the ensemble Kalman smoother makes of them."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.formats.csv_table import CsvHeader, CsvPart, read_csv_header, read_csv_parts
from vitruve.formats.table import PREDICTED, format_rows, header_lines
from vitruve.smoothing.smooth import smooth
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Labels


def write_median(tables: Sequence[Path], target: Path) -> int:
    """Write the median of tables of predictions, in constant memory.

    Args:
        tables: One a network; all name the same rows and keypoints. A column ``set`` is kept.
        target: The table to write.

    Returns:
        The number of rows.

    Raises:
        InputError: A table is damaged, or differs from the first in rows or keypoints.
    """
    headers = [read_csv_header(path) for path in tables]
    for path, header in zip(tables, headers, strict=True):
        if _keypoints(header) != _keypoints(headers[0]) or tuple(c.coord for c in header.columns[:3]) != PREDICTED:
            raise InputError(f"{path}: other columns than {tables[0]}; predict with all networks again")
    names = _keypoints(headers[0])[::3]
    lines = header_lines(headers[0].columns[0].scorer, names)
    if headers[0].has_split:
        lines = [line + end for line, end in zip(lines, (",set", ",", ","), strict=True)]
    rows = 0
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(line + "\n" for line in lines)
        for parts in zip_longest(*(read_csv_parts(path) for path in tables)):
            stream.write(_median_rows(parts, tables))
            rows += len(parts[0].names)
    return rows


def write_smoothed(tables: Sequence[Path], target: Path) -> int:
    """Write what the ensemble Kalman smoother makes of tables of a video's predictions.

    The smoother's own table, with medians and variances, goes to ``smoothed/`` beside the target.

    Args:
        tables: One a network.
        target: The table to write: x, y and likelihood of each keypoint.

    Returns:
        The number of frames.

    Raises:
        InputError: A table is damaged, or somebody else's table is in the place of the smoother's.
    """
    (done,) = smooth(list(tables), output=target.parent / "smoothed" / target.name, mode="single")
    ((camera, whole),) = done.tables.items()
    scorer = read_csv_header(tables[0]).columns[0].scorer
    with (
        whole.open(encoding="utf-8", newline="") as source,
        atomic_path(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        rows = csv.reader(source)
        _, bodyparts, coords = next(rows), next(rows), next(rows)
        kept = [column for column, coord in enumerate(coords) if coord in PREDICTED]
        stream.writelines(line + "\n" for line in header_lines(scorer, [bodyparts[c] for c in kept[::3]]))
        csv.writer(stream, lineterminator="\n").writerows([row[0], *(row[c] for c in kept)] for row in rows)
    return done.frames[camera]


def median_labels(predictions: Sequence[Labels]) -> Labels:
    """What several networks say together of the same images: medians of keypoints, means of likelihoods.

    Args:
        predictions: One a network, one instance an image.

    Returns:
        The predictions; a keypoint that no network finds is missing.
    """
    if len(predictions) == 1:
        return predictions[0]
    points, likelihoods = _together(
        np.stack([each.keypoints() for each in predictions]), np.stack([each.keypoint_scores() for each in predictions])
    )
    frames = tuple(
        replace(frame, instances=Instances.from_keypoints(points[row], keypoint_scores=likelihoods[row]))
        for row, frame in enumerate(predictions[0])
    )
    return replace(predictions[0], frames=frames)


def _together(points: np.ndarray, likelihoods: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians and means over the first axis, that of the networks."""
    with warnings.catch_warnings():
        # A keypoint that no network finds stays missing.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(points, 0), np.nanmean(likelihoods, 0)


def _keypoints(header: CsvHeader) -> list[str]:
    return [column.keypoint for column in header.columns]


def _median_rows(parts: Sequence[CsvPart | None], tables: Sequence[Path]) -> str:
    first = parts[0]
    for part, path in zip(parts, tables, strict=True):
        if part is None or first is None or part.names != first.names:
            raise InputError(f"{path}: other rows than {tables[0]}; predict with all networks again")
    assert first is not None
    values = np.stack([part.values for part in parts if part is not None])
    values = values.reshape(*values.shape[:2], -1, len(PREDICTED))
    points, likelihoods = _together(values[..., :2], values[..., 2])
    text = format_rows(first.names, points, likelihoods)
    if first.splits is None:
        return text
    return "".join(f"{row},{split}\n" for row, split in zip(text.splitlines(), first.splits, strict=True))
