"""What is predicted, instant by instant: images of any source, their neighbours in time, and where to look in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from vitruve.data.context import window as files_in_time
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.inference.overlap import overlap
from vitruve.media.images import read_image
from vitruve.media.recordings import Recording
from vitruve.media.video import is_video
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

Image = UInt8[np.ndarray, "H W 3"]

# Frames of each view that are decoded ahead.
_AHEAD = 4

UNREADABLE: Image = np.zeros((1, 1, 3), np.uint8)
"""Stands in for the pixels of an image file that cannot be read, where :class:`Forgiving` lets that pass."""


class Forgiving(list[Path | tuple[Path, ...]]):
    """Image files (or tuples of them, one a view) among which damaged ones do not end the prediction of the others."""


@dataclass(frozen=True)
class CalibratedRecording:
    """The videos of a recording with their cameras.

    Attributes:
        videos: One a view.
        cameras: As many, in the same order.
        stop: Number of the first instant that is no longer looked at; None for all to the end.
    """

    videos: Recording
    cameras: tuple[Camera, ...]
    stop: int | None = None


Source: TypeAlias = (
    str
    | Path
    | Recording
    | CalibratedRecording
    | np.ndarray
    | Iterable[np.ndarray]
    | Iterable[str | Path]
    | Iterable[tuple[Path, ...]]
)
"""A video, the videos of a recording's views, with cameras or without, an image, paths of images, or tuples of such
paths, one a view; uint8 arrays ``(H, W, 3)`` or ``(T, H, W, 3)`` in RGB, ``(H, W)`` or ``(T, H, W)`` in grey, or any
iterable of images."""

Edges = Float[np.ndarray, "V 4"]
"""Edges of the box that is looked at in each view: x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One instant to be predicted.

    Attributes:
        frame: Says what it is; its instances are not looked at.
        images: One a view, RGB.
        cameras: One a view where they are calibrated, or none.
        note: Why the animal was not located, where a locator looked for it in vain.
        sure: Highest likelihood of what the locator's network found in each view.
    """

    frame: Frame
    images: tuple[Image, ...]
    cameras: tuple[Camera, ...] = ()
    note: str = ""
    sure: tuple[float, ...] = ()


Window: TypeAlias = tuple[Shot, ...]
"""An instant in the middle of its context; alone where the algorithm has none."""


class Locator(Protocol):
    """What says which part of each image is looked at.

    Attributes:
        identity: Changes with everything that its boxes depend on.
    """

    identity: str

    def check(self, sources: Sequence[Path]) -> None:
        """Make sure that there will be boxes, before anything is written.

        Args:
            sources: Videos and images.

        Raises:
            VitruveError: There are none for one of them.
        """
        ...

    def follow(self, source: Source, start: int = 0, held: Edges | None = None) -> Generator[Shot, None, None]:
        """The instants of a source, each with the boxes of its views.

        Args:
            source: What is to be predicted.
            start: Leave out this many at the beginning.
            held: The boxes of the instant before ``start``, where there is one.

        Yields:
            Instants whose image references have a box.
        """
        ...

    def locate(self, labels: Labels, cache: ImageCache) -> Labels:
        """Labels whose images all have a box; boxes that are there stay.

        Args:
            labels: The frames.
            cache: Decoded images.

        Returns:
            The same frames.
        """
        ...


def shots(source: Source, start: int = 0) -> Iterator[Shot]:
    """The instants of a source; see :meth:`Predictor.predict`.

    Args:
        source: What is to be predicted.
        start: Leave out this many at the beginning.

    Yields:
        One instant after the other; nothing is kept.

    Raises:
        InputError: The source cannot be read.
    """
    if isinstance(source, (str, Path)) and is_video(Path(source)):
        source = Recording((Path(source),))
    cameras, stop = (source.cameras, source.stop) if isinstance(source, CalibratedRecording) else ((), None)
    if isinstance(source, CalibratedRecording):
        source = source.videos
    if isinstance(source, Recording):
        # Several videos are decoded at the same time, each in a thread of its own.
        stream = (lambda view: overlap(view, _AHEAD)) if len(source) > 1 else None
        with closing(source.frames(start, stream)) as frames:
            for index, images in zip(count(start) if stop is None else range(start, stop), frames, strict=False):
                refs = [ImageRef(path, index, image.shape[1::-1]) for path, image in zip(source, images, strict=True)]
                yield Shot(_blank(*refs), images, cameras)
    else:
        one = isinstance(source, (str, Path)) or (isinstance(source, np.ndarray) and _is_one_image(source))
        items: object = [source] if one else source
        forgiving = isinstance(source, Forgiving)
        if not isinstance(items, Iterable):
            raise InputError(
                f"source: {type(source).__name__}; give a video, images, an array or an iterable of arrays"
            )
        for index, item in enumerate(items):
            if index < start:
                continue
            if isinstance(item, (str, Path)) and is_video(Path(item)):
                raise InputError(f"{item}: a video among several sources; give one video at a time")
            if isinstance(item, (str, Path)):
                yield _read(ImageRef(Path(item)), forgiving=forgiving)
            elif isinstance(item, tuple):
                yield _read(*(ImageRef(Path(path)) for path in item), forgiving=forgiving)
            else:
                yield Shot(_blank(ImageRef(Path(), index)), (_as_image(item, index),))


def _blank(*images: ImageRef) -> Frame:
    return Frame(images, Instances.empty(1, (len(images),)))


def _is_one_image(array: np.ndarray) -> bool:
    """Three axes are one image with channels, or several in grey."""
    return array.ndim < 3 or (array.ndim == 3 and array.shape[-1] <= 4)


def _as_image(item: object, index: int) -> Image:
    if not isinstance(item, np.ndarray) or item.dtype != np.uint8 or item.ndim not in (2, 3):
        given = f"{item.dtype} array {item.shape}" if isinstance(item, np.ndarray) else type(item).__name__
        raise InputError(f"image {index}: {given}; give uint8 arrays of shape (H, W, 3) in RGB, or (H, W)")
    if item.ndim == 2:
        item = np.repeat(item[..., None], 3, -1)
    if item.shape[-1] != 3:
        raise InputError(f"image {index}: {item.shape[-1]} channels; give three, in RGB")
    return np.ascontiguousarray(item)


def windows(items: Iterable[Shot], reach: int) -> Iterator[Window]:
    """Each instant between its neighbours; at both ends of a recording its outermost one is seen again.

    Args:
        items: The instants, in order. Where the size of an image changes, another recording begins.
        reach: Neighbours on either side.

    Yields:
        One window an instant.
    """
    if reach == 0:
        yield from ((item,) for item in items)
        return
    for _, recording in groupby(items, lambda item: tuple(image.shape for image in item.images)):
        near: deque[Shot] = deque(maxlen=2 * reach + 1)
        for item in recording:
            near.extend([item] * (1 if near else reach + 1))
            if len(near) == 2 * reach + 1:
                yield _in_time(near)
        for _ in range(reach):
            near.append(near[-1])
            if len(near) == 2 * reach + 1:
                yield _in_time(near)


def _in_time(listed: Sequence[Shot]) -> Window:
    """A window whose neighbours are those in time.

    What stands beside an image file in a list need not have been seen beside it: labelled images are far apart, and a
    folder may hold several clips. So the numbers in the names count, as they do for labelled images, and a neighbour
    that is not in the list is read from beside the image.
    """
    middle = listed[len(listed) // 2]
    image = middle.frame.images[0]
    if len(middle.images) > 1 or image.index is not None or not image.path.name:
        return tuple(listed)
    known = {shot.frame.images[0].path: shot for shot in listed}
    refs = files_in_time(image, len(listed) // 2, lambda each: each.path in known or each.path.is_file())
    near = (known[ref.path] if ref.path in known else _read(ref, forgiving=True) for ref in refs)
    return tuple(shot if shot.images[0].shape == middle.images[0].shape else middle for shot in near)


def _read(*images: ImageRef, forgiving: bool) -> Shot:
    return Shot(_blank(*images), tuple(_pixels(image.path, forgiving) for image in images))


def _pixels(path: Path, forgiving: bool) -> Image:
    try:
        return read_image(path)
    except InputError:
        if forgiving:
            return UNREADABLE
        raise
