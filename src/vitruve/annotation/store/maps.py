"""Maps of what is in an annotation store, made one after the other in a thread, with word of how far they are."""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from vitruve.annotation.store.backend import StoredTask
from vitruve.annotation.store.store import open_store
from vitruve.errors import InputError, Interrupted, VitruveError, nearest

ALL = "all"
"""In place of a task's name: every task."""
DOTS, PICTURES = "tsne_plot.png", "tsne_plot_imgs.png"
"""A map as dots, coloured by class, and as the pictures themselves."""

_SIDE = 4096
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a map is.

    Attributes:
        state: ``waiting``, ``running``, ``done`` or ``failed``.
        stage: What is being done, or why it failed.
        seconds: Since it was asked for, or that it took.
    """

    state: str
    stage: str
    seconds: float


class Maps:
    """Maps of tasks, one after the other.

    Args:
        store: Address of the store.
        images: The folder that names of images start from.
        folder: Takes a folder of maps a task.
        network: What makes points of crops: arguments of :func:`~vitruve.curation.embedding.open_embedder`.
        make: Draws the map of some tasks (none for all) into a folder, and says what it does.
    """

    def __init__(
        self,
        store: str | Path | None,
        images: Path,
        folder: Path,
        network: Mapping[str, Any] | None = None,
        make: Callable[[list[str | int], Path, Callable[[str], None]], None] | None = None,
    ) -> None:
        self._store, self._images, self._folder = store, images, folder
        self._network = dict(network or {})
        self._make = make or self._draw
        self._asked: queue.Queue[str | None] = queue.Queue()
        self._progress: dict[str, Progress] = {}
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further map, and wait until the step at hand is over."""
        self._stopped = True
        self._asked.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def key(self, task: str) -> str:
        """What a task is called by in addresses.

        Args:
            task: Its name, with ``_`` for blanks or as it is, its number, or :data:`ALL`.

        Returns:
            :data:`ALL`, or what names this task alone.

        Raises:
            InputError: There is no such task, or there are several.
        """
        if task == ALL:
            return ALL
        with open_store(self._store) as store:
            return _key(_found(store.tasks(), task))

    def ask(self, key: str) -> Progress:
        """Ask for a map; one that is under way is not begun again.

        Args:
            key: As :meth:`key` gives it.

        Returns:
            How far it is.
        """
        with self._lock:
            known = self._progress.get(key)
            if known is None or known.state in ("done", "failed"):
                self._began[key] = time.monotonic()
                self._progress[key] = Progress("waiting", "", 0.0)
                self._asked.put(key)
        return self.progress(key)

    def progress(self, key: str) -> Progress:
        """How far a map is.

        Args:
            key: As :meth:`key` gives it.

        Returns:
            The progress; ``done`` for a map of an earlier time, ``failed`` where nobody has asked for one.
        """
        with self._lock:
            known = self._progress.get(key)
            if known is None:
                there = self.file(key, DOTS).is_file() and self.file(key, PICTURES).is_file()
                return Progress("done", "", 0.0) if there else Progress("failed", "nobody has asked for it", 0.0)
            if known.state in ("waiting", "running"):
                return replace(known, seconds=round(time.monotonic() - self._began[key], 1))
            return known

    def file(self, key: str, name: str) -> Path:
        """Where a map is.

        Args:
            key: As :meth:`key` gives it.
            name: :data:`DOTS` or :data:`PICTURES`.

        Returns:
            The file, which may not be there yet.
        """
        return self._folder / key / name

    def _work(self) -> None:
        while (key := self._asked.get()) is not None and not self._stopped:
            self._set(key, "running", "begins")
            try:
                chosen: list[str | int] = []
                if key != ALL:
                    with open_store(self._store) as store:
                        task = _found(store.tasks(), key)
                        chosen = [task.name if task.id is None else task.id]
                self._make(chosen, self._folder / key, partial(self._say, key))
            except VitruveError as error:
                self._set(key, "failed", str(error))
            except Exception as error:
                # A fault of one map must not end the thread that makes the others.
                _log.exception("map of %s", key)
                self._set(key, "failed", f"{type(error).__name__}: {error}")
            else:
                self._set(key, "done", "")

    def _say(self, key: str, stage: str) -> None:
        if self._stopped:
            raise Interrupted("stopped")
        self._set(key, "running", stage)

    def _set(self, key: str, state: str, stage: str) -> None:
        with self._lock:
            self._progress[key] = Progress(state, stage, round(time.monotonic() - self._began[key], 1))

    def _draw(self, tasks: list[str | int], folder: Path, say: Callable[[str], None]) -> None:
        # These load torch: only who asks for a map waits for it.
        from vitruve.curation.crops import crops_of
        from vitruve.curation.embedding import open_embedder
        from vitruve.curation.tsne_map import MOST_CROPS, map_of
        from vitruve.data.sources import without_missing
        from vitruve.media.images import write_image
        from vitruve.visualize.map_page import map_dots, map_pictures
        from vitruve.visualize.plots import save_png

        say("reading the store")
        with open_store(self._store) as store:
            labels = without_missing(store.labels(tasks, self._images), "error")
        say("loading the network")
        embedder = open_embedder(**self._network)
        say(f"placing {len(crops_of(labels, most=MOST_CROPS))} crops")
        found = map_of(labels, embedder)
        say("drawing")
        folder.mkdir(parents=True, exist_ok=True)
        save_png(map_dots(found.points, found.classes, f"{len(found.crops)} crops by class"), folder / DOTS)
        write_image(folder / PICTURES, map_pictures(found.points, found.thumbnails, _SIDE))


def _found(tasks: list[StoredTask], name: str) -> StoredTask:
    """The task that an address means."""
    found = [task for task in tasks if _key(task) == name]
    found = found or [task for task in tasks if name in (task.name, task.name.replace(" ", "_"))]
    found = found or [task for task in tasks if task.id is not None and str(task.id) == name]
    if not found:
        raise InputError(f"no task '{name}'{nearest(name, [task.name.replace(' ', '_') for task in tasks])}")
    if len(found) > 1:
        numbers = ", ".join(str(task.id) for task in found)
        raise InputError(f"{len(found)} tasks are named '{name}': give the number, one of {numbers}")
    return found[0]


def _key(task: StoredTask) -> str:
    plain = re.sub(r"[^\w.-]+", "_", task.name).strip(".") or "task"
    return plain if task.id is None else f"{plain}_{task.id}"
