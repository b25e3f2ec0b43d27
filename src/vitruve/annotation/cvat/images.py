"""The images of a task, as files: only those are fetched that are not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vitruve.annotation.cvat.reader import CvatReader
from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.inference.progress import progress
from vitruve.media.images import image_size
from vitruve.structures.annotation import AnnotationTask, TaskFrame


@dataclass(frozen=True)
class Fetched:
    """What became of the images of a task.

    Attributes:
        new: How many were fetched.
        present: How many were there already.
        missing: Those that the server has no more.
    """

    new: int
    present: int
    missing: tuple[TaskFrame, ...]


def fetch_images(server: CvatReader, task: AnnotationTask, folder: Path) -> Fetched:
    """Fetch the images of a task that a folder lacks; broken off, it goes on where it stopped.

    Args:
        server: Where from.
        task: As the server gave it.
        folder: Names of images begin there. Frames of a video are fetched as images, but where the video
            lies there under its name.

    Returns:
        What was done.

    Raises:
        InputError: A name leads out of the folder.
        ServerError: The server failed; what was fetched stays.
    """
    assert task.id is not None
    videos = {frame.name for frame in task.frames if frame.index is not None}
    here = {name for name in videos if (folder / relative_name(name, task.name)).is_file()}
    wanted = [(n, frame) for n, frame in enumerate(task.frames) if frame.name not in here and not frame.deleted]
    places = {number: folder / relative_name(frame.file, task.name) for number, frame in wanted}
    lacking = [(number, frame) for number, frame in wanted if not _is_there(places[number], frame)]
    missing = []
    with progress(f"images of task {task.id}", len(wanted), len(wanted) - len(lacking)) as advance:
        for number, frame in lacking:
            content = server.image(task.id, number)
            if content is None:
                missing.append(frame)
            else:
                atomic_write(places[number], content)
            advance(1)
    return Fetched(len(lacking) - len(missing), len(wanted) - len(lacking), tuple(missing))


def relative_name(name: str, task: str) -> str:
    """The name of an image within its folder.

    Args:
        name: As a server or a file has it.
        task: Name of the task, for messages.

    Returns:
        The name, without what would lead to another folder.

    Raises:
        InputError: It leads out of the folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.parts if part not in (path.anchor, ".")]
    if not parts or ".." in parts:
        raise InputError(f"task {task}: image '{name}' lies outside of its folder; name it within")
    return "/".join(parts)


def _is_there(place: Path, frame: TaskFrame) -> bool:
    if not place.is_file():
        return False
    try:
        # A server turns images as their EXIF says; the stored pixels may lie on their side.
        return sorted(image_size(place)) == sorted((frame.width, frame.height))
    except InputError:
        return False
