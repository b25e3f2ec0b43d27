"""``vitruve bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained run.")],
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the figures as JSON.")] = None,
    source: Annotated[
        Path | None,
        typer.Option(metavar="VIDEO", help="Video to measure with; one is rendered when left out."),
    ] = None,
) -> None:
    """Measure how fast a run predicts, and choose its runtime anew."""
    from rich.console import Console

    from vitruve import api
    from vitruve.atomic import atomic_write

    figures = api.bench(run, source=source)
    Console().print(figures.table())
    typer.echo(f"recorded: from now on, predictions with this run go by these figures; this one used {figures.runtime}")
    if json is not None:
        atomic_write(json, figures.to_json())
        typer.echo(f"json: {json}")
