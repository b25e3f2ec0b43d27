"""Every verb explains itself, and quickly."""

from __future__ import annotations

import resource
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from house.sources import PACKAGE, run_python
from vitruve.cli.main import build, verbs

PROMISED = {"train", "predict", "evaluate", "convert", "bench", "list", "example", "recommend", "select-frames"}
SECONDS = 0.3
TRIES = 5


def command(verb: str) -> Any:
    """A verb as the parser sees it."""
    return get_command(build()).commands[verb]  # type: ignore[attr-defined]


def test_the_promised_verbs_are_there() -> None:
    assert set(verbs()) >= PROMISED
    assert set(verbs()) == {
        path.stem.replace("_", "-")
        for path in (PACKAGE / "cli").glob("*.py")
        if path.stem not in ("__init__", "connection", "main", "options") and not path.stem.startswith("project_")
    }


@pytest.mark.parametrize("verb", verbs())
def test_help_names_and_explains_every_option(verb: str) -> None:
    shown = CliRunner().invoke(build(), [verb, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())
    for parameter in command(verb).params:
        assert parameter.help, f"{parameter.name} has no help"
        assert " ".join(parameter.help.split()) in text
        if parameter.param_type_name == "option":
            assert parameter.opts[0] in text


@pytest.mark.parametrize("verb", verbs())
def test_an_unknown_option_ends_with_code_2(verb: str) -> None:
    assert CliRunner().invoke(build(), [verb, "--no-such-option"]).exit_code == 2


def test_help_is_quick() -> None:
    def seconds() -> float:
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run_python("-m", "vitruve.cli.main", "--help")
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        assert all(verb in done.stdout for verb in PROMISED)
        return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime

    # Processor time, which is what the clock shows where nothing else runs; beside other tests the clock says nothing.
    assert min(seconds() for _ in range(TRIES)) < SECONDS


def test_bad_input_ends_with_one_line_and_code_2() -> None:
    done = run_python("-m", "vitruve.cli.main", "predict", "no_such_run", "no_such_video.mp4")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "no_such_run" in done.stderr
