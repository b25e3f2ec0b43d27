"""``vitruve smooth-bbox``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class _Method(StrEnum):
    median = "median"
    mean = "mean"
    savgol = "savgol"


def command(
    sources: Annotated[
        list[Path], typer.Argument(metavar="TABLE", help="Tables of boxes of videos, or folders of them.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the smoothed tables.")],
    method: Annotated[
        _Method, typer.Option(help="Median or mean of a window, or a parabola fitted to it.")
    ] = _Method.median,
    window: Annotated[int, typer.Option(metavar="N", min=1, help="Frames of the window, an odd number.")] = 5,
    one_size: Annotated[bool, typer.Option("--one-size", help="Give all boxes of a video the median size.")] = False,
) -> None:
    """Smooth the boxes of videos over time."""
    from vitruve import api

    for one in api.smooth_boxes(list(sources), output, method=method.value, window=window, one_size=one_size):
        typer.echo(f"{one.table}: {one.boxes} boxes")
