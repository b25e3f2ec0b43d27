"""What is known of the jobs of each kind: how far one is, and how one that was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vitruve.app.progress import Standing
from vitruve.app.training.progress import go_on_arguments, training_progress
from vitruve.errors import RunError
from vitruve.jobs import Job


@dataclass(frozen=True)
class JobKind:
    """Jobs of one kind, which ``about["kind"]`` names.

    Attributes:
        standing: How far a job is; None while nothing is known.
        go_on: Arguments of the verb with which a job that has ended early goes on.
    """

    standing: Callable[[Job], Standing | None]
    go_on: Callable[[Job], tuple[str, ...]]


def kind_of(job: Job) -> JobKind:
    """What is known of jobs like this one."""
    return KINDS.get(job.about.get("kind", ""), _PLAIN)


def _as_it_says(job: Job) -> Standing | None:
    """What the process itself says of the step at hand."""
    try:
        progress = job.progress
    except RunError:
        # The job may be well all the same.
        progress = None
    if progress is None:
        return None
    count = f"{progress.done}" if progress.total is None else f"{progress.done} of {progress.total}"
    text = progress.title if progress.total is None and not progress.done else f"{progress.title}: {count}"
    return Standing(progress.share, text, progress.seconds_left, progress.part, progress.part_title)


def _search(job: Job) -> tuple[str, ...]:
    # Searches stand on all settings there are, which take a while to load.
    from vitruve.app.study import search_goes_on

    return search_goes_on(job)


KINDS: dict[str, JobKind] = {
    "train": JobKind(training_progress, go_on_arguments),
    "tune": JobKind(_as_it_says, _search),
}
"""Kinds of which more is known than their process itself says. Others are handed in as they were when they are to go
on."""

_PLAIN = JobKind(_as_it_says, lambda job: job.arguments)
