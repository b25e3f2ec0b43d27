"""``vitruve cvat pull``, ``push``, ``create-task`` and ``set-status``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vitruve.annotation.cvat.server import CvatServer
    from vitruve.annotation.cvat.verbs import Outcome

group = typer.Typer(
    help="Tasks of a CVAT server: fetched, changed and made. The access token is read from CVAT_ACCESS_TOKEN.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Server = Annotated[
    str | None, typer.Option("--server", metavar="URL", help="Address of the server; by default VITRUVE_CVAT_URL.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="File with the access token, which nobody else may read."),
]
User = Annotated[
    str | None,
    typer.Option("--user", metavar="NAME", help="User in place of a token; the password is asked for."),
]
Organization = Annotated[
    str | None, typer.Option("--organization", metavar="SLUG", help="Organisation whose tasks are meant.")
]
Timeout = Annotated[float, typer.Option("--timeout", metavar="S", min=0.1, help="Seconds until each answer.")]
Task = Annotated[str, typer.Argument(metavar="TASK", help="Number or name of the task.")]
Apply = Annotated[bool, typer.Option("--apply", help="Change the server; without, only say what would be done.")]


def connected(
    server: str | None, key_file: Path | None, user: str | None, organization: str | None, timeout: float
) -> CvatServer:
    """The server that the options name.

    Args:
        server: Its address, or None for the environment's.
        key_file: File with the token, or None.
        user: Name of a user, or None for a token.
        organization: Short name of the organisation, or None.
        timeout: Seconds until each answer.

    Returns:
        The server.
    """
    import os

    from vitruve.annotation.cvat.access import PASSWORD_VARIABLE, Access
    from vitruve.annotation.cvat.server import CvatServer

    word = None
    if user and not key_file:
        word = os.environ.get(PASSWORD_VARIABLE) or typer.prompt(f"Password of {user}", hide_input=True, err=True)
    access = Access.find(None, key_file, user, word)
    return CvatServer.connect(server, access=access, organization=organization, timeout=timeout)


def tell(outcome: Outcome) -> None:
    """Print what was done, or would be."""
    for line in outcome.lines:
        typer.echo(line)
    if outcome.changes and not outcome.applied:
        typer.echo("nothing was changed: --apply does it", err=True)


@group.command("pull")
def pull(
    task: Task,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Takes annotations.xml and the images.")],
    images: Annotated[bool, typer.Option("--images/--no-images", help="Fetch the images, too.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an annotations.xml that holds changes of its own.")
    ] = False,
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Fetch a task with all that is drawn, and its images; broken off, it goes on where it stopped."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    tell(api.cvat_pull(task, folder, images=images, overwrite=overwrite, server=connection))


@group.command("push")
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
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Bring what is drawn in a label file to a task; what is there already is not sent again."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    tell(api.cvat_push(source, task, apply=apply, remove=tuple(remove or ()), format=format, server=connection))


@group.command("create-task")
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
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Make a task with images, and with what is drawn in a label file; what broke off is completed."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    outcome = api.cvat_create_task(
        name,
        sources,
        labels=tuple(label or ()),
        like=like,
        share=share,
        subset=subset,
        apply=apply,
        server=connection,
    )
    tell(outcome)


@group.command("set-status")
def set_status(
    task: Task,
    status: Annotated[str, typer.Argument(metavar="STATUS", help="annotation, validation or completed.")],
    apply: Apply = False,
    server: Server = None,
    key_file: KeyFile = None,
    user: User = None,
    organization: Organization = None,
    timeout: Timeout = 60.0,
) -> None:
    """Bring a task to a status, by its jobs."""
    from vitruve import api

    connection = connected(server, key_file, user, organization, timeout)
    tell(api.cvat_set_status(task, status, apply=apply, server=connection))
