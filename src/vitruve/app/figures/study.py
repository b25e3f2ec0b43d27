"""A search as figures: its trials over epochs, over the settings, and what the settings explain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from vitruve.app.study import reached, short_names

COLORS = [[0.0, "#2f6fe0"], [0.3, "#1f8fd0"], [0.6, "#56b4aa"], [0.8, "#c8c86e"], [1.0, "#e69f00"]]
"""From good to bad."""

_AGAIN = "again"


def trial_curves(state: Mapping[str, Any]) -> go.Figure:
    """The objective of each trial over its epochs.

    Args:
        state: As :func:`~vitruve.tuning.report.study_state` gives it.

    Returns:
        The figure; the best trial is drawn last and thick.
    """
    trials = [trial for trial in _shown(state) if trial["curve"]]
    low, high = _limits([value for trial in trials for _, value in trial["curve"]])
    figure = go.Figure()
    for trial in sorted(trials, key=lambda trial: trial["number"] == state["best"]):
        best = trial["number"] == state["best"]
        color = _color(reached(trial, state["direction"]), state, _limits(_values(state)))
        dash = "dot" if trial["state"] == "running" else "solid"
        figure.add_scatter(
            x=[epoch for epoch, _ in trial["curve"]],
            y=[value for _, value in trial["curve"]],
            mode="lines+markers" if len(trial["curve"]) < 2 else "lines",
            line={"width": 4 if best else 1.6, "color": color, "dash": dash},
            name=f"trial {trial['number']}{' (best)' if best else ''}",
            hovertemplate=f"trial {trial['number']}, {trial['state']}<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>",
        )
    figure.update_layout(showlegend=False, margin={"l": 0, "r": 0, "t": 8, "b": 0}, height=360)
    last = max((trial["curve"][-1][0] for trial in trials), default=0)
    figure.update_xaxes(title="epoch", dtick=1 if last < 12 else None)
    # Trials that diverged would push all others together.
    figure.update_yaxes(title=state["objective"], range=[low - 0.05 * (high - low), high + 0.05 * (high - low)])
    return figure


def parallel_coordinates(state: Mapping[str, Any], *, dark: bool = False) -> go.Figure:
    """Each trial as a line over the settings and the objective; dragging along an axis picks trials.

    Args:
        state: As :func:`~vitruve.tuning.report.study_state` gives it.
        dark: Whether it is drawn on black.

    Returns:
        The figure; a setting that a trial does not have lies below its axis.
    """
    trials = [trial for trial in _shown(state) if reached(trial, state["direction"]) is not None]
    names = short_names([each["key"] for each in state["space"]])
    values = [reached(trial, state["direction"]) or 0.0 for trial in trials]
    low, high = _limits(values)
    axes = [_axis(each, names[each["key"]], trials) for each in state["space"]]
    axes.append({"label": state["objective"], "values": np.clip(values, low, high), "range": [low, high]})
    # Streamlit's theme does not reach what these are drawn with.
    ink, paper = ("#e8eded", "#12181b") if dark else ("#1f2933", "#ffffff")
    figure = go.Figure(
        go.Parcoords(
            dimensions=axes,
            line={
                "color": np.clip(values, low, high),
                "colorscale": COLORS,
                "cmin": low,
                "cmax": high,
                "reversescale": state["direction"] == "maximize",
            },
            unselected={"line": {"color": "#7b8794", "opacity": 0.12}},
            labelfont={"size": 14, "color": ink},
            tickfont={"size": 12, "color": ink},
            rangefont={"size": 11, "color": "rgba(0,0,0,0)"},
        )
    )
    figure.update_layout(paper_bgcolor=paper, margin={"l": 72, "r": 72, "t": 56, "b": 24}, height=360)
    return figure


def importance_bars(shares: Mapping[str, float]) -> go.Figure:
    """How much of the differences between trials each setting explains.

    Args:
        shares: By full keys, adding up to 1.

    Returns:
        The figure.
    """
    names = short_names(list(shares))
    ordered = sorted(shares.items(), key=lambda item: item[1])
    figure = go.Figure(
        go.Bar(
            x=[100 * share for _, share in ordered],
            y=[names[key] for key, _ in ordered],
            customdata=[key for key, _ in ordered],
            orientation="h",
            hovertemplate="%{customdata}: %{x:.0f} %<extra></extra>",
        )
    )
    figure.update_layout(margin={"l": 0, "r": 0, "t": 8, "b": 0}, height=max(160, 60 + 44 * len(ordered)))
    figure.update_xaxes(title="share of the differences in %", range=[0, 100])
    return figure


def _axis(space: Mapping[str, Any], name: str, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    given = [trial["params"].get(space["key"]) for trial in trials]
    if "choices" in space:
        words = [str(choice) for choice in space["choices"]]
        places: list[float] = [-1.0 if value is None else float(words.index(str(value))) for value in given]
        return {
            "label": name,
            "values": places,
            "range": [min(0.0, *places, 0.0), max(1, len(words) - 1)],
            "tickvals": list(range(len(words))),
            "ticktext": words,
        }
    place = math.log10 if space["log"] else float
    low, high = place(space["low"]), place(space["high"])
    below = low - 0.1 * (high - low)
    values = [below if value is None else place(value) for value in given]
    ticks = np.linspace(low, high, 5)
    if space["int"]:
        ticks = np.unique([place(round(10**tick if space["log"] else tick)) for tick in ticks])
    return {
        "label": name,
        "values": values,
        "range": [below if None in given else low, high],
        "tickvals": ticks,
        "ticktext": [f"{10**tick if space['log'] else tick:.3g}" for tick in ticks],
    }


def _shown(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Trials that were begun again as others are shown as these."""
    return [trial for trial in state["trials"] if trial["state"] != _AGAIN]


def _values(state: Mapping[str, Any]) -> list[float]:
    found = (reached(trial, state["direction"]) for trial in _shown(state))
    return [value for value in found if value is not None]


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """What is drawn: all but what lies far outside the middle half."""
    if not values:
        return 0.0, 1.0
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 4 * (third - first)
    low, high = max(min(values), first - reach), min(max(values), third + reach)
    return (float(low), float(high)) if low < high else (float(low) - 0.5, float(low) + 0.5)


def _color(value: float | None, state: Mapping[str, Any], limits: tuple[float, float]) -> str:
    from plotly.colors import sample_colorscale

    if value is None:
        return "#7b8794"
    share = min(1.0, max(0.0, (value - limits[0]) / (limits[1] - limits[0])))
    return str(sample_colorscale(COLORS, share if state["direction"] == "minimize" else 1 - share)[0])
