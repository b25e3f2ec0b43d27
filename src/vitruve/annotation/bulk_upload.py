"""Many tasks at a time brought to a server: labels as ground truth, and folders of CVAT's XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vitruve.annotation.cvat.diff import without_numbers
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.cvat.upload import begun
from vitruve.annotation.cvat.verbs import Outcome
from vitruve.annotation.proposals.sources import Source, check_images, file_sources, store_sources
from vitruve.annotation.store.store import open_store
from vitruve.errors import InputError
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.shapes import task_of
from vitruve.structures.annotation import AnnotationTask, LabelSpec


def upload_labels(
    sources: Sequence[str | Path] = (),
    *,
    tasks: Sequence[int | str] = (),
    store: str | Path | None = None,
    images: str | Path | None = None,
    classes: Sequence[str] = (),
    prefix: str = "",
    share: bool = False,
    format: str | None = None,
    apply: bool = False,
    server: CvatServer | None = None,
) -> Outcome:
    """Make a task of each task of labels, with all that is labelled; what has a task already is left alone.

    Args:
        sources: Label files; one of several folders of images becomes as many tasks.
        tasks: Names of tasks of the store; all of them by default.
        store: Address of an annotation store, or None.
        images: The folder that names of images start from; by default as the files have it.
        classes: The tasks' classes and their order; by default those of the labels.
        prefix: Begins the names of the tasks.
        share: The server has the images on its share, under the same names.
        format: Of label files; found by looking inside by default.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment.

    Returns:
        What was done, or would be. Blanks in names become ``_``.

    Raises:
        InputError: Labels cannot be read, a class is not among those given, or two sources have one name.
        ServerError: The server failed; doing the same again goes on.
    """
    root = None if images is None else Path(images)
    found = [each for path in sources for each in file_sources(Path(path), format, root)]
    if store is not None:
        with open_store(store) as opened:
            found += store_sources(opened, [str(task) for task in tasks], root or Path())
    made = [_task_of(source, prefix, classes) for source in found]
    for source in () if share else found:
        check_images(source)
    return _brought(
        [(task, source.labels.root) for task, source in zip(made, found, strict=True)], share, apply, server
    )


def upload_xml(
    folder: str | Path,
    *,
    images: str | Path | None = None,
    apply: bool = False,
    server: CvatServer | None = None,
) -> Outcome:
    """Make a task of each XML file of CVAT in a folder, under the name and with the labels it says.

    Args:
        folder: Its ``*.xml`` are read; folders in it are left out.
        images: The folder that names of images start from; by default they are names on the server's share.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment.

    Returns:
        What was done, or would be. A task whose name is there already is left alone.

    Raises:
        InputError: There is no such file, one is damaged or refused, or two have one name.
        ServerError: The server failed; doing the same again goes on.
    """
    place = Path(folder)
    files = sorted(file for file in place.glob("*") if file.suffix.lower() == ".xml")
    if not files:
        raise InputError(f"{place}: holds no .xml file")
    root = place if images is None else Path(images)
    return _brought([(read_task(file), root) for file in files], images is None, apply, server)


def _task_of(source: Source, prefix: str, classes: Sequence[str]) -> AnnotationTask:
    task = task_of(source.labels, f"{prefix}{source.name}".replace(" ", "_"), source.specs)
    if not classes:
        return task
    known = {spec.name: spec for spec in task.labels}
    lost = sorted({shape.label for shape in task.drawn()} - set(classes))
    if lost:
        raise InputError(f"{source.name}: has labels of {', '.join(lost)}, which is none of {', '.join(classes)}")
    return replace(task, labels=tuple(known.get(name, LabelSpec(name, "rectangle")) for name in classes))


def _brought(
    tasks: Sequence[tuple[AnnotationTask, Path]], share: bool, apply: bool, server: CvatServer | None
) -> Outcome:
    if not tasks:
        raise InputError("nothing to upload: give label files or a store")
    names = [task.name for task, _ in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two tasks to be made are named '{twice}'; give each its own name")
    server = server or CvatServer.connect()
    there = {info.name: info for info in server.tasks()}
    lines = list[str]()
    changes = 0
    for task, root in tasks:
        info = there.get(task.name)
        if info is not None and info.size:
            lines.append(f"= task {info.id} ({task.name}) is there already")
            continue
        changes += 1
        lines += _made(server, without_numbers(task), None if share else root, apply)
    return Outcome(tuple(lines), changes, apply and changes > 0, None)


def _made(server: CvatServer, task: AnnotationTask, root: Path | None, apply: bool) -> Iterator[str]:
    if root is not None:
        # Says in the dry run, too, which image is missing.
        begun(server, task, root)
    number = f" {server.create(task, root)}" if apply else ""
    yield (
        f"+ task{number} ({task.name}): {len(task.frames)} images, {len(task.shapes)} shapes, {len(task.tracks)} tracks"
        f"; labels {', '.join(label.name for label in task.labels)}"
    )
