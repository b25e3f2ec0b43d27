"""``vitruve track``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.options import listed


def command(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="Predictions of a video: CSV, HDF5 or COCO's json.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Table to write; PREDICTIONS_tracked.csv by default."),
    ] = None,
    max_individuals: Annotated[
        int | None, typer.Option(metavar="N", help="How many there are; never more identities than this.")
    ] = None,
    max_gap: Annotated[
        int, typer.Option(metavar="FRAMES", help="Frames without being seen after which a track ends.")
    ] = 25,
    min_frames: Annotated[int, typer.Option(metavar="FRAMES", help="Shorter tracks are left out.")] = 3,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="csv|h5|coco", help="File format; repeat it or write csv,h5. [default: csv]"),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Labels with true tracks of the video, to measure by.")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The video, to draw the tracks into a copy of it.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(metavar="CONFIDENCE", min=0.0, max=1.0, help="Draw keypoints of at least this confidence.")
    ] = 0.3,
) -> None:
    """Give predicted people or animals identities that stay the same over time."""
    from vitruve import api

    done = api.track(
        predictions,
        output,
        max_individuals=max_individuals,
        max_gap=max_gap,
        min_frames=min_frames,
        formats=tuple(name for entry in formats or ["csv"] for name in listed(entry)),
        truth=truth,
        video=video,
        threshold=threshold,
    )
    typer.echo(f"{done.individuals} individuals")
    if done.identities is not None:
        kept = done.identities
        typer.echo(f"IDF1 {100 * kept.idf1:.1f} %, {kept.switches} identity switches, MOTA {100 * kept.accuracy:.1f} %")
    for file in done.outputs:
        typer.echo(str(file))
