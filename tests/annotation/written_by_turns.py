"""A stand-in for an annotation server whose tasks change by turns, and a process that brings them into a store.

Run as a program it synchronises over and over, until it is killed.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass

from vitruve.annotation.cvat_reader import TaskInfo
from vitruve.annotation.store import Store, open_store
from vitruve.annotation.store_sync import synchronise
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame

CLASSES = ("Dock", "Thistle", "Nettle")


@dataclass
class ByTurns:
    """Tasks of which each turn has others shapes.

    Attributes:
        turn: The turn.
        tasks_there: How many tasks there are; two have one name.
        shapes: How many shapes each has.
        url: Its address.
    """

    turn: int = 0
    tasks_there: int = 4
    shapes: int = 300
    url: str = "http://by.turns"

    def tasks(self, status: str | None = None, name: str | None = None, pattern: str = "") -> list[TaskInfo]:
        """The tasks."""
        assert status == "completed"
        return [
            TaskInfo(n, f"field {n // 2}", "completed", f"turn {self.turn}", f"made {n}", "", 10)
            for n in range(self.tasks_there)
        ]

    def read(self, task_id: int) -> AnnotationTask:
        """A task. In its points stands the turn, in their number the turn, too."""
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


if __name__ == "__main__":
    address, first = sys.argv[1], int(sys.argv[2])
    for turn in itertools.count(first):
        with open_store(address, create=True) as place:
            synchronise(place, ByTurns(turn))
        print(turn, flush=True)
