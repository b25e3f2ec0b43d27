"""Options that several verbs have, and how a list in an option is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectName = Annotated[str, typer.Argument(metavar="NAME", help="The project, or its folder.")]
ProjectsFolder = Annotated[Path, typer.Option("--folder", metavar="DIR", help="Folder that projects are in.")]
Cameras = Annotated[
    str, typer.Option("--cameras", metavar="A,B,...", help="Names of the cameras that count; all by default.")
]
Locator = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="Run that finds the animal, for crops; by default the one the run keeps."),
]
BatchSize = Annotated[int | None, typer.Option(metavar="N", min=1, help="Images that go through the network together.")]


def listed(text: str) -> list[str]:
    """The words of a list such as ``A,B``.

    Args:
        text: Words with commas between them.

    Returns:
        The words, without spaces around them; none are empty.
    """
    return [word.strip() for word in text.split(",") if word.strip()]
