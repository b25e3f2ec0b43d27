"""``vitruve evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained run.")],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Label file to compare with; the run's own labels by default."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the report; the run by default."),
    ] = None,
) -> None:
    """Measure how far predictions are from labels."""
    from rich.console import Console
    from rich.table import Table

    from vitruve import api

    report = api.evaluate(run, labels=labels, output=output)
    summary = report.summary
    table = Table()
    table.add_column(str(summary.index.name or ""))
    for column in summary.columns:
        table.add_column(str(column), justify="right")
    for name, row in summary.iterrows():
        table.add_row(str(name), *(_cell(value) for value in row))
    Console().print(table)
    for kind, path in report.files.items():
        typer.echo(f"{kind}: {path}")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value == value else ""
    return str(value)
