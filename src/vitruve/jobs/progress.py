"""How far a verb is, in a file: for programs that watch it, as its bar on a terminal is for people."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from vitruve.atomic import atomic_json
from vitruve.errors import InputError, RunError

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
        part: How much of the one at hand is done, from 0 to 1; None where there are no parts.
        part_title: The one at hand, and how far it is, in words.
    """

    title: str
    done: int
    total: int | None
    first: int
    began: float
    time: float
    part: float | None = None
    part_title: str = ""

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
        """From the content of the file.

        Args:
            record: What :class:`Report` wrote.

        Returns:
            The same.

        Raises:
            RunError: Something is missing, or is not of its type.
        """
        try:
            return cls(
                str(record["title"]),
                int(_number(record["done"])),
                None if record["total"] is None else int(_number(record["total"])),
                int(_number(record["first"])),
                _number(record["began"]),
                _number(record["time"]),
                None if record.get("part") is None else _number(record["part"]),
                str(record.get("part_title", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"progress.json: does not say how far the job is ({error!r}); remove it") from error


def _number(value: float) -> float:
    # No count and no time is beyond that; what is computed from them stays finite.
    if not abs(value) < 1e15:
        raise ValueError(f"{value} is no count and no time")
    return value


class Report:
    """Is told how far a block is, and writes it down; see :func:`reported`.

    Args:
        file: Where to; None for nowhere.
        begun: How far it is at first.
    """

    def __init__(self, file: Path | None, begun: Progress) -> None:
        self._file, self._now = file, begun

    def __call__(self, count: int) -> None:
        """So many more are done."""
        self._becomes(replace(self._now, done=self._now.done + count))

    def reaches(self, done: int) -> None:
        """So many are done in all."""
        self._becomes(replace(self._now, done=done))

    def part(self, share: float | None, title: str = "") -> None:
        """How much of the one at hand is done.

        Args:
            share: From 0 to 1; None where none is at hand.
            title: What it is, and how far, in words.
        """
        self._becomes(replace(self._now, part=share, part_title=title))

    def write(self) -> None:
        """Write it down, however short ago that was done."""
        self._now = replace(self._now, time=time.time())
        # Work does not end because nobody can be told of it.
        if self._file is not None:
            with suppress(InputError, OSError):
                atomic_json(self._file, asdict(self._now))

    def _becomes(self, now: Progress) -> None:
        self._now = now
        if time.time() - now.time > _SECONDS:
            self.write()


@contextmanager
def reported(title: str, total: int | None, done: int = 0) -> Iterator[Report]:
    """Write how far a block is into the file that :data:`PROGRESS` names, if it names one.

    Args:
        title: What is being done.
        total: How many there are, if known.
        done: How many are done already.

    Yields:
        What is to be told how many more are done.
    """
    place, began = os.environ.get(PROGRESS), time.time()
    report = Report(Path(place) if place else None, Progress(title, done, total, done, began, began))
    report.write()
    try:
        yield report
    finally:
        report.write()
