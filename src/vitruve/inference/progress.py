"""How far a prediction is, on the terminal, and for programs that watch it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vitruve.jobs.progress import reported

T = TypeVar("T")


@contextmanager
def progress(title: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a bar while a block runs, where output is a terminal, and say it to who watches (:func:`reported`).

    Args:
        title: What is being done.
        total: How many there are, if known.
        done: How many are done already.

    Yields:
        A function to be told how many more are done.
    """
    with reported(title, total, done) as say, _bar(title, total, done) as show:

        def advance(count: int) -> None:
            say(count)
            show(count)

        yield advance


def with_progress(title: str, items: Iterable[T], total: int | None) -> Iterator[T]:
    """Items as they are, while how many have been used is shown as :func:`progress` does.

    Args:
        title: What is done with them.
        items: The items.
        total: How many there are, if known.

    Yields:
        Each item.
    """
    with progress(title, total) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def _bar(title: str, total: int | None, done: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[rate]}"), console=console) as bar:
        task = bar.add_task(title, total=total, completed=done, rate="")

        def advance(count: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=count, rate=f"{speed:.0f} frames/s" if speed else "")

        yield advance
