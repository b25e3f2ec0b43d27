"""Files that a browser sends: bounded in size, checked by decoding, and never written over anything."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vitruve.app.media import check_pixels, pinned
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError
from vitruve.media.decoding import video_size
from vitruve.media.images import IMAGE_SUFFIXES, image_size, read_image
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader

SUFFIXES = tuple(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
"""Of files that are taken."""

LARGEST_BYTES = 2**30
"""Of one file: the web server holds in its memory what a browser sends, until it is kept."""

INSTEAD = "copy it into a folder that this app serves, and choose it from the list"
"""What to do with a larger one."""

MOST_FILES = 1000
"""That are sent together."""

_LONGEST_NAME = 150
_SPARE_BYTES = 2**30
_PIECE = 2**20
_MARK = ".upload-"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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
        _write(space, name, content)
        return workspace.resolve(folder) / _placed(name, space, target, _take_file)


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
        called = _folder_name(name)
        os.mkdir(called, dir_fd=space)
        inner = os.open(called, _FOLDER, dir_fd=space)
        try:
            for each, content in files:
                _write(inner, each, content)
        finally:
            os.close(inner)
        return workspace.resolve(folder) / _placed(called, space, target, _take_folder)


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


@contextmanager
def _space(workspace: Workspace, folder: Path, room: int = 0) -> Iterator[tuple[int, int]]:
    """The open folder where files are to be, and a hidden one in it where they are made; that one is gone afterwards.

    Both are known by descriptors: a link that takes the place of a folder meanwhile leads nothing elsewhere.
    """
    target = workspace.enter(folder)
    try:
        found = os.fstatvfs(target)
        free = found.f_bavail * found.f_frsize
        if free < room + _SPARE_BYTES:
            raise InputError(f"{folder}: {free / 2**30:.1f} GiB free, too little; free some space")
        name = _MARK + secrets.token_hex(8)
        os.mkdir(name, 0o700, dir_fd=target)
        try:
            space = os.open(name, _FOLDER, dir_fd=target)
            try:
                yield target, space
            finally:
                os.close(space)
        finally:
            shutil.rmtree(name, ignore_errors=True, dir_fd=target)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        os.close(target)


def _write(folder: int, name: str, content: BinaryIO) -> None:
    """The content as a file that was checked."""
    size = 0
    content.seek(0)
    with os.fdopen(os.open(plain_name(name), _NEW, 0o666, dir_fd=folder), "wb") as stream:
        while piece := content.read(_PIECE):
            size += len(piece)
            if size > LARGEST_BYTES:
                raise InputError(f"{name}: larger than {LARGEST_BYTES / 2**30:g} GiB; {INSTEAD}")
            stream.write(piece)
    with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as stream:
        _check_media(stream, name)


def _check_media(content: BinaryIO, name: str) -> None:
    """Make sure that a file is the video or image that its suffix says, by decoding it."""
    path = pinned(content, Path(name))
    try:
        if Path(name).suffix.lower() in IMAGE_SUFFIXES:
            check_pixels(Path(name), image_size(path))
            read_image(path)
            return
        check_pixels(Path(name), video_size(path))
        with VideoReader(path) as video:
            check_pixels(Path(name), (video.width, video.height))
    except InputError as error:
        # Where it lies for now tells nobody anything.
        raise InputError(str(error).replace(str(path), name)) from error


def _placed(name: str, space: int, target: int, take: Callable[[str, int], bool]) -> str:
    """Give what was made its place, beside whatever is there; the name that it has then."""
    stem, suffix = (Path(name).stem, Path(name).suffix) if take is _take_file else (name, "")
    for number in range(1, 10_000):
        called = name if number == 1 else f"{stem}_{number}{suffix}"
        if take(called, target):
            # The name is ours now: renaming replaces the empty file or folder that holds it.
            os.rename(name, called, src_dir_fd=space, dst_dir_fd=target)
            return called
        if take is _take_file and _same(name, space, called, target):
            return called
    raise InputError(f"{name}: there are thousands of that name; tidy the folder up")


def _take_file(name: str, folder: int) -> bool:
    try:
        os.close(os.open(name, _NEW, 0o666, dir_fd=folder))
    except FileExistsError:
        return False
    return True


def _take_folder(name: str, folder: int) -> bool:
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return False
    return True


def _same(name: str, space: int, other: str, folder: int) -> bool:
    """Whether a file holds what another one does that is there already."""
    try:
        there = os.open(other, _FILE, dir_fd=folder)
    except OSError:
        # A link, or not to be read.
        return False
    with os.fdopen(there, "rb") as first, os.fdopen(os.open(name, _FILE, dir_fd=space), "rb") as second:
        status = os.fstat(there)
        if not stat.S_ISREG(status.st_mode) or status.st_size != os.fstat(second.fileno()).st_size:
            return False
        while piece := first.read(_PIECE):
            if piece != second.read(_PIECE):
                return False
        return True


def _folder_name(name: str) -> str:
    kept = "".join(each if each.isalnum() or each in "-_" else "_" for each in name.strip())[:60]
    return kept.strip("_") or "upload"
