"""What the processes of one study tell one another."""

from __future__ import annotations

import multiprocessing
import os
import socket
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tuning.searches import RATE, config, shared
from vitruve.errors import ConfigError, InputError
from vitruve.tuning.space import read_space
from vitruve.tuning.storage import open_storage, without_password
from vitruve.tuning.strategy import build_sampler, sampler_name
from vitruve.tuning.study import ALIVE, WORKER, SharedStudy


def test_another_space_or_objective_is_refused(tmp_path: Path) -> None:
    shared(tmp_path)
    assert not shared(tmp_path).created
    with pytest.raises(ConfigError, match="another space"):
        shared(tmp_path, config({RATE: {"low": 0.1, "high": 1}}))
    with pytest.raises(ConfigError, match="another objective"):
        shared(tmp_path, config(objective="val_supervised_loss"))


def test_a_stop_reaches_the_process_of_the_trial_through_the_storage(tmp_path: Path) -> None:
    worker, page = shared(tmp_path), shared(tmp_path)
    trial = worker.study.ask()
    assert not worker.stopped(trial)
    assert page.stop(trial.number)
    assert worker.stopped(trial)
    worker.study.tell(trial, state=TrialState.PRUNED)
    assert not page.stop(trial.number)
    assert not page.stop(99)
    before = worker.halted()
    page.halt()
    assert worker.halted() == before + 1


def test_a_trial_whose_process_is_gone_is_tried_again_once(tmp_path: Path) -> None:
    study = shared(tmp_path)
    run, dead = tmp_path / "run", {"host": socket.gethostname(), "pid": 2**22 - 7, "started": 1.0}
    first = study.study.ask()
    study.space.suggest(first)
    study.begin(first, run)
    assert study.take_over() == 0
    study.note(first, WORKER, dead)
    assert study.take_over() == 1
    second = study.study.ask()
    study.space.suggest(second)
    assert second.params == first.params
    assert second.user_attrs["run"] == str(run)
    study.begin(second, run)
    study.note(second, WORKER, dead)
    assert study.take_over() == 0
    assert [each.state for each in study.trials()] == [TrialState.FAIL, TrialState.FAIL]
    # Only the one that was given up counts.
    assert [each.number for each in study.counted(study.trials())] == [1]


def test_of_another_machine_the_last_sign_of_life_counts(tmp_path: Path) -> None:
    study = shared(tmp_path)
    trial = study.study.ask()
    study.begin(trial, tmp_path)
    study.note(trial, WORKER, {"host": "elsewhere", "pid": os.getpid(), "started": 0.0})
    assert study.take_over() == 0
    study.note(trial, ALIVE, time.time() - 3600)
    assert study.take_over() == 1


def test_an_unfinished_line_of_the_journal_is_cut_off(tmp_path: Path) -> None:
    study = shared(tmp_path)
    study.study.ask()
    with (tmp_path / "journal.log").open("ab") as stream:
        stream.write(b'{"op_code":5,"half')
    again = shared(tmp_path)
    again.study.ask()
    assert len(shared(tmp_path).trials()) == 2


def _ask(folder: Path) -> None:
    study = shared(folder)
    for _ in range(10):
        trial = study.study.ask()
        study.space.suggest(trial)
        study.study.tell(trial, 1.0)


def test_two_processes_share_a_journal(tmp_path: Path) -> None:
    shared(tmp_path)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_ask, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    trials = shared(tmp_path).trials()
    assert sorted(each.number for each in trials) == list(range(20))
    assert all(each.state == TrialState.COMPLETE for each in trials)


def test_a_database_that_does_not_answer_is_said_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        open_storage("postgresql://me:secret@127.0.0.1:1/none", tmp_path / "journal.log")
    assert "postgresql://me@127.0.0.1:1/none: cannot be opened" in str(error.value)
    assert "secret" not in str(error.value)
    assert without_password("mysql://u:p@h:3/d?x=1") == "mysql://u@h:3/d?x=1"
    assert without_password("journal.log") == "journal.log"


def test_the_sampler_follows_the_space() -> None:
    numbers = read_space(config())
    choices = read_space(config({"training.optimizer": {"choices": ["SGD", "Adam"]}}))
    assert sampler_name(config().tune, numbers) == "gp"
    assert sampler_name(config().tune, choices) == "tpe"
    assert sampler_name(config(processes=8).tune, numbers) == "tpe"
    assert sampler_name(config(max_trials=500).tune, numbers) == "tpe"
    assert sampler_name(config(sampler="random").tune, numbers) == "random"


def test_a_process_that_joins_proposes_something_else(tmp_path: Path) -> None:
    made = config()
    values = []
    for name, first in (("a", True), ("b", True), ("c", False)):
        study = shared(tmp_path / name)
        assert isinstance(study, SharedStudy)
        study.study.sampler = build_sampler(made.tune, study.space, first)
        values.append(study.space.suggest(study.study.ask())[RATE])
    assert values[0] == values[1] != values[2]
