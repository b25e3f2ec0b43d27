"""``vitruve evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.options import Locator

# The columns that fit on a terminal; the tables and the page hold all of them.
_SHOWN = {
    "split": "split",
    "frames": "frames",
    "keypoints": "keypoints",
    "mean_error_px": "mean px",
    "median_error_px": "median px",
    "p95_error_px": "p95 px",
    "pck_5px_percent": "PCK 5 px",
    "pck_10px_percent": "PCK 10 px",
}


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained run.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Label file, or folder of one a view, to compare with; the run's own by default."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the report; the run by default."),
    ] = None,
    locator: Locator = None,
    boxes: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Table of boxes of the labelled images, or a folder with bbox.csv."),
    ] = None,
) -> None:
    """Measure how far predictions are from labels."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from vitruve import api

    report = api.evaluate(run, labels=labels, output=output, locator=locator, boxes=boxes)
    summary = report.summary
    # Narrow enough for a terminal of 80 columns, in which no heading may be cut.
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in _SHOWN.values():
        table.add_column(heading, justify="right")
    for _, row in summary.iterrows():
        table.add_row(*(_cell(row[column]) for column in _SHOWN))
    Console().print(table)
    page = report.files["report"]
    typer.echo(f"report: {page}")
    typer.echo(f"tables and pictures: {page.parent}")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value == value else ""
    return str(value)
