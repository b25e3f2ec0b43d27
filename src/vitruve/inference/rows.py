"""Tables that grow row by row while a prediction runs: an interrupted one is cut to its whole batches and goes on."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from vitruve.errors import InputError

T = TypeVar("T")


@contextmanager
def saying(path: Path) -> Iterator[None]:
    """Say which file cannot be written, and what to do about it.

    Args:
        path: The file that the block writes.

    Yields:
        Nothing.

    Raises:
        InputError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space and run again: it goes on there" if full else "choose another --output"
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from error


def start_rows(part: Path, header: str) -> None:
    """Begin a table anew.

    Args:
        part: The file; its folder is made when missing.
        header: Its header lines, with line ends.

    Raises:
        InputError: It cannot be written.
    """
    with saying(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(header, encoding="utf-8", newline="")


def whole_rows(part: Path, header: str, batch_size: int) -> int:
    """Rows of a table up to its last whole batch.

    Args:
        part: The file.
        header: What it must begin with.
        batch_size: Rows of a batch.

    Returns:
        Their number; 0 when it must begin anew.
    """
    text = part.read_bytes() if part.is_file() else b""
    start = len(header.encode())
    if text[:start] != header.encode():
        return 0
    return text.count(b"\n", start) // batch_size * batch_size


def cut_rows(part: Path, header: str, rows: int) -> None:
    """Cut a table behind its first rows.

    Args:
        part: The file.
        header: What it begins with.
        rows: How many stay, at least 1.
    """
    text = part.read_bytes()
    start = len(header.encode())
    ends = [match.end() for match in re.finditer(b"\n", text) if match.end() > start]
    with part.open("rb+") as stream:
        stream.truncate(ends[rows - 1])


def groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """What is written together.

    Args:
        items: In order.
        size: Of a group; the last one may be smaller.

    Yields:
        The groups.
    """
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
