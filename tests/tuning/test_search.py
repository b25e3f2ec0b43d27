"""Whole searches, with processes that are stopped, killed and gone on with."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tuning.searches import RATE, page_of, post, start, state, wait_for, write_search
from vitruve.config.compose import compose
from vitruve.errors import ConfigError, RunError, TrainingError
from vitruve.jobs import Job
from vitruve.jobs.progress import PROGRESS, Report
from vitruve.run import RunFiles
from vitruve.tuning.tune import tune


def _running(address: str, number: int) -> dict[str, Any]:
    """A trial that has trained for an epoch."""

    def found() -> dict[str, Any] | None:
        trials = [each for each in state(address)["trials"] if each["number"] == number]
        return trials[0] if trials and trials[0]["state"] == "running" and trials[0]["curve"] else None

    shown: dict[str, Any] = wait_for(found)
    return shown


def _trial(address: str, number: int) -> dict[str, Any]:
    return next(each for each in state(address)["trials"] if each["number"] == number)


def test_stopped_killed_interrupted_and_gone_on_with(tmp_path: Path) -> None:
    config, study, log = (
        write_search(tmp_path, {"max_epochs": 150}, sampler="random"),
        tmp_path / "study",
        tmp_path / "log",
    )
    process = start(log, str(config), f"hydra.run.dir={study}")
    try:
        address = page_of(log)
        # The page stops a trial, and the search goes on with the next one.
        _running(address, 0)
        asked = time.monotonic()
        assert post(address, "stop/0")[0] == 202
        wait_for(lambda: _trial(address, 0)["state"] == "stopped")
        assert time.monotonic() - asked < 10
        first = RunFiles(study / "trials" / "trial_0000")
        assert first.read_status().status == "INTERRUPTED"
        # A trial's process is killed: the study tries it again, in the same run.
        _running(address, 1)
        second = RunFiles(study / "trials" / "trial_0001")
        pid = second.read_status().process
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        again = _running(address, 2)
        assert _trial(address, 1)["state"] == "again"
        assert again["run"] == str(second.path)
        assert again["params"] == _trial(address, 1)["params"]
        # Ctrl-C ends the search, and the trial with it.
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert f"vitruve tune resume={study}" in log.read_text()
        assert second.read_status().status == "INTERRUPTED"
    finally:
        process.kill()
        process.wait()
    # What was broken off is carried out to its end.
    found = tune(None, [f"resume={study}", "tune.port=null"], quiet=True)
    assert found.trials == 2
    assert found.run == second.path
    assert second.read_status().status == "COMPLETED"
    rows = list(csv.DictReader((study / "trials.csv").open(newline="")))
    assert [row["state"] for row in rows] == ["stopped", "again", "again", "complete"]
    assert float(rows[3]["value"]) == pytest.approx(found.value, rel=1e-4)
    best = compose(str(study / "best.yaml"), None, []).config
    assert best.training.optimizer_params.learning_rate == found.values[RATE]
    assert best.training.max_epochs == 150
    assert "tune" not in (study / "best.yaml").read_text().split()
    assert list((study / "trials" / "trial_0001" / "tb_logs").rglob("events.out*"))


def test_killed_as_a_whole_it_leaves_no_trial_behind_and_goes_on(tmp_path: Path) -> None:
    config, study, log = (
        write_search(tmp_path, {"max_epochs": 100}, sampler="random", max_trials=1),
        tmp_path / "s",
        tmp_path / "log",
    )
    process = start(log, str(config), f"hydra.run.dir={study}")
    try:
        address = page_of(log)
        _running(address, 0)
        run = RunFiles(study / "trials" / "trial_0000")
        pid = run.read_status().process
    finally:
        process.kill()
        process.wait()
    assert pid is not None
    wait_for(lambda: run.read_status().process is None, 20)
    epochs = len(run.read_metrics())
    found = tune(None, [f"resume={study}", "tune.port=null"], quiet=True)
    assert (found.trials, found.trial) == (1, 1)
    assert epochs < len(run.read_metrics()) == 100


def test_two_at_a_time_by_epochs_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[tuple[float | None, str]] = []
    told = Report.part
    monkeypatch.setattr(Report, "part", lambda self, *said: (parts.append((*said, "")[:2]), told(self, *said)))
    monkeypatch.setenv(PROGRESS, str(tmp_path / "progress.json"))
    config = write_search(
        tmp_path, {"max_epochs": 50}, sampler="random", max_trials=2, processes=2, epochs=2, port=None
    )
    found = tune(str(config), study_dir=tmp_path / "study", quiet=True)
    assert found.trials == 2
    assert found.best is not None
    assert compose(str(found.best), None, []).config.training.max_epochs == 50
    # What a page shows: trials of all, and the epoch of the one at hand; the trials themselves are silent.
    said = Job(tmp_path, (), tmp_path).progress
    assert said is not None and (said.title, said.done, said.total, said.part) == ("Trials done", 2, 2, None)
    shares = [share for share, _ in parts if share is not None]
    assert {text for _, text in parts} >= {"trial 0: epoch 2 of 2", ""} and 0 <= min(shares) < max(shares) <= 1
    runs = [RunFiles(tmp_path / "study" / "trials" / f"trial_{number:04d}") for number in range(2)]
    assert [len(run.read_metrics()) for run in runs] == [2, 2]
    begun = [run.read_status() for run in runs]
    assert all(each.status == "COMPLETED" for each in begun)
    with pytest.raises(RunError, match="holds a study already"):
        tune(str(config), study_dir=tmp_path / "study", quiet=True)
    with pytest.raises(ConfigError, match=r"beside resume, there may be tune\.max_trials"):
        tune(None, [f"resume={tmp_path / 'study'}", "training.max_epochs=3"])


def test_data_that_are_wrong_end_the_search_at_once(tmp_path: Path) -> None:
    config = write_search(tmp_path, port=None)
    next((tmp_path / "data").rglob("*.png")).write_bytes(b"no picture")
    with pytest.raises(Exception, match=r"img\d+\.png") as error:
        tune(str(config), study_dir=tmp_path / "study", quiet=True)
    assert not isinstance(error.value, TrainingError)


def test_optuna_dashboard_opens_the_study(tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna_dashboard import wsgi

    from tuning.searches import shared

    made = shared(tmp_path)
    trial = made.study.ask()
    made.space.suggest(trial)
    made.study.tell(trial, 1.0)
    application = wsgi(JournalStorage(JournalFileBackend(str(tmp_path / "journal.log"))))
    said: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/studies",
        "SERVER_NAME": "x",
        "SERVER_PORT": "1",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
    body = b"".join(application(environ, lambda status, headers, *rest: said.append(status)))
    assert said == ["200 OK"]
    assert json.loads(body)["study_summaries"][0]["study_name"] == "study"


def test_bad_input_ends_with_one_line_and_code_2(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(log, f"resume={tmp_path}")
    assert process.wait(60) == 2
    assert log.read_text() == f"error: {tmp_path}: no study.yaml there, so there is no study; vitruve tune begins one\n"
