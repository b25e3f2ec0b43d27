"""One trial: a process that trains a run, seen through the files of that run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from vitruve import errors
from vitruve.config.schema import Config
from vitruve.errors import TrainingError, VitruveError
from vitruve.jobs.progress import PROGRESS
from vitruve.run import RunFiles

_PAUSE = 0.1
# How long the batch at hand may take, once a trial is to end, before its process is ended with everything it started.
_GRACE_SECONDS = 120.0


class TrialProcess:
    """Trains one run in a process of its own, which ends when this one does.

    Args:
        config: All settings.
        run: The run; one that was broken off goes on.
        environment: Variables that differ from those of this process.

    Attributes:
        run: The run.
    """

    def __init__(self, config: Config, run: RunFiles, environment: Mapping[str, str]) -> None:
        self.run = run
        self._folder = tempfile.TemporaryDirectory()
        self._report = Path(self._folder.name) / "report.json"
        self._asked: float | None = None
        run.path.mkdir(parents=True, exist_ok=True)
        # Whatever this process can import, that can.
        path = os.pathsep.join(filter(None, sys.path))
        with (run.path / "train.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vitruve.tuning.trial_process", str(self._report)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                # How far the search is, it says itself.
                env={**os.environ, **environment, "PYTHONPATH": path, PROGRESS: ""},
                # A group of its own: Ctrl-C comes here alone, and what it started can be ended with it.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        # It stays open: its end tells the process that this one is gone.
        with suppress(BrokenPipeError):
            self._process.stdin.write(
                json.dumps({"settings": config.model_dump(mode="json"), "run": str(run.path)}) + "\n"
            )
            self._process.stdin.flush()

    def end(self) -> None:
        """Ask it to end after the batch at hand."""
        if self._asked is None and self._process.poll() is None:
            self._asked = time.monotonic()
            self._process.send_signal(signal.SIGINT)

    def watch(self, look: Callable[[], None]) -> None:
        """Wait for its end.

        Args:
            look: Called several times a second, and once when it is over; may call :meth:`end`.

        Raises:
            VitruveError: What the process reports.
            TrainingError: It was killed.
        """
        try:
            while self._process.poll() is None:
                look()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_PAUSE)
                if self._asked is not None and time.monotonic() - self._asked > _GRACE_SECONDS:
                    break
        finally:
            self._kill()
        look()
        self._raise()

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            # Also the group of one that is gone: its loader's workers may not be.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        elif self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _raise(self) -> None:
        told = json.loads(self._report.read_text()) if self._report.is_file() else None
        self._folder.cleanup()
        if self._process.returncode == 0:
            return
        log = self.run.path / "train.log"
        if told is None:
            code = self._process.returncode
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise Killed(f"its process was killed ({how}; out of memory, perhaps); see {log}")
        kind = getattr(errors, told["kind"], None)
        if isinstance(kind, type) and issubclass(kind, VitruveError):
            raise kind(told["message"])
        last = told["message"].strip().splitlines()[-1]
        with log.open("a") as stream:
            stream.write(told["message"])
        raise TrainingError(f"{last}; see {log}")


class Killed(TrainingError):
    """The process of a trial is gone without a word."""
