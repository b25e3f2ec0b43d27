"""``vitruve select-frames``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.options import listed


def command(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO", help="Videos, or folders of them.")],
    n: Annotated[int, typer.Option("--n", "-n", metavar="N", min=1, help="Frames to choose of each video.")] = 20,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Project folder; images go to labeled-data/<video>/ inside it."
        ),
    ] = Path(),
    context: Annotated[
        int, typer.Option(metavar="N", min=0, help="Neighbours in time written before and behind each frame.")
    ] = 2,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed gives the same frames.")] = 0,
    run: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run that has predicted the videos; frames it is unsure of are preferred."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Add the frames to this label file (.csv, as rows without coordinates) or queue (.jsonl); each view "
            "has its own, with the view in its name.",
        ),
    ] = None,
    views: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Synchronised views, in whose videos SESSION_VIEW the same instants are chosen; by default those of "
            "the run, or of config.yaml in the project.",
        ),
    ] = "",
    shortest: Annotated[
        bool, typer.Option("--shortest", help="Where views differ in length, leave out instants that not all have.")
    ] = False,
) -> None:
    """Choose different frames of videos to label next."""
    from vitruve import api

    for done in api.select_frames(
        videos,
        n,
        output=output,
        context=context,
        seed=seed,
        run=run,
        labels=labels,
        views=listed(views),
        shortest=shortest,
    ):
        line = f"{done.folder}: {len(done.indices)} frames to label, {done.written} images written"
        line += f", {done.existing} were there already" if done.existing else ""
        line += f", {done.rows} rows added to {labels}" if labels else ""
        typer.echo(line)
        if len(done.indices) < n:
            typer.echo(f"note: {done.video}: no more different frames than these", err=True)
