"""What people do with a CVAT server: pull, push, make tasks, set their status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitruve.annotation.cvat.diff import Difference, difference, without_numbers
from vitruve.annotation.cvat.images import fetch_images
from vitruve.annotation.cvat.server import STATUSES, CvatServer
from vitruve.annotation.cvat.upload import begun
from vitruve.errors import InputError, ServerError, nearest
from vitruve.formats.cvat_xml import NAME as XML
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.cvat_xml_writer import FILE_NAME, write_task
from vitruve.formats.hub import read_labels, recognise
from vitruve.formats.shapes import task_of
from vitruve.media.images import IMAGE_SUFFIXES, image_size
from vitruve.media.sources import natural_key
from vitruve.media.video import VIDEO_SUFFIXES
from vitruve.structures.annotation import AnnotationTask, LabelSpec, TaskFrame
from vitruve.structures.labels import Labels


@dataclass(frozen=True)
class Outcome:
    """What was done with a server, or would be.

    Attributes:
        lines: In words, a line each.
        changes: How many things differ from what is wanted.
        applied: The server was changed; without, nothing was.
        task: Number of the task; None for one that would be made.
    """

    lines: tuple[str, ...]
    changes: int
    applied: bool
    task: int | None


def cvat_pull(
    task: int | str,
    folder: str | Path,
    *,
    images: bool = True,
    overwrite: bool = False,
    server: CvatServer | None = None,
) -> Outcome:
    """Fetch a task with all that is drawn, and its images, into a folder.

    Args:
        task: Its number or name.
        folder: Takes ``annotations.xml``, which is a label file, and the images under their names; those that are there
            are not fetched again.
        images: Fetch the images, too.
        overwrite: Replace an ``annotations.xml`` that holds changes of its own.
        server: The server; by default that of the environment.

    Returns:
        What was fetched.

    Raises:
        InputError: Two tasks have the name, or the folder holds changes of its own.
        ServerError: The server failed, or has some of the images no more; what was fetched stays.
    """
    server = server or CvatServer.connect()
    found = server.read(server.find(task).id)
    place = Path(folder)
    file = place / FILE_NAME
    if file.is_file() and not overwrite:
        _refuse_changed(file, found)
    write_task(found, file)
    drawn = f"{len(found.shapes)} shapes, {len(found.tracks)} tracks"
    lines = [f"task {found.id} ({found.name}, {found.status}): {len(found.frames)} images, {drawn} -> {file}"]
    if images:
        done = fetch_images(server, found, place)
        if done.missing:
            raise ServerError(
                f"{server.url}: task {found.id}: {len(done.missing)} of {len(found.frames)} images are missing on the "
                f"server (first: {done.missing[0].name}); the others and {file} are here"
            )
        lines.append(f"{done.new} images fetched, {done.present} were here")
    return Outcome(tuple(lines), 0, True, found.id)


def cvat_push(
    source: str | Path,
    task: int | str,
    *,
    apply: bool = False,
    remove: Sequence[str] = (),
    format: str | None = None,
    server: CvatServer | None = None,
) -> Outcome:
    """Bring what is drawn in a label file to a task; what is there already is not sent again.

    Args:
        source: Labels or predictions in any format, or ``annotations.xml`` as it was pulled.
        task: Number or name of the task.
        apply: Change the server; without, only say what would be done.
        remove: Names of what only the server has and is to be taken away, such as ``shape-12``, as they were shown.
        format: The format of the file; found by looking inside by default.
        server: The server; by default that of the environment.

    Returns:
        The difference, and what was done.

    Raises:
        InputError: The file cannot be read or names other images or labels, or two tasks have the name.
        ServerError: The server failed; doing the same again goes on.
    """
    server = server or CvatServer.connect()
    there = server.read(server.find(task).id)
    assert there.id is not None
    wanted = _drawn_in(Path(source), format, there)
    differing = difference(there, wanted)
    gone = differing.named(remove)
    lines = list(differing.lines(there.frames, remove))
    if apply:
        server.change(there.id, differing.add, differing.update, gone)
    changes = len(differing.add) + len(differing.update) + len(gone)
    return Outcome((*lines, _summary(differing, len(gone))), changes, apply and changes > 0, there.id)


def cvat_create_task(
    name: str,
    sources: Sequence[str | Path],
    *,
    labels: Sequence[str] = (),
    like: int | str | None = None,
    share: bool = False,
    subset: str = "",
    apply: bool = False,
    server: CvatServer | None = None,
) -> Outcome:
    """Make a task with images, and with what is drawn in a label file.

    Args:
        name: Its name. A task of this name that has the same images is taken as it is; one whose upload broke off is
            completed.
        sources: A label file; or a folder of images; or images; or one video; with ``share``, names on the server's
            share.
        labels: Classes that boxes are drawn of, beside those of a label file; or the name of its one class that has
            none.
        like: Number or name of another task, whose labels it gets.
        share: The images lie on the server's share.
        subset: What it is used for: Train, Validation or Test.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment.

    Returns:
        What was done, or would be.

    Raises:
        InputError: There are no images or labels, or another task has the name.
        ServerError: The server failed; doing the same again goes on.
    """
    server = server or CvatServer.connect()
    given = [LabelSpec(label, "rectangle") for label in labels]
    specs = tuple(given) if like is None else server.labels(server.find(like).id)
    task, images = _planned(name, list(sources), tuple(specs), like, share)
    if not task.labels:
        raise InputError(f"task {name}: has no label; give --label, --like, or a label file")
    task = replace(without_numbers(task), name=name, subset=subset or task.subset)
    _refuse_unknown(task)
    known = begun(server, task, images)
    drawn = f"{len(task.shapes)} shapes, {len(task.tracks)} tracks"
    classes = ", ".join(label.name for label in task.labels)
    if known is not None and server.find(known).size:
        line = f"= task {known} ({name}) is there already with these images"
        return Outcome((line,), 0, False, known)
    files = len(images) if isinstance(images, list) else 0
    count = f"{len(task.frames)} images" if task.frames else f"{files} files"
    number = server.create(task, images) if apply else known
    shown = f" {number}" if number is not None else ""
    return Outcome((f"+ task{shown} ({name}): {count}, {drawn}; labels {classes}",), 1, apply, number)


def cvat_set_status(task: int | str, status: str, *, apply: bool = False, server: CvatServer | None = None) -> Outcome:
    """Bring a task to a status, by its jobs.

    Args:
        task: Its number or name.
        status: ``annotation``, ``validation`` or ``completed``.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment.

    Returns:
        What was done, or would be.

    Raises:
        InputError: There is no such status, or two tasks have the name.
        ServerError: The server failed.
    """
    if status not in STATUSES:
        raise InputError(f"no status '{status}'{nearest(status, STATUSES)}; known are {', '.join(STATUSES)}")
    server = server or CvatServer.connect()
    info = server.find(task)
    if info.status == status:
        return Outcome((f"= task {info.id} ({info.name}) is {status}",), 0, False, info.id)
    if apply:
        server.set_status(info.id, status)
    return Outcome((f"~ task {info.id} ({info.name}): {info.status} -> {status}",), 1, apply, info.id)


def _refuse_unknown(task: AnnotationTask) -> None:
    """Refuse what is drawn of a class that a new task would not have: half of it would be made."""
    known = [label.name for label in task.labels]
    lost = sorted({shape.label for shape in task.drawn()} - set(known))
    if lost:
        raise InputError(
            f"task {task.name}: {', '.join(lost)} is drawn, and its labels are {', '.join(known)}; take others"
        )


def _refuse_changed(file: Path, there: AnnotationTask) -> None:
    own = read_task(file)
    if own.id not in (None, there.id):
        raise InputError(f"{file}: is of task {own.id} ({own.name}); pull task {there.id} into another folder")
    differing = difference(there, own)
    changed = len(differing.add) + len(differing.update)
    if changed:
        raise InputError(f"{file}: holds {changed} changes that the server has not; push them first, or --overwrite")


def _drawn_in(source: Path, format: str | None, there: AnnotationTask) -> AnnotationTask:
    """What a file holds, with the labels of the task it goes to."""
    name = format or recognise(source).NAME
    if name == XML:
        task = read_task(source / FILE_NAME if source.is_dir() else source)
        return task if task.id == there.id else without_numbers(task)
    labels = _named_like(read_labels(source, format), there.labels)
    # The numbers in other files are not the server's.
    return without_numbers(task_of(labels, source.name, there.labels, source=_who(labels)))


def _named_like(labels: Labels, specs: Sequence[LabelSpec]) -> Labels:
    """Labels whose one class has no name of its own, named as the task has it."""
    fitting = [spec.name for spec in specs if bool(spec.parts) == bool(labels.skeleton.names)]
    if labels.categories == ("object",) and len(fitting) == 1:
        return replace(labels, categories=(fitting[0],))
    return labels


def _who(labels: Labels) -> str:
    scored = any(f.instances.scores is not None or f.instances.keypoint_scores is not None for f in labels)
    return "auto" if scored else "manual"


def _planned(
    name: str, sources: list[str | Path], specs: tuple[LabelSpec, ...], like: int | str | None, share: bool
) -> tuple[AnnotationTask, Path | list[Path] | None]:
    """The task as it is to be, and where its images are."""
    if share:
        return AnnotationTask(name, specs, tuple(TaskFrame(str(source), 0, 0) for source in sources)), None
    files = [Path(source) for source in sources]
    missing = next((file for file in files if not file.exists()), None)
    if missing is not None:
        raise InputError(f"{missing}: no such file or folder; give images, a video, or a label file")
    first = files[0] if len(files) == 1 else None
    if first is not None and first.is_dir() and not (first / FILE_NAME).is_file():
        found = sorted((f for f in first.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
        if not found:
            raise InputError(f"{first}: holds no image")
        frames = tuple(TaskFrame(file.relative_to(first).as_posix(), *image_size(file)) for file in found)
        return AnnotationTask(name, specs, frames), first
    if first is not None and (first.is_dir() or first.suffix.lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES):
        return _labelled(name, first, specs, like)
    return AnnotationTask(name, specs, ()), files


def _labelled(
    name: str, source: Path, specs: tuple[LabelSpec, ...], like: int | str | None
) -> tuple[AnnotationTask, Path | list[Path]]:
    """A task from a label file: its images, and what is drawn on them; classes that are named are added to its own."""
    if recognise(source).NAME == XML:
        file = source / FILE_NAME if source.is_dir() else source
        task = read_task(file)
        return replace(task, labels=specs or task.labels), file.parent
    labels = read_labels(source)
    if like is None and labels.categories == ("object",) and len(specs) == 1:
        labels = replace(labels, categories=(specs[0].name,))
    labels = _named_like(labels, specs)
    if like is not None or not specs:
        return task_of(labels, name, specs, source=_who(labels)), labels.root
    task = task_of(labels, name, source=_who(labels))
    own = {spec.name for spec in task.labels}
    return replace(task, labels=(*task.labels, *(spec for spec in specs if spec.name not in own))), labels.root


def _summary(differing: Difference, removed: int) -> str:
    parts = {
        "to add": len(differing.add),
        "to update": len(differing.update),
        "to remove": removed,
        "only on the server": len(differing.extra) - removed,
        "changed there since": len(differing.lost),
        "the same": differing.same,
    }
    return ", ".join(f"{number} {words}" for words, number in parts.items() if number) or "nothing is drawn"
