"""Errors of points in space, one group a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from vitruve.app.figures.colors import colors_of
from vitruve.app.figures.labelled import laid_out
from vitruve.structures.skeleton import Skeleton

TRUTH_COLOR = "#8c979e"
_BINS = 40
_FEW_BINS = 20
_COLUMNS = 3
_NEARLY_ALL = 98
# More areas over one another cannot be told apart; outlines can.
_FILLED = 2


def error_end(errors: Mapping[str, Float[np.ndarray, "*any"]], cutoff: float | None) -> float:
    """Where an axis of errors ends.

    Args:
        errors: By method; infinite where missed, NaN where not known.
        cutoff: Where somebody wants it to end.

    Returns:
        The cutoff, or else a distance before which nearly all errors of the worst method lie.
    """
    found = [values[np.isfinite(values)] for values in errors.values()]
    ends = [float(np.percentile(values, _NEARLY_ALL)) for values in found if values.size]
    return cutoff if cutoff else max([*ends, 1e-3])


def histogram(
    errors: Mapping[str, Float[np.ndarray, "*any"]], colors: Mapping[str, str], cutoff: float | None = None
) -> go.Figure:
    """How often errors of each size occur, with boxes below; the last bin holds all larger ones and those missed.

    Args:
        errors: By method, in millimetres; infinite where missed, NaN where not known.
        colors: Of the methods.
        cutoff: Where the axis ends; None ends it where nearly all errors lie before.

    Returns:
        The figure.
    """
    end = error_end(errors, cutoff)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.04)
    edges = np.linspace(0, end, _BINS + 1)
    for name, values in errors.items():
        known = values[~np.isnan(values)]
        found = known[np.isfinite(known)]
        if not known.size:
            continue
        median = f"median {np.median(found):.2f} mm" if found.size else "nothing found"
        filled = len(errors) <= _FILLED
        _outline(figure, known, edges, f"{name}: {median}", colors[name], name, row=1, col=1, filled=filled)
        low, first, middle, third, high = (
            np.minimum(np.percentile(found, (5, 25, 50, 75, 95)), end) if found.size else [0] * 5
        )
        figure.add_box(
            q1=[first],
            median=[middle],
            q3=[third],
            lowerfence=[low],
            upperfence=[high],
            y=[name],
            orientation="h",
            line_color=colors[name],
            legendgroup=name,
            showlegend=False,
            name=name,
            row=2,
            col=1,
        )
    figure.update_yaxes(title="Share of keypoints (%)", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(showticklabels=False, row=2, col=1)
    figure.update_xaxes(range=[0, 1.01 * end])
    figure.update_xaxes(title=_axis(errors, end), row=2, col=1)
    return laid_out(figure, 480)


def keypoint_histograms(
    errors: Mapping[str, Float[np.ndarray, "_ K"]],
    keypoints: Sequence[str],
    colors: Mapping[str, str],
    cutoff: float | None = None,
) -> go.Figure:
    """How often errors of each size occur, a plot a keypoint, all to one scale.

    Args:
        errors: By method, as for :func:`histogram`.
        keypoints: The K names.
        colors: Of the methods.
        cutoff: As for :func:`histogram`.

    Returns:
        The figure.
    """
    end = error_end(errors, cutoff)
    rows = -(-len(keypoints) // _COLUMNS)
    figure = make_subplots(
        rows=rows,
        cols=_COLUMNS,
        subplot_titles=list(keypoints),
        shared_xaxes=True,
        shared_yaxes=True,
        vertical_spacing=min(0.06, 0.5 / max(rows, 1)),
        horizontal_spacing=0.03,
    )
    edges = np.linspace(0, end, _FEW_BINS + 1)
    named = set()
    highest = 0.0
    for number in range(len(keypoints)):
        row, col = divmod(number, _COLUMNS)
        for name, values in errors.items():
            known = values[:, number][~np.isnan(values[:, number])]
            if known.size:
                shown = name not in named
                tallest = _outline(
                    figure, known, edges, name, colors[name], name, row=row + 1, col=col + 1, shown=shown
                )
                named.add(name)
                highest = max(highest, tallest)
    figure.update_xaxes(range=[0, 1.01 * end])
    for col in range(_COLUMNS):
        figure.update_xaxes(title=_axis(errors, end) if col == 0 else "Error (mm)", row=rows, col=col + 1)
    figure.update_yaxes(range=[0, 1.05 * highest or 1])
    figure.update_yaxes(title="Share (%)", col=1)
    figure.update_annotations(font_size=13)
    return laid_out(figure, 120 + 150 * rows, above=24)


def keypoint_bars(
    means: Mapping[str, Float[np.ndarray, " K"]], keypoints: Sequence[str], colors: Mapping[str, str], title: str
) -> go.Figure:
    """A bar a keypoint and method.

    Args:
        means: By method, in millimetres.
        keypoints: The K names.
        colors: Of the methods.
        title: Of the axis, with the unit.

    Returns:
        The figure.
    """
    figure = go.Figure()
    for name, values in means.items():
        figure.add_bar(x=list(keypoints), y=values, name=name, marker_color=colors[name])
    figure.update_yaxes(title=title, rangemode="tozero")
    return laid_out(figure, 420)


def within_distance(
    errors: Mapping[str, Float[np.ndarray, "*any"]], colors: Mapping[str, str], cutoff: float | None = None
) -> go.Figure:
    """Which share of keypoints is within each distance (PCK3D); missed ones never are.

    Args:
        errors: By method, as for :func:`histogram`.
        colors: Of the methods.
        cutoff: As for :func:`histogram`.

    Returns:
        The figure.
    """
    end = error_end(errors, cutoff)
    limits = np.linspace(0, end, 200)
    figure = go.Figure()
    for name, values in errors.items():
        known = np.sort(values[~np.isnan(values)])
        if known.size:
            shares = 100 * np.searchsorted(known, limits, "right") / known.size
            figure.add_scatter(
                x=limits,
                y=shares,
                mode="lines",
                name=name,
                line={"color": colors[name], "width": 2},
                hovertemplate="%{y:.1f} % within %{x:.2f} mm",
            )
    figure.update_xaxes(title="Distance from the truth (mm)", range=[0, end])
    figure.update_yaxes(title="Keypoints within (%)", range=[0, 101])
    return laid_out(figure, 420)


def over_cameras(rows: Sequence[Mapping[str, object]], title: str) -> go.Figure:
    """Mean and median error over a number of cameras.

    Args:
        rows: ``method``, ``cameras``, ``mpjpe_mm``, ``median_mm``.
        title: Of the horizontal axis.

    Returns:
        The figure.
    """
    figure = go.Figure()
    for name, color in colors_of(str(row["method"]) for row in rows).items():
        own = [row for row in rows if row["method"] == name]
        for column, dash in (("mpjpe_mm", "solid"), ("median_mm", "dot")):
            figure.add_scatter(
                x=[row["cameras"] for row in own],
                y=[row[column] for row in own],
                mode="lines+markers",
                line={"color": color, "dash": dash},
                name=f"{name}, {'mean' if column == 'mpjpe_mm' else 'median'}",
            )
    figure.update_xaxes(title=title, dtick=1)
    figure.update_yaxes(title="Error (mm)", rangemode="tozero")
    return laid_out(figure, 360)


def skeletons(
    poses: Mapping[str, Float[np.ndarray, "K 3"]],
    skeleton: Skeleton,
    colors: Mapping[str, str],
    up: Float[np.ndarray, " 3"],
) -> go.Figure:
    """Poses in space over one another; the figure turns by dragging.

    Args:
        poses: By name, in millimetres, NaN where missing.
        skeleton: The keypoints and what joins them.
        colors: Of the poses.
        up: Which way is up.

    Returns:
        The figure.
    """
    figure = go.Figure()
    for name, points in poses.items():
        figure.add_scatter3d(
            x=points[:, 0],
            y=points[:, 1],
            z=points[:, 2],
            mode="markers",
            marker={"color": colors[name], "size": 4},
            text=list(skeleton.names),
            hovertemplate="%{text}",
            name=name,
            legendgroup=name,
        )
        gap = np.full((1, 3), np.nan)
        bones = np.concatenate([np.concatenate([points[[a, b]], gap]) for a, b in skeleton.edges] or [gap])
        figure.add_scatter3d(
            x=bones[:, 0],
            y=bones[:, 1],
            z=bones[:, 2],
            mode="lines",
            line={"color": colors[name], "width": 4},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
        )
    axis = {"title": {"text": ""}, "showticklabels": False, "showbackground": False}
    figure.update_layout(
        scene={
            "aspectmode": "data",
            "xaxis": axis,
            "yaxis": axis,
            "zaxis": axis,
            "camera": {"up": dict(zip("xyz", map(float, up), strict=True))},
        }
    )
    return laid_out(figure, 420)


def _outline(
    figure: go.Figure,
    known: np.ndarray,
    edges: np.ndarray,
    label: str,
    color: str,
    group: str,
    *,
    row: int,
    col: int,
    shown: bool = True,
    filled: bool = False,
) -> float:
    """Draw one, and say how high it is."""
    shares = 100 * np.histogram(np.minimum(known, np.nextafter(edges[-1], 0)), edges)[0] / known.size
    figure.add_scatter(
        x=edges,
        y=np.append(shares, shares[-1]),
        line={"shape": "hv", "color": color, "width": 2},
        fill="tozeroy" if filled else None,
        name=label,
        legendgroup=group,
        showlegend=shown,
        hovertemplate="from %{x:.2f} mm: %{y:.1f} %<extra></extra>",
        row=row,
        col=col,
    )
    return float(shares.max())


def _axis(errors: Mapping[str, np.ndarray], end: float) -> str:
    larger = any((values[~np.isnan(values)] > end).any() for values in errors.values())
    return f"Error (mm){f'; the last bin: beyond {end:.3g}, or missed' * larger}"
