"""What the verbs that speak with a CVAT server have in common: which server is meant, and whether it is changed."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vitruve.annotation.cvat.server import CvatServer
    from vitruve.annotation.cvat.verbs import Outcome

Apply = Annotated[bool, typer.Option("--apply", help="Change the server; without, only say what would be done.")]


@dataclass(frozen=True)
class Connection:
    """Which server is meant, and who asks it. The fields are options of every verb that ``with_connection`` marks."""

    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Address of the server; by default VITRUVE_CVAT_URL.")
    ] = None
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help="File with the access token, which nobody else may read."),
    ] = None
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="NAME", help="User in place of a token; the password is asked for."),
    ] = None
    organization: Annotated[
        str | None, typer.Option("--organization", metavar="SLUG", help="Organisation whose tasks are meant.")
    ] = None
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", min=0.1, help="Seconds until each answer.")] = 60.0

    def open(self) -> CvatServer:
        """The server, which is asked from here on; a password is asked for where one is needed.

        Raises:
            InputError: There is no address, or nothing to be let in by.
            ServerError: The server cannot be reached, or lets us not in.
        """
        from vitruve.annotation.cvat.access import PASSWORD_VARIABLE, Access
        from vitruve.annotation.cvat.server import CvatServer

        word = None
        if self.user and not self.key_file:
            word = os.environ.get(PASSWORD_VARIABLE) or typer.prompt(
                f"Password of {self.user}", hide_input=True, err=True
            )
        access = Access.find(None, self.key_file, self.user, word)
        return CvatServer.connect(self.server, access=access, organization=self.organization, timeout=self.timeout)


def with_connection(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of ``Connection`` in place of its parameter ``connection``.

    Args:
        verb: Takes a ``Connection`` as ``connection``.

    Returns:
        The verb as Typer is to see it, with these options behind its own.
    """
    options = inspect.signature(Connection, eval_str=True).parameters
    signature = inspect.signature(verb, eval_str=True)
    own = [each for each in signature.parameters.values() if each.name != "connection"]

    @functools.wraps(verb)
    def command(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in options}
        verb(**given, connection=Connection(**chosen))

    command.__signature__ = signature.replace(parameters=[*own, *options.values()])  # type: ignore[attr-defined]
    return command


def tell(outcome: Outcome) -> None:
    """Print what was done, or would be."""
    for line in outcome.lines:
        typer.echo(line)
    if outcome.changes and not outcome.applied:
        typer.echo("nothing was changed: --apply does it", err=True)
