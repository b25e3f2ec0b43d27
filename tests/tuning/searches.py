"""Small studies for tests: settings, waiting, and commands of ``vitruve tune`` in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tiny_project import settings, write_project
from vitruve.config.schema import Config
from vitruve.tuning.objective import objective_of
from vitruve.tuning.space import read_space
from vitruve.tuning.storage import open_storage
from vitruve.tuning.study import SharedStudy

RATE = "training.optimizer_params.learning_rate"
SPACE = {RATE: {"low": 1e-3, "high": 1e-1, "log": True}}


def config(space: Mapping[str, Any] | None = None, model: Mapping[str, Any] | None = None, **tune: Any) -> Config:
    """Settings with a search in them; their data are not there."""
    plain = settings(Path("nowhere"), model)
    return Config.examine({**plain, "tune": {"space": SPACE if space is None else dict(space), **tune}})[0]


def shared(folder: Path, made: Config | None = None) -> SharedStudy:
    """A study in a journal file."""
    made = made or config()
    column, direction = objective_of(made)
    return SharedStudy(open_storage(None, folder / "journal.log"), "study", direction, column, read_space(made))


def write_search(folder: Path, training: Mapping[str, Any] | None = None, **tune: Any) -> Path:
    """A tiny project with a search in its settings; returns the settings file."""
    write_project(folder / "data", frames=8, **(training or {}))
    file = folder / "data" / "config.yaml"
    given = yaml.safe_load(file.read_text())
    given["tune"] = {"space": SPACE, "port": 0, "pruner": "none", "max_trials": 2, **tune}
    file.write_text(yaml.safe_dump(given))
    return file


def start(log: Path, *words: str) -> subprocess.Popen[bytes]:
    """Begin ``vitruve tune``; what it says goes into a file."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    with log.open("ab") as stream:
        command = [sys.executable, "-m", "vitruve.cli.main", "tune", *words]
        return subprocess.Popen(
            command,
            stdout=stream,
            stderr=stream,
            env=environment,
            start_new_session=True,
            # The tests themselves may run where Ctrl-C is ignored, which a child would inherit.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def wait_for(found: Callable[[], Any], seconds: float = 100.0) -> Any:
    """What a function gives as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def page_of(log: Path) -> str:
    """The address of the page, from what a process said."""

    def said() -> str:
        lines = log.read_text().splitlines() if log.is_file() else []
        return next((line.removeprefix("page: ") for line in lines if line.startswith("page: ")), "")

    return str(wait_for(said))


def state(address: str) -> dict[str, Any]:
    """What the page shows."""
    with urllib.request.urlopen(address + "study.json", timeout=10) as answer:
        shown: dict[str, Any] = json.load(answer)
    return shown


def post(address: str, path: str, **headers: str) -> tuple[int, str]:
    """Press a button of the page."""
    request = urllib.request.Request(address + path, method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
