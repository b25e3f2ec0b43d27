"""``vitruve cvat pull``, ``push``, ``create-task`` and ``set-status``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitruve.cli.connection import Apply, Connection, tell, with_connection

group = typer.Typer(
    help="Tasks of a CVAT server: fetched, changed and made. The access token is read from CVAT_ACCESS_TOKEN.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Task = Annotated[str, typer.Argument(metavar="TASK", help="Number or name of the task.")]


@group.command("pull")
@with_connection
def pull(
    task: Task,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Takes annotations.xml and the images.")],
    images: Annotated[bool, typer.Option("--images/--no-images", help="Fetch the images, too.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an annotations.xml that holds changes of its own.")
    ] = False,
    *,
    connection: Connection,
) -> None:
    """Fetch a task with all that is drawn, and its images; broken off, it goes on where it stopped."""
    from vitruve import api

    tell(api.cvat_pull(task, folder, images=images, overwrite=overwrite, server=connection.open()))


@group.command("push")
@with_connection
def push(
    source: Annotated[Path, typer.Argument(metavar="LABELS", help="Label file, or annotations.xml as it was pulled.")],
    task: Task,
    apply: Apply = False,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="NAME", help="Take away what only the server has, such as shape-12."),
    ] = None,
    format: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read; recognised when left out.")
    ] = None,
    *,
    connection: Connection,
) -> None:
    """Bring what is drawn in a label file to a task; what is there already is not sent again."""
    from vitruve import api

    tell(api.cvat_push(source, task, apply=apply, remove=tuple(remove or ()), format=format, server=connection.open()))


@group.command("create-task")
@with_connection
def create_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the task.")],
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="A label file, a folder of images, images, or a video."),
    ],
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="CLASS", help="A class that boxes are drawn of.")
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="TASK", help="Task that has the labels to be taken.")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="The sources are names on the server's share.")] = False,
    subset: Annotated[str, typer.Option("--subset", metavar="NAME", help="Train, Validation or Test.")] = "",
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Make a task with images, and with what is drawn in a label file; what broke off is completed."""
    from vitruve import api

    outcome = api.cvat_create_task(
        name,
        sources,
        labels=tuple(label or ()),
        like=like,
        share=share,
        subset=subset,
        apply=apply,
        server=connection.open(),
    )
    tell(outcome)


@group.command("set-status")
@with_connection
def set_status(
    task: Task,
    status: Annotated[str, typer.Argument(metavar="STATUS", help="annotation, validation or completed.")],
    apply: Apply = False,
    *,
    connection: Connection,
) -> None:
    """Bring a task to a status, by its jobs."""
    from vitruve import api

    tell(api.cvat_set_status(task, status, apply=apply, server=connection.open()))
