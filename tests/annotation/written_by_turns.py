"""A stand-in for an annotation server whose tasks change by turns, and a process that is killed while it reads them."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vitruve.annotation.cvat.reader import TaskInfo
from vitruve.annotation.store.store import Store, open_store
from vitruve.annotation.store.sync import synchronise
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame

TASKS = 4
CLASSES = ("Dock", "Thistle", "Nettle")


@dataclass
class ByTurns:
    """Tasks of which each turn has others shapes.

    Attributes:
        turn: The turn.
        tasks_there: How many tasks there are; two have one name.
        shapes: How many shapes each has.
        url: Its address.
        on_read: Is called when a task is read.
    """

    turn: int = 0
    tasks_there: int = TASKS
    shapes: int = 300
    url: str = "http://by.turns"
    on_read: Callable[[], None] = lambda: None

    def tasks(self, status: str | None = None, name: str | None = None, pattern: str = "") -> list[TaskInfo]:
        """The tasks."""
        assert status == "completed"
        return [
            TaskInfo(n, f"field {n // 2}", "completed", f"turn {self.turn}", f"made {n}", "", 10)
            for n in range(self.tasks_there)
        ]

    def read(self, task_id: int) -> AnnotationTask:
        """A task. In its points stands the turn, in their number the turn, too."""
        self.on_read()
        count = self.shapes + self.turn % 3
        shapes = tuple(
            Shape("rectangle", CLASSES[n % 3], n % 10, (float(self.turn), float(n), self.turn + 1.0, n + 1.0), id=n)
            for n in range(count)
        )
        frames = tuple(TaskFrame(f"field {task_id}/{n}.png", 100, 1000) for n in range(10))
        info = self.tasks("completed")[task_id]
        labels = tuple(LabelSpec(name, "rectangle") for name in CLASSES)
        return AnnotationTask(
            info.name,
            labels,
            frames,
            shapes,
            status="completed",
            updated=info.updated,
            created=info.created,
            id=task_id,
        )


def check_whole(store: Store, shapes: int = 300) -> list[int]:
    """Fail where a task of a store is none of those that :class:`ByTurns` had.

    A shape is lost, doubled, or of another turn, or the counts are those of another.

    Args:
        store: The store.
        shapes: How many shapes a task has.

    Returns:
        The turn of each task.
    """
    counted: dict[object, int] = {}
    for item in store.counts():
        counted[item.key] = counted.get(item.key, 0) + item.number
    turns = []
    stored = store.tasks()
    assert len({task.id for task in stored}) == len(stored)
    for task in stored:
        read = store.read(task)
        turn = int(read.updated.removeprefix("turn "))
        assert {shape.points[0] for shape in read.shapes} == {float(turn)}
        assert sorted(shape.points[1] for shape in read.shapes) == [float(n) for n in range(shapes + turn % 3)]
        assert counted[task.key] == len(read.shapes)
        turns.append(turn)
    return turns


def killed_after(address: str, first: int, reads: int, seconds: float) -> int:
    """Synchronise over and over in a process, and kill it.

    Args:
        address: The store.
        first: The first turn, all tasks of which come into the store.
        reads: So many tasks are read after that; the process dies while the last is written, or after it.
        seconds: From the last of these reads to its death.

    Returns:
        A turn that it has not come to.
    """
    # A fork has all that takes seconds to import.
    context = multiprocessing.get_context("fork")
    done, begun = context.Value("i", first), context.Value("i", 0)
    process = context.Process(target=_over_and_over, args=(address, first, done, begun), daemon=True)
    process.start()
    while begun.value < TASKS + reads:
        assert process.is_alive()
        time.sleep(0.0005)
    time.sleep(seconds)
    process.kill()
    process.join()
    return int(done.value) + 1


def _over_and_over(address: str, first: int, done: Any, begun: Any) -> None:
    def count() -> None:
        begun.value += 1

    for turn in itertools.count(first):
        with open_store(address, create=True) as store:
            synchronise(store, ByTurns(turn, on_read=count))
        done.value = turn + 1
