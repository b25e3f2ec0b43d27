"""Trainings as figures: losses and errors over epochs, of one run or of several."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from vitruve.app.figures.colors import colors_of
from vitruve.app.training.curves import ERRORS, LOSS, TRAIN_LOSS, Curves, column_name, is_share

_HEIGHT = 300
_FEW = 8
_MARGIN = {"l": 10, "r": 10, "t": 30, "b": 10}
_TRAINING, _VALIDATION = "#8c979e", "#1f8fd0"


def loss_figure(curves: Curves, log: bool = False) -> go.Figure:
    """The loss of a run on training and on validation images.

    Args:
        curves: Of the run.
        log: A logarithmic axis.

    Returns:
        The figure.
    """
    figure = go.Figure()
    for column, name, color in ((TRAIN_LOSS, "training", _TRAINING), (LOSS, "validation", _VALIDATION)):
        _line(figure, curves, column, name, color)
    return _laid_out(figure, "loss", log)


def error_figure(curves: Curves) -> go.Figure:
    """How good a run is on validation images, with its best epoch marked.

    Args:
        curves: Of the run.

    Returns:
        The figure, without a line before the first validation.
    """
    figure = go.Figure()
    column = curves.error or "val_pixel_error"
    _line(figure, curves, column, "validation", _VALIDATION)
    best, unit = curves.best(column), curves.unit if column == "val_pixel_error" else "%"
    if best is not None:
        figure.add_scatter(
            x=[best[0]],
            y=[best[1]],
            mode="markers",
            marker={"size": 11, "symbol": "star", "color": "#e69f00"},
            name=f"best: {best[1]:.3g} {unit} in epoch {best[0]}",
            hoverinfo="skip",
        )
    title = f"validation error ({curves.unit})" if column == "val_pixel_error" else f"validation {ERRORS[column]}"
    figure = _laid_out(figure, title)
    return figure if is_share(column) else figure.update_yaxes(rangemode="tozero")


def compared_figure(runs: Sequence[Curves], column: str, log: bool = False, share: bool = False) -> go.Figure:
    """One column of several runs.

    Args:
        runs: Their curves.
        column: What is drawn; of the loss on validation images also that on training images, dashed.
        log: A logarithmic axis of values.
        share: Epochs as a share of all that were done, so that long and short runs can be compared.

    Returns:
        The figure, one colour a run.
    """
    figure = go.Figure()
    colors = colors_of(each.name for each in runs)
    for each in runs:
        last = max(each.epochs, default=1)
        scale = 100 / last if share else 1.0
        if column == LOSS:
            _line(figure, each, TRAIN_LOSS, f"{each.name} (training)", colors[each.name], dash="dot", scale=scale)
        _line(figure, each, column, each.name, colors[each.name], scale=scale)
    units = {each.unit for each in runs}
    figure = _laid_out(figure, column_name(column, "/".join(sorted(units))), log)
    figure.update_layout(height=460, legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0})
    return figure.update_xaxes(title="percent of the epochs done", dtick=None) if share else figure


def _line(
    figure: go.Figure, curves: Curves, column: str, name: str, color: str, dash: str = "solid", scale: float = 1.0
) -> None:
    epochs, values = curves.points(column)
    if not epochs:
        return
    x = epochs if scale == 1.0 else [epoch * scale for epoch in epochs]
    # A single point has no line, and validations may be far apart.
    mode = "lines+markers" if len(epochs) < 40 else "lines"
    figure.add_scatter(
        x=x,
        y=values,
        mode=mode,
        name=name,
        line={"color": color, "width": 2, "dash": dash},
        marker={"size": 5},
        hovertemplate="%{y:.4g}",
    )


def _laid_out(figure: go.Figure, title: str, log: bool = False) -> go.Figure:
    figure.update_layout(
        height=_HEIGHT,
        margin=_MARGIN,
        hovermode="x unified",
        # What somebody has zoomed to stays when the next epoch comes.
        uirevision="kept",
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    last = max((max(line.x) for line in figure.data), default=0)
    # Plotly would put ticks between the first few epochs, and round what it writes there.
    figure.update_xaxes(title="epochs done", rangemode="tozero", dtick=1 if last <= _FEW else None)
    figure.update_yaxes(title=title, type="log" if log else "linear")
    return figure
