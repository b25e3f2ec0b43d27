"""How all plots look: size, colours, axes, legends. Figures are built without pyplot, so nothing global changes."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 160
WIDTH = 5.6
"""Of a plot, in inches."""
INK, FAINT, GRID = "#1f2933", "#616e7c", "#e4e7eb"


def new_figure(title: str, height: float = 4.0) -> tuple[Figure, Axes]:
    """A figure with one plot.

    Args:
        title: Above the plot.
        height: In inches.

    Returns:
        The figure and its axes.
    """
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    dress(axes, title)
    return figure, axes


def dress(axes: Axes, title: str) -> None:
    """Give axes their grid, colours and sizes of letters.

    Args:
        axes: Of a plot.
        title: Above it; empty for none.
    """
    if title:
        axes.set_title(title, fontsize=11.5, color=INK, loc="left", pad=14, parse_math=False)
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9.5, labelcolor=INK, color=FAINT, length=3)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=10, color=INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)


def nothing(figure: Figure, axes: Axes, reason: str) -> Figure:
    """A plot that says why it is empty.

    Args:
        figure: The figure.
        axes: Its only axes.
        reason: What is said.

    Returns:
        The figure.
    """
    figure.set_figheight(1.6)
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", color=FAINT, fontsize=11)
    return figure


def legend(figure: Figure, columns: int, axes: Axes | None = None) -> None:
    """A legend below the plots.

    Args:
        figure: The figure.
        columns: How many names there are; three stand side by side at most.
        axes: Those whose names are shown; the first ones by default.
    """
    handles, names = (axes or figure.axes[0]).get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(columns, 3),
        fontsize=9.5,
        frameon=False,
        labelcolor=INK,
        handlelength=2.6,
    )
