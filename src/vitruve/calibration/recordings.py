"""Which videos and folders of images show the board to which camera, and which of them at the same instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from vitruve.errors import InputError
from vitruve.media.images import IMAGE_SUFFIXES, image_size, read_image
from vitruve.media.sources import natural_key
from vitruve.media.video import VideoReader, is_video

FIGURES = "figures.json"
"""Marks the folder of an earlier report, which may lie among the recordings and is none."""
_LAYOUT = (
    "expected one video or one folder of images a camera (<camera>.mp4 or <camera>/*.png), or Intrinsics/<camera>.avi "
    "with Extrinsics/<first>-<second>/<camera>.avi"
)


@dataclass(frozen=True)
class Source:
    """What one camera has recorded.

    Attributes:
        camera: Its name.
        session: Sources of one session show the same instants; None for one camera alone.
        path: A video, or a folder of images.
    """

    camera: str
    session: str | None
    path: Path

    def frames(self) -> Frames:
        """Open it."""
        return Frames(self.path)


class Frames:
    """A video or a folder of images as numbered grey images.

    Args:
        path: The video or folder.

    Attributes:
        names: Of the images, or the numbers of a video's frames.
        size: Width and height, px.

    Raises:
        InputError: It cannot be read, or holds images of different size.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._video = None if path.is_dir() else VideoReader(path)
        if self._video is not None:
            self.names = [str(number) for number in range(self._video.count())]
            self.size = (self._video.width, self._video.height)
        else:
            self._files = _images(path)
            self.names = [file.stem for file in self._files]
            self.size = image_size(self._files[0])

    def __len__(self) -> int:
        return len(self.names)

    def read(self, number: int) -> UInt8[np.ndarray, "H W"]:
        """One image, grey.

        Args:
            number: From 0.

        Returns:
            Its pixels.
        """
        image = self._video.read([number])[0] if self._video is not None else read_image(self._files[number])
        if image.shape[1::-1] != self.size:
            raise InputError(
                f"{self._files[number]}: {image.shape[1]}x{image.shape[0]} px, but the others have "
                f"{self.size[0]}x{self.size[1]}; all images of a camera have one size"
            )
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def find_sources(folder: Path) -> list[Source]:
    """The recordings of a board in a folder.

    Understood are one video or one folder of images a camera, at the same instants; the same in several subfolders,
    one a session; and JARVIS' ``Intrinsics/<camera>.avi`` with ``Extrinsics/<first>-<second>/<camera>.avi`` or all
    cameras in ``Extrinsics``.

    Args:
        folder: Where to look.

    Returns:
        The sources, in natural order of sessions and cameras.

    Raises:
        InputError: The folder is missing or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {_LAYOUT}")
    named = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    if "intrinsics" in named or "extrinsics" in named:
        found = [
            Source(camera, None, path)
            for camera, path in (_cameras(named["intrinsics"]) if "intrinsics" in named else {}).items()
        ]
        found += _sessions(named["extrinsics"]) if "extrinsics" in named else []
    else:
        found = _sessions(folder)
    if not found:
        raise InputError(f"{folder}: holds no recording of a board; {_LAYOUT}")
    return found


def first_camera(sources: Sequence[Source]) -> str:
    """The camera whose frame becomes the world's, where the user names none.

    Args:
        sources: All recordings.

    Returns:
        The one that most session folders name first (``<first>-<second>``), else the first in natural order.
    """
    cameras = sorted({source.camera for source in sources}, key=lambda name: natural_key(Path(name)))
    sessions = {source.session for source in sources if source.session}
    # One camera's name may begin with another's.
    firsts = [max((name for name in cameras if each.startswith(f"{name}-")), key=len, default="") for each in sessions]
    return max(cameras, key=lambda name: (firsts.count(name), -cameras.index(name)))


def matched_frames(frames: Sequence[Frames], most: int, *, shortest: bool) -> tuple[list[list[int | None]], str]:
    """Instants spread over recordings of the same time, as each one's own numbers.

    Images are matched by name where they share names, else by their order, as the frames of videos are.

    Args:
        frames: One a camera.
        most: Instants at the most.
        shortest: Whether recordings of different lengths are used up to the end of the shortest.

    Returns:
        For each instant the number of its image in each recording, None where there is none; and what is to be told,
        empty where the lengths are the same.

    Raises:
        InputError: The lengths differ, and ``shortest`` is not set.
    """
    numbers: list[dict[str, int]] = [{name: number for number, name in enumerate(item.names)} for item in frames]
    named = all(item.path.is_dir() for item in frames)
    if named and len(set.intersection(*(set(item) for item in numbers))) > 1:
        names = list(dict.fromkeys(name for item in frames for name in item.names))
        rows: list[list[int | None]] = [[item.get(name) for item in numbers] for name in names]
        return [rows[row] for row in spread(len(rows), most)], ""
    longest, least = max(frames, key=len), min(frames, key=len)
    note = ""
    if len(longest) != len(least):
        note = (
            f"{longest.path}: has {len(longest)} frames, {len(longest) - len(least)} more than {least.path} "
            f"({len(least)})"
        )
        if not shortest:
            raise InputError(
                f"{note}; cameras that were triggered together record alike: mend the recording, or, when all began at "
                "the same instant, go on to the end of the shortest with shortest (--shortest)"
            )
    return [[row] * len(frames) for row in spread(len(least), most)], note


def spread(count: int, most: int) -> list[int]:
    """Numbers below ``count``, at most ``most`` of them, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist() if count else []


def _sessions(folder: Path) -> list[Source]:
    found = [Source(camera, folder.name, path) for camera, path in _cameras(folder).items()]
    for inner in sorted((path for path in folder.iterdir() if path.is_dir()), key=natural_key):
        if _camera_folder(inner) is None:
            found += [Source(camera, inner.name, path) for camera, path in _cameras(inner).items()]
    return found


def _cameras(folder: Path) -> dict[str, Path]:
    """Videos and folders of one camera each, by the camera's name."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=natural_key):
        place = path if path.is_file() and is_video(path) else _camera_folder(path) if path.is_dir() else None
        if place is None or path.name.startswith("."):
            continue
        camera = path.name if path.is_dir() else path.name.partition(".")[0]
        if camera in found:
            raise InputError(f"{path}: camera '{camera}' has {found[camera]} already; give one of them")
        found[camera] = place
    return found


def _camera_folder(folder: Path) -> Path | None:
    """What a folder of one camera holds: itself for images, or its only video."""
    if (folder / FIGURES).exists():
        return None
    if _images(folder):
        return folder
    videos = [path for path in folder.iterdir() if path.is_file() and is_video(path)]
    return videos[0] if len(videos) == 1 else None


def _images(folder: Path) -> list[Path]:
    files = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != ".")
    return sorted(files, key=natural_key)
