"""What a database must do to be an annotation store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from vitruve.annotation.store.documents import TaskDocuments

FORMAT = 1
"""Of the store; raised when an older program could no longer read one."""


@dataclass(frozen=True)
class StoredTask:
    """A task of a store, without what is drawn in it.

    Attributes:
        key: What the database knows it by.
        name: Its name; there may be two of one name.
        id: The number that the annotation server knows it by; None for tasks of OBDB and of files.
        updated: When it last changed on the server.
        created: When it was made there.
        generation: Which of several states of its documents counts, where the database needs it.
        server: Address of the annotation server, or empty.
    """

    key: Any
    name: str
    id: int | None
    updated: str
    created: str
    generation: str | None = None
    server: str = ""


@dataclass(frozen=True)
class Counted:
    """How many shapes of one class and kind a task has.

    Attributes:
        key: The task's :attr:`StoredTask.key`.
        object_class: The class.
        shape_type: The kind.
        number: How many.
    """

    key: Any
    object_class: str
    shape_type: str
    number: int


class Backend(Protocol):
    """A database of documents. All methods raise ``InputError`` or ``ServerError`` in one line.

    Attributes:
        address: Where it is, without a password.
    """

    address: str

    def tasks(self) -> list[StoredTask]:
        """All tasks."""
        ...

    def read(self, task: StoredTask) -> TaskDocuments:
        """The documents of one task: those of one state of it, whatever is written meanwhile."""
        ...

    def write(self, documents: TaskDocuments, replaces: StoredTask | None) -> None:
        """Put a task, or put it in the place of another: whole or, where it is broken off, not at all."""
        ...

    def counts(self) -> list[Counted]:
        """How many shapes there are, by task, class and kind."""
        ...

    def classes(self) -> list[str]:
        """The class map: names in the order of their numbers."""
        ...

    def add_classes(self, names: Sequence[str]) -> list[str]:
        """Put names that are new to the end of the class map, and give it back."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Hold what several writers must not do at the same time."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def stored_task(key: Any, document: Mapping[str, Any]) -> StoredTask:
    """A task as its document says.

    Args:
        key: What the database knows it by.
        document: Its entry in ``tasks``.

    Returns:
        The task.
    """
    return StoredTask(
        key,
        str(document.get("name", "")),
        document.get("task_id"),
        str(document.get("updated_date") or ""),
        str(document.get("created_date") or ""),
        document.get("generation"),
        str(document.get("server") or ""),
    )
