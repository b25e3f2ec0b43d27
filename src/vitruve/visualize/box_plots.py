"""Pictures of how boxes with classes were found: curves over thresholds, and which classes are taken for which."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vitruve.visualize.look import DPI, FAINT, INK, WIDTH, dress, legend, new_figure, nothing

# With more classes than this, a table has no room for its numbers.
_MOST_NUMBERS = 25


def threshold_curves(
    values: Float[np.ndarray, "S I"], confidences: Sequence[float], ious: Sequence[float], title: str, label: str
) -> Figure:
    """A figure of a class over thresholds on intersection over union, one curve a threshold on confidence.

    Args:
        values: From 0 to 1 by confidence and intersection over union; NaN where not defined.
        confidences: Of the curves.
        ious: Of their points.
        title: Above the plot.
        label: What the values are.

    Returns:
        The figure.
    """
    figure, axes = new_figure(title)
    if np.isnan(values).all():
        return nothing(figure, axes, f"{label}: nothing to measure")
    paints = colormaps["viridis"](np.linspace(0, 0.85, len(confidences)))
    for row, confidence, paint, marker in zip(values, confidences, paints, _markers(len(confidences)), strict=True):
        axes.plot(ious, row, color=paint, marker=marker, markersize=4.5, label=f"confidence {confidence:g}")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("Least intersection over union")
    axes.set_ylabel(label)
    legend(figure, len(confidences))
    return figure


def confusion_picture(table: pd.DataFrame, title: str = "Labelled classes and what they are taken for") -> Figure:
    """A table of confusion; the darker, the larger the share of its row.

    Args:
        table: ``(C + 1, C + 1)`` counts with labelled classes as rows and predicted ones as columns; the last of both
            are what is not labelled and what is missed.
        title: Above the picture.

    Returns:
        The figure; it grows with the number of classes.
    """
    count = len(table)
    side = float(np.clip(0.42 * count, 2.2, 14))
    longest = max(len(str(name)) for name in table.index) * 0.075
    figure = Figure(
        figsize=(max(side + longest + 0.7, 0.75 * WIDTH), side + longest + 0.9), dpi=DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    dress(axes, title)
    axes.grid(False)
    counts = table.to_numpy()
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    size = float(np.clip(90 / count, 5, 9.5))
    if count <= _MOST_NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            ink = "white" if share[row, column] > 0.55 else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=size)
    for place in (count - 1.5,):
        axes.axhline(place, color=FAINT, linewidth=0.8)
        axes.axvline(place, color=FAINT, linewidth=0.8)
    size = float(np.clip(180 / count, 5, 9.5))
    axes.set_xticks(range(count), [str(name) for name in table.columns], rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(range(count), [str(name) for name in table.index], fontsize=size, parse_math=False)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("Labelled")
    return figure


def svg_text(figure: Figure) -> str:
    """A figure as the content of an SVG file.

    Args:
        figure: The figure.

    Returns:
        The text.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _markers(count: int) -> list[str]:
    return ["osD^vP*X"[number % 8] for number in range(count)]
