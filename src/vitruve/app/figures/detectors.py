"""Curves of detectors, and which classes they take for which."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float

from vitruve.app.figures.labelled import laid_out

_FIGURES = {"precision": "solid", "recall": "dash", "f1": "dot"}
_NAMES = {"precision": "precision", "recall": "recall", "f1": "F1"}
_MOST_NUMBERS = 25


def precision_recall(
    curves: Mapping[str, Float[np.ndarray, " R"]], recalls: Float[np.ndarray, " R"], colors: Mapping[str, str]
) -> go.Figure:
    """Precision over recall; the area below a curve is its average precision.

    Args:
        curves: By name, from 0 to 1.
        recalls: At which precision is known.
        colors: Of the curves.

    Returns:
        The figure.
    """
    figure = go.Figure()
    for name, curve in curves.items():
        figure.add_scatter(
            x=recalls,
            y=curve,
            mode="lines",
            line={"color": colors[name], "width": 2},
            name=f"{name} ({100 * float(np.mean(curve)):.1f} %)",
            hovertemplate="recall %{x:.2f}: precision %{y:.2f}",
        )
    figure.update_xaxes(title="Recall", range=[0, 1.01])
    figure.update_yaxes(title="Precision", range=[0, 1.02])
    return laid_out(figure, 440)


def over_confidence(tables: Mapping[str, pd.DataFrame], colors: Mapping[str, str]) -> go.Figure:
    """Precision, recall and F1 over the threshold on confidence; the best F1 is marked.

    Args:
        tables: By name, as :func:`vitruve.app.analysis.detectors.over_confidence` gives them.
        colors: Of the names.

    Returns:
        The figure.
    """
    figure = go.Figure()
    for name, table in tables.items():
        for column, dash in _FIGURES.items():
            figure.add_scatter(
                x=table["confidence"],
                y=table[column],
                mode="lines",
                line={"color": colors[name], "dash": dash, "width": 2},
                name=f"{name}: {_NAMES[column]}",
                legendgroup=name,
                showlegend=False,
                hovertemplate="from %{x:.2f}: %{y:.2f}",
            )
        if table["f1"].notna().any():
            best = table.loc[int(table["f1"].argmax())]
            figure.add_scatter(
                x=[best["confidence"]],
                y=[best["f1"]],
                mode="markers",
                marker={"color": colors[name], "size": 12, "symbol": "star"},
                name=f"{name}: best F1 {best['f1']:.2f} from {best['confidence']:.2f}",
                legendgroup=name,
                hoverinfo="skip",
            )
    figure.update_xaxes(title="Least confidence", range=[0, 1])
    figure.update_yaxes(title="Share (0 to 1)", range=[0, 1.02])
    return laid_out(figure, 440)


def confusion(table: pd.DataFrame, *, dark: bool = False) -> go.Figure:
    """Which classes are taken for which; the stronger the colour, the larger the share of the row.

    Args:
        table: Labelled classes as rows, predicted ones as columns; see
            :func:`vitruve.evaluation.boxes_grid.confusion`.
        dark: Whether it is drawn on black.

    Returns:
        The figure; it grows with the number of classes.
    """
    counts = table.to_numpy()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    rows, columns = [str(name) for name in table.index], [str(name) for name in table.columns]
    empty = "#12181b" if dark else "#ffffff"
    figure = go.Figure(
        go.Heatmap(
            z=100 * shares,
            x=columns,
            y=rows,
            customdata=counts,
            text=np.where(counts > 0, counts.astype(str), ""),
            texttemplate="%{text}" if len(rows) <= _MOST_NUMBERS else None,
            colorscale=[[0, empty], [1, "#1f8fd0"]],
            zmin=0,
            zmax=100,
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "% of row"}},
            hovertemplate="%{y} taken for %{x}: %{customdata} (%{z:.1f} %)<extra></extra>",
        )
    )
    figure.update_yaxes(title="Labelled", autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(title="Predicted", side="bottom", showgrid=False, type="category")
    return laid_out(figure, int(np.clip(180 + 32 * len(rows), 320, 1200)))
