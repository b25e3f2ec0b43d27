"""A study that several processes and machines share: what they agree on, and what they tell one another."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from vitruve.errors import ConfigError, InputError
from vitruve.run import process_runs
from vitruve.tuning.objective import Direction
from vitruve.tuning.space import Space

# Names of what is kept with a study and its trials, beside Optuna's own.
_AGREED, _HALT = "vitruve", "halt"
STOP, WORKER, ALIVE, RUN, REASON, AGAIN, ATTEMPT, BEST_EPOCH = (
    "stop",
    "worker",
    "alive",
    "run",
    "reason",
    "again",
    "attempt",
    "best_epoch",
)

HEARTBEAT = 30.0
"""Seconds between two signs of life of a trial."""
_LOST = 10 * HEARTBEAT
_ATTEMPTS = 2


class SharedStudy:
    """An Optuna study with the few things that its workers and pages say to one another through its storage.

    Args:
        storage: Where it is kept.
        name: Its name there.
        direction: Whether low or high values are good.
        column: By what trials are compared.
        space: What is searched.

    Attributes:
        study: Of Optuna.
        created: Whether it was not there before.

    Raises:
        ConfigError: There is a study of this name that searches something else.
    """

    def __init__(self, storage: BaseStorage, name: str, direction: Direction, column: str, space: Space) -> None:
        agreed = {"objective": column, "direction": direction, "space": [each.to_dict() for each in space.dimensions]}
        try:
            self.study = optuna.create_study(storage=storage, study_name=name, direction=direction)
            self.study.set_user_attr(_AGREED, agreed)
            self.created = True
        except optuna.exceptions.DuplicatedStudyError:
            self.study = optuna.load_study(study_name=name, storage=storage)
            self.created = False
            self._compare(agreed, name)
        self.space = space
        self.column = column
        self.direction = direction
        self._storage = storage
        self._id = storage.get_study_id_from_name(name)

    def _compare(self, agreed: Mapping[str, Any], name: str) -> None:
        # The process that made it may be about to write this.
        for _ in range(20):
            there = self.study.user_attrs.get(_AGREED)
            if there is not None:
                break
            time.sleep(0.1)
        different = [key for key in agreed if there is None or there.get(key) != agreed[key]]
        if different or self.study.direction != StudyDirection[str(agreed["direction"]).upper()]:
            raise ConfigError(
                f"tune.name={name}: there is a study of this name with another {' and '.join(different)}; "
                "give tune.name=ANOTHER, or the same settings"
            )

    def trials(self) -> list[FrozenTrial]:
        """All trials, as they stand; not to be changed.

        Raises:
            InputError: The file that keeps them is gone.
        """
        try:
            return list(self._storage.get_all_trials(self._id, deepcopy=False))
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read ({error.strerror}); begin another search") from error

    def begin(self, trial: FrozenTrial | optuna.Trial, run: Path) -> None:
        """Say who carries a trial out, and where."""
        process = psutil.Process()
        worker = {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()}
        self._say(trial, WORKER, worker)
        self._say(trial, RUN, str(run))
        self.live(trial)

    def live(self, trial: FrozenTrial | optuna.Trial) -> None:
        """Give a sign of life of a trial."""
        self._say(trial, ALIVE, round(time.time(), 1))

    def say(self, trial: FrozenTrial | optuna.Trial, reason: str) -> None:
        """Keep why a trial ended as it did."""
        self._say(trial, REASON, reason)

    def note(self, trial: FrozenTrial | optuna.Trial, name: str, value: Any) -> None:
        """Keep something else with a trial.

        Args:
            trial: It is running.
            name: What it is called.
            value: Plain values.
        """
        self._say(trial, name, value)

    def _say(self, trial: FrozenTrial | optuna.Trial, name: str, value: Any) -> None:
        self._storage.set_trial_user_attr(trial._trial_id, name, value)

    def stop(self, number: int) -> bool:
        """Ask for the end of a trial, whoever carries it out.

        Args:
            number: Of the trial.

        Returns:
            Whether it was running.
        """
        for trial in self.trials():
            if trial.number == number and trial.state == TrialState.RUNNING:
                try:
                    self._say(trial, STOP, True)
                except optuna.exceptions.UpdateFinishedTrialError:
                    return False
                return True
        return False

    def stopped(self, trial: FrozenTrial | optuna.Trial) -> bool:
        """Whether the end of a trial was asked for."""
        return bool(self._storage.get_trial(trial._trial_id).user_attrs.get(STOP))

    def halt(self) -> None:
        """Ask all processes to end; the study can be gone on with."""
        self.study.set_user_attr(_HALT, self.halted() + 1)

    def halted(self) -> int:
        """How often that was asked for: who began before the number rose is meant."""
        return int(self._storage.get_study_user_attrs(self._id).get(_HALT, 0))

    def counted(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """Those of trials that count against their greatest number: neither waiting nor begun again as others."""
        return [each for each in trials if each.state != TrialState.WAITING and not each.user_attrs.get(AGAIN)]

    def best(self) -> FrozenTrial | None:
        """The best trial that was carried out to its end; None without any."""
        done = [each for each in self.trials() if each.state == TrialState.COMPLETE and each.value is not None]
        sign = 1 if self.direction == "minimize" else -1
        return min(done, key=lambda each: (sign * (each.value or 0.0), each.number), default=None)

    def repeat(self, trial: FrozenTrial | optuna.Trial, reason: str, *, killed: bool = False) -> bool:
        """End a trial that was broken off, and have its settings tried again.

        Whoever takes it up goes on with its run where that can be reached.

        Args:
            trial: It is running, as far as the study knows.
            reason: Why it was broken off.
            killed: It was not asked to end; if this happens again, it is given up.

        Returns:
            Whether it will be tried again.
        """
        attempt = int(trial.user_attrs.get(ATTEMPT, 1)) + killed
        again = attempt <= _ATTEMPTS
        try:
            self.say(trial, reason)
            if again:
                self.note(trial, AGAIN, True)
            self.study.tell(trial.number, state=TrialState.FAIL)
        except (optuna.exceptions.UpdateFinishedTrialError, ValueError):
            return False  # another process was first
        if again:
            run = self._storage.get_trial(trial._trial_id).user_attrs.get(RUN)
            self.study.enqueue_trial(trial.params, user_attrs={ATTEMPT: attempt, RUN: run})
        return again

    def give_up(self, trial: optuna.Trial) -> None:
        """End a trial that is one too many, before it has begun."""
        self.say(trial, "one more than tune.max_trials")
        self.note(trial, AGAIN, True)
        self.study.tell(trial, state=TrialState.FAIL)

    def take_over(self) -> int:
        """Have trials tried again whose process is gone.

        On this machine that shows at once; of another machine, by the time since their last sign of life.

        Returns:
            How many there were.
        """
        lost = [each for each in self.trials() if each.state == TrialState.RUNNING and _lost(each)]
        return sum(self.repeat(each, "its process is gone", killed=True) for each in lost)


def _lost(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get(WORKER)
    if worker is None:
        begun = trial.datetime_start
        return begun is not None and time.time() - begun.timestamp() > _LOST
    if worker["host"] == socket.gethostname():
        return not process_runs(int(worker["pid"]), float(worker["started"]))
    return time.time() - float(trial.user_attrs.get(ALIVE, 0.0)) > _LOST
