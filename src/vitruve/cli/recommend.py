"""``vitruve recommend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Label file, or project folder.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Settings file to write; recommended.yaml beside the labels by default.",
        ),
    ] = None,
    print_only: Annotated[bool, typer.Option("--print-only", help="Print the settings and write nothing.")] = False,
) -> None:
    """Recommend training settings for labelled images, each with its reason."""
    from vitruve import api

    if print_only:
        typer.echo(api.recommend(dataset).yaml, nl=False)
        return
    file = output or (dataset if dataset.is_dir() else dataset.parent) / "recommended.yaml"
    made = api.recommend(dataset, file)
    for setting in made.settings:
        typer.echo(f"{setting.key} = {setting.value}: {setting.reason}")
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{file}: train with it: vitruve train --config-path {file.parent} --config-name {file.stem}")
