"""What is in an annotation store: how many shapes of which class and kind, in which tasks, of which days."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vitruve.annotation.store.store import Store

_DAY = re.compile(r"(?<!\d)(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True)
class StoreStats:
    """Counts of shapes; a track counts once.

    Attributes:
        classes: By class.
        shape_types: By kind.
        tasks: For each task its name, number, day and counts by class, ordered by day.
    """

    classes: Mapping[str, int]
    shape_types: Mapping[str, int]
    tasks: tuple[Mapping[str, Any], ...]

    @property
    def total(self) -> int:
        """All shapes."""
        return sum(self.classes.values())

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "total": self.total,
            "classes": dict(self.classes),
            "shape_types": dict(self.shape_types),
            "tasks": [dict(task) for task in self.tasks],
        }

    def lines(self) -> list[str]:
        """The same as tables, a line each."""
        lines = [*_table(("class", "shapes"), [(name, str(n)) for name, n in self.classes.items()]), ""]
        lines += [*_table(("shape type", "shapes"), [(name, str(n)) for name, n in self.shape_types.items()]), ""]
        rows = [(_shown(task), str(task["day"] or "-"), str(task["shapes"])) for task in self.tasks]
        lines += [*_table(("task", "day", "shapes"), rows), ""]
        return [*lines, f"{self.total} shapes of {len(self.classes)} classes in {len(self.tasks)} tasks"]


def store_statistics(store: Store) -> StoreStats:
    """Count what is in a store.

    Args:
        store: The store.

    Returns:
        The counts, the most frequent first; tasks by the day in their name, or else that on which they were made.
    """
    counted = store.counts()
    classes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    by_task: dict[Any, Counter[str]] = {}
    for item in counted:
        classes[item.object_class] += item.number
        kinds[item.shape_type] += item.number
        by_task.setdefault(item.key, Counter())[item.object_class] += item.number
    tasks = [
        {
            "name": task.name,
            "id": task.id,
            "day": day_of(task.name) or task.created[:10],
            "updated": task.updated,
            "shapes": own.total(),
            "classes": _ordered(own),
        }
        for task in store.tasks()
        for own in [by_task.get(task.key, Counter())]
    ]
    tasks.sort(key=lambda task: (task["day"], task["name"], task["id"] or 0))
    return StoreStats(_ordered(classes), _ordered(kinds), tuple(tasks))


def day_of(name: str) -> str:
    """The day that a task's name speaks of, as ``2019-06-30``.

    Args:
        name: Such as ``FieldData 20190630102950``.

    Returns:
        The day; empty where there is none.
    """
    found = _DAY.search(name) or re.search(r"(?<!\d)(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=\d{6}(?!\d))", name)
    return "-".join(found.groups()) if found else ""


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _shown(task: Mapping[str, Any]) -> str:
    return str(task["name"]) + ("" if task["id"] is None else f" ({task['id']})")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    every = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    return [
        "  ".join(
            [*(f"{text:<{width}}" for text, width in zip(row, widths[:-1], strict=False)), f"{row[-1]:>{widths[-1]}}"]
        )
        for row in every
    ]
