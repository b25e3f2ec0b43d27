"""A trained network in use: pictures in, keypoints out, in constant memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import UInt8

from vitruve.algorithms.base import Algorithm
from vitruve.data.dataset import PoseDataset, collate
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.geometry.affine import resize
from vitruve.geometry.warp import Warp
from vitruve.inference.overlap import overlap
from vitruve.media.images import read_image
from vitruve.media.video import VideoReader, is_video
from vitruve.structures.batch import Batch
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

Image = UInt8[np.ndarray, "H W 3"]

Source: TypeAlias = str | Path | np.ndarray | Iterable[np.ndarray] | Iterable[str | Path]
"""A video, an image, paths of images, one array ``(H, W, 3)`` or ``(T, H, W, 3)``, or any iterable of arrays."""

# Batches that wait between two stages: enough that neither idles, few enough that memory stays small.
_DEPTH = 2


@dataclass(frozen=True, eq=False)
class Shot:
    """One instant to be predicted.

    Attributes:
        frame: Says what it is; its instances are not looked at.
        images: One a view, RGB.
        cameras: One a view where they are calibrated, or none.
    """

    frame: Frame
    images: tuple[Image, ...]
    cameras: tuple[Camera, ...] = ()


@dataclass(frozen=True, eq=False)
class Prediction:
    """One predicted instant.

    Attributes:
        frame: With the predicted instances.
        images: The images that were looked at.
    """

    frame: Frame
    images: tuple[Image, ...]


class Predictor:
    """Runs an algorithm over a stream of images.

    Args:
        algorithm: The trained network; its ``network`` may be one compiled by a runtime.
        batch_size: Images that go through the network together.
        device: Where the algorithm is.
    """

    def __init__(self, algorithm: Algorithm, batch_size: int = 16, device: str = "cpu") -> None:
        self.algorithm = algorithm.eval()
        self.batch_size = batch_size
        self._device = device

    def predict(self, source: Source, start: int = 0) -> Iterator[Frame]:
        """Keypoints of each image of a source, as a stream.

        Args:
            source: See :data:`Source`. Labels have :meth:`predict_labels`.
            start: Leave out this many images at the beginning.

        Yields:
            One frame an image, with scores, in original pixels.

        Raises:
            InputError: The source cannot be read.
        """
        with closing(self.stream_source(source, start)) as predictions:
            for prediction in predictions:
                yield prediction.frame

    def stream_source(self, source: Source, start: int = 0) -> Generator[Prediction, None, None]:
        """Like :meth:`predict`, with the images.

        Args:
            source: See :data:`Source`.
            start: Leave out this many images at the beginning. Those that are the first ones' context are read.

        Returns:
            One prediction an image; to be closed when not read to its end.
        """
        lead = min(start, self.algorithm.needs.context)
        return self.stream(shots(source, start - lead), lead)

    def stream(self, items: Iterable[Shot], lead: int = 0) -> Generator[Prediction, None, None]:
        """Predictions with their images; reading, the network and whoever reads this work at the same time.

        Args:
            items: The instants, in order.
            lead: The first so many serve as context alone.

        Yields:
            One prediction an instant, in order.
        """
        # Closed from the end to the start: a stage must not be closed while the next one draws from it.
        with (
            closing(overlap(self._batches(items, lead), _DEPTH)) as prepared,
            closing(overlap(self._run(prepared), _DEPTH)) as results,
        ):
            for part in results:
                yield from part

    def _batches(self, items: Iterable[Shot], lead: int) -> Iterator[tuple[list[Shot], Batch]]:
        """Warp images and put them together."""
        reach = self.algorithm.needs.context
        group: list[tuple[Shot, ...]] = []
        for window in islice(_windows(items, reach), lead, None):
            if group and len(window[reach].images) != len(group[0][reach].images):
                yield self._batch(group)
                group = []
            group.append(window)
            if len(group) == self.batch_size:
                yield self._batch(group)
                group = []
        if group:
            yield self._batch(group)

    def _batch(self, group: list[tuple[Shot, ...]]) -> tuple[list[Shot], Batch]:
        width, height = self.algorithm.task.input_size
        reach = self.algorithm.needs.context
        middle = [window[reach] for window in group]
        views = len(middle[0].images)
        # Channels are innermost in memory, as images come and as processors like it; the axes are those of a Batch.
        pixels = np.empty((len(group), views, 2 * reach + 1, height, width, 3), np.uint8)
        to_image = np.empty((len(group), views, 3, 3), np.float32)
        for b, window in enumerate(group):
            for v, image in enumerate(middle[b].images):
                warp = Warp(resize((image.shape[1], image.shape[0]), (width, height)), (width, height))
                to_image[b, v] = warp.to_image
                for t, shot in enumerate(window):
                    pixels[b, v, t] = warp.image(shot.images[v])
        cameras = [stack_cameras(shot.cameras) for shot in middle if shot.cameras]
        stacked = stack_cameras(tuple(cameras)) if len(cameras) == len(middle) else None
        batch = Batch(
            torch.from_numpy(pixels).permute(0, 1, 2, 5, 3, 4),
            torch.from_numpy(to_image),
            cameras=None if stacked is None else stacked.map(lambda array: torch.from_numpy(array).float()),
        )
        return middle, batch

    def _run(self, prepared: Iterable[tuple[list[Shot], Batch]]) -> Iterator[list[Prediction]]:
        """Network and decoding."""
        for items, batch in prepared:
            frames = self.run_batch([item.frame for item in items], batch)
            yield [Prediction(frame, item.images) for frame, item in zip(frames, items, strict=True)]

    def run_batch(self, frames: Sequence[Frame], batch: Batch) -> list[Frame]:
        """One batch through network and decoding.

        Args:
            frames: What the batch was made of.
            batch: As many entries.

        Returns:
            The frames with predicted instances.
        """
        with torch.inference_mode():
            batch = batch.to(self._device)
            found = self.algorithm.decode(self.algorithm(batch), batch)
            if found.keypoints.shape[-1] == 2:
                flat = found.numpy()
                return [replace(frame, instances=flat[i]) for i, frame in enumerate(frames)]
            seen, solid = _seen(found, batch).numpy(), found.numpy()
        return [replace(frame, instances=seen[i], instances_3d=solid[i]) for i, frame in enumerate(frames)]

    def predict_labels(self, labels: Labels, cache: ImageCache | None = None) -> Labels:
        """Predictions on labelled frames, in their order.

        Args:
            labels: The frames; what is labelled in them is not looked at.
            cache: Decoded images; None reads each image when its turn comes.

        Returns:
            The same frames with predicted instances.

        Raises:
            InputError: An image cannot be read.
        """
        algorithm = self.algorithm
        data = PoseDataset(labels, algorithm.task.input_size, algorithm.needs, cache or ImageCache(0))
        groups = [range(i, min(len(labels), i + self.batch_size)) for i in range(0, len(labels), self.batch_size)]
        batches = overlap(((group, collate([data[i] for i in group])) for group in groups), _DEPTH)
        with closing(batches):
            frames = [frame for group, batch in batches for frame in self.run_batch([labels[i] for i in group], batch)]
        return replace(labels, frames=tuple(frames), skeleton=algorithm.task.skeleton)


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
        with VideoReader(Path(source)) as video:
            for index, image in enumerate(video.frames(start), start):
                yield Shot(_blank(ImageRef(Path(source), index, image.shape[1::-1])), (image,))
    else:
        one = isinstance(source, (str, Path)) or (isinstance(source, np.ndarray) and source.ndim < 4)
        items: object = [source] if one else source
        if not isinstance(items, Iterable):
            raise InputError(
                f"source: {type(source).__name__}; give a video, images, an array or an iterable of arrays"
            )
        for index, item in enumerate(items):
            if index < start:
                continue
            if isinstance(item, (str, Path)):
                yield Shot(_blank(ImageRef(Path(item))), (read_image(Path(item)),))
            else:
                yield Shot(_blank(ImageRef(Path(), index)), (_as_image(item, index),))


def _blank(image: ImageRef) -> Frame:
    return Frame((image,), Instances.empty(1))


def _as_image(item: object, index: int) -> Image:
    if not isinstance(item, np.ndarray) or item.dtype != np.uint8 or item.ndim not in (2, 3):
        given = f"{item.dtype} array {item.shape}" if isinstance(item, np.ndarray) else type(item).__name__
        raise InputError(f"image {index}: {given}; give uint8 arrays of shape (H, W, 3) in RGB, or (H, W)")
    if item.ndim == 2:
        item = np.repeat(item[..., None], 3, -1)
    if item.shape[-1] != 3:
        raise InputError(f"image {index}: {item.shape[-1]} channels; give three, in RGB")
    return np.ascontiguousarray(item)


def _windows(items: Iterable[Shot], reach: int) -> Iterator[tuple[Shot, ...]]:
    """Each instant between its neighbours; at both ends the outermost one stands in for those that are not there."""
    length = 2 * reach + 1
    window: deque[Shot] = deque(maxlen=length)
    last = None
    for last in items:
        if not window:
            window.extend([last] * reach)
        window.append(last)
        if len(window) == length:
            yield tuple(window)
    if last is not None:
        for _ in range(reach):
            window.append(last)
            if len(window) == length:
                yield tuple(window)


def _seen(found: Instances, batch: Batch) -> Instances:
    """Points in space as the views see them; without cameras, no instance a view."""
    count, most, joints, _ = found.keypoints.shape
    if batch.cameras is None:
        views = int(batch.images.shape[1])
        return Instances.empty(joints, (count, views)).map(torch.from_numpy)
    points = batch.cameras.project(found.keypoints.reshape(count, 1, most * joints, 3))
    points = points.reshape(count, -1, most, joints, 2)

    def each_view(values: torch.Tensor | None) -> torch.Tensor | None:
        return None if values is None else values[:, None].expand(points.shape[: values.ndim + 1])

    return Instances.from_keypoints(
        points, keypoint_scores=each_view(found.keypoint_scores), scores=each_view(found.scores)
    )
