"""``vitruve convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Label file, or folder of a labelled project.")],
    destination: Annotated[Path, typer.Argument(metavar="DESTINATION", help="File or folder to write.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="Format to write (see `vitruve list formats`); by default what the destination's suffix says, "
            "else lightning_pose.",
        ),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read; recognised when left out.")
    ] = None,
    first_instance: Annotated[
        bool,
        typer.Option("--first-instance", help="Where the new format has room for one animal an image, keep the first."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")] = False,
) -> None:
    """Convert labels from one format to another."""
    from vitruve import api

    result = api.convert(source, destination, to=to, from_=from_, first_instance=first_instance, overwrite=overwrite)
    typer.echo(f"{destination}: {result.frames} frames, {result.keypoints} keypoints")
    for note in result.notes:
        typer.echo(f"note: {note}", err=True)
