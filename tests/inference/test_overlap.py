from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from vitruve.inference.overlap import overlap


def threads() -> int:
    return threading.active_count()


def test_items_come_in_order_and_the_thread_ends() -> None:
    before = threads()
    assert list(overlap(range(100), 3)) == list(range(100))
    assert list(overlap([], 1)) == []
    assert threads() == before


def test_it_runs_ahead_but_no_further_than_asked() -> None:
    drawn = []

    def source() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    stream = overlap(source(), 2)
    assert next(stream) == 0
    time.sleep(0.3)
    # One is in the reader's hands, two wait, one is held until there is room.
    assert len(drawn) == 4
    stream.close()
    assert len(drawn) <= 5


def test_both_sides_work_at_the_same_time() -> None:
    """The source gives its second item only after the reader has done something with the first."""
    done = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        assert done.wait(10), "the reader had no chance to work"
        yield 2

    stream = overlap(source(), 1)
    assert next(stream) == 1
    done.set()
    assert list(stream) == [2]


def test_errors_surface_where_the_result_is_read() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    stream = overlap(source(), 4)
    assert next(stream) == 1
    with pytest.raises(KeyError, match="broken"):
        next(stream)
    with pytest.raises(TypeError):
        next(overlap(5, 1))  # type: ignore[arg-type]


def test_stopping_early_closes_the_source() -> None:
    before, closed = threads(), []

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread())

    stream = overlap(source(), 2)
    next(stream)
    stream.close()
    assert len(closed) == 1 and threads() == before
