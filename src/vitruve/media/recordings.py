"""Videos that belong together: the views of one recording."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import zip_longest
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import UInt8

from vitruve.errors import InputError
from vitruve.media.sources import expand_sources
from vitruve.media.video import VideoReader, is_video

Image = UInt8[np.ndarray, "_ _ 3"]


class Recording(tuple[Path, ...]):
    """The videos of one recording, one a view.

    Args:
        paths: In the order of the views.
    """

    __slots__ = ()

    def __new__(cls, paths: Iterable[str | Path]) -> Self:
        """Strings become paths."""
        return super().__new__(cls, map(Path, paths))

    def frames(
        self, start: int = 0, stream: Callable[[Iterator[Image]], Generator[Image, None, None]] | None = None
    ) -> Generator[tuple[Image, ...], None, None]:
        """The frames of all views, instant by instant.

        Args:
            start: Leave out this many instants at the beginning.
            stream: What the frames of each video pass through, such as a thread that decodes ahead.

        Yields:
            One RGB image a view.

        Raises:
            InputError: A video cannot be decoded, or ends before another does.
        """
        with ExitStack() as stack:
            videos = [stack.enter_context(VideoReader(path)) for path in self]
            views = [video.frames(start) for video in videos]
            if stream is not None:
                views = [stack.enter_context(closing(stream(view))) for view in views]
            for index, images in enumerate(zip_longest(*views), start):
                short = next((path for path, image in zip(self, images, strict=True) if image is None), None)
                if short is not None:
                    other = next(path for path, image in zip(self, images, strict=True) if image is not None)
                    raise _other_length(short, index, other, None)
                yield images


def frame_count(recording: Sequence[Path]) -> int:
    """The number of frames of every video of a recording.

    Args:
        recording: One video a view.

    Returns:
        What they all have.

    Raises:
        InputError: A video cannot be decoded, or has another number of frames than the first.
    """
    counts: list[int] = []
    for path in recording:
        with VideoReader(path) as video:
            counts.append(video.count())
        if counts[-1] != counts[0]:
            raise _other_length(path, counts[-1], recording[0], counts[0])
    return counts[0]


def videos_of_cameras(folder: Path) -> dict[str, Path]:
    """The videos of a recording in a folder of its own, as JARVIS names them.

    Args:
        folder: Holds one video a camera; it is searched without its subfolders.

    Returns:
        The videos by the names of their cameras: what stands before the first full stop.

    Raises:
        InputError: The folder is missing or holds no video, or a camera has two.
    """
    found: dict[str, Path] = {}
    for (path,) in find_recordings(folder):
        name = path.name.partition(".")[0]
        if name in found:
            raise InputError(f"{path}: camera '{name}' has {found[name].name} already; keep one video a camera")
        found[name] = path
    return found


def find_recordings(folder: Path, view_names: Sequence[str] = ()) -> list[Recording]:
    """The recordings in a folder: each video, or, with several views, the videos ``SESSION_VIEW`` of each session.

    Args:
        folder: Is searched without its subfolders. With several views, videos with other names are left out.
        view_names: The views, in order; empty where a video shows all there is.

    Returns:
        The recordings, in the order of their names.

    Raises:
        InputError: The folder is missing or holds no video, or a recording lacks a view.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of videos")
    videos = [path for path in expand_sources([folder]) if is_video(path)]
    if not videos:
        raise InputError(f"{folder}: holds no video")
    if len(view_names) < 2:
        return [Recording((path,)) for path in videos]
    named = [path for path in videos if _parts(path, view_names) is not None]
    if not named:
        raise InputError(f"{folder}: no video is named SESSION_VIEW with a view of {', '.join(view_names)}")
    return sorted(group_views(named, view_names))


def group_views(videos: Sequence[Path], view_names: Sequence[str]) -> list[Recording]:
    """Put videos together that show one recording: ``SESSION_VIEW``, with the view as the last part of the name.

    Args:
        videos: The files.
        view_names: The views, in order.

    Returns:
        One recording a session, in the order of their first videos.

    Raises:
        InputError: A video's name ends in no view, or a recording lacks a view or has one twice.
    """
    sessions: dict[str, dict[str, Path]] = {}
    for path in videos:
        parts = _parts(path, view_names)
        if parts is None:
            raise InputError(
                f"{path}: is of no view; videos of several views are named SESSION_VIEW, and the views are "
                f"{', '.join(view_names)}"
            )
        session, view = parts
        known = sessions.setdefault(session, {})
        if view in known:
            raise InputError(f"{path}: view '{view}' of session '{session}' is {known[view]} already; give one of them")
        known[view] = path
    for session, views in sessions.items():
        missing = next((name for name in view_names if name not in views), None)
        if missing is not None:
            place = next(iter(views.values()))
            wanted = place.with_name(f"{session}_{missing}{place.suffix}")
            raise InputError(f"{place}: session '{session}' has no video of view '{missing}'; add {wanted.name}")
    return [Recording(views[name] for name in view_names) for views in sessions.values()]


def _parts(path: Path, view_names: Sequence[str]) -> tuple[str, str] | None:
    """Session and view by the name; the longest view where one ends like another."""
    found = [name for name in view_names if path.stem.endswith(f"_{name}")]
    if not found:
        return None
    view = max(found, key=len)
    return path.stem.removesuffix(f"_{view}"), view


def _other_length(path: Path, count: int, other: Path, expected: int | None) -> InputError:
    has = f"has {expected}" if expected is not None else "goes on"
    return InputError(
        f"{path}: {count} frames, but {other} {has}; the views of one recording must show the same instants"
    )
