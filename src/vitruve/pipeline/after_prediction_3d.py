"""What is made of a finished prediction in space: smoothed points, and how long the bones are."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.evaluation.metrics_3d import bone_lengths
from vitruve.formats.coordinates_3d import FILE_NAMES, format_rows, header_lines, read_table
from vitruve.formats.skeleton_file import FILE_NAME as SKELETON
from vitruve.formats.skeleton_file import read_skeleton
from vitruve.formats.table import DECIMALS
from vitruve.smoothing.points import smooth_points
from vitruve.structures.skeleton import Skeleton

SMOOTHED = "data3D_smoothed.csv"
"""The columns of ``data3D.csv``; the confidence is 0 where a keypoint is not known but lies between known ones."""
BONES = "bones.csv"
"""Of each bone, its length over all frames."""

# Bones are stiff: a length that is this share off the usual one is none.
_OFF = 0.3
_MAD = 1.4826


def finish_3d(folder: Path, *, smooth: bool = False, frame_column: bool = False) -> None:
    """Write the bones' lengths beside a prediction and, on demand, its points smoothed over time.

    Args:
        folder: Of the prediction.
        smooth: Write :data:`SMOOTHED`, too.
        frame_column: Begin its rows with the number of the frame.

    Raises:
        InputError: A file cannot be read or written.
    """
    table = read_table(folder / FILE_NAMES[3])
    skeleton = read_skeleton(folder / SKELETON)
    if skeleton.edges:
        atomic_write(folder / BONES, bone_table(table.points, skeleton, int(table.numbers[0])))
    if smooth:
        means, _ = smooth_points(table.points, table.confidence)
        head = "\n".join(header_lines(table.names, frame_column=frame_column))
        numbers = table.numbers.tolist() if frame_column else None
        rows = format_rows(means, np.nan_to_num(table.confidence), numbers)
        atomic_write(folder / SMOOTHED, f"{head}\n{rows}")


def bone_table(points: Float[np.ndarray, "T K 3"], skeleton: Skeleton, first: int = 0) -> str:
    """How long each bone is, and where it is not.

    Args:
        points: In millimetres; NaN where not known.
        skeleton: Its edges are the bones.
        first: Number of the first frame.

    Returns:
        CSV: the bone's ends, median and spread (1.4826 times the median absolute deviation) in millimetres, the frames
        in which its length is off the median by 30% or more, and the one in which it is most.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["from", "to", "median_mm", "spread_mm", "frames_off", "worst_frame", "worst_mm"])
    for a, b in skeleton.edges:
        # One by one: all at once would take several times the memory of the points.
        lengths = bone_lengths(points, [(a, b)])[:, 0]
        row: list[object] = [skeleton.names[a], skeleton.names[b]]
        if np.isfinite(lengths).any():
            median = float(np.nanmedian(lengths))
            away = np.abs(lengths - median)
            worst = int(np.nanargmax(away))
            spread = _MAD * float(np.nanmedian(away))
            numbers = [int((away >= _OFF * median).sum()), first + worst]
            row += [f"{median:.{DECIMALS}f}", f"{spread:.{DECIMALS}f}", *numbers, f"{lengths[worst]:.{DECIMALS}f}"]
        writer.writerow(row)
    return text.getvalue()
