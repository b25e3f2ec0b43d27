"""The tables of a prediction in space, row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from vitruve.formats.coordinates_3d import FILE_NAMES, format_rows, header_lines
from vitruve.formats.table import DECIMALS
from vitruve.geometry.triangulation import reconstruct, reprojection_errors
from vitruve.inference.predictor import Prediction
from vitruve.inference.sightings import best_likelihoods
from vitruve.structures.camera import Camera

TRIANGULATED = "data3D_triangulated.csv"
"""The views' own keypoints, robustly triangulated: the same columns as ``data3D.csv``."""
DIFFERENCE = "difference3D.csv"
"""Of each keypoint, how far the two lie apart, and how sure the triangulated one is."""
REPROJECTION = "reprojection3D.csv"
"""Of each camera and keypoint, how far the point of ``data3D.csv`` is seen from where the view alone puts it."""
LOG = "log.csv"
"""Of each frame, why it has no points, and how sure each camera was."""

# Error in pixels from which a view counts less for a triangulated point, and the multiple up to which it agrees.
_SCALE, _AGREES = 3.0, 3.0
_UNSEEN = "no keypoint is seen by two cameras"


def table_headers(names: Sequence[str], views: Sequence[str], *, frame_column: bool = False) -> dict[str, str]:
    """The header lines of all tables.

    Args:
        names: The keypoints.
        views: The cameras.
        frame_column: The tables of points begin with a column for the number of the frame.

    Returns:
        Lines with line ends, by the name of the file.
    """
    points = header_lines(names, frame_column=frame_column)
    headers = {
        FILE_NAMES[3]: points,
        TRIANGULATED: points,
        DIFFERENCE: _heads(names, ("distance_mm", "deviation_mm")),
        REPROJECTION: _heads(views, names),
        LOG: log_header(views),
    }
    return {name: "".join(line + "\n" for line in lines) for name, lines in headers.items()}


def table_rows(group: Sequence[Prediction], rig: Camera, *, frame_column: bool = False) -> dict[str, str]:
    """What the tables get of a batch.

    Args:
        group: Instants with points in space.
        rig: Their V cameras, stacked.
        frame_column: As for :func:`table_headers`.

    Returns:
        A line an instant with line ends, by the name of the file.
    """
    numbers = [int(each.frame.images[0].index or 0) for each in group]
    points, sure = map(np.stack, zip(*(_point(each) for each in group), strict=True))
    pixels, likely = map(np.stack, zip(*(seen_points(each) for each in group), strict=True))
    found = reconstruct(rig, pixels, likely, method="robust", scale=_SCALE)
    agrees = np.where(np.nan_to_num(found.errors, nan=np.inf) <= _AGREES * _SCALE, likely, 0.0)
    # Two views make a point, so it is as sure as the second surest of those that agree on it.
    second = np.sort(agrees, 1)[:, -2]
    located = np.array([np.isfinite(each).any() and not one.shot.note for each, one in zip(points, group, strict=True)])
    for values in (points, sure, found.points, second):
        values[~located] = np.nan
    distance = np.linalg.norm(points - found.points, axis=-1)
    deviation = np.sqrt(np.trace(found.covariance, axis1=-2, axis2=-1))
    deviation[np.isnan(found.points).any(-1)] = np.nan
    apart = np.stack([distance, deviation], -1).reshape(len(group), -1)
    errors = reprojection_errors(rig, points, pixels).reshape(len(group), -1)
    front = numbers if frame_column else None
    return {
        FILE_NAMES[3]: format_rows(points, sure, front),
        TRIANGULATED: format_rows(found.points, second, front),
        DIFFERENCE: _lines(numbers, apart),
        REPROJECTION: _lines(numbers, errors),
        LOG: log_rows(group, numbers, located),
    }


def _point(prediction: Prediction) -> tuple[Float[np.ndarray, "K 3"], Float[np.ndarray, " K"]]:
    """The animal in space."""
    found = prediction.frame.instances_3d
    count = prediction.frame.instances.num_keypoints
    if found is None or not len(found.keypoints):
        return np.full((count, 3), np.nan), np.full(count, np.nan)
    points = found.keypoints[0].astype(np.float64)
    known = found.keypoint_scores
    return points, np.ones(count) if known is None else known[0].astype(np.float64)


def seen_points(prediction: Prediction) -> tuple[Float[np.ndarray, "V K 2"], Float[np.ndarray, "V K"]]:
    """What each view alone shows of the animal.

    Args:
        prediction: One instant.

    Returns:
        Pixels, and likelihoods from 0; NaN and 0 where there is nothing.
    """
    seen = prediction.frame.instances
    views, count, joints = seen.keypoints.shape[:3]
    if not count:
        return np.full((views, joints, 2), np.nan), np.zeros((views, joints))
    pixels = seen.keypoints[:, 0].astype(np.float64)
    known = seen.keypoint_scores
    return pixels, np.ones((views, joints)) if known is None else np.nan_to_num(known[:, 0].astype(np.float64))


def log_header(views: Sequence[str]) -> list[str]:
    """The header row of the log.

    Args:
        views: The cameras.

    Returns:
        One line without line end.
    """
    return _csv([["frame", "reason", *views]]).splitlines()


def log_rows(group: Sequence[Prediction], numbers: Sequence[int], located: Bool[np.ndarray, " T"]) -> str:
    """What the log gets of a batch.

    Args:
        group: Instants.
        numbers: Of their frames.
        located: Whether each has points.

    Returns:
        A line an instant with line ends.
    """
    rows = []
    for prediction, number, found in zip(group, numbers, located, strict=True):
        sure = prediction.shot.sure or best_likelihoods(prediction.frame.instances)
        reason = "" if found else prediction.shot.note or _UNSEEN
        rows.append([number, reason, *(f"{value:.{DECIMALS}f}" for value in sure)])
    return _csv(rows)


def _heads(above: Sequence[str], below: Sequence[str]) -> list[str]:
    """Two header rows: each name above stands over all those below."""
    first = ["frame", *(name for name in above for _ in below)]
    return _csv([first, ["frame", *(name for _ in above for name in below)]]).splitlines()


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _lines(numbers: Sequence[int], values: Float[np.ndarray, "T C"]) -> str:
    template = ",".join([f"%.{DECIMALS}f"] * values.shape[1])
    rows = (f"{number},{template % tuple(row)}\n" for number, row in zip(numbers, values.tolist(), strict=True))
    return "".join(rows).replace("nan", "NaN")
