"""``vitruve remap``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="TABLE", help="Tables of predictions on cropped copies, or folders of them."),
    ],
    boxes: Annotated[
        Path,
        typer.Option(metavar="PATH", help="Table of the boxes shown by the copies, or a folder of such tables."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the new tables.")],
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size of the copies in pixels; by default as recorded beside the boxes."),
    ] = None,
) -> None:
    """Bring predictions on cropped copies back to pixels of the originals."""
    from vitruve import api
    from vitruve.geometry.sizes import parse_size

    for table in api.remap(list(sources), boxes, output, size=parse_size(size)):
        typer.echo(str(table))
