"""Bring the completed tasks of an annotation server into a store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vitruve.annotation.cvat.reader import TaskInfo
from vitruve.annotation.store.store import Store
from vitruve.errors import InputError
from vitruve.structures.annotation import AnnotationTask

_log = logging.getLogger(__name__)


class Source(Protocol):
    """What of an annotation server is needed; :class:`~vitruve.annotation.cvat.reader.CvatReader` is one.

    Attributes:
        url: Its address.
    """

    @property
    def url(self) -> str:
        """Its address."""
        ...

    def tasks(self, status: str | None = None, name: str | None = None, pattern: str = "") -> list[TaskInfo]:
        """Like :meth:`~vitruve.annotation.cvat.reader.CvatReader.tasks`."""
        ...

    def read(self, task_id: int) -> AnnotationTask:
        """A task with all that is drawn in it."""
        ...


@dataclass(frozen=True)
class Synchronised:
    """What a synchronisation did.

    Attributes:
        added: Names of tasks that are new in the store.
        updated: Those that were changed on the server.
        unchanged: How many are as they were.
        only_here: Those that the server has no more, or that are not completed any more. They are kept.
        failed: Those that could not be read, with the reason.
    """

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: int = 0
    only_here: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The same in words, a line each."""
        counts = f"{len(self.added)} tasks added, {len(self.updated)} updated, {self.unchanged} unchanged"
        lines = [f"+ {name}" for name in self.added] + [f"~ {name}" for name in self.updated]
        lines += [f"= {name} (not among the server's completed tasks; kept)" for name in self.only_here]
        return [*lines, *(f"! {line}" for line in self.failed), counts]


def synchronise(store: Store, server: Source, names: Sequence[str | int] = ()) -> Synchronised:
    """Bring the completed tasks of a server into a store; those that have not changed since are not read again.

    Broken off at any time, every task is in the store as it was or as it is on the server; the next call does the rest.

    Args:
        store: The store.
        server: The server.
        names: Names or numbers of the tasks that are wanted; all by default.

    Returns:
        What was done.

    Raises:
        InputError: A name is none of a completed task, or the store holds the tasks of another server.
        ServerError: One of both servers failed; what was done stays.
    """
    completed = server.tasks(status="completed")
    wanted = _named(completed, names, server.url)
    added: list[str] = []
    updated: list[str] = []
    failed: list[str] = []
    unchanged = 0
    with store.writing():
        known = {task.id: task for task in store.tasks() if task.id is not None}
        for info in wanted:
            before = known.get(info.id)
            shown = f"{info.name} ({info.id})"
            if before is not None and before.created == info.created and before.updated == info.updated:
                unchanged += 1
                continue
            try:
                task = server.read(info.id)
            except InputError as error:
                failed.append(str(error))
                continue
            store.put(task, server.url)
            (added if before is None else updated).append(shown)
            _log.info("%s: %d shapes, %d tracks", shown, len(task.shapes), len(task.tracks))
    there = {info.id for info in completed}
    only_here = [f"{task.name} ({task.id})" for task in known.values() if task.id not in there]
    return Synchronised(tuple(added), tuple(updated), unchanged, () if names else tuple(only_here), tuple(failed))


def _named(completed: Sequence[TaskInfo], names: Sequence[str | int], url: str) -> list[TaskInfo]:
    if not names:
        return list(completed)
    asked = {str(name) for name in names}
    found = [info for info in completed if {info.name, str(info.id)} & asked]
    lost = sorted(asked - {name for info in found for name in (info.name, str(info.id))})
    if lost:
        raise InputError(f"{url}: no completed task '{lost[0]}'; it has {len(completed)} completed tasks")
    return found
