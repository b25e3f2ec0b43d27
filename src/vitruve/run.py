"""What a run is on disk: the names of its files, and how they are read and written."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitruve.atomic import atomic_json, atomic_write
from vitruve.errors import RunError

FORMAT = 1
"""Version of ``model.json``; raised when an older program could no longer read it."""


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
        """How far training is, for people and programs that watch."""
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
                hint = f"; training did not finish: vitruve train resume={self.path}"
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
        atomic_json(self.status, {"status": status, "progress": progress, **more})

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write ``metrics.csv``; columns are those of any row, in order of appearance."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        atomic_write(self.metrics, text.getvalue())

    def read_metrics(self) -> list[dict[str, str]]:
        """The rows of ``metrics.csv``; none when there is no such file yet."""
        if not self.metrics.is_file():
            return []
        with self.metrics.open(newline="") as stream:
            return list(csv.DictReader(stream))


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
