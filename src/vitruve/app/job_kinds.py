"""What is known of the jobs of each kind: how far one is, and how one that was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vitruve.app.progress import Progress
from vitruve.app.training.progress import go_on_arguments, training_progress
from vitruve.jobs import Job


@dataclass(frozen=True)
class JobKind:
    """Jobs of one kind, which ``about["kind"]`` names.

    Attributes:
        noun: What such a job is called.
        progress: How far a job is; None while nothing is known.
        go_on: Arguments of the verb with which a job that has ended early goes on.
    """

    noun: str = "job"
    progress: Callable[[Job], Progress | None] = lambda job: None
    go_on: Callable[[Job], tuple[str, ...]] = lambda job: job.arguments


KINDS: dict[str, JobKind] = {
    "train": JobKind("training", training_progress, go_on_arguments),
}
"""Kinds of which more is known than how their process stands. Others begin anew when they are to go on."""


def kind_of(job: Job) -> JobKind:
    """What is known of jobs like this one."""
    return KINDS.get(job.about.get("kind", ""), _PLAIN)


_PLAIN = JobKind()
