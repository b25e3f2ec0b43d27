"""How long the stages of a prediction of several videos work, while they work at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import torch

from vitruve.inference.locate import NetworkLocator
from vitruve.inference.predictor import Predictor
from vitruve.media.recordings import Image, Recording


class Stages:
    """Seconds that each stage was busy; a context manager, inside which the networks are watched.

    ``read`` is the decoding of the slowest video, ``locate`` the network that finds the animal, ``network`` that of the
    images, ``volume`` all that follows it in the algorithm, ``write`` what is done with its results.

    Args:
        predictor: Whose networks are watched.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._locator = predictor.locator.predictor if isinstance(predictor.locator, NetworkLocator) else None
        self._read: list[float] = []
        self._network = self._write = self._network_began = 0.0
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        self._began = self._busy()
        network = self._predictor.algorithm.network
        self._hooks = [
            network.register_forward_pre_hook(self._network_begins),
            network.register_forward_hook(self._network_ends),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    def watched(self, recording: Recording) -> Recording:
        """The same recording; its decoding is timed.

        Args:
            recording: The videos.

        Returns:
            The videos.
        """
        self._read = [0.0] * len(recording)
        return _Timed(recording, self._read)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Time a block as ``write``."""
        began = time.perf_counter()
        yield
        self._write += time.perf_counter() - began

    def frames_per_second(self, frames: int, seconds: float) -> dict[str, float | None]:
        """The rate of each stage, had it worked alone, and of all together.

        Args:
            frames: Instants that went through them.
            seconds: From the first to the last.

        Returns:
            By stage; None where it did nothing. ``volume`` only of networks in space.
        """
        locate, whole = (now - then for now, then in zip(self._busy(), self._began, strict=True))
        busy = {
            "read": max(self._read, default=0.0),
            "locate": locate,
            "network": self._network,
            "volume": max(0.0, whole - self._network),
            "write": self._write,
            "end_to_end": seconds,
        }
        if not self._predictor.algorithm.needs.cameras:
            del busy["volume"]
        return {stage: round(frames / spent, 2) if spent > 0 and frames else None for stage, spent in busy.items()}

    def _busy(self) -> tuple[float, float]:
        return (0.0 if self._locator is None else self._locator.busy), self._predictor.busy

    def _network_begins(self, *_: object) -> None:
        _arrive()
        self._network_began = time.perf_counter()

    def _network_ends(self, *_: object) -> None:
        _arrive()
        self._network += time.perf_counter() - self._network_began


class _Timed(Recording):
    """Adds up the seconds that each of its videos is decoded for."""

    def __new__(cls, paths: Recording, seconds: list[float]) -> Self:
        made = super().__new__(cls, paths)
        made.seconds = seconds
        return made

    seconds: list[float]

    def frames(
        self, start: int = 0, stream: Callable[[Iterator[Image]], Generator[Image, None, None]] | None = None
    ) -> Generator[tuple[Image, ...], None, None]:
        """As for :meth:`Recording.frames`."""
        views = iter(range(len(self)))

        def timed(view: Iterator[Image]) -> Generator[Image, None, None]:
            watched = self._timed(view, next(views))
            return watched if stream is None else stream(watched)

        return super().frames(start, timed)

    def _timed(self, frames: Iterator[Image], view: int) -> Generator[Image, None, None]:
        while True:
            began = time.perf_counter()
            image = next(frames, None)
            self.seconds[view] += time.perf_counter() - began
            if image is None:
                return
            yield image


def _arrive() -> None:
    """Wait for what the accelerator still has to do: only then do clocks tell the truth."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
