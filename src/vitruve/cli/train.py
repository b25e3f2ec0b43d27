"""``vitruve train``."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Settings that differ from the file, such as training.max_epochs=50.",
        ),
    ] = None,
    config_path: Annotated[
        str | None, typer.Option("--config-path", "-cp", metavar="DIR", help="Folder of the settings file.")
    ] = None,
    config_name: Annotated[
        str | None, typer.Option("--config-name", "-cn", metavar="FILE", help="Name of the settings file.")
    ] = None,
    multirun: Annotated[
        bool,
        typer.Option("--multirun", "-m", help="One run for each combination of values listed as key=a,b."),
    ] = False,
) -> None:
    """Train a network on labelled images.

    Without arguments it trains on the example, which is generated first. resume=RUN goes on with a run that
    was broken off.
    """
    from vitruve import api

    runs = api.train(config_path, list(overrides or ()), config_name=config_name, multirun=multirun)
    for run in runs:
        typer.echo(f"run: {run}")
