"""The annotation store with a million shapes, and killed while it writes: `python benchmarks/store.py`.

Bars: sync of an unchanged server in under 5 s, class counts in under 1 s, in SQLite and in MongoDB; 100 kills lose and
double nothing. MongoDB is a real one with authentication, started for this and stopped again (see
tests/annotation/local_mongod.py for where it is looked for).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common import record

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from annotation.local_mongod import PASSWORD, USER, local_mongod  # noqa: E402
from annotation.written_by_turns import check_whole, killed_after  # noqa: E402
from vitruve.annotation.cvat.reader import TaskInfo  # noqa: E402
from vitruve.annotation.store.stats import store_statistics  # noqa: E402
from vitruve.annotation.store.store import open_store  # noqa: E402
from vitruve.annotation.store.sync import synchronise  # noqa: E402
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame  # noqa: E402

CLASSES = tuple(f"plant {n}" for n in range(8))


@dataclass
class Large:
    """A server with many tasks of 1000 shapes on 100 images."""

    count: int
    url: str = "http://large"
    read_tasks: list[int] = field(default_factory=list)

    def tasks(self, status: str | None = None, name: str | None = None, pattern: str = "") -> list[TaskInfo]:
        """The tasks."""
        return [TaskInfo(n, f"FieldData {n}", "completed", "u", f"made {n}", "", 100) for n in range(self.count)]

    def read(self, task_id: int) -> AnnotationTask:
        """A task, the same each time."""
        self.read_tasks.append(task_id)
        draw = random.Random(task_id)
        frames = tuple(TaskFrame(f"FieldData {task_id}/{n:04d}.png", 1920, 1080) for n in range(100))
        shapes = tuple(
            Shape("rectangle", draw.choice(CLASSES), n // 10, (x, y, x + 50.0, y + 40.0), id=1000 * task_id + n)
            for n in range(1000)
            for x, y in [(draw.uniform(0, 1800), draw.uniform(0, 1000))]
        )
        labels = tuple(LabelSpec(name, "rectangle") for name in CLASSES)
        about = {"status": "completed", "updated": "u", "created": f"made {task_id}", "id": task_id}
        return AnnotationTask(f"FieldData {task_id}", labels, frames, shapes, **about)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return round(time.perf_counter() - start, 3), result


def million(address: str, tasks: int) -> dict[str, Any]:
    """Fill a store, and time what is done with it; each time with a connection of its own."""

    def sync() -> Any:
        with open_store(address, create=True) as store:
            return synchronise(store, server)

    def stats() -> Any:
        with open_store(address) as store:
            return store_statistics(store)

    server = Large(tasks)
    first, done = seconds(sync)
    assert len(done.added) == tasks
    server.read_tasks.clear()
    again = [seconds(sync) for _ in range(3)]
    assert all(found.unchanged == tasks for _, found in again)
    assert not server.read_tasks
    counted = [seconds(stats) for _ in range(3)]
    assert all(found.total == 1000 * tasks and len(found.classes) == len(CLASSES) for _, found in counted)
    return {
        "shapes": 1000 * tasks,
        "first_sync_s": first,
        "unchanged_sync_s": [figure for figure, _ in again],
        "class_counts_s": [figure for figure, _ in counted],
    }


def kills(address: str, number: int) -> dict[str, Any]:
    """Kill a synchronisation at random moments, and look at all that is in the store after each."""
    draw = random.Random(0)
    turn, mixed = 0, 0
    for _ in range(number):
        turn = killed_after(address, turn, draw.randint(1, 8), draw.uniform(0, 0.03)) + 1
        with open_store(address) as store:
            turns = check_whole(store)
        assert len(turns) == 4
        mixed += len(set(turns)) > 1
    return {"kills": number, "lost_or_doubled": 0, "killed_between_two_tasks": mixed}


@contextmanager
def places(kind: str) -> Iterator[tuple[str, str]]:
    """Addresses of two empty stores."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield f"{folder}/million.sqlite", f"{folder}/kills.sqlite"
            return
        word = quote(PASSWORD, safe="")
        one, two = Path(folder) / "million", Path(folder) / "kills"
        one.mkdir()
        two.mkdir()
        with local_mongod(one, 1.0) as first, local_mongod(two) as second:
            yield f"mongodb://{USER}:{word}@{first}/", f"mongodb://{USER}:{word}@{second}/"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=["sqlite", "mongodb"])
    parser.add_argument("--tasks", type=int, default=1000, help="of 1000 shapes each")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--name", default="store")
    given = parser.parse_args()
    results = {}
    for kind in given.kinds:
        with places(kind) as (large, killed):
            results[kind] = kills(killed, given.kills)
            print(kind, results[kind], flush=True)
            results[kind] |= million(large, given.tasks)
            print(kind, results[kind], flush=True)
    record(given.name, results)
