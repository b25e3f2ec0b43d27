"""The command line run on bad input: it must refuse in one line, with exit code 2, and write nothing."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vitruve.cli.main import main

Refused = Callable[..., str]

# What says how far the work is, beside the one line.
_PROGRESS = ("epoch ", "run: runtime ", "network 1 of ")


@pytest.fixture(autouse=True)
def own_warnings() -> Iterator[None]:
    """The command decides for its process how warnings look; the next test is another process."""
    logger = logging.getLogger("vitruve")
    before, level = list(logger.handlers), logger.level
    with warnings.catch_warnings():
        yield
    logger.handlers[:], logger.level = before, level


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refused(place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refused:
    """Runs the command, which must refuse in one line that this expression is found in, and write nothing.

    ``place``, a fixture of each test file, is the project; nothing may change in the folder that it lies in.
    """

    def run(arguments: list[str], message: str, written: bool = False) -> str:
        before = files(place.parent)
        monkeypatch.setattr(sys, "argv", ["vitruve", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        lines = capfd.readouterr().err.splitlines()
        assert caught.value.code == 2, lines
        assert len([line for line in lines if not line.startswith(_PROGRESS)]) == 1, lines
        assert lines[-1].startswith("error: ") and re.search(message, lines[-1]), lines[-1]
        if not written:
            after = files(place.parent)
            assert after.keys() == before.keys() and after == before
        return lines[-1]

    return run
