from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from vitruve import api
from vitruve.cli.main import build
from vitruve.errors import InputError


def test_numbers_of_an_example_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Path | None, dict[str, int]]] = []

    def example(name: str, directory: Path | None, **extent: int) -> Path:
        calls.append((name, directory, extent))
        return Path("there")

    monkeypatch.setattr(api, "example", example)
    shown = CliRunner().invoke(build(), ["example", "rig", "d", "--set", "cameras=4", "--set", "seed=-1"])
    assert shown.output == "example: there\n"
    assert calls == [("rig", Path("d"), {"cameras": 4, "seed": -1})]


@pytest.mark.parametrize("change", ["cameras", "cameras=", "cameras=four", "cameras=2.5", "=3"])
def test_what_is_no_number_is_refused(change: str) -> None:
    shown = CliRunner().invoke(build(), ["example", "rig", "d", "--set", change])
    assert isinstance(shown.exception, InputError) and f"--set {change}: give KEY=NUMBER" in str(shown.exception)
