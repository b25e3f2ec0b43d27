"""The search: workers that take trials from a study and carry them out, until there are enough."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, Interrupted, RunError, TrainingError, VitruveError
from vitruve.jobs.progress import Report, reported
from vitruve.run import RunFiles
from vitruve.tuning.folder import StudyFiles
from vitruve.tuning.objective import best_of, objective_of
from vitruve.tuning.page import StudyPage
from vitruve.tuning.report import write_page
from vitruve.tuning.space import read_space, with_values
from vitruve.tuning.storage import open_storage, without_password
from vitruve.tuning.strategy import build_pruner, build_sampler, sampler_name
from vitruve.tuning.study import BEST_EPOCH, RUN, SharedStudy
from vitruve.tuning.trial import Killed, TrialProcess
from vitruve.tuning.watch import ASK_SECONDS, Watch

_log = logging.getLogger(__name__)
_FAILURES = 3


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        directory: The folder of the study.
        best: The best settings, for ``vitruve train``; None where no trial was carried out to its end.
        value: The objective there.
        values: The best values, by full keys.
        trials: How many were carried out, pruned, stopped or failed.
        trial: The number of the best one, or None.
        epoch: The best epoch of that trial, from 0, or None.
        run: The run of the best trial, as its own machine names it.
    """

    directory: Path
    best: Path | None
    value: float | None
    values: Mapping[str, Any]
    trials: int
    run: Path | None = None
    trial: int | None = None
    epoch: int | None = None


def begin_search(config: Config, directory: Path, *, quiet: bool = False) -> Tuned:
    """Begin a study, or join one of the same name in a shared storage.

    Args:
        config: All settings; ``tune`` says what to search.
        directory: The folder of the study; must not hold one.
        quiet: Say nothing.

    Returns:
        What was found.

    Raises:
        ConfigError: The space or another setting is wrong.
        RunError: There is a study in the folder already.
        InputError: The storage cannot be opened, or the data are not as they should be.
        TrainingError: One trial after the other failed.
        Interrupted: Ctrl-C, or the page; the message says how to go on.
    """
    files = StudyFiles(directory)
    if files.settings.is_file():
        raise RunError(
            f"{directory}: holds a study already; go on with it: vitruve tune resume={directory}, "
            "or choose another hydra.run.dir"
        )
    return _Search(config, files, quiet).carry_out()


def resume_search(config: Config, directory: Path, *, quiet: bool = False) -> Tuned:
    """Go on with a study, or take part in one that other processes are at.

    Args:
        config: All settings, as :attr:`StudyFiles.settings` keeps them.
        directory: The folder of the study.
        quiet: Say nothing.

    Returns:
        As :func:`begin_search`.

    Raises:
        VitruveError: As :func:`begin_search`.
    """
    return _Search(config, StudyFiles(directory), quiet).carry_out()


def trial_settings(config: Config) -> Config:
    """The settings that all trials share.

    Args:
        config: All settings.

    Returns:
        The settings without the search, of ``tune.epochs`` epochs; one network, no videos are predicted.
    """
    values: dict[str, Any] = {"ensemble": 1, "eval.predict_vids_after_training": False}
    epochs = config.tune.epochs
    if epochs is not None:
        values["training.max_epochs"] = epochs
        least = config.training.min_epochs
        values["training.min_epochs"] = None if least is None else min(least, epochs)
    return with_values(config, values)


class _Search:
    """This process's part of a search."""

    def __init__(self, config: Config, files: StudyFiles, quiet: bool) -> None:
        self.config, self.files, self.tune = config, files, config.tune
        self.space = read_space(config)
        if self.tune.epochs is not None and "training.max_epochs" in self.space.keys:
            raise ConfigError("tune.epochs: training.max_epochs is searched; leave one of them out")
        column, direction = objective_of(config)
        self.plain = trial_settings(config)
        known = self.space.known(config)
        storage = open_storage(self.tune.storage, files.journal)
        name = self.tune.name or files.path.resolve().name
        self.shared = SharedStudy(storage, name, direction, column, self.space)
        files.write_settings(config.model_copy(update={"tune": self.tune.model_copy(update={"name": name})}))
        if self.shared.created:
            for each in known:
                self.shared.study.enqueue_trial(each, skip_if_exists=True)
        study = self.shared.study
        study.sampler = build_sampler(self.tune, self.space, self.shared.created)
        study.pruner = build_pruner(self.tune, self.space, self.plain.training.max_epochs)
        self._say = (lambda text: None) if quiet else _log.info
        self._halted = self.shared.halted()
        self._ends = None if self.tune.max_hours is None else time.monotonic() + 3600 * self.tune.max_hours
        self._asking, self._writing = threading.Lock(), threading.Lock()
        self._ending = threading.Event()
        self._telling = threading.Lock()
        self._at_hand: dict[int, tuple[float, str]] = {}
        self._report: Report
        self._failures = 0
        self._error: BaseException | None = None
        self._why = ""

    def carry_out(self) -> Tuned:
        """Serve the page, work, and write what was found."""
        taken = self.shared.take_over()
        if taken:
            self._say(f"{taken} trials whose process is gone are tried again")
        with ExitStack() as stack:
            if self.tune.port is not None:
                page = stack.enter_context(StudyPage(self.shared, self.tune.max_trials, self.tune.port))
                self._say(f"page: {page.address}")
            where = "" if self.tune.storage is None else f" in {without_password(self.tune.storage)}"
            self._say(f"study: {self.files.path}{where}; sampler {sampler_name(self.tune, self.space)}")
            self._say(f"tensorboard --logdir {self.files.trials}")
            self._report = stack.enter_context(reported("Trials done", self.tune.max_trials, self._done()))
            self._work()
            if self._error is None:
                self._write()
        if isinstance(self._error, (SQLAlchemyError, StorageInternalError)):
            reason = str(self._error.__cause__ or self._error).strip().partition("\n")[0]
            raise InputError(
                f"the storage of the study does not answer ({reason[:200]}); "
                f"when it does again: vitruve tune resume={self.files.path}"
            ) from self._error
        if self._error is not None:
            raise self._error
        if self._why == "asked":
            raise Interrupted(f"stopped; it goes on with: vitruve tune resume={self.files.path}")
        return self._found()

    def _work(self) -> None:
        threads = [
            threading.Thread(target=self._trials, args=(index,), daemon=True) for index in range(self.tune.processes)
        ]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                self._look_around()
                time.sleep(ASK_SECONDS)
        except (KeyboardInterrupt, SQLAlchemyError, StorageInternalError) as error:
            if not isinstance(error, KeyboardInterrupt):
                self._error = error
            self._end("asked")
            for thread in threads:
                # A second Ctrl-C ends the trials at once, with this process.
                thread.join()

    def _look_around(self) -> None:
        if self._ends is not None and time.monotonic() > self._ends:
            self._end("time")
        elif self.shared.halted() != self._halted:
            self._end("asked")

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self._ending.set()

    def _trials(self, index: int) -> None:
        try:
            environment = _environment(index, self.tune.processes)
            while not self._ending.is_set():
                found = self._next()
                if found is None:
                    return
                self._carry_out(*found, environment)
                self._tell(found[0].number, None)
                self._write()
        except BaseException as error:  # told by the main thread
            self._error = self._error or error
            self._end("error")

    def _next(self) -> tuple[optuna.Trial, dict[str, Any]] | None:
        """The next trial with its values, or None when there are enough."""
        with self._asking:
            self.shared.take_over()
            if len(self.shared.counted(self.shared.trials())) >= self.tune.max_trials:
                return None
            asked = self.shared.study.ask()
            before = [each for each in self.shared.counted(self.shared.trials()) if each.number < asked.number]
            if len(before) >= self.tune.max_trials:
                # Another process was as quick: one of the two is too many.
                self.shared.give_up(asked)
                return None
            return asked, self.space.suggest(asked)

    def _carry_out(self, trial: optuna.Trial, values: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        shared, run = self.shared, self._run(trial)
        shared.begin(trial, run.path)
        watch = Watch(shared, trial, run, self._ending, self.plain.training.max_epochs)
        self._say(f"trial {trial.number}: " + ", ".join(f"{key}={_short(value)}" for key, value in values.items()))
        try:
            config = with_values(self.plain, values)
            if not _completed(run):
                process = TrialProcess(config, run, environment)
                process.watch(partial(self._look, trial.number, watch, process))
            watch.report()
            if not watch.values:
                raise TrainingError(f"no value of {shared.column} in {run.metrics}; was it validated?")
        except VitruveError as error:
            self._broken_off(trial, watch, error)
            return
        epoch, value = best_of(watch.values, shared.direction) or (0, 0.0)
        shared.note(trial, BEST_EPOCH, epoch)
        shared.study.tell(trial.number, value)
        self._failures = 0
        self._say(f"trial {trial.number}: {shared.column} {value:.6g} (epoch {epoch + 1})")

    def _look(self, number: int, watch: Watch, process: TrialProcess) -> None:
        watch.look(process)
        self._tell(number, watch.share())

    def _tell(self, number: int, share: tuple[float, str] | None) -> None:
        """Say how far the trial at hand is; of several at a time, the first one."""
        with self._telling:
            if share is None:
                self._at_hand.pop(number, None)
            else:
                self._at_hand[number] = share
            self._report.part(*self._at_hand[min(self._at_hand)] if self._at_hand else (None,))

    def _broken_off(self, trial: optuna.Trial, watch: Watch, error: VitruveError) -> None:
        shared = self.shared
        if watch.reason in ("pruned", "stopped"):
            found = best_of(watch.values, shared.direction)
            if found is not None:
                shared.note(trial, BEST_EPOCH, found[0])
            shared.say(trial, watch.reason)
            shared.study.tell(trial.number, state=TrialState.PRUNED)
            self._say(f"trial {trial.number}: {watch.reason}")
        elif watch.reason == "interrupted":
            shared.repeat(trial, "interrupted")
            self._say(f"trial {trial.number}: interrupted, and will be gone on with")
        elif isinstance(error, (Killed, Interrupted)):
            again = shared.repeat(trial, str(error), killed=True)
            self._say(f"trial {trial.number}: {error}; {'it is tried again' if again else 'given up'}")
        else:
            shared.say(trial, str(error))
            shared.study.tell(trial.number, state=TrialState.FAIL)
            self._say(f"trial {trial.number}: failed: {error}")
            self._failed(error)

    def _failed(self, error: VitruveError) -> None:
        """End the search where its settings or data are wrong, not those of one trial."""
        self._failures += 1
        if self.shared.best() is not None:
            return
        if isinstance(error, (ConfigError, InputError)):
            raise error
        if self._failures >= _FAILURES:
            raise TrainingError(f"the first {self._failures} trials failed, the last one so: {error}") from error

    def _run(self, trial: optuna.Trial) -> RunFiles:
        """The run of a trial; that of an earlier attempt, where it is within reach."""
        earlier = trial.user_attrs.get(RUN)
        if earlier is not None and Path(earlier).is_dir():
            return RunFiles(Path(earlier))
        return self.files.run(trial.number)

    def _write(self) -> None:
        with self._writing:
            trials, best = self.shared.trials(), self.shared.best()
            with self._telling:
                self._report.reaches(self._done())
            self.files.write_table(self.space, trials)
            if best is not None:
                self.files.write_best(self.config, self.space, best)
            write_page(self.shared, self.tune.max_trials, self.files.page)

    def _done(self) -> int:
        """How many trials have ended."""
        return sum(each.state != TrialState.RUNNING for each in self.shared.counted(self.shared.trials()))

    def _found(self) -> Tuned:
        best = self.shared.best()
        count = len(self.shared.counted(self.shared.trials()))
        if best is None:
            return Tuned(self.files.path, None, None, {}, count)
        said, values = best.user_attrs, self.space.values(best.params)
        return Tuned(
            self.files.path,
            self.files.best,
            best.value,
            values,
            count,
            Path(said[RUN]),
            best.number,
            said.get(BEST_EPOCH),
        )


def _completed(run: RunFiles) -> bool:
    return run.status.is_file() and run.read_status().status == "COMPLETED"


def _environment(index: int, processes: int) -> dict[str, str]:
    """Variables that share cores and accelerators among the trials of this machine."""
    if processes == 1:
        return {}
    import torch

    found = (
        {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes))}
    )
    there = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(torch.cuda.device_count())))
    if there:
        names = there.split(",")
        found["CUDA_VISIBLE_DEVICES"] = names[index % len(names)]
    return found


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
