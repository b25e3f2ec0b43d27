"""How far what was smoothed is from labels, and how often the intervals of its variance hold them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.formats.hub import read_labels
from vitruve.formats.notes import LabelsWarning
from vitruve.structures.labels import Frame

# What names of predictions add to the name of their video: the network, or its seed.
_NETWORK = re.compile(r"(DLC.*|[ ._=+,-](seed|rng|net|network|model|member|run))$")

# Half widths, in standard deviations, of the intervals that hold so many percent of a normal distribution.
INTERVALS = {50: 0.6744897501960817, 90: 1.6448536269514722, 95: 1.959963984540054}


def coverage(
    names: Sequence[str],
    truth: Float[np.ndarray, "T K D"],
    keypoints: Float[np.ndarray, "T K D"],
    variance: Float[np.ndarray, "T K D"],
    median: Float[np.ndarray, "T K D"],
    unit: str = "px",
) -> list[dict[str, str | int | float]]:
    """The share of coordinates that lie within their intervals, and the error before and after.

    Args:
        names: The K keypoints.
        truth: NaN where unlabelled.
        keypoints: Smoothed.
        variance: Posterior, in the squared unit.
        median: Of the ensemble; its errors are those of the labels of which it has a median.
        unit: What the names of the columns of errors end with; none for the unit of a calibration.

    Returns:
        One row a keypoint and one for all together: ``rmse`` over coordinates, ``error`` the mean distance.
    """
    away, before = keypoints - truth, median - truth
    end = f"_{unit}" if unit else ""
    rows: list[dict[str, str | int | float]] = []
    for label, chosen in [*((name, [k]) for k, name in enumerate(names)), ("all", list(range(len(names))))]:
        known = np.isfinite(away[:, chosen])
        error, deviation = away[:, chosen][known], np.sqrt(variance[:, chosen][known])
        row: dict[str, str | int | float] = {"keypoint": label, "labelled": int(known.all(-1).sum())}
        for percent, width in INTERVALS.items():
            row[f"within_{percent}_percent_interval"] = _mean(np.abs(error) <= width * deviation)
        for what, errors in (("", away), ("median_", before)):
            row[f"{what}rmse{end}"] = float(np.sqrt(_mean(errors[:, chosen] ** 2)))
            row[f"{what}error{end}"] = _mean(np.linalg.norm(errors[:, chosen], axis=-1))
        rows.append(row)
    return rows


def video_name(predictions: str) -> str:
    """The video that predictions are of.

    Args:
        predictions: What the names of a video's prediction files have in common, such as ``clip_seed``.

    Returns:
        The same without what tells the network: ``clip``.
    """
    return _NETWORK.sub("", predictions)


def read_truth(
    path: Path, names: Sequence[str], index: Sequence[str | int], recordings: Sequence[str]
) -> Float[np.ndarray, "T K 2"] | None:
    """Labels of the frames of one table.

    Frames are found by their number, by the name of their image, or by the number at the end of it, as in
    ``labeled-data/<video>/img0042.png``. Only images in a folder of the video's name count, frames of a video file of
    that name, and rows that name neither a folder nor a video.

    Args:
        path: Labels of any format, one animal.
        names: The K keypoints of the table.
        index: Its T frame numbers or image names.
        recordings: Names that its video may have, the most usual first.

    Returns:
        Pixels, NaN where unlabelled; None, with a warning, where no label is of this video.

    Raises:
        InputError: The labels hold none of these keypoints or none of these frames, several animals or several views.
    """
    labels = read_labels(path)
    shared = [name for name in names if name in labels.skeleton.names]
    if not shared:
        raise InputError(f"{path}: holds none of the keypoints {', '.join(names)}; give labels of the same keypoints")
    if labels.frames and len(labels.frames[0].images) > 1:
        raise InputError(f"{path}: holds {len(labels.frames[0].images)} views of a frame; give one label file a camera")
    rows = {str(name): row for row, name in enumerate(index)}
    truth = np.full((len(index), len(names), 2), np.nan)
    here = [frame for frame in labels.frames if frame.name in rows and frame.images[0].index is None]
    here = here or [frame for frame in labels.frames if _video(frame) in ("", *recordings)]
    if not here:
        others = sorted({_video(frame) for frame in labels.frames})
        warnings.warn(
            f"{path}: no label of '{recordings[0]}' among {len(labels)} frames of "
            f"{', '.join(others[:3])}{', ...' if len(others) > 3 else ''}; labels count whose image lies in a folder "
            f"'{' or '.join(recordings)}', or that name the video",
            LabelsWarning,
            stacklevel=2,
        )
        return None
    found = 0
    for frame in here:
        row = _row(frame, rows)
        if row is None:
            continue
        found += 1
        keypoints = frame.instances.keypoints[0]
        if len(keypoints) > 1:
            raise InputError(f"{path}: frame '{frame.name}' holds {len(keypoints)} animals; give labels of one")
        for name in shared:
            truth[row, names.index(name)] = (
                keypoints[0, labels.skeleton.names.index(name)] if len(keypoints) else np.nan
            )
    if not found:
        raise InputError(
            f"{path}: none of its {len(here)} frames is one of '{recordings[0]}'; give labels of this video"
        )
    return truth


def _video(frame: Frame) -> str:
    """The video that a row names, as its file or the folder of its image; empty where it names none."""
    image = frame.images[0]
    return image.path.parent.name if image.index is None else image.path.stem


def _row(frame: Frame, rows: dict[str, int]) -> int | None:
    if frame.name in rows:
        return rows[frame.name]
    stem = Path(frame.name).stem
    digits = stem[len(stem.rstrip("0123456789")) :]
    return rows.get(str(int(digits))) if digits else None


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
