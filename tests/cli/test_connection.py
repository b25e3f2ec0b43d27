"""The options that say which server is meant, added to verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from vitruve.annotation.cvat.access import KEY_FILE_VARIABLE, PASSWORD_VARIABLE, TOKEN_VARIABLES
from vitruve.cli.connection import Connection, with_connection
from vitruve.errors import InputError


def test_a_verb_has_its_own_options_and_those_of_the_connection() -> None:
    seen: list[tuple[str, bool, Connection]] = []
    app = typer.Typer()

    @app.command("ask")
    @with_connection
    def ask(task: str, all_of_it: Annotated[bool, typer.Option("--all")] = False, *, connection: Connection) -> None:
        """Ask for a task."""
        seen.append((task, all_of_it, connection))

    who = ["--key-file", "k", "--user", "ada", "--organization", "lab"]
    words = ["seven", "--all", "--server", "http://h:1", *who, "--timeout", "2.5"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert CliRunner().invoke(app, ["eight"]).exit_code == 0
    assert seen == [
        ("seven", True, Connection("http://h:1", Path("k"), "ada", "lab", 2.5)),
        ("eight", False, Connection(None, None, None, None, 60.0)),
    ]
    assert CliRunner().invoke(app, ["eight", "--timeout", "0"]).exit_code == 2
    page = CliRunner().invoke(app, ["--help"]).output
    assert "Ask for a task." in page
    assert page.index("--all") < page.index("--server") < page.index("--timeout")


def test_nothing_is_asked_of_a_server_that_nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TOKEN_VARIABLES, KEY_FILE_VARIABLE, PASSWORD_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="no access to CVAT"):
        Connection("http://127.0.0.1:1").open()
