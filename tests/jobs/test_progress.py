"""How far a verb is, as programs that watch it read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitruve.app.job_kinds import kind_of
from vitruve.app.progress import Standing
from vitruve.inference.progress import progress
from vitruve.jobs import Job, Progress
from vitruve.jobs.progress import PROGRESS, reported


def test_rate_and_rest_are_of_what_this_process_has_done() -> None:
    said = Progress("drawing", done=60, total=100, first=40, began=1000.0, time=1010.0)
    assert said.share == 0.6
    assert said.rate == 2.0
    assert said.seconds_left == 20.0


def test_nothing_is_known_before_the_first_and_of_what_has_no_end() -> None:
    begun = Progress("drawing", done=40, total=100, first=40, began=1000.0, time=1010.0)
    endless = Progress("drawing", done=50, total=None, first=40, began=1000.0, time=1010.0)
    assert begun.rate is None and begun.seconds_left is None
    assert endless.share is None and endless.seconds_left is None and endless.rate == 1.0


def test_a_step_leaves_what_it_has_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRESS, str(tmp_path / "progress.json"))
    with progress("a.mp4", 10, 3) as advance:
        assert json.loads((tmp_path / "progress.json").read_text())["done"] == 3
        for _ in range(5):
            advance(1)
    said = Job(tmp_path, (), tmp_path).progress
    assert said is not None
    assert (said.title, said.done, said.total, said.first) == ("a.mp4", 8, 10, 3)


def test_a_step_that_fails_says_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRESS, str(tmp_path / "progress.json"))
    with pytest.raises(ValueError, match="broken"), progress("a.mp4", None) as advance:
        advance(2)
        raise ValueError("broken")
    assert json.loads((tmp_path / "progress.json").read_text())["done"] == 2


def test_the_part_at_hand_is_told_until_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRESS, str(tmp_path / "progress.json"))
    job = Job(tmp_path, (), tmp_path, about={"kind": "tune"})
    with reported("Trials done", 4, 1) as report:
        report.part(0.5, "trial 1: epoch 3 of 6")
        report.write()
        assert kind_of(job).standing(job) == Standing(0.25, "Trials done: 1 of 4", None, 0.5, "trial 1: epoch 3 of 6")
        report.reaches(2)
        report.part(None)
    said = kind_of(job).standing(job)
    assert said is not None and (said.share, said.text, said.part) == (0.5, "Trials done: 2 of 4", None)


def test_what_nobody_counts_is_told_without_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROGRESS, str(tmp_path / "progress.json"))
    job = Job(tmp_path, (), tmp_path, about={"kind": "map"})
    with progress("Placing 5 on the map", None):
        assert kind_of(job).standing(job) == Standing(None, "Placing 5 on the map")


def test_work_goes_on_where_nobody_can_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(PROGRESS, str(tmp_path / "file" / "progress.json"))
    with progress("a.mp4", 1) as advance:
        advance(1)
    assert Job(tmp_path, (), tmp_path).progress is None


def test_nothing_is_written_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS, raising=False)
    monkeypatch.chdir(tmp_path)
    with progress("a.mp4", 1) as advance:
        advance(1)
    assert not list(tmp_path.iterdir())
