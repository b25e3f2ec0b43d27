"""Where labelled tasks are kept: a file of SQLite, or MongoDB, with one interface.

::

    with open_store("annotations.sqlite", create=True) as store:
        store.put(task)                                 # an AnnotationTask
        store.read("field 3")                           # the same, without loss
        store.labels(["field 3"], Path("images"))       # what networks learn from
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from vitruve.annotation.store.backend import Backend, Counted, StoredTask
from vitruve.annotation.store.documents import TaskDocuments, documents_of, name_of, shape_type, task_from
from vitruve.annotation.store.mongo import MongoBackend
from vitruve.annotation.store.sqlite import SqliteBackend
from vitruve.errors import InputError, nearest
from vitruve.formats.notes import LabelsWarning
from vitruve.formats.shapes import labels_of
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame, Track
from vitruve.structures.labels import Labels

STORE_VARIABLE = "VITRUVE_STORE"
"""Environment variable with the address of the store in use."""
DEFAULT = "annotations.sqlite"
"""The store in use where nothing says which."""

_SUBSETS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_SCHEMES = ("mongodb://", "mongodb+srv://")


def open_store(address: str | Path | None = None, *, create: bool = False) -> Store:
    """Open an annotation store.

    Args:
        address: ``mongodb://...``, ``sqlite:///path``, or the path of a file; by default that in ``VITRUVE_STORE``, or
            else ``annotations.sqlite`` in the current folder.
        create: Make it where it is missing.

    Returns:
        The store.

    Raises:
        InputError: There is none there, or one of a newer program.
        ServerError: MongoDB cannot be reached or lets us not in.
    """
    place = str(address or os.environ.get(STORE_VARIABLE) or DEFAULT)
    if place.startswith(_SCHEMES):
        return Store(MongoBackend(place, create))
    scheme, mark, path = place.partition("://")
    if mark and scheme != "sqlite":
        raise InputError(f"{scheme}://: no kind of annotation store; give sqlite:///path, a path, or mongodb://...")
    return Store(SqliteBackend(Path(path.removeprefix("/") if mark else place), create))


class Store:
    """Labelled tasks. Made by :func:`open_store`.

    Args:
        backend: The database.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._writes = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._backend.close()

    @property
    def address(self) -> str:
        """Where it is, without a password."""
        return self._backend.address

    def tasks(self) -> list[StoredTask]:
        """All tasks, in the order in which they came."""
        return self._backend.tasks()

    def counts(self) -> list[Counted]:
        """How many shapes there are, by task, class and kind."""
        return self._backend.counts()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other writers out while several tasks are put into the store.

        Raises:
            ServerError: Somebody else writes.
        """
        if self._writes:
            yield
            return
        with self._backend.writing():
            self._writes = True
            try:
                yield
            finally:
                self._writes = False

    def find(self, task: str | int) -> StoredTask:
        """One task.

        Args:
            task: Its name or number.

        Returns:
            The task.

        Raises:
            InputError: There is none, or several have the name.
        """
        known = self.tasks()
        found = [item for item in known if item.name == task]
        if not found and str(task).isdigit():
            found = [item for item in known if item.id == int(task)]
        if not found:
            hint = nearest(str(task), [item.name for item in known])
            raise InputError(f"{self.address}: no task '{task}'{hint}; the store has {len(known)} tasks")
        if len(found) > 1:
            numbers = ", ".join(str(item.id) for item in found)
            raise InputError(
                f"{self.address}: {len(found)} tasks are named '{task}': give the number, one of {numbers}"
            )
        return found[0]

    def read(self, task: str | int | StoredTask) -> AnnotationTask:
        """A task with all that is drawn in it.

        Args:
            task: Its name or number, or as :meth:`tasks` lists it.

        Returns:
            The task.

        Raises:
            InputError: There is none, or its documents are damaged.
        """
        return task_from(self.documents(task))

    def documents(self, task: str | int | StoredTask) -> TaskDocuments:
        """The documents of a task, with all keys that they have.

        Args:
            task: As for :meth:`read`.

        Returns:
            The documents.
        """
        return self._backend.read(task if isinstance(task, StoredTask) else self.find(task))

    def put(self, task: AnnotationTask, server: str = "") -> None:
        """Put a task into the store, in the place of the same one where it is there.

        Args:
            task: The task.
            server: Address of the annotation server that it is from.

        Raises:
            InputError: The store holds the tasks of another server.
        """
        documents = documents_of(task)
        self.put_documents(replace(documents, task={**documents.task, "server": server}) if server else documents)

    def put_documents(self, documents: TaskDocuments) -> None:
        """As :meth:`put`, for documents with any further keys.

        Args:
            documents: Of one task.
        """
        with self.writing():
            if not self._backend.classes():
                # What OBDB wrote before comes first.
                self.classes()
            before = self._same(documents)
            if before is not None and before.id is not None:
                identity = {"task_id": before.id}
                documents = replace(documents, task={**documents.task, **identity}, meta={**documents.meta, **identity})
            self._extend({str(item.get("object_class")) for item in documents.annotations if shape_type(item) != "tag"})
            self._backend.write(documents, before)

    def _same(self, documents: TaskDocuments) -> StoredTask | None:
        """The task that documents take the place of.

        Those with a number are told apart by it. OBDB's have none: such a one is the task of its name that was made at
        the same time, or else the first that comes.
        """
        about = documents.task
        number, created = about.get("task_id"), about.get("created_date") or ""
        named = [task for task in self.tasks() if task.name == about.get("name") or task.id == number is not None]
        for task in named:
            if number is not None and task.id == number:
                if created and task.created and created != task.created:
                    raise InputError(
                        f"{self.address}: its {name_of({'name': task.name, 'task_id': task.id})} is of {task.created}, "
                        f"and this one of {created}: a store holds the tasks of one server; use another store"
                    )
                return task
        alike = [task for task in named if None in (task.id, number)]
        exact = [task for task in alike if created and task.created == created]
        loose = [task for task in alike if task.id is None and (number is None or len(alike) == len(named))]
        return next(iter([*exact, *loose]), None)

    def classes(self) -> tuple[str, ...]:
        """The class map: the classes of all tasks in the order in which they came, which never changes.

        Returns:
            Their names; of those that came at the same time, in the order of the alphabet.
        """
        self._extend({item.object_class for item in self.counts() if item.shape_type != "tag"})
        return tuple(self._backend.classes())

    def _extend(self, names: set[str]) -> None:
        fresh = sorted(names - set(self._backend.classes()) - {"", "None"})
        if fresh:
            self._backend.add_classes(fresh)

    def labels(self, tasks: Sequence[str | int] = (), image_root: str | Path = ".") -> Labels:
        """What is drawn in some tasks, as labels.

        Args:
            tasks: Their names or numbers; all by default.
            image_root: The folder that names of images start from.

        Returns:
            One frame an image, also where nothing is drawn. The classes are those of the whole store, so that a class
            has the same number in all labels from it.

        Raises:
            InputError: There is no such task, or an image is in several of them.
        """
        return self.sourced(tasks, image_root)[0]

    def sourced(
        self, tasks: Sequence[str | int] = (), image_root: str | Path = "."
    ) -> tuple[Labels, list[AnnotationTask]]:
        """As :meth:`labels`, and which task each frame is from.

        Args:
            tasks: As for :meth:`labels`.
            image_root: As for :meth:`labels`.

        Returns:
            The labels, and one task a frame.
        """
        chosen = [self.find(task) for task in dict.fromkeys(tasks)] if tasks else self.tasks()
        if not chosen:
            raise InputError(
                f"{self.address}: holds no task yet; fill it with vitruve store sync or vitruve store import"
            )
        read = [self.read(task) for task in chosen]
        _refuse_twice(read)
        labels = labels_of(_without_stray_points(_joined(read, self.classes())), root=Path(image_root))
        origins = [task for task in read for frame in task.frames if not frame.deleted]
        splits = [_SUBSETS.get(task.subset.lower()) for task in origins]
        return replace(labels.with_splits(splits), scorer="store"), origins


def _joined(tasks: Sequence[AnnotationTask], classes: Sequence[str]) -> AnnotationTask:
    """Several tasks as one, so that all of them have the same classes and keypoints."""
    specs: dict[str, LabelSpec] = {}
    for task in tasks:
        for label in task.labels:
            specs[label.name] = _merged(specs[label.name], label) if label.name in specs else label
    frames: list[TaskFrame] = []
    shapes: list[Shape] = []
    tracks: list[Track] = []
    groups = 0
    for task in tasks:
        start = len(frames)

        def moved(shape: Shape, start: int = start, groups: int = groups) -> Shape:
            group = shape.group + groups if shape.group else 0
            return replace(shape, frame=shape.frame + start, group=group)

        shapes += [moved(shape) for shape in task.shapes]
        for track in task.tracks:
            own = track.group + groups if track.group else 0
            # It must not reach into the images of the next task.
            inside = tuple(replace(moved(shape), group=0) for shape in _ended(track.shapes, len(task.frames)))
            tracks.append(replace(track, shapes=inside, group=own))
        drawn: list[Shape | Track] = [*task.shapes, *task.tracks]
        groups += max((item.group for item in drawn), default=0)
        frames += task.frames
    labels = tuple(specs.get(name) or LabelSpec(name) for name in classes)
    # What is only listed and never drawn is no class.
    tags = tuple(label for name, label in specs.items() if name not in classes)
    seen = {shape.label for shape in shapes}
    return AnnotationTask(
        "store",
        (*labels, *(label for label in tags if label.name in seen)),
        tuple(frames),
        tuple(shapes),
        tuple(tracks),
    )


def _ended(shapes: Sequence[Shape], count: int) -> tuple[Shape, ...]:
    """Shapes of a track that is outside from the end of its task on."""
    return (*shapes, replace(shapes[-1], frame=count, parts=(), outside=True, keyframe=True))


def _merged(one: LabelSpec, other: LabelSpec) -> LabelSpec:
    if not other.parts or one.parts == other.parts:
        return one
    parts = {part.name: part for part in (*other.parts, *one.parts)}
    named = dict.fromkeys(part.name for part in (*one.parts, *other.parts))
    edges = tuple(dict.fromkeys((*one.edges, *other.edges)))
    return replace(one, kind="skeleton", parts=tuple(parts[name] for name in named), edges=edges, layout=())


def _without_stray_points(task: AnnotationTask) -> AnnotationTask:
    """Leave out single points of classes that are boxes elsewhere: they have no extent, and are no keypoints."""
    extended = {shape.label for shape in task.drawn() if shape.kind not in ("points", "tag")}
    stray = [s for s in task.shapes if s.kind == "points" and len(s.points) == 2 and s.label in extended]
    if not stray:
        return task
    first = task.frames[stray[0].frame].name
    warnings.warn(
        f"{len(stray)} single points have classes that boxes are drawn of, and are left out (first: {first}: "
        f"{stray[0].label})",
        LabelsWarning,
        stacklevel=3,
    )
    gone = {id(shape) for shape in stray}
    return replace(task, shapes=tuple(shape for shape in task.shapes if id(shape) not in gone))


def _refuse_twice(tasks: Sequence[AnnotationTask]) -> None:
    count = Counter((frame.name, frame.index) for task in tasks for frame in task.frames if not frame.deleted)
    twice = next((key for key, number in count.items() if number > 1), None)
    if twice is not None:
        having = [t.name for t in tasks if any((f.name, f.index) == twice and not f.deleted for f in t.frames)]
        raise InputError(f"{twice[0]}: is in {count[twice]} of the tasks ({', '.join(having)}); choose one of them")
