"""Values of keypoints on labelled images, one group a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

Kind = Literal["box", "violin", "strip", "histogram"]
"""Middle half with median and whiskers; the whole shape; every value; or how many there are of each size."""

FLOOR = 1e-3
"""Smaller values are drawn here where an axis is logarithmic."""

_HOVER = "%{customdata[0]}<br>%{customdata[1]}, %{customdata[2]}: %{y:.3g}"
_SEED = 0
_SPREAD = 0.35
_BINS = 40
# More areas over one another cannot be told apart; outlines can.
_FILLED = 2
_NEARLY_ALL = 98
# Of letters, symbols and lines of a legend, and of the narrowest figure, in pixels.
_LETTER, _SYMBOL, _LINE, _WIDE = 7, 60, 22, 700


def distribution(
    table: pd.DataFrame,
    colors: Mapping[str, str],
    *,
    kind: Kind,
    by: str,
    axis: str,
    order: Sequence[str] = (),
    log: bool = False,
    threshold: float | None = None,
) -> go.Figure:
    """How the values of several runs are spread.

    Args:
        table: ``run``, ``keypoint``, ``value``, what ``by`` names, and ``image`` or ``frame``.
        colors: Of the runs.
        kind: How each group is drawn.
        by: What stands beside one another: ``keypoint``, ``split`` or ``run``.
        axis: Title of the vertical axis, with the unit.
        order: In which order groups stand beside one another; by default as they come.
        log: Whether that axis is logarithmic.
        threshold: A line at this value.

    Returns:
        The figure.
    """
    if kind == "histogram":
        return _histogram(table, colors, axis, log)
    figure = go.Figure()
    where = table["image"] if "image" in table else "frame " + table["frame"].astype(str)
    there = list(dict.fromkeys(table[by]))
    places = [*(name for name in order if name in there), *(name for name in there if name not in order)]
    values = table["value"].clip(lower=FLOOR) if log else table["value"]
    drawn = table.assign(value=values, where=where)
    runs = [run for run in colors if run in set(table["run"])]
    for number, run in enumerate(runs):
        rows = drawn[drawn["run"] == run]
        given = {
            "y": rows["value"],
            "name": run,
            "customdata": rows[["where", "keypoint", "run"]].to_numpy(),
            "hovertemplate": f"{_HOVER}<extra></extra>",
        }
        if kind == "strip":
            figure.add_scatter(
                x=_beside(rows[by].map(places.index).to_numpy(), number, 1 if by == "run" else len(runs)),
                mode="markers",
                marker={"color": colors[run], "size": 5, "opacity": 0.6},
                **given,
            )
        elif kind == "violin":
            figure.add_violin(
                x=rows[by],
                line_color=colors[run],
                box_visible=True,
                points=False,
                offsetgroup=run,
                spanmode="hard",
                **given,
            )
        else:
            figure.add_box(x=rows[by], marker_color=colors[run], boxpoints="outliers", offsetgroup=run, **given)
    if kind == "strip":
        figure.update_xaxes(tickvals=list(range(len(places))), ticktext=places, range=[-0.6, len(places) - 0.4])
    else:
        figure.update_xaxes(categoryorder="array", categoryarray=places)
        apart = "overlay" if by == "run" else "group"
        figure.update_layout(boxmode=apart, violinmode=apart)
    if threshold is not None:
        figure.add_hline(threshold, line={"dash": "dash", "width": 1.5}, annotation_text=f"{threshold:g}")
    figure.update_yaxes(title=axis, type="log" if log else "linear", rangemode="normal" if log else "tozero")
    return laid_out(figure)


def _histogram(table: pd.DataFrame, colors: Mapping[str, str], axis: str, log: bool) -> go.Figure:
    """Outlines over one another; the last bin holds all that is larger than nearly all values."""
    figure = go.Figure()
    values = table["value"].to_numpy(np.float64)
    if log:
        values = np.log10(values.clip(min=FLOOR))
    low, high = np.percentile(values, (0, _NEARLY_ALL)) if values.size else (0.0, 1.0)
    edges = np.linspace(min(low, 0.0) if not log else low, max(high, low + 1e-9), _BINS + 1)
    for run, color in colors.items():
        own = values[(table["run"] == run).to_numpy()]
        if not own.size:
            continue
        filled = len(colors) <= _FILLED
        shares = 100 * np.histogram(own.clip(max=np.nextafter(edges[-1], edges[0])), edges)[0] / own.size
        shown = 10**edges if log else edges
        figure.add_scatter(
            x=shown,
            y=np.append(shares, shares[-1]),
            line={"shape": "hv", "color": color, "width": 2},
            fill="tozeroy" if filled else None,
            name=run,
            hovertemplate="from %{x:.3g}: %{y:.1f} %",
        )
    figure.update_xaxes(title=axis, type="log" if log else "linear")
    figure.update_yaxes(title="Share of values (%)", rangemode="tozero")
    return laid_out(figure)


def laid_out(figure: go.Figure, height: int = 460, above: int = 0) -> go.Figure:
    """Give a figure its size, and a legend above it for which there is room.

    Args:
        figure: It is changed.
        height: In pixels.
        above: What titles of plots take below the legend, in pixels.

    Returns:
        The figure.
    """
    named = [len(trace.name or "") for trace in figure.data if trace.showlegend is not False]
    lines = max(1, math.ceil(sum(_LETTER * count + _SYMBOL for count in named) / _WIDE))
    top = _LINE * lines + 8
    legend = {"orientation": "h", "y": 1 + above / max(height - top - above, 1), "yanchor": "bottom", "x": 0}
    margin = {"l": 0, "r": 0, "t": top + above, "b": 0}
    return figure.update_layout(height=height, margin=margin, legend=legend, showlegend=True)


def _beside(places: np.ndarray, number: int, count: int) -> np.ndarray:
    """Places along an axis, each run in its own strip of a place, spread so that dots do not hide one another."""
    wide = 2 * _SPREAD / count
    middle = -_SPREAD + wide * (number + 0.5) if count > 1 else 0.0
    away = np.random.default_rng(_SEED).uniform(-0.42, 0.42, len(places)) * wide
    return np.asarray(places + middle + away)
