"""What several runs say of a video, over its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from vitruve.app.analysis.videos import outline
from vitruve.app.figures.labelled import laid_out

_POINTS = 3000
_ROW = 170


def over_time(
    rows: Sequence[tuple[str, Mapping[str, tuple[int, Float[np.ndarray, " T"]]]]],
    colors: Mapping[str, str],
    frames: tuple[int, int],
) -> go.Figure:
    """Lines below one another over the same frames, one plot a value and one line a run.

    Args:
        rows: Title with unit, and for each run the number of its first frame and the values; NaN where missing.
        colors: Of the runs.
        frames: The first and the last that are shown. Where there are many, lines go through the extremes of each
            stretch.

    Returns:
        The figure.
    """
    count = len(rows)
    figure = make_subplots(rows=max(count, 1), cols=1, shared_xaxes=True, vertical_spacing=0.16 / max(count, 1))
    named = set()
    for place, (title, lines) in enumerate(rows, 1):
        for run, (start, values) in lines.items():
            low, high = max(frames[0] - start, 0), max(frames[1] - start + 1, 0)
            part = values[low:high]
            kept = outline(part, _POINTS)
            figure.add_scatter(
                x=kept + start + low,
                y=part[kept],
                mode="lines",
                line={"color": colors[run], "width": 1.4},
                name=run,
                legendgroup=run,
                showlegend=run not in named,
                hovertemplate="%{y:.3g}",
                row=place,
                col=1,
            )
            named.add(run)
        figure.update_yaxes(title={"text": title, "font": {"size": 11}}, row=place, col=1)
    figure.update_xaxes(title="Frame", row=max(count, 1), col=1)
    figure.update_xaxes(range=[frames[0] - 0.5, frames[1] + 0.5])
    figure.update_layout(hovermode="x unified")
    return laid_out(figure, 80 + _ROW * count)
