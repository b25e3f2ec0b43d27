"""``vitruve launch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER]...", help="What it serves and writes below; by default the working directory."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others than this machine need the printed link.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65535, help="By default 8501, or the next free one.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    name: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Another name by which browsers call this machine.")
    ] = None,
) -> None:
    """Open the web app: create, train, predict, look, compare and correct."""
    from vitruve.app.launch import launch

    launch(folders or ["."], host=host, port=port, browser=not no_browser, names=name or (), said=typer.echo)
