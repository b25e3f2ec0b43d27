"""``vitruve evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitruve.cli.options import Flip, Locator, Scales, numbers

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

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
_CLASSES = {"split": "split", "frames": "images", "top1_percent": "top-1 %", "top5_percent": "top-5 %"}
_BOXES = ("split", "images", "objects", "AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")
_PEOPLE = ("split", "images", "people", "AP", "AP50", "AP75", "APm", "APl", "AR")


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained run.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Label file, or folder of one a view or of classes, to compare with; the run's own by default.",
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
    flip: Flip = None,
    scales: Scales = None,
    pictures: Annotated[
        int, typer.Option(metavar="N", min=0, help="Draw the predictions on so many of the images.")
    ] = 0,
) -> None:
    """Measure how far predictions are from labels."""
    from rich.console import Console

    from vitruve import api
    from vitruve.evaluation.boxes_report import BoxReport
    from vitruve.evaluation.classes import ClassReport

    report = api.evaluate(
        run,
        labels=labels,
        output=output,
        locator=locator,
        boxes=boxes,
        flip=flip,
        scales=numbers(scales, "--scales"),
        pictures=pictures,
    )
    if isinstance(report.report, ClassReport):
        Console().print(_table(report.summary, _CLASSES))
    elif isinstance(report.report, BoxReport):
        Console().print(_table(report.summary, dict(zip(_BOXES, _BOXES, strict=True))))
    else:
        people = report.report.people
        if people is not None:
            Console().print(_table(people.average_precision, dict(zip(_PEOPLE, _PEOPLE, strict=True))))
            for row in people.identities.to_dict("records"):
                typer.echo(f"{row['video']}: IDF1 {100 * row['idf1']:.1f} %, {row['switches']} identity switches")
        Console().print(_table(report.summary, _SHOWN))
    page = report.files["report"]
    typer.echo(f"report: {page}")
    typer.echo(f"tables and pictures: {page.parent}")


def _table(rows: pd.DataFrame, columns: Mapping[str, str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    # Narrow enough for a terminal of 80 columns, in which no heading may be cut.
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for heading in columns.values():
        table.add_column(heading, justify="right")
    for _, row in rows.iterrows():
        table.add_row(*(_cell(row[column]) for column in columns))
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value == value else ""
    return str(value)
