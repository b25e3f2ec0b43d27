"""How far a training is: one network after the other, epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from vitruve.app.progress import Standing, duration
from vitruve.errors import RunError
from vitruve.jobs import Job
from vitruve.run import RunFiles, Status

COMPLETED, EVALUATING, FAILED, TRAINING = "COMPLETED", "EVALUATING", "FAILED", "TRAINING"

_RESUME = "--resume"


@dataclass(frozen=True)
class Step:
    """One network of a training.

    Attributes:
        run: Its run directory, which need not be there yet.
        epochs: How many are planned.
        status: How it stands, with all networks of an ensemble; None before it has begun.
    """

    run: Path
    epochs: int
    status: Status | None = None

    @property
    def done(self) -> float:
        """Epochs that are done, with the share of the one at hand."""
        if self.status is None:
            return 0.0
        if self.status.status in (COMPLETED, EVALUATING):
            return float(self.epochs)
        return min(float(self.epochs), self.status.completed + self.status.epoch_share)


class AboutSteps(TypedDict):
    """What a job of a training remembers of its networks: one run a line, and as many numbers of epochs."""

    runs: str
    epochs: str


def about_steps(steps: Sequence[Step]) -> AboutSteps:
    """What a job of a training remembers of its networks.

    Args:
        steps: Its networks, in order.

    Returns:
        For ``Job.about``.
    """
    return {
        "runs": "\n".join(str(step.run) for step in steps),
        "epochs": " ".join(str(step.epochs) for step in steps),
    }


def steps_of(job: Job) -> list[Step]:
    """The networks that a job trains, in order, and how each stands now.

    Args:
        job: One that :func:`about_steps` was given to.

    Returns:
        The networks; none for other jobs.
    """
    runs = [Path(line) for line in job.about.get("runs", "").split("\n") if line]
    epochs = [int(word) for word in job.about.get("epochs", "").split()]
    return [
        Step(run, status.total if status is not None and status.total else planned, status)
        for run, planned in zip(runs, epochs, strict=False)
        for status in [run_status(run)]
    ]


def run_status(run: Path) -> Status | None:
    """How the training of a run stands; of an ensemble, with the network at hand.

    Args:
        run: The run directory.

    Returns:
        Its status; None where it has not begun.
    """
    files = RunFiles(run)
    try:
        status = files.read_status() if files.status.is_file() else None
        if status is None or status.status != TRAINING:
            return status
        at_hand = [each.read_status() for each in files.members() if each.status.is_file()]
    except RunError:
        return None
    for member in at_hand:
        if member.status == TRAINING:
            done = status.completed + member.completed
            return replace(status, completed=done, epoch_share=member.epoch_share, seconds_left=member.seconds_left)
    return status


def training_progress(job: Job) -> Standing | None:
    """How far a training is.

    Args:
        job: Of the kind ``train``.

    Returns:
        The share of all epochs; the epoch at hand; the time left until the last one of the network at hand. None for
        a job that does not say what it trains.
    """
    if job.stop_mark.exists():
        return Standing(None, "stopping; what is done so far is kept")
    return progress_of(steps_of(job), time.time())


def progress_of(steps: Sequence[Step], now: float) -> Standing | None:
    """How far networks that are trained one after the other are.

    Args:
        steps: The networks, in order.
        now: In seconds since 1970.

    Returns:
        As :func:`training_progress` says.
    """
    planned = sum(step.epochs for step in steps)
    if not planned:
        return None
    share = sum(step.done for step in steps) / planned
    at_hand = next((step for step in steps if step.status is None or step.status.status != COMPLETED), None)
    if at_hand is None:
        return Standing(1.0, "finishing")
    number = steps.index(at_hand) + 1
    name = f"{at_hand.run.parent.name} ({number} of {len(steps)}): " if len(steps) > 1 else ""
    status = at_hand.status
    if status is None or status.process is None:
        return Standing(share, f"{name}reading images and settings")
    if status.status == EVALUATING:
        return Standing(share, f"{name}measuring errors on the labelled images, and what follows training")
    epoch = f"epoch {min(status.completed + 1, at_hand.epochs)} of {at_hand.epochs}"
    left = None if status.seconds_left is None else max(0.0, status.seconds_left - (now - status.timestamp))
    if left is not None and number < len(steps):
        # How long the networks behind it take, nobody knows.
        epoch, left = f"{epoch}; {duration(left)} left of this network", None
    return Standing(share, f"{name}{epoch}", left, status.epoch_share, f"{status.epoch_share:.0%} of this epoch")


def go_on_arguments(job: Job) -> tuple[str, ...]:
    """The arguments with which a training that has ended early goes on.

    Args:
        job: The job that has ended.

    Returns:
        The job's own where nothing was trained yet.
    """
    begun = [step for step in steps_of(job) if step.status is not None]
    if not begun or _RESUME in job.arguments or any(word.startswith("resume=") for word in job.arguments):
        return job.arguments
    if job.arguments[0] == "project":
        return (*job.arguments, _RESUME)
    return ("train", f"resume={begun[0].run}")
