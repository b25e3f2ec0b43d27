"""The embedded annotation store: one file, nothing to start."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vitruve.annotation.store.backend import FORMAT, Counted, StoredTask, stored_task
from vitruve.annotation.store.documents import Json, TaskDocuments, tally
from vitruve.errors import InputError

# "Vitr", so that other programs' databases are told apart.
_APPLICATION = 0x56697472
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tasks (key INTEGER PRIMARY KEY, task_id INTEGER UNIQUE, document TEXT NOT NULL);
CREATE TABLE meta (task INTEGER PRIMARY KEY REFERENCES tasks (key), document TEXT NOT NULL);
CREATE TABLE annotation_data (task INTEGER NOT NULL REFERENCES tasks (key), document TEXT NOT NULL);
CREATE INDEX of_task ON annotation_data (task);
CREATE TABLE counts (
    task INTEGER NOT NULL REFERENCES tasks (key), object_class TEXT, shape_types TEXT, number INTEGER NOT NULL,
    PRIMARY KEY (task, object_class, shape_types)
) WITHOUT ROWID;
"""


class SqliteBackend:
    """Documents in one file of SQLite. Each task is written in one transaction.

    Args:
        file: The file.
        create: Make it where it is missing.

    Raises:
        InputError: It is missing, is no annotation store, or one of a newer program.
    """

    def __init__(self, file: Path, create: bool = False) -> None:
        self._file = file
        self.address = str(file)
        if not create and not file.is_file():
            raise InputError(f"{file}: no annotation store; make one with vitruve store sync or vitruve store import")
        with self._explained():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(file, timeout=60, isolation_level=None)
            # A killed writer leaves a log that the next one completes or drops; readers never wait.
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._prepare()

    def _prepare(self) -> None:
        version, application = (self._number(name) for name in ("user_version", "application_id"))
        if application not in (0, _APPLICATION) or (application == 0 and self._number("schema_version")):
            raise InputError(f"{self._file}: is a database of another program; name another file")
        if version > FORMAT:
            raise InputError(
                f"{self._file}: an annotation store of format {version}, and this program knows {FORMAT}: "
                "it was written by a newer one; update Vitruve"
            )
        if not version:
            with self._transaction():
                # Another process may have made it in the meantime.
                if not self._number("user_version"):
                    for statement in _TABLES.split(";"):
                        self._base.execute(statement)
                    self._base.execute(f"PRAGMA application_id={_APPLICATION}")
                    self._base.execute(f"PRAGMA user_version={FORMAT}")

    def _number(self, name: str) -> int:
        return int(self._base.execute(f"PRAGMA {name}").fetchone()[0])

    def tasks(self) -> list[StoredTask]:
        """As :meth:`Backend.tasks`."""
        with self._explained():
            rows = self._base.execute("SELECT key, document FROM tasks ORDER BY key").fetchall()
            return [stored_task(key, json.loads(document)) for key, document in rows]

    def read(self, task: StoredTask) -> TaskDocuments:
        """As :meth:`Backend.read`."""
        # One transaction, so that a task which is written meanwhile is seen whole as it was.
        with self._explained(), self._transaction("DEFERRED"):
            about = self._one("SELECT document FROM tasks WHERE key = ?", task.key)
            if about is None:
                raise InputError(f"{self._file}: task {task.name} is not there any more")
            meta = self._one("SELECT document FROM meta WHERE task = ?", task.key) or {}
            rows = self._base.execute("SELECT document FROM annotation_data WHERE task = ? ORDER BY rowid", (task.key,))
            return TaskDocuments(about, meta, [json.loads(row[0]) for row in rows])

    def write(self, documents: TaskDocuments, replaces: StoredTask | None) -> None:
        """As :meth:`Backend.write`."""
        with self._explained(), self._transaction():
            number = documents.task.get("task_id")
            # Another writer may have put the same task here in the meantime.
            row = self._base.execute("SELECT key FROM tasks WHERE task_id = ?", (number,)).fetchone()
            key = row[0] if row is not None else None if replaces is None else replaces.key
            about = (None if key is None else self._one("SELECT document FROM tasks WHERE key = ?", key)) or {}
            values = (key, number, _text({**about, **documents.task}))
            key = self._base.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?)", values).lastrowid
            self._base.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, _text(documents.meta)))
            self._base.execute("DELETE FROM annotation_data WHERE task = ?", (key,))
            self._base.execute("DELETE FROM counts WHERE task = ?", (key,))
            rows = ((key, _text(item)) for item in documents.annotations)
            self._base.executemany("INSERT INTO annotation_data VALUES (?, ?)", rows)
            counts = ((key, *pair, number) for pair, number in tally(documents.annotations).items())
            self._base.executemany("INSERT INTO counts VALUES (?, ?, ?, ?)", counts)

    def counts(self) -> list[Counted]:
        """As :meth:`Backend.counts`."""
        with self._explained():
            return [Counted(*row) for row in self._base.execute("SELECT * FROM counts")]

    def classes(self) -> list[str]:
        """As :meth:`Backend.classes`."""
        with self._explained():
            return list(self._one("SELECT value FROM about WHERE key = 'classes'") or [])

    def add_classes(self, names: Sequence[str]) -> list[str]:
        """As :meth:`Backend.add_classes`."""
        with self._explained(), self._transaction():
            known = list(self._one("SELECT value FROM about WHERE key = 'classes'") or [])
            found = list(dict.fromkeys([*known, *names]))
            self._base.execute("INSERT OR REPLACE INTO about VALUES ('classes', ?)", (_text(found),))
            return found

    @contextmanager
    def writing(self) -> Iterator[None]:
        """As :meth:`Backend.writing`: every task is a transaction of its own, so several writers do no harm."""
        yield

    def close(self) -> None:
        """As :meth:`Backend.close`."""
        self._base.close()

    def _one(self, statement: str, *values: Any) -> Any:
        row = self._base.execute(statement, values).fetchone()
        return None if row is None else json.loads(row[0])

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._base.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:  # after Ctrl-C, too, no half of a task may stay, nor the lock that others wait for
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise InputError(f"{self._file}: the annotation store cannot be used ({error})") from error
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self._file}: no annotation store, or a damaged one ({error})") from error
        except OSError as error:
            raise InputError(f"{self._file}: cannot be made ({error.strerror or error})") from error


def _text(document: Json | list[str]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
