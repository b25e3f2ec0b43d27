"""Files that a browser sends: bounded in size, checked by decoding, and never written over anything."""

from __future__ import annotations

import filecmp
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vitruve.app.media import check_pixels
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError
from vitruve.media.decoding import video_size
from vitruve.media.images import IMAGE_SUFFIXES, image_size, read_image
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader

SUFFIXES = tuple(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
"""Of files that are taken."""

LARGEST_BYTES = 4 * 2**30
"""Of one file."""

MOST_FILES = 1000
"""That are sent together."""

_LONGEST_NAME = 150
_SPARE_BYTES = 2**30
_PIECE = 2**20
_MARK = ".upload-"


def keep_file(workspace: Workspace, folder: Path, name: str, content: BinaryIO) -> Path:
    """Keep a video or an image that was sent.

    Args:
        workspace: Nothing is written outside of it.
        folder: Where to; made when missing.
        name: As the browser says it: a plain file name with the suffix of a video or of an image.
        content: The file; it is read from its beginning.

    Returns:
        The file, under its name or, where another one has that, with a number. The same file sent again is kept once.

    Raises:
        InputError: The name is not plain, the content is too large or is not what the name says, or there is no room.
    """
    with _space(workspace, folder) as (target, space):
        return _moved(_written(space, name, content), target)


def keep_folder(
    workspace: Workspace, folder: Path, name: str, files: Sequence[tuple[str, BinaryIO]], room: int | None = None
) -> Path:
    """Keep several videos or images that belong together, such as the views of a recording: all of them or none.

    Args:
        workspace: Nothing is written outside of it.
        folder: Where the folder of them is made.
        name: Of that folder; with a number where something has it.
        files: Names and contents, as for :func:`keep_file`.
        room: Bytes of all of them, where known.

    Returns:
        The folder.

    Raises:
        InputError: As for :func:`keep_file`, or there are none, too many, or two of one name.
    """
    if not 0 < len(files) <= MOST_FILES:
        raise InputError(f"{len(files)} files: send 1 to {MOST_FILES} together")
    named = [plain_name(each) for each, _ in files]
    twice = next((each for each in named if [other.lower() for other in named].count(each.lower()) > 1), None)
    if twice is not None:
        raise InputError(f"{twice}: sent twice; give each file a name of its own")
    with _space(workspace, folder, room or 0) as (target, space):
        inner = space / _folder_name(name)
        inner.mkdir()
        for each, content in files:
            _written(inner, each, content)
        return _moved(inner, target)


def plain_name(name: str) -> str:
    """A file name that is nothing but a name.

    Args:
        name: As the browser says it.

    Returns:
        The same.

    Raises:
        InputError: It holds a folder or characters that are none, is hidden or too long, or has another suffix.
    """
    said = repr(name[:200])
    if not name.isprintable() or any(each in name for each in '/\\:*?"<>|') or name != name.strip():
        raise InputError(f"{said}: not a plain file name; rename the file")
    if name.startswith((".", "-")) or len(name.encode(errors="replace")) > _LONGEST_NAME:
        raise InputError(f"{said}: hidden, or longer than {_LONGEST_NAME} bytes; rename the file")
    if Path(name).suffix.lower() not in SUFFIXES:
        raise InputError(f"{said}: neither a video nor an image by its suffix; {', '.join(SUFFIXES)} are taken")
    return name


def check_media(path: Path) -> None:
    """Make sure that a file is the video or image that its suffix says, by decoding it.

    Args:
        path: The file.

    Raises:
        InputError: It is not, or its pictures are too large.
    """
    image = path.suffix.lower() in IMAGE_SUFFIXES
    check_pixels(path, image_size(path) if image else video_size(path))
    if image:
        read_image(path)
        return
    with VideoReader(path) as video:
        check_pixels(path, (video.width, video.height))


@contextmanager
def _space(workspace: Workspace, folder: Path, room: int = 0) -> Iterator[tuple[Path, Path]]:
    """The folder where files are to be, and a hidden one in it where they are made; that one is gone afterwards."""
    target = workspace.resolve(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target).free
        if free < room + _SPARE_BYTES:
            raise InputError(f"{target}: {free / 2**30:.1f} GiB free, too little; free some space")
        with tempfile.TemporaryDirectory(prefix=_MARK, dir=target) as space:
            yield target, Path(space)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error


def _written(folder: Path, name: str, content: BinaryIO) -> Path:
    """The content as a file that was checked."""
    path, size = folder / plain_name(name), 0
    content.seek(0)
    with path.open("xb") as stream:
        while piece := content.read(_PIECE):
            size += len(piece)
            if size > LARGEST_BYTES:
                raise InputError(f"{name}: larger than {LARGEST_BYTES / 2**30:.0f} GiB; copy it to the server instead")
            stream.write(piece)
    try:
        check_media(path)
    except InputError as error:
        # Where it lies for now tells nobody anything.
        raise InputError(str(error).replace(str(path), name)) from error
    return path


def _moved(made: Path, folder: Path) -> Path:
    """Give what was made its place, beside whatever is there."""
    for number in range(1, 10_000):
        target = folder / (made.name if number == 1 else f"{made.stem}_{number}{made.suffix}")
        try:
            if made.is_dir():
                target.mkdir()
            else:
                target.touch(exist_ok=False)
        except FileExistsError:
            if made.is_file() and target.is_file() and filecmp.cmp(made, target, shallow=False):
                return target
            continue
        # The name is ours now: renaming replaces the empty file or folder that holds it.
        return made.replace(target)
    raise InputError(f"{folder / made.name}: there are thousands of that name; tidy the folder up")


def _folder_name(name: str) -> str:
    kept = "".join(each if each.isalnum() or each in "-_" else "_" for each in name.strip())[:60]
    return kept.strip("_") or "upload"
