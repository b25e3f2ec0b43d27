"""``vitruve analyze validation``, ``histogram`` and ``keypoints``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.options import Cameras, Locator, listed

group = typer.Typer(help="Measure errors in space.", no_args_is_help=True, rich_markup_mode=None)

# The columns that fit on a terminal; metrics.json and the page hold all of them.
_SHOWN = {
    "method": "method",
    "keypoints": "points",
    "missed": "missed",
    "mpjpe_mm": "mean mm",
    "median_mm": "median mm",
    "p95_mm": "p95 mm",
    "pck3d_5mm_percent": "PCK 5 mm",
    "pck3d_10mm_percent": "PCK 10 mm",
}
_Folders = Annotated[
    list[Path], typer.Argument(metavar="FOLDER...", help="Folders that `vitruve analyze validation` wrote.")
]
_Cutoff = Annotated[
    float | None, typer.Option(metavar="MM", help="Larger errors are in the last bin of the histogram.")
]
_Picture = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="PNG file; in the first folder by default.")
]


@group.command("validation")
def validation(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained run.")],
    labels: Annotated[
        Path, typer.Option(metavar="LABELS", help="A TrainingSet, or other labels of calibrated cameras.")
    ],
    cameras: Cameras = "",
    split: Annotated[str, typer.Option(metavar="NAME", help="validation, train, test or all.")] = "validation",
    every_count: Annotated[bool, typer.Option("--every-count", help="Also with 2, 3, ... of the cameras.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder; in the run by default."),
    ] = None,
    locator: Locator = None,
    cutoff: _Cutoff = None,
) -> None:
    """Predict labelled framesets and measure how far the points are from the truth, in millimetres."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from vitruve import api

    made = api.analyze_validation(
        run,
        labels,
        cameras=listed(cameras),
        split=split,
        every_count=every_count,
        output=output,
        locator=locator,
        cutoff=cutoff,
    )
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, heading in enumerate(_SHOWN.values()):
        table.add_column(heading, justify="right" if number else "left")
    for _, row in made.report.summary.iterrows():
        values = (row[column] for column in _SHOWN)
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in values))
    Console().print(table)
    lost = len(made.report.dropped)
    typer.echo(f"framesets: {len(made.report.names)}" + (f"; nothing was located in {lost} more" if lost else ""))
    typer.echo(f"report: {made.files['report']}")


@group.command("histogram")
def histogram(
    folders: _Folders,
    cutoff: _Cutoff = None,
    output: _Picture = None,
    each_keypoint: Annotated[bool, typer.Option("--each-keypoint", help="One plot a keypoint.")] = False,
) -> None:
    """Draw the error histograms of analyses over one another."""
    from vitruve import api

    typer.echo(f"picture: {api.plot_error_histogram(folders, output, cutoff, each_keypoint=each_keypoint)}")


@group.command("keypoints")
def keypoints(folders: _Folders, output: _Picture = None) -> None:
    """Draw the mean error of each keypoint of analyses beside one another."""
    from vitruve import api

    typer.echo(f"picture: {api.plot_error_per_keypoint(folders, output)}")
