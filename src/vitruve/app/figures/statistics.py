"""What is labelled as figures: classes, sizes, keypoints, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vitruve.app.figures.colors import colors_of, split_colors
from vitruve.curation.statistics import LARGE, SMALL

_MARGIN = {"l": 0, "r": 0, "t": 24, "b": 0}
_MOST_POINTS = 4000


def class_bars(instances: pd.DataFrame) -> go.Figure:
    """How many instances each class has, by split.

    Args:
        instances: As :func:`~vitruve.curation.statistics.instance_table` gives them.

    Returns:
        The figure; the most frequent class is on top.
    """
    counts = instances.groupby(["class", "split"]).size().unstack(fill_value=0)
    counts = counts.loc[counts.sum(axis=1).sort_values().index]
    colors = split_colors(counts.columns)
    figure = go.Figure()
    for split in counts.columns:
        figure.add_bar(
            y=[_named(name) for name in counts.index],
            x=counts[split],
            name=split,
            orientation="h",
            marker_color=colors[split],
            hovertemplate="%{y}: %{x}",
        )
    figure.update_layout(barmode="stack", margin=_MARGIN, height=_rows(len(counts)), **_legend(len(counts.columns)))
    figure.update_xaxes(title="instances")
    return figure


def size_histogram(instances: pd.DataFrame) -> go.Figure:
    """How large instances are, by class.

    Args:
        instances: As :func:`~vitruve.curation.statistics.instance_table` gives them.

    Returns:
        The figure, with COCO's bounds of small and large objects where they lie among them.
    """
    colors = colors_of(instances["class"].value_counts().index)
    low, high = instances["side"].min(), instances["side"].max()
    width = max((high - low) / 40, 1e-6)
    figure = go.Figure()
    for name, color in colors.items():
        figure.add_histogram(
            x=instances.loc[instances["class"] == name, "side"],
            name=_named(name),
            marker_color=color,
            xbins={"start": low, "end": high + width, "size": width},
            hovertemplate="%{x} px: %{y}",
        )
    for bound, said in ((SMALL, "small below"), (LARGE, "large above")):
        if low < bound < high:
            figure.add_vline(bound, line_dash="dot", line_color="#8c979e", annotation_text=f"{said} {bound:.0f} px")
    figure.update_layout(barmode="stack", margin=_MARGIN, height=360, **_legend(len(colors)))
    figure.update_xaxes(title="side of a square of the same area in px")
    figure.update_yaxes(title="instances")
    return figure


def size_scatter(instances: pd.DataFrame) -> go.Figure:
    """Widths and heights of instances, by class.

    Args:
        instances: As :func:`~vitruve.curation.statistics.instance_table` gives them.

    Returns:
        The figure; of more than 4000, so many are drawn.
    """
    shown = instances.sample(min(len(instances), _MOST_POINTS), random_state=0)
    figure = go.Figure()
    colors = colors_of(instances["class"].value_counts().index)
    for name, color in colors.items():
        mine = shown[shown["class"] == name]
        figure.add_scattergl(
            x=mine["width"],
            y=mine["height"],
            mode="markers",
            name=_named(name),
            marker={"color": color, "size": 5, "opacity": 0.6},
            text=mine["image"],
            hovertemplate="%{x:.0f} x %{y:.0f} px<br>%{text}",
        )
    figure.update_layout(margin=_MARGIN, height=360, **_legend(len(colors)))
    figure.update_xaxes(title="width in px", rangemode="tozero")
    figure.update_yaxes(title="height in px", rangemode="tozero")
    return figure


def count_histogram(images: pd.DataFrame) -> go.Figure:
    """How many instances images have, by split.

    Args:
        images: As :func:`~vitruve.curation.statistics.per_image` gives them.

    Returns:
        The figure.
    """
    counts = images.groupby(["instances", "split"]).size().unstack(fill_value=0)
    colors = split_colors(counts.columns)
    figure = go.Figure()
    for split in counts.columns:
        figure.add_bar(x=counts.index, y=counts[split], name=split, marker_color=colors[split])
    figure.update_layout(barmode="stack", margin=_MARGIN, height=360, **_legend(len(counts.columns)))
    figure.update_xaxes(title="instances in an image", dtick=1 if counts.index.max() < 20 else None)
    figure.update_yaxes(title="images")
    return figure


def keypoint_bars(keypoints: pd.DataFrame) -> go.Figure:
    """How often each keypoint is visible, occluded, and not labelled.

    Args:
        keypoints: As :func:`~vitruve.curation.statistics.keypoint_table` gives them.

    Returns:
        The figure, with the first keypoint on top.
    """
    figure = go.Figure()
    for name, color in (("visible", "#12a37a"), ("occluded", "#e69f00"), ("unlabelled", "#8c979e")):
        figure.add_bar(
            y=keypoints["keypoint"],
            x=keypoints[name],
            name=name,
            orientation="h",
            marker_color=color,
            hovertemplate="%{y}: %{x}",
        )
    figure.update_layout(barmode="stack", margin=_MARGIN, height=_rows(len(keypoints)), **_legend(3))
    figure.update_xaxes(title="instances")
    figure.update_yaxes(autorange="reversed")
    return figure


def count_bars(counts: Mapping[str, int], title: str) -> go.Figure:
    """Counts by name.

    Args:
        counts: The most frequent first.
        title: Of the axis.

    Returns:
        The figure, with the first one on top.
    """
    figure = go.Figure(go.Bar(x=list(counts.values()), y=[_named(name) for name in counts], orientation="h"))
    figure.update_layout(margin=_MARGIN, height=_rows(len(counts)))
    figure.update_xaxes(title=title)
    figure.update_yaxes(autorange="reversed")
    return figure


def task_bars(tasks: Sequence[Mapping[str, Any]]) -> go.Figure:
    """How many shapes of which class each task of a store has.

    Args:
        tasks: In their order, as :class:`~vitruve.annotation.store.stats.StoreStats` has them.

    Returns:
        The figure.
    """
    names = [f"{task['day'] or '-'}  {task['name']}" for task in tasks]
    totals: dict[str, int] = {}
    for task in tasks:
        for name, count in task["classes"].items():
            totals[name] = totals.get(name, 0) + count
    colors = colors_of(sorted(totals, key=lambda name: -totals[name]))
    figure = go.Figure()
    for name, color in colors.items():
        values = np.array([task["classes"].get(name, 0) for task in tasks])
        figure.add_bar(x=names, y=values, name=_named(name), marker_color=color)
    figure.update_layout(barmode="stack", margin=_MARGIN, height=420, **_legend(len(colors)))
    figure.update_yaxes(title="shapes")
    return figure


def _legend(count: int) -> dict[str, Any]:
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0.0}
    return {"showlegend": count > 1, "legend": legend}


def _rows(count: int) -> int:
    return max(180, 90 + 26 * count)


def _named(name: str) -> str:
    return name or "without a name"
