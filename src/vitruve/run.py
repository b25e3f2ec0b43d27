"""What a run is on disk: the names of its files, and how they are read and written."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from vitruve.atomic import atomic_json, atomic_write
from vitruve.errors import RunError

FORMAT = 1
"""Version of ``model.json``; raised when an older program could no longer read it."""

# Clocks are set while a process runs, which moves the time at which it seems to have started.
_CLOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Status:
    """How the training of a run stands.

    Attributes:
        status: ``TRAINING``, ``EVALUATING``, ``COMPLETED``, ``INTERRUPTED`` or ``FAILED``.
        completed: Epochs done.
        total: Epochs to do.
        timestamp: When this was written, in seconds since 1970.
        message: Why training ended early; empty if it did not.
        process: The process that trains on this machine, if it does.
        epoch_share: How much of the epoch at hand is done, from 0 to 1.
        seconds_left: Until the last epoch is done, as of the timestamp; None where that is not known.
    """

    status: str
    completed: int
    total: int
    timestamp: float
    message: str = ""
    process: int | None = None
    epoch_share: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class RunFiles:
    """The files of one run directory.

    Attributes:
        path: The directory.
    """

    path: Path

    @property
    def config(self) -> Path:
        """All settings, resolved."""
        return self.path / "config.yaml"

    @property
    def weights(self) -> Path:
        """The trained network."""
        return self.path / "model.safetensors"

    @property
    def model(self) -> Path:
        """What the weights belong to: algorithm, its settings, skeleton, split, hash of the data."""
        return self.path / "model.json"

    @property
    def status(self) -> Path:
        """How far training is, for people and programs that watch; :meth:`read_status` knows if it still runs."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.path / "metrics.csv"

    @property
    def samples(self) -> Path:
        """A few inputs of training and validation, for calibrating and comparing runtimes."""
        return self.path / "samples.safetensors"

    @property
    def runtimes(self) -> Path:
        """What was measured of the runtimes on this run's network, machine by machine."""
        return self.path / "runtimes.json"

    @property
    def exports(self) -> Path:
        """Folder of networks converted for other runtimes."""
        return self.path / "exports"

    @property
    def last(self) -> Path:
        """Everything that training needs to go on."""
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def best(self) -> Path:
        """Weights of the epoch with the lowest validation loss."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def tensorboard(self) -> Path:
        """Folder for TensorBoard."""
        return self.path / "tb_logs"

    @property
    def predictions(self) -> Path:
        """Predictions on the labelled frames; the last column is the split."""
        return self.path / "predictions.csv"

    @property
    def pixel_error(self) -> Path:
        """Distance of :attr:`predictions` to the labels."""
        return self.path / "predictions_pixel_error.csv"

    @property
    def windows(self) -> Path:
        """How near the likelihood of :attr:`predictions` speaks of, in pixels of each labelled image."""
        return self.path / "likelihood_windows.csv"

    @property
    def video_predictions(self) -> Path:
        """Folder of predictions on videos."""
        return self.path / "video_preds"

    @property
    def locator(self) -> Path:
        """The run that says where in the image this one looks, if there is one."""
        return self.path / "locator"

    @property
    def evaluation(self) -> Path:
        """Folder of the evaluation report."""
        return self.path / "evaluation"

    def members(self) -> list[RunFiles]:
        """The runs of an ensemble, in order; none for a run of one network."""
        found = (path.parent for path in self.path.glob("member_*/config.yaml"))
        numbered = [path for path in found if path.name.removeprefix("member_").isdigit()]
        return [RunFiles(path) for path in sorted(numbered, key=lambda path: int(path.name.removeprefix("member_")))]

    def member(self, index: int) -> RunFiles:
        """The n-th run of an ensemble, from 0 on."""
        return RunFiles(self.path / f"member_{index}")

    def write_model(self, record: Mapping[str, Any]) -> None:
        """Write ``model.json``.

        Args:
            record: Plain values.
        """
        atomic_json(self.model, {"format": FORMAT, **record})

    def read_model(self) -> dict[str, Any]:
        """Read ``model.json``.

        Returns:
            What :meth:`write_model` was given.

        Raises:
            RunError: The directory is no finished run, or a newer program wrote it.
        """
        if not self.path.is_dir():
            raise RunError(f"{self.path}: no such run directory; give the folder that 'vitruve train' printed")
        if not self.model.is_file() or not self.weights.is_file():
            missing = self.model if not self.model.is_file() else self.weights
            count = len(self.members())
            if count:
                raise RunError(f"{self.path}: an ensemble of {count} runs; name one of them, {self.member(0).path}")
            pickles = sorted([*self.path.glob("*.ckpt"), *self.path.glob("*.pt"), *self.path.glob("*.pth")])
            if pickles:
                raise RunError(
                    f"{pickles[0]}: a Python pickle, which can run any code when it is read; "
                    f"a run needs {missing.name} in its place"
                )
            hint = ""
            if missing == self.weights:
                hint = f"; {self.model.name} is there, so copy the whole run again"
            elif self.last.is_file() or self.status.is_file():
                hint = f"; {self._unfinished()}"
            raise RunError(f"{missing}: missing, so this is not a trained run{hint}")
        record = read_json(self.model)
        if record.get("format") != FORMAT:
            raise RunError(
                f"{self.model}: format {record.get('format')!r}, this program reads {FORMAT}; "
                "use the program that wrote it"
            )
        return record

    def write_status(self, status: str, completed: int, total: int, **more: Any) -> None:
        """Write ``status.json``.

        Args:
            status: ``TRAINING``, ``EVALUATING``, ``COMPLETED``, ``INTERRUPTED`` or ``FAILED``.
            completed: Epochs done.
            total: Epochs to do.
            **more: Further plain values.
        """
        progress = {"completed": completed, "total": total, "timestamp": time.time()}
        writer = psutil.Process()
        process = {"host": socket.gethostname(), "pid": writer.pid, "started": writer.create_time()}
        atomic_json(self.status, {"status": status, "progress": progress, "process": process, **more})

    def read_status(self) -> Status:
        """Read ``status.json``, and see whether the process that wrote it is still there.

        A process that is killed cannot write that it ended. On the machine it ran on, its training counts as
        ``INTERRUPTED``; elsewhere the file's word is all there is.

        Returns:
            How training stands.

        Raises:
            RunError: The file is missing or damaged.
        """
        record = read_json(self.status)
        try:
            progress = record["progress"]
            found = Status(
                str(record["status"]),
                int(progress["completed"]),
                int(progress["total"]),
                float(progress["timestamp"]),
                str(record.get("message", "")),
                epoch_share=float(record.get("epoch_share", 0.0)),
                seconds_left=_number((record.get("metrics") or {}).get("seconds_left")),
            )
            writer = record.get("process") or {}
            here = writer.get("host") == socket.gethostname()
            if found.status not in ("TRAINING", "EVALUATING") or not here:
                return found
            if process_runs(int(writer["pid"]), float(writer["started"])):
                return replace(found, process=int(writer["pid"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self.status}: not a training status ({error!r}); copy the run again") from error
        gone = "its process is gone: it was killed, or the machine was restarted"
        return replace(found, status="INTERRUPTED", message=gone)

    def check_idle(self) -> None:
        """Make sure that no other process of this machine trains this run.

        Raises:
            RunError: One does.
        """
        if not self.status.is_file():
            return
        process = self.read_status().process
        if process is not None and process != os.getpid():
            raise RunError(f"{self.path}: {self._unfinished()}")

    def _unfinished(self) -> str:
        """Why there is no network yet, and what to do."""
        now = self.read_status() if self.status.is_file() else None
        if now is not None and now.process not in (None, os.getpid()):
            how_far = f"{now.completed} of {now.total} epochs are done"
            return f"process {now.process} is training it ({how_far}); wait for it, or stop that process first"
        return f"training did not finish: vitruve train resume={self.path}"

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write ``metrics.csv``; columns are those of any row, in order of appearance."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        atomic_write(self.metrics, text.getvalue())

    def read_metrics(self) -> list[dict[str, str]]:
        """The rows of ``metrics.csv``; none when there is no such file yet.

        Raises:
            RunError: It is damaged.
        """
        if not self.metrics.is_file():
            return []
        try:
            with self.metrics.open(encoding="utf-8", newline="") as stream:
                return list(csv.DictReader(stream))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise RunError(f"{self.metrics}: not a table ({error}); copy the run again") from error


def status(run: str | Path) -> Status:
    """How the training of a run stands; one whose process was killed counts as interrupted.

    Args:
        run: The run directory.

    Returns:
        State, epochs, and the process that trains.

    Raises:
        RunError: There is no run, or its ``status.json`` is damaged.
    """
    return RunFiles(Path(run)).read_status()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Args:
        path: The file.

    Returns:
        The object.

    Raises:
        RunError: The file is damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not readable as JSON ({error}); copy the run again") from error
    if not isinstance(value, dict):
        raise RunError(f"{path}: holds {type(value).__name__}, but an object is needed; copy the run again")
    return value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def process_runs(pid: int, started: float) -> bool:
    """Whether a process of this machine is there and is the one that started then: numbers are given again.

    Args:
        pid: Its number.
        started: When it started, in seconds since 1970.

    Returns:
        False also for one that has ended and was not waited for.
    """
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < _CLOCK_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
