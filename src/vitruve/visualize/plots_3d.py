"""Plots of errors in space as matplotlib figures; colours and look are those of :mod:`vitruve.visualize.plots`.

Groups are methods or runs. Errors are in millimetres; NaN does not count, infinity is a missed keypoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vitruve.visualize.look import DPI, FAINT, INK, WIDTH, dress, legend, new_figure, nothing

TRUTH = "GroundTruth"

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#616E7C")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
_BINS = 40
_FEW_BINS = 20
_COLUMNS = 3
# More areas over one another cannot be told apart; outlines can.
_FILLED = 2
# Longer names do not fit beside one another below a plot.
_LONG_NAME = 20
# Without a cutoff the axis ends where this share of the worst method's errors lies before it.
_SHOWN_PERCENT = 98


def error_histogram(
    errors: Mapping[str, Float[np.ndarray, "*any"]], cutoff: float | None = None, title: str = "Errors of all keypoints"
) -> Figure:
    """How often errors of each size occur, with median, middle half and 5th to 95th percentile of each group below.

    Args:
        errors: By group, of any shape.
        cutoff: Larger errors are in the last bin, with missed keypoints; None ends where nearly all errors are.
        title: Above the plot.

    Returns:
        The figure; medians are in its legend.
    """
    known = {name: values[~np.isnan(values)] for name, values in errors.items()}
    known = {name: values for name, values in known.items() if values.size}
    height = 3.3 + 0.42 * len(known)
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 0.1 + 0.2 * len(known)))
    dress(above, title)
    dress(below, "")
    found = {name: values[np.isfinite(values)] for name, values in known.items()}
    end = _end(known, cutoff)
    if end is None:
        below.remove()
        return nothing(figure, above, "no keypoint with a truth and a prediction")
    medians = {n: f"median {np.median(v):.2f} mm" if v.size else "nothing found" for n, v in found.items()}
    _outlines(above, {f"{name}: {medians[name]}": values for name, values in known.items()}, end, _BINS)
    for number, values in enumerate(found.values()):
        _box(below, values, number, _COLORS[number % len(_COLORS)], end)
    below.set_yticks([])
    below.set_ylim(len(known) - 0.4, -0.6)
    below.grid(axis="y", visible=False)
    above.set_ylabel("Share of keypoints (%)")
    below.set_xlabel(_error_label(known, end))
    legend(figure, 1, above)
    return figure


def keypoint_histograms(
    errors: Mapping[str, Float[np.ndarray, "_ K"]],
    keypoints: Sequence[str],
    cutoff: float | None = None,
    title: str = "Errors of each keypoint",
) -> Figure:
    """How often errors of each size occur, a plot a keypoint, all to one scale.

    Args:
        errors: By group, of any number of framesets.
        keypoints: The K names.
        cutoff: As for :func:`error_histogram`.
        title: Above the plots.

    Returns:
        The figure; medians of the groups stand in the plots, in their colours and order.
    """
    known = {name: values[~np.isnan(values)] for name, values in errors.items()}
    known = {name: values for name, values in known.items() if values.size}
    end = _end(known, cutoff)
    if end is None:
        return nothing(*new_figure(title), "no keypoint with a truth and a prediction")
    rows = -(-len(keypoints) // _COLUMNS)
    figure = Figure(figsize=(WIDTH, 1.0 + 1.25 * rows + 0.2 * len(known)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11.5, color=INK, x=0.02, ha="left")
    plots = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for number, (axes, keypoint) in enumerate(zip(plots, keypoints, strict=False)):
        dress(axes, "")
        axes.set_title(keypoint, fontsize=9.5, color=INK, loc="left", pad=4, parse_math=False)
        own = {name: errors[name][:, number] for name in known}
        own = {name: values[~np.isnan(values)] for name, values in own.items()}
        _outlines(axes, own, end, _FEW_BINS)
        for place, values in enumerate(own.values()):
            there = values[np.isfinite(values)]
            median = f"{np.median(there):.2f} mm" if there.size else "\N{EN DASH}"
            color = _COLORS[place % len(_COLORS)]
            axes.annotate(
                median,
                (1, 1),
                (-2, -2 - 10 * place),
                "axes fraction",
                "offset points",
                fontsize=8,
                color=color,
                ha="right",
                va="top",
            )
    for axes in plots[len(keypoints) :]:
        axes.remove()
    for axes in plots[max(0, len(keypoints) - _COLUMNS) : len(keypoints)]:
        axes.tick_params(labelbottom=True)
    figure.supylabel("Share of framesets (%)", fontsize=10, color=INK)
    legend(figure, 1, plots[0])
    # A label of all columns of plots would stand in the legend's place.
    figure.legends[0].set_title(_error_label(known, end))
    return figure


def keypoint_bars(
    means: Mapping[str, Float[np.ndarray, " K"]], keypoints: Sequence[str], title: str = "Mean error of each keypoint"
) -> Figure:
    """Bars beside one another, one a group, for each keypoint.

    Args:
        means: By group, in millimetres.
        keypoints: The K names.
        title: Above the plot.

    Returns:
        The figure; it grows with the number of bars.
    """
    return _bars(means, keypoints, title, "Mean error (mm)")


def bone_bars(
    shares: Mapping[str, Float[np.ndarray, " E"]], bones: Sequence[str], title: str = "How much bone lengths vary"
) -> Figure:
    """Bars of the variation of each bone's length.

    Args:
        shares: By group, standard deviation over mean.
        bones: The E names.
        title: Above the plot.

    Returns:
        The figure.
    """
    percent = {name: 100 * values for name, values in shares.items()}
    return _bars(percent, bones, title, "Standard deviation (% of the mean length)")


def error_over_cameras(table: pd.DataFrame, title: str, label: str) -> Figure:
    """Mean and median error over a number of cameras.

    Args:
        table: ``method``, ``cameras``, ``mpjpe_mm`` and ``median_mm``.
        title: Above the plot.
        label: Of the horizontal axis.

    Returns:
        The figure.
    """
    figure, axes = new_figure(title, 3.4)
    for number, (name, rows) in enumerate(table.groupby("method", sort=False)):
        color, marker = _COLORS[number % len(_COLORS)], _MARKERS[number % len(_MARKERS)]
        for column, line, width in (("mpjpe_mm", "-", 1.9), ("median_mm", ":", 1.4)):
            axes.plot(
                rows["cameras"],
                rows[column],
                line,
                color=color,
                marker=marker,
                markeredgecolor="white",
                markersize=6.5,
                linewidth=width,
                label=f"{name}, {'mean' if column == 'mpjpe_mm' else 'median'}",
            )
    axes.set_xticks(sorted(table["cameras"].unique()))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label)
    axes.set_ylabel("Error (mm)")
    legend(figure, 2, axes)
    return figure


def pck3d_curves(
    errors: Mapping[str, Float[np.ndarray, "*any"]], title: str = "Share of keypoints within a distance (PCK3D)"
) -> Figure:
    """The cumulative distribution of errors.

    Args:
        errors: By group, of any shape.
        title: Above the plot.

    Returns:
        The figure.
    """
    figure, axes = new_figure(title, 3.6)
    known = {name: np.sort(values[~np.isnan(values)]) for name, values in errors.items()}
    known = {name: values for name, values in known.items() if np.isfinite(values).any()}
    if not known:
        return nothing(figure, axes, "no keypoint with a truth and a prediction")
    end = _rounded(max(float(np.percentile(v[np.isfinite(v)], _SHOWN_PERCENT)) for v in known.values()))
    for number, (name, values) in enumerate(known.items()):
        share = np.arange(1, values.size + 1) / values.size
        axes.step(
            np.concatenate([[0.0], values.clip(max=2 * end)]),
            np.concatenate([[0.0], share]),
            where="post",
            color=_COLORS[number % len(_COLORS)],
            linestyle=_LINES[number % len(_LINES)],
            linewidth=1.9,
            label=name,
        )
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1)
    axes.set_xlabel("Distance from the truth (mm)")
    axes.set_ylabel("Keypoints within (%)")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
    legend(figure, 2, axes)
    return figure


def _bars(values: Mapping[str, np.ndarray], names: Sequence[str], title: str, label: str) -> Figure:
    groups = list(values)
    step = 0.15 * len(groups) + 0.1
    figure, axes = new_figure(title, float(np.clip(step * len(names) + 1.2 + 0.2 * len(groups), 2.2, 24)))
    if not groups or not any(np.isfinite(each).any() for each in values.values()):
        return nothing(figure, axes, "nothing to compare")
    thick = 0.8 / len(groups)
    plain = [name for name in groups if name != TRUTH]
    for number, name in enumerate(groups):
        places = np.arange(len(names)) + (number - (len(groups) - 1) / 2) * thick
        color = FAINT if name == TRUTH else _COLORS[plain.index(name) % len(_COLORS)]
        axes.barh(places, np.nan_to_num(values[name]), 0.86 * thick, color=color, label=name)
    axes.set_yticks(range(len(names)), names)
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(label)
    legend(figure, 1 if max(map(len, groups)) > _LONG_NAME else 3, axes)
    return figure


def _end(known: Mapping[str, np.ndarray], cutoff: float | None) -> float | None:
    """Where the axis of errors ends; None where there are none."""
    found = [values[np.isfinite(values)] for values in known.values()]
    ends = [float(np.percentile(values, _SHOWN_PERCENT)) for values in found if values.size]
    return (_rounded(max(ends)) if cutoff is None else cutoff) if ends else None


def _outlines(axes: Axes, groups: Mapping[str, np.ndarray], end: float, bins: int) -> None:
    """The histograms of groups over one another; the last bin holds all that is larger, so that bars add up to all."""
    edges = np.linspace(0, end, bins + 1)
    for number, (label, values) in enumerate(groups.items()):
        color = _COLORS[number % len(_COLORS)]
        shares = np.histogram(np.clip(values, 0, np.nextafter(end, 0)), edges)[0] / max(1, values.size)
        if len(groups) <= _FILLED:
            axes.stairs(shares, edges, color=color, fill=True, alpha=0.16)
        axes.stairs(shares, edges, color=color, linewidth=1.6, linestyle=_LINES[number % len(_LINES)], label=label)
    axes.set_xlim(0, 1.01 * end)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")


def _error_label(known: Mapping[str, np.ndarray], end: float) -> str:
    larger = any((values > end).any() for values in known.values())
    return f"Error (mm){f'; the last bin: beyond {end:g}, or missed' * larger}"


def _box(axes: Axes, values: np.ndarray, place: int, color: str, end: float) -> None:
    if not values.size:
        return
    lowest, low, middle, high, highest = np.minimum(np.percentile(values, (5, 25, 50, 75, 95)), end)
    axes.plot((lowest, highest), (place, place), color=color, linewidth=1.2)
    axes.barh(place, high - low, 0.56, low, facecolor="white", edgecolor=color, linewidth=1.4)
    axes.plot((middle, middle), (place - 0.28, place + 0.28), color=color, linewidth=2.2)


def _rounded(value: float) -> float:
    """The next number above with one or two digits that read well."""
    power = 10 ** np.floor(np.log10(max(value, 1e-6)))
    return float(next(power * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if power * step >= value))
