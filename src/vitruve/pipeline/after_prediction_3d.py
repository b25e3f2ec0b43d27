"""What is made of a finished prediction in space: smoothed points, and how long the bones are."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.evaluation.metrics_3d import bone_lengths
from vitruve.formats.coordinates_3d import FILE_NAMES, read_coordinates, write_coordinates
from vitruve.formats.skeleton_file import FILE_NAME as SKELETON
from vitruve.formats.skeleton_file import read_skeleton
from vitruve.formats.table import DECIMALS
from vitruve.smoothing.points import smooth_points
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels
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
    labels = read_coordinates(folder / FILE_NAMES[3])
    points = np.stack([frame.instances_3d.keypoints[0] for frame in labels if frame.instances_3d is not None])
    skeleton = read_skeleton(folder / SKELETON)
    if skeleton.edges:
        first = int(labels[0].images[0].index or 0)
        atomic_write(folder / BONES, bone_table(points, skeleton, first))
    if smooth:
        sure = np.stack([_confidence(frame) for frame in labels])
        write_coordinates(_smoothed(labels, points, sure), folder / SMOOTHED, frame_column=frame_column)


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
    for (a, b), lengths in zip(skeleton.edges, bone_lengths(points, skeleton.edges).T, strict=True):
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


def _confidence(frame: Frame) -> np.ndarray:
    assert frame.instances_3d is not None and frame.instances_3d.keypoint_scores is not None
    return np.asarray(frame.instances_3d.keypoint_scores[0], np.float64)


def _smoothed(labels: Labels, points: np.ndarray, sure: np.ndarray) -> Labels:
    means, _ = smooth_points(points, sure)
    frames = []
    for frame, places, known in zip(labels, means, np.nan_to_num(sure), strict=True):
        found = Instances.from_keypoints(places[None], keypoint_scores=known[None])
        frames.append(Frame(frame.images, frame.instances, instances_3d=found))
    return Labels(labels.skeleton, tuple(frames), labels.root)
