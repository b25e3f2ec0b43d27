"""``vitruve label-next``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.connection import Apply, Connection, tell, with_connection


@with_connection
def command(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Folders of images (each a clip), images, or videos.")
    ],
    n: Annotated[int, typer.Option("--n", "-n", metavar="N", min=1, help="Images to choose, of all sources.")] = 20,
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", metavar="RUN", help="Run that says how sure it is; repeat it for several networks."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            help="both, entropy, spread, diversity, coreset or random; both with a run, else diversity.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the images and their list.")
    ] = Path("label_next"),
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What is labelled already, which is not chosen again.")
    ] = None,
    apart: Annotated[
        int, typer.Option(metavar="FRAMES", min=0, help="Least distance of two chosen frames of one clip.")
    ] = 25,
    most: Annotated[int, typer.Option(metavar="N", min=2, help="Frames of each video that are looked at.")] = 500,
    backbone: Annotated[
        str, typer.Option(metavar="NAME", help="Network of timm that compares images, without a run.")
    ] = "resnet18",
    weights: Annotated[Path | None, typer.Option(metavar="FILE", help="Its weights.")] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained/--random", help="Published weights where there is no file, or random ones.")
    ] = True,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed gives the same choice.")] = 0,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = "auto",
    cvat_task: Annotated[
        str | None, typer.Option(metavar="NAME", help="Make a task of this name of them on a CVAT server.")
    ] = None,
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Choose images to label next: those that a network is unsure of and that differ."""
    from vitruve import api

    done = api.label_next(
        sources,
        output,
        n,
        runs=run or (),
        by=by,
        labels=labels,
        apart=apart,
        most=most,
        backbone=backbone,
        weights=weights,
        pretrained=pretrained,
        seed=seed,
        device=device,
    )
    typer.echo(f"{done.images}: {len(done.chosen)} of {done.among} images to label")
    if len(done.chosen) < n:
        typer.echo("note: there are no more images than these", err=True)
    typer.echo(str(done.list))
    if cvat_task is not None:
        tell(api.cvat_create_task(cvat_task, [done.labels], apply=apply, server=connection.open()))
