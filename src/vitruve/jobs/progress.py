"""How far a verb is, in a file: for programs that watch it, as its bar on a terminal is for people."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from vitruve.atomic import atomic_json
from vitruve.errors import InputError

PROGRESS = "VITRUVE_PROGRESS"
"""Environment variable that names the file; without it none is written."""

_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far one step of a verb is.

    Attributes:
        title: What is being done.
        done: How many are done, with those of before an interruption.
        total: How many there are; None where nobody knows.
        first: How many were done when this process began.
        began: When it began, in seconds since 1970.
        time: When this was written.
    """

    title: str
    done: int
    total: int | None
    first: int
    began: float
    time: float

    @property
    def share(self) -> float | None:
        """From 0 to 1."""
        return None if not self.total else min(1.0, self.done / self.total)

    @property
    def rate(self) -> float | None:
        """How many a second, over all that this process has done."""
        seconds, made = self.time - self.began, self.done - self.first
        return made / seconds if made > 0 and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """At this rate."""
        return None if self.total is None or self.rate is None else max(0, self.total - self.done) / self.rate

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """From the content of the file."""
        return cls(**{name: record[name] for name in cls.__dataclass_fields__})


@contextmanager
def reported(title: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Write how far a block is into the file that :data:`PROGRESS` names, if it names one.

    Args:
        title: What is being done.
        total: How many there are, if known.
        done: How many are done already.

    Yields:
        A function to be told how many more are done.
    """
    place = os.environ.get(PROGRESS)
    if not place:
        yield lambda count: None
        return
    file, began, now, said = Path(place), time.time(), done, 0.0

    def say() -> None:
        nonlocal said
        said = time.time()
        # Work does not end because nobody can be told of it.
        with suppress(InputError, OSError):
            atomic_json(file, asdict(Progress(title, now, total, done, began, said)))

    def advance(count: int) -> None:
        nonlocal now
        now += count
        if time.time() - said > _SECONDS:
            say()

    say()
    try:
        yield advance
    finally:
        say()
