"""Videos, folders of them and folders of images in the workspace: what can be predicted and looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vitruve.app.projects import CONFIG, MADE, AppProject
from vitruve.app.words import counted
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError
from vitruve.media.images import IMAGE_SUFFIXES, image_size
from vitruve.media.sources import expand_sources, natural_key
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader, is_video

MOST = 1000
"""Sources that are listed."""

_MOST_FOLDERS = 20_000


class Kind(StrEnum):
    """What a source is."""

    VIDEO = "video"
    VIDEOS = "folder of videos"
    IMAGE = "image"
    IMAGES = "folder of images"


@dataclass(frozen=True)
class Source:
    """A file or folder.

    Attributes:
        path: Where it is.
        kind: What it is.
        count: Files in it; 1 for a file.
    """

    path: Path
    kind: Kind
    count: int = 1


def find_sources(workspace: Workspace, project: AppProject | None, kinds: Collection[Kind]) -> list[Source]:
    """What a workspace holds, that of the project first, videos before images.

    Single images are named by hand: there are too many.

    Args:
        workspace: Its folders are searched, but for what is hidden and what networks have made.
        project: The one that is open.
        kinds: Those that are wanted.

    Returns:
        At most :data:`MOST`.
    """
    roots = [*([project.path] if project is not None else []), *workspace.roots]
    found: dict[Path, Source] = {}
    seen: set[Path] = set()
    for root in roots:
        for folder, files in _folders(root, seen):
            for source in _sources_of(folder, files):
                if source.kind in kinds and source.kind is not Kind.IMAGE:
                    found.setdefault(source.path, source)

    def order(source: Source) -> tuple[bool, bool]:
        # Labelled images, a folder for each recording, would hide the videos.
        return project is None or not source.path.is_relative_to(project.path), source.kind is Kind.IMAGES

    return sorted(found.values(), key=order)[:MOST]


def named_source(workspace: Workspace, text: str, kinds: Collection[Kind]) -> Source:
    """A source that somebody named.

    Args:
        workspace: It must be in its folders.
        text: A path, absolute or relative to the first folder.
        kinds: Those that are wanted.

    Returns:
        The source.

    Raises:
        InputError: It is not there, or of another kind.
    """
    path = workspace.resolve(text.strip().rstrip("/") or text)
    files = expand_sources([path])
    video = is_video(files[0])
    folder = path.is_dir()
    kind = (Kind.VIDEOS if video else Kind.IMAGES) if folder else (Kind.VIDEO if video else Kind.IMAGE)
    if kind not in kinds:
        raise InputError(f"{workspace.name(path)}: a {kind}; needed here: {' or '.join(sorted(kinds))}")
    return Source(path, kind, len(files))


def said_of(source: Source) -> str:
    """A source in a few words: how much it holds, in which size.

    Args:
        source: The source.

    Returns:
        The words.

    Raises:
        InputError: It cannot be read.
    """
    if source.kind is Kind.VIDEO:
        frames, width, height, fps = video_facts(source.path)
        return f"{counted(frames, 'frame')} of {width} x {height} px, {fps:g} frames/s, {frames / fps:.1f} s"
    if source.kind is Kind.VIDEOS:
        return f"{counted(source.count, 'video')}: {_few([path.name for path in expand_sources([source.path])])}"
    files = expand_sources([source.path])
    width, height = image_size(files[0])
    images = counted(len(files), "image")
    return f"{images} of {width} x {height} px"


def video_facts(path: Path) -> tuple[int, int, int, float]:
    """Number of frames, width, height (px) and frame rate (1/s) of a video.

    Args:
        path: The video.

    Returns:
        The four.

    Raises:
        InputError: It cannot be read.
    """
    with VideoReader(path) as video:
        return video.count(), video.width, video.height, float(video.fps)


def _few(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _sources_of(folder: Path, files: Sequence[Path]) -> Iterator[Source]:
    videos = sorted((path for path in files if path.suffix.lower() in VIDEO_SUFFIXES), key=natural_key)
    if len(videos) > 1:
        yield Source(folder, Kind.VIDEOS, len(videos))
    for path in videos:
        yield Source(path, Kind.VIDEO)
    if not videos and (images := sum(path.suffix.lower() in IMAGE_SUFFIXES for path in files)):
        yield Source(folder, Kind.IMAGES, images)


def _folders(root: Path, seen: set[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """Folders with their files, from the outside in; hidden ones, links and runs are left out."""
    waiting = [root]
    while waiting and len(seen) < _MOST_FOLDERS:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        try:
            entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
        except OSError:
            continue
        names = {path.name for path in entries}
        if "model.json" in names or "status.json" in names:
            continue
        inner = [path for path in entries if path.is_dir() and not path.is_symlink()]
        if CONFIG in names:
            # What its networks have made is not what they are asked about.
            inner = [path for path in inner if path.name not in MADE]
        waiting += sorted(inner, key=natural_key, reverse=True)
        yield folder, [path for path in entries if path.is_file() and not path.is_symlink()]
