"""The images that labels name, gathered below one folder: in ``labeled-data/``, or where a format has them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.formats.keypoint_table import LABELED_DATA
from vitruve.structures.labels import Frame, ImageRef, Labels

if TYPE_CHECKING:
    from vitruve.media.video import VideoReader

Pixels: TypeAlias = Callable[[ImageRef], np.ndarray | None]
"""From an image that is not a file of its own to uint8 pixels, RGB or grey, or None where there are none."""


def gather_images(
    labels: Labels,
    folder: Path,
    source: Path,
    pixels: Pixels | None,
    layout: Sequence[Sequence[Path]] | None = None,
) -> tuple[Labels, int, list[str]]:
    """Copy or extract all images of labels into a folder.

    Args:
        labels: The labels.
        folder: The folder.
        source: Where the labels came from, for messages and for images of no session.
        pixels: Gives the pixels of images that lie neither in an image file nor in a video file.
        layout: For each frame the new names of its images; ``labeled-data/<session>/`` by default.

    Returns:
        The labels with the new image names and root, without the frames whose images could not be had; the
        number of images written; and what was left out, in words.

    Raises:
        InputError: Not one image could be had, or the folder cannot be written.
    """
    places = _Places((source if source.is_dir() else source.parent).resolve().name)
    origin = _Source(labels, pixels)
    frames: list[Frame] = []
    lost: list[str] = []
    unnamed = written = 0
    for number, frame in enumerate(labels.frames):
        if all(image.path == Path() for image in frame.images):
            unnamed += 1
            frames.append(frame)
            continue
        names = (
            [
                places.name(image, frame.session, view)
                for image, view in zip(frame.images, labels.view_names or ("",), strict=True)
            ]
            if layout is None
            else layout[number]
        )
        if all(origin.put(image, folder / name) for image, name in zip(frame.images, names, strict=True)):
            written += len(names)
            frames.append(replace(frame, images=tuple(ImageRef(name) for name in names)))
        else:
            lost.append(frame.name)
    if not frames:
        raise InputError(
            f"{source}: none of its {len(lost)} images could be read "
            f"(first: '{lost[0]}' below {labels.root}); put the images or videos where the labels point"
        )
    notes = []
    if lost:
        notes.append(f"{len(lost)} frames were left out: their images could not be read (first: '{lost[0]}')")
    if unnamed:
        notes.append(f"{unnamed} frames are numbers of an unnamed video: no image was written for them")
    return replace(labels, frames=tuple(frames), root=folder), written, notes


class _Places:
    """Which folder the images of each folder or video go to; no two of them share one."""

    def __init__(self, fallback: str) -> None:
        self._fallback = fallback
        self._folders: dict[Path | tuple[str, str], Path] = {}

    def name(self, image: ImageRef, session: str, view: str) -> Path:
        parts = image.path.parts
        source: Path | tuple[str, str] = image.path if image.index is not None else image.path.parent
        if session and view:
            # One camera of one recording, though its images may lie in the folders of several splits.
            source = (session, view)
        if source not in self._folders:
            session = session or self._fallback
            wanted = Path(LABELED_DATA, f"{session}_{view}" if view else session)
            if LABELED_DATA in parts[:-2] and image.index is None:
                wanted = Path(*parts[parts.index(LABELED_DATA) : -1])
            self._folders[source] = self._free(wanted)
        return self._folders[source] / (image.path.name if image.index is None else f"img{image.index:08d}.png")

    def _free(self, wanted: Path) -> Path:
        folder, number = wanted, 1
        while folder in self._folders.values():
            number += 1
            folder = wanted.with_name(f"{wanted.name}_{number}")
        return folder


class _Source:
    """Where pixels come from; videos stay open from one frame to the next."""

    def __init__(self, labels: Labels, embedded: Pixels | None) -> None:
        self._labels = labels
        self._embedded = embedded
        self._videos: dict[Path, VideoReader] = {}

    def put(self, image: ImageRef, target: Path) -> bool:
        file = self._labels.path(image)
        if image.index is not None:
            from vitruve.media.images import write_image

            pixels = self._pixels(image, file)
            if pixels is not None:
                write_image(target, pixels)
            return pixels is not None
        if not file.is_file():
            return False
        if not (target.exists() and target.samefile(file)):
            with atomic_path(target) as temporary:
                shutil.copyfile(file, temporary)
        return True

    def _pixels(self, image: ImageRef, file: Path) -> np.ndarray | None:
        if not file.is_file():
            return self._embedded(image) if self._embedded is not None else None
        from vitruve.media.video import VideoReader

        try:
            if file not in self._videos:
                self._videos[file] = VideoReader(file)
            return np.asarray(self._videos[file].read([image.index or 0])[0])
        except InputError:  # one frame that does not decode is reported with the others that are missing
            return None
