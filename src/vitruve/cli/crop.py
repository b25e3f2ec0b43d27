"""``vitruve crop``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE", help="Videos, folders of them, or the label file of images.")
    ],
    boxes: Annotated[
        Path,
        typer.Option(metavar="PATH", help="Table of boxes, or a folder with <video>_bbox.csv and bbox.csv."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the copies.")],
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Size of the copies in pixels; by default the boxes' median.")
    ] = None,
) -> None:
    """Write cropped copies of videos or labelled images, for other programs."""
    from vitruve import api
    from vitruve.geometry.sizes import parse_size

    for one in api.crop(list(sources), boxes, output, size=parse_size(size)):
        typer.echo(f"{one.output}: {one.images} images of {one.size[0]}x{one.size[1]} px; boxes in {one.table}")
