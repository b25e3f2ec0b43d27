"""``vitruve train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG.yaml] [KEY=VALUE]",
            help="The settings file, and settings that differ from it, such as training.max_epochs=50.",
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
    from vitruve.errors import ConfigError
    from vitruve.pipeline.report import outcome

    given = list(arguments or ())
    files = [item for item in given if "=" not in item and item.lower().endswith((".yaml", ".yml"))]
    if len(files) > 1 or (files and (config_path or config_name)):
        others = [item for item in (*files, config_path, config_name) if item]
        raise ConfigError(f"several settings files: {', '.join(others)}; name one")
    overrides = [item for item in given if item not in files]
    runs = api.train(files[0] if files else config_path, overrides, config_name=config_name, multirun=multirun)
    for run in (each for each in runs if each != Path()):  # empty in other processes than torchrun's first
        typer.echo(f"run: {run}")
        for line in outcome(run):
            typer.echo(line)
