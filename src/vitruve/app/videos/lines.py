"""Which lines are drawn beside a video, and what the browser is told of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from vitruve.app.analysis.videos import gap, worst_frames
from vitruve.app.videos.tables import LIKELIHOOD, Trace, Traces
from vitruve.errors import InputError
from vitruve.evaluation.diagnostics import TEMPORAL_NORM

MOST_VALUES = 12_000_000
"""That a browser is sent: 48 MB."""

_DASHES = ((), (7, 4), (2, 3), (9, 3, 2, 3))
_SHORT = {LIKELIHOOD: "conf.", TEMPORAL_NORM: "motion", "pca_singleview_error": "PCA", "pca_multiview_error": "mv. PCA"}
_HEIGHTS = {1: 320, 2: 200, 3: 150}
_HEIGHT = 112


@dataclass(frozen=True)
class Series:
    """A keypoint as one table has it.

    Attributes:
        table: Name of the table.
        keypoint: The keypoint.
        color: As CSS has it.
        dash: Lengths of strokes and gaps; none for a whole line.
    """

    table: str
    keypoint: str
    color: str
    dash: tuple[int, ...] = ()


def series_of(tables: Sequence[str], keypoints: Sequence[str], palette: Mapping[str, str]) -> list[Series]:
    """The lines of chosen tables and keypoints: colours tell the tables apart, or, of one table, the keypoints.

    Args:
        tables: Names of tables.
        keypoints: Names of keypoints.
        palette: A colour for each of the tables, or of the keypoints where there is one table.

    Returns:
        One a keypoint and table.
    """
    single = len(tables) == 1
    return [
        Series(
            table,
            keypoint,
            palette[keypoint if single else table],
            () if single else _DASHES[place % len(_DASHES)],
        )
        for place, keypoint in enumerate(keypoints)
        for table in tables
    ]


def kinds_of(traces: Sequence[Traces]) -> list[Trace]:
    """What any of several tables says, in the order in which it is shown."""
    found = {kind.name: kind for each in traces for kind in each.kinds}
    order = ["x", "y", "z", LIKELIHOOD]
    return sorted(found.values(), key=lambda kind: order.index(kind.name) if kind.name in order else len(order))


def frames_of(traces: Sequence[Traces]) -> tuple[int, int]:
    """The first frame that any of several tables has, and the one behind the last."""
    return min(each.start for each in traces), max(each.start + each.count for each in traces)


def drawn(
    series: Sequence[Series],
    kinds: Sequence[Trace],
    traces: Mapping[str, Traces],
    points: Mapping[str, Float[np.ndarray, "T K 2"] | None],
) -> dict[str, Any]:
    """What the browser is told of the lines.

    Args:
        series: The lines.
        kinds: The plots below one another.
        traces: By name of the table.
        points: Where keypoints are in the frames of the video, in pixels, by name of the table; None where that is not
            known.

    Returns:
        Plain values; arrays are 32-bit floats in base64, of plot, line and frame.

    Raises:
        InputError: It is more than a browser can take.
    """
    start, end = frames_of(list(traces.values()))
    count = end - start
    if count * len(series) * (len(kinds) + 2) > MOST_VALUES:
        raise InputError(f"{len(series)} lines of {count} frames are too many: choose fewer keypoints or predictions")
    values = np.full((len(kinds), len(series), count), np.nan, np.float32)
    places = np.full((len(series), count, 2), np.nan, np.float32)
    for place, one in enumerate(series):
        each = traces[one.table]
        if one.keypoint not in each.names:
            continue
        column = each.names.index(one.keypoint)
        rows = slice(each.start - start, each.start - start + each.count)
        for plot, kind in enumerate(kinds):
            if kind.name in each.values:
                values[plot, place, rows] = each.values[kind.name][:, column]
        found = points.get(one.table)
        if found is not None:
            places[place, rows] = found[:, column]
    several = len({one.table for one in series}) > 1
    return {
        "start": start,
        "count": count,
        "height": _HEIGHTS.get(len(kinds), _HEIGHT),
        "panels": [_panel(kind) for kind in kinds],
        "series": [
            {
                "name": one.keypoint,
                "table": one.table if several else "",
                "color": one.color,
                "dash": list(one.dash),
            }
            for one in series
        ],
        "values": _encoded(values),
        "points": _encoded(places) if np.isfinite(places).any() else None,
    }


def peaks(traces: Traces, kind: Trace, keypoints: Sequence[str], count: int) -> list[tuple[int, str, float]]:
    """The frames to look at first: where an error is largest, or the confidence least.

    Args:
        traces: What a table says.
        kind: Of what.
        keypoints: Those that count.
        count: How many frames at the most; they are apart as :func:`vitruve.app.analysis.videos.gap` says.

    Returns:
        Number of the frame, the keypoint, and the value, the worst first.
    """
    columns = [traces.names.index(name) for name in keypoints if name in traces.names]
    if kind.name not in traces.values or not columns:
        return []
    sign = 1.0 if kind.error else -1.0
    badness = np.nan_to_num(sign * traces.values[kind.name][:, columns], nan=-np.inf)
    rows = worst_frames(badness.max(1), count, gap(traces.count, count))
    found = [(row, int(badness[row].argmax())) for row in rows.tolist()]
    return [
        (row + traces.start, traces.names[columns[column]], sign * float(badness[row, column])) for row, column in found
    ]


def _panel(kind: Trace) -> dict[str, Any]:
    bounded = kind.name == LIKELIHOOD
    return {
        "axis": kind.axis,
        "short": _SHORT.get(kind.name, kind.title),
        "zero": kind.error,
        "range": [-0.03, 1.03] if bounded else None,
        "decimals": 2 if bounded or kind.error else 1,
    }


def _encoded(values: npt.NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
