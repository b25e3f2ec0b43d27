"""A folder of tables with one row a frame, which appears under its name when it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from vitruve.inference.rows import cut_rows, saying, start_rows, whole_rows

_UNFINISHED = "_unfinished_"
_KEPT_SECONDS = 7 * 24 * 3600.0


class PredictionFolder:
    """Grows hidden beside the finished ones; a prediction that was interrupted is found again and goes on.

    Other interrupted ones that nobody went on with for a week are removed.

    A context manager: the tables are open inside it.

    Args:
        parent: Where the finished folder will be.
        prefix: What its name begins with; the time follows.
        stamp: Plain values that say what is predicted and with what. Only rows of the same stamp are kept.
        headers: The header lines of each table, with line ends, by the name of its file.
        batch_size: Rows that are written together.

    Attributes:
        path: The folder while it grows.
        done: Rows that are there already.

    Raises:
        InputError: The folder cannot be written.
    """

    def __init__(
        self, parent: Path, prefix: str, stamp: Mapping[str, Any], headers: Mapping[str, str], batch_size: int
    ) -> None:
        digest = hashlib.sha256(json.dumps(stamp, sort_keys=True).encode()).hexdigest()[:16]
        self.path = parent / f".{prefix}{_UNFINISHED}{digest}"
        self._target = parent / prefix
        _remove_forgotten(parent, self.path)
        tables = {self.path / name: header for name, header in headers.items()}
        self.done = min(whole_rows(table, header, batch_size) for table, header in tables.items())
        for table, header in tables.items():
            if self.done:
                cut_rows(table, header, self.done)
            else:
                start_rows(table, header)
        self._names = tuple(headers)
        self._streams: dict[str, TextIO] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for name in self._names:
            with saying(self.path / name):
                stream = (self.path / name).open("a", encoding="utf-8", newline="")
                self._streams[name] = self._stack.enter_context(stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            for name, stream in self._streams.items() if error is None else ():
                with saying(self.path / name):
                    stream.flush()
                    os.fsync(stream.fileno())

    def append(self, rows: Mapping[str, str]) -> None:
        """Add the rows of a batch.

        Args:
            rows: As many lines for each table, with line ends.

        Raises:
            InputError: A table cannot be written.
        """
        for name, text in rows.items():
            with saying(self.path / name):
                self._streams[name].write(text)
                self._streams[name].flush()

    def finish(self) -> Path:
        """Give the folder its name, after everything in it is written.

        Returns:
            Where it is now: ``<prefix>_<YYYYmmdd-HHMMSS>``.

        Raises:
            InputError: It cannot be renamed.
        """
        now = datetime.now()
        while (target := self._target.with_name(f"{self._target.name}_{now:%Y%m%d-%H%M%S}")).exists():
            now += timedelta(seconds=1)
        with saying(target):
            self.path.rename(target)
        return target


def is_unfinished(path: Path) -> bool:
    """Whether a folder is a prediction that is being made, or was interrupted.

    Args:
        path: The folder.

    Returns:
        Whether it is.
    """
    return path.name.startswith(".") and _UNFINISHED in path.name and path.is_dir()


def _remove_forgotten(parent: Path, mine: Path) -> None:
    before = time.time() - _KEPT_SECONDS
    for path in parent.glob(f".*{_UNFINISHED}*"):
        if path != mine and is_unfinished(path):
            # Every batch is appended to the tables: one that is being made is never old.
            newest = max((file.stat().st_mtime for file in (path, *path.iterdir())), default=0.0)
            if newest < before:
                shutil.rmtree(path, ignore_errors=True)
