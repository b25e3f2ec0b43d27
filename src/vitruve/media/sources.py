"""What a user names as the source of a prediction, made into a list of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from vitruve.errors import InputError
from vitruve.media.images import IMAGE_SUFFIXES
from vitruve.media.video import VIDEO_SUFFIXES


def expand_sources(sources: Iterable[str | Path]) -> list[Path]:
    """Turn files and folders into video and image files.

    A folder gives its videos or, when it holds none, its images, in natural order (``img2`` before
    ``img10``); hidden files and subfolders are left out. Files keep the order in which they were named. A
    file that is named twice is returned once.

    Args:
        sources: Video files, image files, folders of videos and folders of images.

    Returns:
        Existing files, each with a suffix of a video or of an image.

    Raises:
        InputError: A source does not exist, is neither video nor image by its suffix, or is a folder
            without either; or no source is given.
    """
    files: dict[Path, None] = {}
    for source in map(Path, sources):
        if source.is_dir():
            files.update(dict.fromkeys(_folder_files(source)))
        elif not source.exists():
            raise InputError(f"{source}: no such file or folder; name a video, an image or a folder of either")
        elif source.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
            files[source] = None
        else:
            raise InputError(f"{source}: neither a video nor an image by its suffix; {_known_suffixes()} are read")
    if not files:
        raise InputError("no source given: name a video, an image or a folder of either")
    return list(files)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts numbers in names by value, so that ``img2`` comes before ``img10``.

    Args:
        path: A file; its name is compared, without regard to case.

    Returns:
        A tuple to be given to :func:`sorted`; the path itself breaks ties such as ``img2`` and ``img02``.
    """
    parts = re.split(r"([0-9]+)", path.name.lower())
    key = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part)
    return (*key, (-1, 0, str(path)))


def _folder_files(folder: Path) -> list[Path]:
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    for suffixes in (VIDEO_SUFFIXES, IMAGE_SUFFIXES):
        found = sorted((path for path in files if path.suffix.lower() in suffixes), key=natural_key)
        if found:
            return found
    raise InputError(f"{folder}: the folder holds neither videos nor images; {_known_suffixes()} are read")


def _known_suffixes() -> str:
    return f"{', '.join(sorted(VIDEO_SUFFIXES))} (videos) and {', '.join(sorted(IMAGE_SUFFIXES))} (images)"
