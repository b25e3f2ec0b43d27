"""Stages of a pipeline that work at the same time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_END = object()


def overlap(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Draw from an iterable in a thread of its own, a bounded number of items ahead.

    Args:
        items: What is drawn from. Its errors are raised where the result is read. It is closed, with whatever files
            it holds open, when the reader stops early.
        depth: Items that may wait.

    Yields:
        The items, in order.
    """
    waiting: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()
    failures: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        source: Iterator[T] | None = None
        try:
            source = iter(items)
            for item in source:
                if not put(item):
                    break
        except BaseException as error:  # whatever it is, the reader has to see it
            failures.append(error)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
            put(_END)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not _END:
            yield item  # type: ignore[misc]
        if failures:
            raise failures[0]
    finally:
        stopped.set()
        thread.join()
