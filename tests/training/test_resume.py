from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from tiny_project import settings, write_video
from vitruve.run import RunFiles

SPEEDS = {"images_per_second", "seconds_left"}


class Zygote:
    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        path = os.pathsep.join(part for part in sys.path if part)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "PYTHONPATH": path},
        )

    def start(self, **request: Any) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """The exit code, or minus the signal's number."""
        return os.waitstatus_to_exitcode(int(self._line()))

    def run(self, **request: Any) -> int:
        self.start(**request)
        return self.wait()

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    process = Zygote()
    yield process
    process.close()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.002)


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return [{key: value for key, value in row.items() if key not in SPEEDS} for row in csv.DictReader(stream)]


def assert_same(run: Path, unbroken: Path) -> None:
    for name in ("model.safetensors", "checkpoints/best.safetensors"):
        one, other = load_file(run / name), load_file(unbroken / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name
    assert table(run / "metrics.csv") == table(unbroken / "metrics.csv")
    assert not list(run.rglob(".*")), "nothing half-written is left"


# Each brings other state that has to survive: a backbone that joins late, its growing rate, random changes of the
# images; a stalled schedule, accumulated batches, an end in the middle of an epoch; early stopping.
CASES: dict[str, dict[str, Any]] = {
    "late backbone": {
        "imgaug": "dlc",
        "imgaug_hflip": True,
        "max_epochs": 5,
        "unfreezing_epoch": 2,
        "check_val_every_n_epoch": 2,
    },
    "steps": {
        "optimizer": "SGD",
        "lr_scheduler": "plateau",
        "lr_scheduler_params": {"plateau": {"patience": 0, "factor": 0.3}},
        "train_batch_size": 2,
        "accumulate_grad_batches": 4,
        "max_steps": 9,
        "max_epochs": 20,
    },
    "early stopping": {
        "optimizer_params": {"learning_rate": 0.3},
        "lr_scheduler": "none",
        "early_stopping": True,
        "early_stop_patience": 2,
        "min_epochs": 3,
        "max_epochs": 20,
    },
}


KILLS = {"late backbone": (1, 6, 7, 4), "steps": (5, 8, 9), "early stopping": (3, 10, 5)}


@pytest.mark.parametrize("case", CASES)
def test_killed_at_any_moment_it_goes_on_to_the_same_end(
    case: str, zygote: Zygote, project: Path, tmp_path: Path
) -> None:
    request = {"settings": settings(project, **CASES[case])}
    assert zygote.run(**request, run=str(tmp_path / "unbroken")) == 0
    run = tmp_path / "broken"
    # Before the first checkpoint, between a table and its checkpoint, between two files of one epoch, ...
    for count in KILLS[case]:
        assert zygote.run(**request, run=str(run), kill_at_rename=count) == -signal.SIGKILL
    assert zygote.run(**request, run=str(run)) == 0
    assert_same(run, tmp_path / "unbroken")
    if case == "early stopping":
        assert 3 <= len(table(run / "metrics.csv")) < 20
    if case == "steps":
        assert table(run / "metrics.csv")[-1]["step"] == "9" and len(table(run / "metrics.csv")) == 5


def test_killed_at_random_times_with_one_early_checkpoint_alone(zygote: Zygote, project: Path, tmp_path: Path) -> None:
    request = {"settings": settings(project, max_epochs=6, imgaug="dlc")}
    assert zygote.run(**request, run=str(tmp_path / "unbroken")) == 0
    run, rng = tmp_path / "broken", np.random.default_rng(0)
    for turn, pause in enumerate(rng.uniform(0.0, 0.25, 3)):
        child = zygote.start(**request, run=str(run), checkpoint_seconds=0.0 if turn else 1e9)
        wait_for(lambda: (run / "status.json").is_file() and len(RunFiles(run).read_metrics()) > 0)
        time.sleep(pause)
        os.kill(child, signal.SIGKILL)
        assert zygote.wait() in (-signal.SIGKILL, 0)
    assert zygote.run(**request, run=str(run)) == 0
    assert_same(run, tmp_path / "unbroken")


def test_what_others_read_while_it_runs_is_always_whole(zygote: Zygote, project: Path, tmp_path: Path) -> None:
    run, seen = RunFiles(tmp_path / "run"), []
    child = zygote.start(settings=settings(project, max_epochs=8), run=str(run.path))
    while not seen or seen[-1] != "EVALUATING":
        if run.status.is_file():
            status = json.loads(run.status.read_text())
            assert 0 <= status["progress"]["completed"] <= status["progress"]["total"] == 8
            seen.append(status["status"])
        rows = run.read_metrics()
        assert [int(row["epoch"]) for row in rows] == list(range(len(rows)))
        assert all(row["train_supervised_loss"] for row in rows)
        assert child > 0
    assert zygote.wait() == 0
    assert set(seen) == {"TRAINING", "EVALUATING"}
    assert len(run.read_metrics()) == 8


def test_ctrl_c_ends_cleanly_and_resume_finishes(zygote: Zygote, project: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings(project, max_epochs=2000)))
    run, log = RunFiles(tmp_path / "run"), tmp_path / "log"
    where = ["--config-path", str(tmp_path), "--config-name", "config.yaml", f"hydra.run.dir={run.path}"]
    child = zygote.start(command=["train", *where], log=str(log))
    wait_for(lambda: len(run.read_metrics()) > 1)
    os.kill(child, signal.SIGINT)
    assert zygote.wait() == 130
    status = json.loads(run.status.read_text())
    assert status["status"] == "INTERRUPTED" and 0 < status["progress"]["completed"] < 2000
    last = log.read_text().splitlines()[-1]
    assert last.startswith("stopped in epoch") and last.endswith(f"vitruve train resume={run.path}")
    assert "Traceback" not in log.read_text()
    assert not list(run.path.rglob(".*"))
    assert not run.weights.exists()

    # Shortened, so that the rest does not take long; everything else is what the interrupted run left.
    text = run.config.read_text()
    run.config.write_text(text.replace("max_epochs: 2000", "max_epochs: 2"))
    assert zygote.run(command=["train", f"resume={run.path}"], log=str(log)) == 0, log.read_text()
    assert json.loads(run.status.read_text())["status"] == "COMPLETED"
    assert run.predictions.is_file()


@pytest.mark.parametrize("to_group", [False, True])
def test_sigterm_ends_as_cleanly_as_ctrl_c_also_when_the_workers_get_it(
    to_group: bool, zygote: Zygote, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings(project, max_epochs=2000, num_workers=2)))
    run, log = RunFiles(tmp_path / "run"), tmp_path / "log"
    child = zygote.start(
        command=["train", str(tmp_path / "config.yaml"), f"hydra.run.dir={run.path}"], log=str(log), session=True
    )
    wait_for(lambda: len(run.read_metrics()) > 1)
    os.kill(child, signal.SIGTERM)
    if to_group:  # as ``timeout`` does it: to the process, and again to its group
        os.killpg(child, signal.SIGTERM)
    assert zygote.wait() == 143, log.read_text()
    text = log.read_text()
    assert json.loads(run.status.read_text())["status"] == "INTERRUPTED"
    last = text.splitlines()[-1]
    assert last.startswith("stopped in epoch") and last.endswith(f"vitruve train resume={run.path}")
    assert not any(word in text for word in ("Traceback", "RuntimeError", "killed")), text


def test_sigterm_in_prediction_says_how_to_go_on(zygote: Zygote, project: Path, tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    assert zygote.run(settings=settings(project, max_epochs=1), run=str(run)) == 0
    (run / "config.yaml").write_text(yaml.safe_dump(settings(project)))
    write_video(tmp_path / "long.mp4", 3000)
    child = zygote.start(command=["predict", str(run), str(tmp_path / "long.mp4")], log=str(log), session=True)
    wait_for(lambda: bool(list(run.rglob("*long*"))))
    os.killpg(child, signal.SIGTERM)
    assert zygote.wait() == 143, log.read_text()
    assert log.read_text().splitlines()[-1] == "stopped; the same command goes on where it stopped"
    assert "Traceback" not in log.read_text()
