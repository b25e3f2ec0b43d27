"""``vitruve tune``."""

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
            help="The settings file with its section tune, and settings that differ from it, such as "
            "tune.max_trials=16 or tune.space.KEY='{low: 1, high: 9}'.",
        ),
    ] = None,
    config_path: ConfigPath = None,
    config_name: ConfigName = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="SETTINGS.json", help="Settings of OBDB, whose variants run in order."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Annotation store that holds the tasks which SETTINGS.json names."),
    ] = None,
    task_list: Annotated[
        str, typer.Option("--task-list", "-l", metavar="KEY", help="Which list of tasks of SETTINGS.json is the data.")
    ] = "annotations_list",
    watch: Annotated[
        Path | None, typer.Option(metavar="STUDY", help="Only show the page of a study, until Ctrl-C.")
    ] = None,
) -> None:
    """Search for the settings that train best.

    Each trial is a run below the folder of the study; best.yaml there is for vitruve train. resume=STUDY goes on with
    a study, or takes part in it.
    """
    from vitruve import api
    from vitruve.errors import ConfigError

    given = list(arguments or ())
    if watch is not None:
        if given or file is not None:
            raise ConfigError(f"--watch {watch}: shows a study as it is; leave out {given[0] if given else file}")
        api.watch_study(watch)
        return
    if file is not None:
        for done in api.tune_variants(file, given, store=store, task_list=task_list):
            typer.echo(f"{done.variant}: {done.run or done.settings}")
        return
    config_path, overrides = settings_file(given, config_path, config_name)
    found = api.tune(config_path, overrides, config_name=config_name)
    typer.echo(f"study: {found.directory}")
    typer.echo(f"trials: {found.trials}")
    if found.best is None:
        typer.echo("no trial was carried out to its end")
        return
    typer.echo(f"best: {found.value:.6g} with " + ", ".join(f"{key}={value}" for key, value in found.values.items()))
    typer.echo(f"vitruve train {found.best}")
