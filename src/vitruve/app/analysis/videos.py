"""What several runs say of the same video, and the frames in which that is worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vitruve.app.analysis.labelled import MEAN
from vitruve.app.videos.tables import Trace, Traces

DISAGREEMENT = "disagreement"
"""Name of how far from their mean several runs see a keypoint."""


def known_traces(traces: Sequence[Traces]) -> list[Trace]:
    """What at least one of several tables says.

    Args:
        traces: Of the same video.

    Returns:
        Each once, in the order in which it is shown.
    """
    return list({kind.name: kind for each in traces for kind in each.kinds}.values())


def common_keypoints(traces: Sequence[Traces]) -> list[str]:
    """The keypoints that all of several tables have, in the order of the first."""
    return [name for name in traces[0].names if all(name in each.names for each in traces)] if traces else []


def series(traces: Traces, name: str, keypoint: str) -> Float[np.ndarray, " T"] | None:
    """A value over the frames.

    Args:
        traces: Of one run.
        name: Key of :attr:`Traces.values`.
        keypoint: Its name, or :data:`~vitruve.app.analysis.labelled.MEAN`.

    Returns:
        NaN where missing; None where the run does not know it.
    """
    values = traces.values.get(name)
    if values is None:
        return None
    if keypoint != MEAN:
        return values[:, traces.names.index(keypoint)]
    count = np.isfinite(values).sum(1)
    total = np.nansum(values, 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def disagreement(traces: Sequence[Traces], keypoints: Sequence[str]) -> tuple[int, Float[np.ndarray, "T K"]]:
    """How far several runs are from the place that they see a keypoint at on average.

    Args:
        traces: At least two, of the same video.
        keypoints: That all of them have.

    Returns:
        Number of the first frame, and the root of the mean squared distance, over the frames that all of them have and
        in their unit; NaN where a run misses the keypoint.
    """
    start = max(each.start for each in traces)
    stop = max(start, min(each.start + each.count for each in traces))
    axes = [axis for axis in "xyz" if all(axis in each.values for each in traces)]
    places = np.stack(
        [
            np.stack([each.values[axis][start - each.start : stop - each.start] for axis in axes], -1)[
                :, [each.names.index(name) for name in keypoints]
            ]
            for each in traces
        ]
    )
    away = ((places - places.mean(0)) ** 2).sum(-1)
    return start, np.sqrt(away.mean(0))


def joined(
    traces: Mapping[str, Traces],
    name: str,
    keypoints: Sequence[str],
    frames: tuple[int, int] | None = None,
    most: int = 1500,
) -> pd.DataFrame:
    """One value of several runs below one another, thinned so that the spread stays the same.

    Args:
        traces: By the name of the run.
        name: Key of :attr:`Traces.values`.
        keypoints: Those that are kept.
        frames: The first and the last frame that count; all by default.
        most: Of longer series, so many values are kept: the smallest, the largest, and others evenly between them by
            rank.

    Returns:
        ``run``, ``keypoint``, ``frame`` and ``value``, of which there are no missing ones.
    """
    parts = []
    for run, each in traces.items():
        if name not in each.values:
            continue
        numbers = np.arange(each.start, each.start + each.count)
        counted = np.ones(each.count, bool) if frames is None else (numbers >= frames[0]) & (numbers <= frames[1])
        for keypoint in keypoints:
            if keypoint not in (MEAN, *each.names):
                continue
            column = series(each, name, keypoint)
            assert column is not None
            there = np.flatnonzero(counted & np.isfinite(column))
            kept = there[np.argsort(column[there], kind="stable")]
            if len(kept) > most:
                kept = kept[np.unique(np.linspace(0, len(kept) - 1, most).round().astype(int))]
            parts.append(
                pd.DataFrame({"run": run, "keypoint": keypoint, "frame": numbers[kept], "value": column[kept]})
            )
    columns = ["run", "keypoint", "frame", "value"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def summary(
    traces: Mapping[str, Traces], names: Sequence[str], keypoints: Sequence[str], frames: tuple[int, int]
) -> pd.DataFrame:
    """What runs say of some frames, in numbers.

    Args:
        traces: By the name of the run.
        names: Keys of :attr:`Traces.values`.
        keypoints: That count.
        frames: The first and the last that count.

    Returns:
        One row a run and value: ``run``, ``value``, ``mean``, ``median``, ``p95``, ``missing`` (percent).
    """
    rows = []
    for run, each in traces.items():
        low, high = max(frames[0] - each.start, 0), max(frames[1] - each.start + 1, 0)
        columns = [each.names.index(name) for name in keypoints if name in each.names]
        for name in names:
            if name not in each.values:
                continue
            values = each.values[name][low:high, columns]
            there = values[np.isfinite(values)]
            middle, high_end = np.percentile(there, (50, 95)) if there.size else (np.nan, np.nan)
            mean = float(there.mean()) if there.size else np.nan
            missing = 100 * (1 - there.size / values.size) if values.size else np.nan
            rows.append(
                {"run": run, "value": name, "mean": mean, "median": middle, "p95": high_end, "missing": missing}
            )
    return pd.DataFrame(rows)


def outline(values: Float[np.ndarray, " T"], most: int) -> Int[np.ndarray, " N"]:
    """Frames that a line through all values can be drawn with: of each stretch its smallest and its largest.

    Args:
        values: NaN where missing.
        most: At most about so many are kept.

    Returns:
        Their indices, ascending; all where there are few.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, max(most // 2, 1) + 1).astype(int)
    kept = set()
    for low, high in pairwise(edges.tolist()):
        part = values[low:high]
        if np.isfinite(part).any():
            kept |= {low + int(np.nanargmin(part)), low + int(np.nanargmax(part))}
        else:
            kept.add(low)
    return np.array(sorted(kept))


def gap(length: int, count: int) -> int:
    """How far apart the worst frames of a video are: one bad moment is many bad frames, and should be shown once.

    Args:
        length: Frames of the video.
        count: How many worst ones are looked for.

    Returns:
        Frames, 5 or more.
    """
    return max(5, length // (4 * count))


def worst_frames(
    values: Float[np.ndarray, " T"], count: int, apart: int, *, rising: bool = False
) -> Int[np.ndarray, " N"]:
    """The worst frames that are not neighbours of one another.

    Args:
        values: Over the frames; NaN is never worst.
        count: How many at most.
        apart: So many frames lie at least between the beginnings of two.
        rising: Whether more is better.

    Returns:
        Their indices, the worst first.
    """
    order = np.argsort(values if rising else -values, kind="stable")
    free = np.isfinite(values)
    found: list[int] = []
    for index in order.tolist():
        if len(found) == count:
            break
        if free[index]:
            found.append(index)
            free[max(0, index - apart + 1) : index + apart] = False
    return np.array(found, np.int64)
