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
) -> None:
    """Write a small project of rendered images with exact labels."""
    from vitruve import api

    typer.echo(f"example: {api.example(name, directory)}")
