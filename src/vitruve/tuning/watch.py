"""How a trial is watched while it runs."""

from __future__ import annotations

import threading
import time

import optuna

from vitruve.errors import RunError
from vitruve.run import RunFiles
from vitruve.tuning.objective import values_by_epoch
from vitruve.tuning.study import HEARTBEAT, SharedStudy
from vitruve.tuning.trial import TrialProcess

ASK_SECONDS = 0.25
"""Between two looks at what others have asked of a study through its storage."""


class Watch:
    """Looks at a trial while it runs: reports its epochs, and finds out whether it is to end.

    Args:
        shared: The study.
        trial: The trial.
        run: Its run.
        ending: Set when the search is to end.
        epochs: How many are planned, or None.

    Attributes:
        values: What was reached, by epoch from 0.
        reason: Why it was asked to end: ``pruned``, ``stopped`` or ``interrupted``; empty while it was not.
    """

    def __init__(
        self, shared: SharedStudy, trial: optuna.Trial, run: RunFiles, ending: threading.Event, epochs: int | None
    ) -> None:
        self.values: dict[int, float] = {}
        self.reason = ""
        self._shared, self._trial, self._run, self._ending = shared, trial, run, ending
        self._last = None if epochs is None else epochs - 1
        self._asked = self._lived = time.monotonic()
        self._seen = 0

    def look(self, process: TrialProcess) -> None:
        """Report what is new, and end the trial when that is due."""
        news = self.report()
        now = time.monotonic()
        if not self.reason:
            if self._ending.is_set():
                self.reason = "interrupted"
            elif news and max(self.values) != self._last and self._trial.should_prune():
                self.reason = "pruned"
            elif now - self._asked > ASK_SECONDS:
                self._asked = now
                if self._shared.stopped(self._trial):
                    self.reason = "stopped"
        if self.reason:
            process.end()
        if now - self._lived > HEARTBEAT:
            self._lived = now
            self._shared.live(self._trial)

    def report(self) -> bool:
        """Tell the study of new epochs; whether there were any."""
        try:
            stamp = self._run.metrics.stat().st_mtime_ns
        except OSError:
            return False
        if stamp == self._seen:
            return False
        self._seen = stamp
        found = values_by_epoch(self._run.read_metrics(), self._shared.column)
        new = {epoch: value for epoch, value in found.items() if epoch not in self.values}
        for epoch, value in new.items():
            self._trial.report(value, epoch)
        self.values |= new
        return bool(new)

    def share(self) -> tuple[float, str] | None:
        """How much of the trial is done, from 0 to 1, and in words; None before its training has begun."""
        try:
            status = self._run.read_status() if self._run.status.is_file() else None
        except RunError:
            return None
        if status is None or not status.total:
            return None
        done = min(float(status.total), status.completed + status.epoch_share)
        epoch = f"epoch {min(status.completed + 1, status.total)} of {status.total}"
        return done / status.total, f"trial {self._trial.number}: {epoch}"
