"""Plots of errors and confidences as matplotlib figures.

Every function takes plain arrays and tables and returns a :class:`matplotlib.figure.Figure`. Figures are
built without pyplot, so nothing global changes and several threads may draw. Colours are safe for
colour-blind readers (Okabe & Ito, "Color Universal Design", 2008; Tol's wine), and differ in line style and
marker besides.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, PercentFormatter

from vitruve.atomic import atomic_path
from vitruve.visualize.look import DPI, FAINT, WIDTH, dress, legend, new_figure, nothing

FLOOR_PX = 0.1
"""Smaller errors are drawn here: a logarithmic axis has no zero."""


class _Style(NamedTuple):
    color: str
    line: str
    marker: str


_KNOWN = {
    "train": _Style("#0072B2", "--", "s"),
    "validation": _Style("#E69F00", "-.", "^"),
    "test": _Style("#882255", "-", "o"),
}
_OTHERS = (_Style("#009E73", "-", "D"), _Style("#56B4E9", ":", "v"), _Style("#616E7C", "--", "P"))


def error_distribution(
    errors: Mapping[str, Float[np.ndarray, "R K"]],
    keypoints: Sequence[str],
    title: str = "Error of each keypoint",
) -> Figure:
    """Every error, with the median and the middle half, of each keypoint and group.

    Args:
        errors: For each group (a split), ``(R, K)`` in pixels, NaN where there is none.
        keypoints: The K names.
        title: Above the plot.

    Returns:
        The figure; it grows with the number of keypoints.
    """
    groups = list(errors)
    step = 0.13 * max(len(groups), 1) + 0.12
    figure, axes = new_figure(title, height=float(np.clip(step * len(keypoints) + 1.2, 2.4, 24)))
    if not any(np.isfinite(values).any() for values in errors.values()):
        return nothing(figure, axes, "no labelled keypoint")
    spread = np.random.default_rng(0)
    offsets = (np.arange(len(groups)) - (len(groups) - 1) / 2) * (0.74 / max(len(groups), 1))
    for group, offset in zip(groups, offsets, strict=True):
        style = _style(group, groups)
        for place in range(len(keypoints)):
            values = errors[group][:, place]
            values = np.maximum(values[np.isfinite(values)], FLOOR_PX)
            if not values.size:
                continue
            jitter = spread.uniform(-0.07, 0.07, values.size)
            axes.scatter(values, place + offset + jitter, s=5, color=style.color, alpha=0.3, linewidths=0)
            low, middle, high = np.percentile(values, (25, 50, 75))
            axes.plot((low, high), (place + offset,) * 2, color=style.color, linewidth=2.6, solid_capstyle="butt")
            axes.plot(
                middle,
                place + offset,
                style.marker,
                color="white",
                markeredgecolor=style.color,
                markersize=4.6,
            )
        axes.plot([], [], style.marker, color="white", markeredgecolor=style.color, label=group, markersize=5)
    axes.set_yticks(range(len(keypoints)))
    axes.set_yticklabels(keypoints, parse_math=False)
    axes.set_ylim(len(keypoints) - 0.4, -0.6)
    _error_axis(axes, "x", "Error (px, logarithmic): marker median, bar middle half")
    axes.grid(axis="y", visible=False)
    legend(figure, len(groups))
    return figure


def pck_curve(
    errors: Mapping[str, Float[np.ndarray, "*any"]],
    marks_px: Sequence[float] = (5.0, 10.0),
    title: str = "Share of keypoints within a distance (and their number)",
) -> Figure:
    """The cumulative distribution of errors: PCK at every absolute threshold.

    Args:
        errors: For each group, errors in pixels of any shape. NaN does not count; infinity is a missed
            keypoint.
        marks_px: Thresholds to mark, in pixels.
        title: Above the plot.

    Returns:
        The figure. The horizontal axis ends where every group has 95 % of its keypoints, but not before twice
        the last mark.
    """
    figure, axes = new_figure(title)
    flat = {group: np.sort(values[~np.isnan(values)]) for group, values in errors.items()}
    flat = {group: values for group, values in flat.items() if values.size}
    if not flat:
        return nothing(figure, axes, "no labelled keypoint")
    ends = [np.percentile(values[np.isfinite(values)], 95) for values in flat.values() if np.isfinite(values).any()]
    end = float(max([*ends, 2 * max(marks_px, default=5.0)]))
    for group, values in flat.items():
        style = _style(group, list(errors))
        shares = np.arange(1, values.size + 1) / values.size
        axes.step(
            np.concatenate([[0.0], values, [np.inf]]).clip(max=2 * end),
            np.concatenate([[0.0], shares, shares[-1:]]),
            where="post",
            color=style.color,
            linestyle=style.line,
            linewidth=1.9,
            label=f"{group} ({values.size:,})",
        )
    for mark in marks_px:
        axes.axvline(mark, color=FAINT, linewidth=0.8, linestyle=":")
        axes.text(mark, 1.01, f"{mark:g} px", color=FAINT, fontsize=8, ha="center", va="bottom")
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1)
    axes.set_xlabel("Distance from the label (px)")
    axes.set_ylabel("Keypoints within (%)")
    _percent(axes.yaxis)
    legend(figure, len(flat))
    return figure


def error_against_confidence(
    errors: Mapping[str, Float[np.ndarray, "*any"]],
    scores: Mapping[str, Float[np.ndarray, "*any"]],
    binned: Mapping[str, pd.DataFrame],
    title: str = "Error against confidence, and median of each bin",
) -> Figure:
    """Each keypoint's error over its confidence, and the median of each bin of confidence.

    Args:
        errors: For each group, in pixels, of any shape.
        scores: For each group, confidence from 0 to 1, of the same shape.
        binned: For each group, ``low``, ``high``, ``count`` and ``median_error_px`` of each bin.
        title: Above the plot.

    Returns:
        The figure.
    """
    figure, axes = new_figure(title)
    drawn = 0
    for group, values in errors.items():
        style = _style(group, list(errors))
        known = np.isfinite(values) & np.isfinite(scores[group])
        if not known.any():
            continue
        drawn += 1
        axes.scatter(
            scores[group][known],
            np.maximum(values[known], FLOOR_PX),
            s=8,
            marker=style.marker,
            color=style.color,
            alpha=0.22,
            linewidths=0,
        )
        table = binned[group][binned[group]["count"] > 0]
        axes.plot(
            (table["low"] + table["high"]) / 2,
            table["median_error_px"].clip(lower=FLOOR_PX),
            marker=style.marker,
            linestyle=style.line,
            color=style.color,
            markeredgecolor="white",
            markersize=6,
            linewidth=1.9,
            label=group,
        )
    if not drawn:
        return nothing(figure, axes, "no keypoint with a label and a confidence")
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Confidence (0 to 1)")
    _error_axis(axes, "y", "Error (px, logarithmic)")
    legend(figure, drawn)
    return figure


def error_over_threshold(tables: Mapping[str, pd.DataFrame], title: str = "Keeping only confident keypoints") -> Figure:
    """Mean error and share kept, as the confidence threshold rises.

    Args:
        tables: For each group, ``threshold``, ``count``, ``mean_error_px`` and ``kept_share`` (0 to 1).
        title: Above the plot.

    Returns:
        The figure: error above, share below.
    """
    figure = Figure(figsize=(WIDTH, 4.9), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    dress(above, title)
    dress(below, "")
    filled = {group: table for group, table in tables.items() if table["count"].any()}
    if not filled:
        below.remove()
        return nothing(figure, above, "no keypoint with a label and a confidence")
    for group, table in filled.items():
        style = _style(group, list(tables))
        for axes, column in ((above, "mean_error_px"), (below, "kept_share")):
            axes.plot(table["threshold"], table[column], style.line, color=style.color, linewidth=1.9, label=group)
    above.set_ylim(bottom=0)
    above.set_ylabel("Mean error (px)")
    below.set_ylim(0, 1.02)
    below.set_xlim(0, 1)
    below.set_ylabel("Kept (%)")
    below.set_xlabel("Confidence threshold (0 to 1)")
    _percent(below.yaxis)
    legend(figure, len(filled), above)
    return figure


def calibration_curve(tables: Mapping[str, pd.DataFrame], near: str, title: str = "What confidence means") -> Figure:
    """Share of keypoints near enough to their label against their confidence, with 95 % intervals.

    Args:
        tables: For each group, ``count``, ``mean_score``, ``share_within``, ``interval_low`` and
            ``interval_high`` (0 to 1) of each bin of confidence.
        near: What is near enough, such as ``within 5 px``.
        title: Above the plot.

    Returns:
        The figure. On the diagonal, confidence is the share near enough.
    """
    figure, axes = new_figure(title, height=4.6)
    filled = {group: table[table["count"] > 0] for group, table in tables.items() if table["count"].any()}
    if not filled:
        return nothing(figure, axes, "no keypoint with a label and a confidence")
    axes.plot((0, 1), (0, 1), color=FAINT, linewidth=1, linestyle=":")
    for group, table in filled.items():
        style = _style(group, list(tables))
        share = table["share_within"]
        axes.errorbar(
            table["mean_score"],
            share,
            yerr=np.stack([share - table["interval_low"], table["interval_high"] - share]).clip(min=0),
            color=style.color,
            marker=style.marker,
            linestyle=style.line,
            markersize=5,
            linewidth=1.7,
            elinewidth=0.9,
            capsize=2,
            label=group,
        )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("Confidence (0 to 1)")
    axes.set_ylabel(textwrap.fill(f"Keypoints {near} (%)", 48))
    _percent(axes.yaxis)
    legend(figure, len(filled))
    return figure


def precision_recall(
    curves: Mapping[str, Mapping[str, Float[np.ndarray, " R"]]], title: str = "Precision and recall"
) -> Figure:
    """Precision against recall of what is found.

    Args:
        curves: For each group, by name of what counts as found, precision (0 to 1) at R recalls evenly from 0 to 1; NaN
            where there is none.
        title: Above the plot.

    Returns:
        The figure; the stricter, the fainter the line.
    """
    figure, axes = new_figure(title, height=4.6)
    drawn = 0
    for group, lines in curves.items():
        style = _style(group, list(curves))
        for place, (name, precision) in enumerate(lines.items()):
            if np.isfinite(precision).all():
                recall = np.linspace(0, 1, len(precision))
                label = f"{group}, {name}"
                alpha = 1 - 0.35 * place
                axes.plot(recall, precision, color=style.color, linestyle=style.line, alpha=alpha, label=label)
                drawn += 1
    if not drawn:
        return nothing(figure, axes, "nothing is labelled")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("Recall: what is found of all that is labelled (%)")
    axes.set_ylabel("Precision: predictions that are right (%)")
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    legend(figure, drawn)
    return figure


def png_bytes(figure: Figure) -> bytes:
    """A figure as the content of a PNG file.

    Args:
        figure: The figure.

    Returns:
        The bytes; the same figure gives the same bytes.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def save_png(figure: Figure, path: str | Path) -> None:
    """Write a figure as a PNG file in one step.

    Args:
        figure: The figure.
        path: The file to be written; replaced when there.

    Raises:
        InputError: The folder cannot be written or the disk is full.
    """
    content = png_bytes(figure)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _error_axis(axes: Axes, which: str, label: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axis.get_view_interval()
    if high < 10 * low:  # errors alike would leave the axis without a number
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(10), middle * math.sqrt(10)
        (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    ticks = [t for t in (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000) if low <= t <= high]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())
    axis.set_label_text(label)


def _percent(axis: object) -> None:
    axis.set_major_formatter(PercentFormatter(1.0, symbol=""))  # type: ignore[attr-defined]


def _style(group: str, groups: Sequence[str]) -> _Style:
    others = [name for name in groups if name not in _KNOWN]
    return _KNOWN[group] if group in _KNOWN else _OTHERS[others.index(group) % len(_OTHERS)]
