"""``vitruve train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.options import ConfigName, ConfigPath, settings_file


def command(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG.yaml] [KEY=VALUE]",
            help="The settings file, and settings that differ from it, such as training.max_epochs=50.",
        ),
    ] = None,
    config_path: ConfigPath = None,
    config_name: ConfigName = None,
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
    from vitruve.pipeline.report import outcome

    config_path, overrides = settings_file(arguments or (), config_path, config_name)
    runs = api.train(config_path, overrides, config_name=config_name, multirun=multirun)
    for run in (each for each in runs if each != Path()):  # empty in other processes than torchrun's first
        typer.echo(f"run: {run}")
        for line in outcome(run):
            typer.echo(line)
