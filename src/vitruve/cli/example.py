"""``vitruve example``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which example.")] = "mouse",
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder to write it to; example_NAME by default.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=NUMBER", help="What differs from the usual, such as frames=50; repeatable."),
    ] = None,
) -> None:
    """Write a small project of rendered images with exact labels, or a rig of calibrated cameras."""
    from vitruve import api
    from vitruve.errors import InputError

    extent = {}
    for change in changes or ():
        key, _, value = change.partition("=")
        if not key or not value.removeprefix("-").isdecimal():
            raise InputError(f"--set {change}: give KEY=NUMBER, such as frames=50")
        extent[key] = int(value)
    typer.echo(f"example: {api.example(name, directory, **extent)}")
