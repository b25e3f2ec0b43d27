"""``vitruve create-bbox``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.options import listed


def command(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="TABLE", help="Tables of predictions (CSV, HDF5), label files, or folders of them."),
    ],
    ratio: Annotated[
        float, typer.Option("--crop-ratio", metavar="R", help="Size of a box: R times the extent of the anchors.")
    ] = 2.0,
    size: Annotated[
        float | None,
        typer.Option("--crop-size", metavar="N", help="Longer side of all boxes in pixels, instead of the ratio."),
    ] = None,
    anchors: Annotated[
        str,
        typer.Option("--anchor-keypoints", metavar="NAME,NAME", help="Keypoints a box is put around; all if empty."),
    ] = "",
    threshold: Annotated[
        float,
        typer.Option(metavar="CONFIDENCE", help="Keypoints of lower likelihood, 0 to 1, do not count."),
    ] = 0.3,
    min_size: Annotated[
        float, typer.Option(metavar="N", help="Shorter side of a box in pixels, at least: anchors may coincide.")
    ] = 32.0,
    aspect: Annotated[float, typer.Option(metavar="A", help="Width over height of the boxes.")] = 1.0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the tables; beside each source by default."),
    ] = None,
) -> None:
    """Put a box around the animal in each frame, from predictions or labels."""
    from vitruve import api

    made = api.create_boxes(
        list(sources),
        ratio=ratio,
        size=size,
        anchors=listed(anchors),
        threshold=threshold,
        min_size=min_size,
        aspect=aspect,
        output=output,
    )
    for one in made:
        typer.echo(f"{one.table}: {one.boxes} boxes, {one.filled} of them filled in")
