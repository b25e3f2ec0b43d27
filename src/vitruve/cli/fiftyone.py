"""``vitruve fiftyone``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of trained runs.")],
    name: Annotated[
        str | None,
        typer.Option("--name", "-n", metavar="NAME", help="Name of the data set; by default the run's."),
    ] = None,
    model_name: Annotated[
        list[str] | None,
        typer.Option("--model-name", metavar="NAME", help="What a run is called, once a run; by default its folder."),
    ] = None,
    videos: Annotated[
        list[Path] | None,
        typer.Option("--videos", metavar="PATH", help="Show predicted videos, or a folder of them; can be repeated."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the predictions of videos, where they are not in the runs."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the labelled images; data.data_dir of the runs by default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a data set of this name.")] = False,
    launch: Annotated[bool, typer.Option("--launch", help="Serve the viewer's page until Ctrl-C.")] = False,
    local: Annotated[bool, typer.Option("--local", help="With --launch: open a browser here.")] = False,
    address: Annotated[str, typer.Option(metavar="HOST", help="Address of the page.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Port of the page.")] = 5151,
) -> None:
    """Put labels and predictions of runs into a data set of the viewer FiftyOne."""
    from vitruve import api

    created = api.create_fiftyone_dataset(
        runs,
        name,
        model_names=model_name or None,
        videos=videos or (),
        predictions=predictions,
        images=images,
        overwrite=overwrite,
    )
    fields = ", ".join(f"{field}_preds ({title})" for field, title in created.models.items())
    typer.echo(f"FiftyOne data set: {created.name}, {created.samples} samples, {fields}")
    if launch:
        from vitruve.viewer.app import show

        show(created.name, address=address, port=port, remote=not local)
