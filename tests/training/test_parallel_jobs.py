from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from safetensors.torch import load_file

from tiny_project import settings
from vitruve.errors import ConfigError, Interrupted, TrainingError
from vitruve.pipeline.supervise import _reason
from vitruve.run import RunFiles
from vitruve.training.checkpoint import load_checkpoint

Start = Callable[[Path, RunFiles, Path], "subprocess.Popen[bytes]"]


def written(project: Path, folder: Path, **training: Any) -> Path:
    (folder / "config.yaml").write_text(yaml.safe_dump(settings(project, **training)))
    return folder / "config.yaml"


def environment() -> dict[str, str]:
    path = os.pathsep.join(part for part in sys.path if part)
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts ``vitruve train`` with two processes."""
    jobs = []

    def one(file: Path, run: RunFiles, log: Path) -> subprocess.Popen[bytes]:
        command = ["train", str(file), f"hydra.run.dir={run.path}", "training.parallel.processes=2"]
        with log.open("w") as stream:
            jobs.append(
                subprocess.Popen(
                    [sys.executable, "-m", "vitruve.cli.main", *command],
                    env=environment(),
                    stdout=stream,
                    stderr=stream,
                    # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
            )
        return jobs[-1]

    yield one
    for job in jobs:
        job.kill()
        job.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)


def test_a_killed_process_ends_the_job_in_one_line_and_it_goes_on(start: Start, project: Path, tmp_path: Path) -> None:
    file, run, log = (
        written(project, tmp_path, max_epochs=400, num_workers=1),
        RunFiles(tmp_path / "run"),
        tmp_path / "log",
    )
    job = start(file, run, log)
    wait_for(lambda: run.last.is_file())
    started = psutil.Process(job.pid).children(recursive=True)
    ranks = psutil.Process(job.pid).children()
    assert len(ranks) == 2 and len(started) > 2, "two processes, each with a process that prepares images"
    second = next(child for child in ranks if child.environ()["RANK"] == "1")
    second.send_signal(signal.SIGKILL)
    began = time.monotonic()
    assert job.wait(60) == 2
    assert time.monotonic() - began < 20
    _, alive = psutil.wait_procs(started, 10)
    assert not alive
    lines = [line for line in log.read_text().splitlines() if not line.startswith("epoch ")]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: process 1 of the 2 that train together was killed")
    assert lines[0].endswith(f"vitruve train resume={run.path}")
    assert run.read_status().status == "FAILED" and run.read_status().message in lines[0]
    assert not list(run.path.rglob(".*"))
    saved = load_checkpoint(run.last)
    assert saved["processes"] == 2 and saved["epoch"] >= 0
    load_file(run.best)
    assert "processes: 2" in run.config.read_text()


def test_ctrl_c_ends_all_after_the_batch_at_hand(start: Start, project: Path, tmp_path: Path) -> None:
    file, run, log = written(project, tmp_path, max_epochs=4000), RunFiles(tmp_path / "run"), tmp_path / "log"
    job = start(file, run, log)
    wait_for(lambda: run.last.is_file())
    started = psutil.Process(job.pid).children(recursive=True)
    job.send_signal(signal.SIGINT)
    assert job.wait(60) == 130
    assert not psutil.wait_procs(started, 10)[1]
    last = log.read_text().splitlines()[-1]
    assert last.startswith("stopped in epoch") and last.endswith(f"vitruve train resume={run.path}")
    assert run.read_status().status == "INTERRUPTED"


def test_torchrun_starts_them_as_well(project: Path, tmp_path: Path) -> None:
    file, run = written(project, tmp_path, max_epochs=2), RunFiles(tmp_path / "run")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "vitruve.cli.main"]
    idle = ["eval.predict_vids_after_training=false", "eval.save_vids_after_training=true"]
    done = subprocess.run(
        [sys.executable, *launcher, "train", str(file), f"hydra.run.dir={run.path}", *idle],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run: ") == done.stdout.count(f"run: {run.path}") == 1
    assert done.stderr.count("no effect in this run") == 1
    assert "find_unused_parameters" not in done.stderr
    assert json.loads(run.status.read_text())["status"] == "COMPLETED"
    assert len(run.read_metrics()) == 2 and "processes: 2" in run.config.read_text()
    assert float(run.read_metrics()[-1]["step"]) == 4, "12 frames, 2 processes, batches of 4: two steps an epoch"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({1: ("ConfigError", "training.x: wrong", False)}, ConfigError("training.x: wrong")),
        ({0: ("TrainingError", "another is gone", True), 1: ("Interrupted", "stopped", False)}, Interrupted("stopped")),
        (
            {0: ("TrainingError", "another is gone", True)},
            TrainingError("process 1 of the 2 that train together was killed"),
        ),
        ({0: ("KeyError", "Traceback ...", False)}, RuntimeError("a process that trains failed:\nTraceback ...")),
    ],
)
def test_of_all_that_processes_say_the_cause_is_told(
    said: dict[int, tuple[str, str, bool]], told: Exception, tmp_path: Path
) -> None:
    reports = [tmp_path / f"{rank}.json" for rank in (0, 1)]
    for rank, (kind, message, lost) in said.items():
        reports[rank].write_text(json.dumps({"kind": kind, "message": message, "lost": lost}))
    found = _reason(reports, 1, 2, RunFiles(tmp_path / "run"))
    assert type(found) is type(told) and str(found).startswith(str(told))
