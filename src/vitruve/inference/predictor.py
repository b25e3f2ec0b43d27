"""A trained network in use: pictures in, keypoints out, in constant memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float

from vitruve.algorithms.base import Algorithm
from vitruve.data.dataset import PoseDataset, collate
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError
from vitruve.geometry.affine import area
from vitruve.geometry.warp import Warp
from vitruve.inference.looks import Looks, look
from vitruve.inference.overlap import overlap
from vitruve.inference.shots import UNREADABLE, Image, Locator, Shot, Source, Window, shots, windows
from vitruve.structures.batch import Batch
from vitruve.structures.camera import stack_cameras
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.labels import Frame, Labels

# Batches that wait between two stages: enough that neither idles, few enough that memory stays small.
_DEPTH = 2
_PLAIN = Looks()


@dataclass(frozen=True, eq=False)
class Prediction:
    """One predicted instant.

    Attributes:
        frame: With the predicted instances.
        shot: What was looked at.
    """

    frame: Frame
    shot: Shot

    @property
    def images(self) -> tuple[Image, ...]:
        """The images that were looked at."""
        return self.shot.images


class Predictor:
    """Runs an algorithm over a stream of images.

    Args:
        algorithm: The trained network; its ``network`` may be one compiled by a runtime.
        batch_size: Images that go through the network together.
        device: Where the algorithm is.
        locator: Says which part of each image the algorithm looks at; None for all of it.
        looks: In which ways it looks at each.

    Attributes:
        busy: Seconds that network and decoding have taken so far.
        several: Any number of instances is found an image.
        device: Where the algorithm is.
        looks: In which ways it looks at each image.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        batch_size: int = 16,
        device: str = "cpu",
        locator: Locator | None = None,
        looks: Looks = _PLAIN,
    ) -> None:
        self.algorithm = algorithm.eval()
        self.batch_size = batch_size
        self.locator = locator
        self.busy = 0.0
        self.several = algorithm.needs.instances
        self.device = device
        self.looks = looks
        self._input_size = looks.largest(algorithm.task.input_size)

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

    def stream_source(
        self, source: Source, start: int = 0, known: Float[np.ndarray, "n V 4"] | None = None
    ) -> Generator[Prediction, None, None]:
        """Like :meth:`predict`, with the images.

        Args:
            source: See :data:`Source`.
            start: Leave out this many images at the beginning. Those that are the first ones' context are read. The
                results are the same as without, to the last bit where it is a multiple of the batch size.
            known: Boxes that the locator has given to the last images before ``start``, where it goes on from there.

        Returns:
            One prediction an image; to be closed when not read to its end.
        """
        lead = min(start, self.algorithm.needs.context)
        if self.locator is None:
            return self.stream(shots(source, start - lead), lead)
        held = known[-lead - 1] if known is not None and len(known) > lead else None
        return self.stream(self.locator.follow(source, start - lead, held), lead)

    def stream(self, items: Iterable[Shot], lead: int = 0) -> Generator[Prediction, None, None]:
        """Predictions with their images; reading, the network and whoever reads this work at the same time.

        Args:
            items: The instants, in order. Where the number of views or the size of an image changes, another recording
                begins, and context ends. The context of image files is what the numbers in their names say.
            lead: The first so many serve as context alone.

        Yields:
            One prediction an instant, in order.
        """
        # Closed from the end to the start: a stage must not be closed while the next one draws from it.
        each = islice(windows(items, self.algorithm.needs.context), lead, None)
        with (
            closing(items) if isinstance(items, Generator) else nullcontext(),
            closing(overlap(self._batches(each), _DEPTH)) as prepared,
            closing(overlap(self._run(prepared), _DEPTH)) as results,
        ):
            for part in results:
                yield from part

    def heatmaps(self, source: Source) -> Iterator[Float[np.ndarray, "n V K h w"]]:
        """Probability maps of each image of a source, batch by batch, as a stream.

        Args:
            source: See :data:`Source`.

        Yields:
            Maps that each add up to one, as float32.

        Raises:
            ConfigError: The algorithm has no heatmaps.
            InputError: The source cannot be read.
        """
        if not self.algorithm.gives_heatmaps:
            raise ConfigError(f"{self.algorithm.config.model_type} has no heatmaps; predict without them")
        items = shots(source) if self.locator is None else self.locator.follow(source)
        with closing(overlap(self._batches(windows(items, self.algorithm.needs.context)), _DEPTH)) as prepared:
            for _, batch in prepared:
                with torch.inference_mode():
                    logits = self.algorithm(batch.to(self.device))["heatmaps"].float()
                    maps = logits.flatten(-2).softmax(-1).reshape(logits.shape)
                yield maps.cpu().numpy()

    def _batches(self, windows: Iterable[Window]) -> Iterator[tuple[list[Shot], Batch]]:
        """Warp images and put them together; each image is warped once, whatever number of windows it is in.

        A batch ends where the number of those before it, and of its own, is a multiple of the batch size: so it holds
        the same wherever an interrupted prediction goes on.
        """
        group: list[Window] = []
        for number, each in enumerate(windows, 1):
            if group and not self._follows(group[-1], each):
                yield self._batch(group)
                group = []
            group.append(each)
            if number % self.batch_size == 0:
                yield self._batch(group)
                group = []
        if group:
            yield self._batch(group)

    def _follows(self, earlier: Window, later: Window) -> bool:
        """Whether two windows can be in one batch."""
        if self.algorithm.needs.context:
            return all(a is b for a, b in zip(earlier[1:], later[:-1], strict=True))
        return len(earlier[0].images) == len(later[0].images)

    def _batch(self, group: list[Window]) -> tuple[list[Shot], Batch]:
        """Instants as a batch: an entry each, or, where the algorithm has a context, one window of all of them."""
        width, height = self._input_size
        reach = self.algorithm.needs.context
        middle = [window[reach] for window in group]
        boxes = [[image.box for image in shot.frame.images] for shot in middle]
        # Frames that share their crop share a window, too; otherwise each needs its neighbours in a crop of its own.
        if reach and all(each == boxes[0] for each in boxes):
            entries = [[*group[0][:reach], *middle, *group[-1][reach + 1 :]]]
        else:
            entries = [list(window) for window in group]
        views, length = len(middle[0].images), len(entries[0])
        # Channels are innermost in memory, as images come and as processors like it; the axes are those of a Batch.
        pixels = np.empty((len(entries), views, length, height, width, 3), np.uint8)
        to_image = np.empty((len(entries), views, 3, 3), np.float32)
        for b, entry in enumerate(entries):
            for v, image in enumerate(entry[0].images):
                shape = (image.shape[1], image.shape[0])
                matrix = area(shape, (width, height), boxes[b][v], self.algorithm.needs.instances)
                warp = Warp(matrix, (width, height))
                to_image[b, v] = warp.to_image
                for t, shot in enumerate(entry):
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
            began = time.perf_counter()
            frames = self.run_batch([item.frame for item in items], batch)
            self.busy += time.perf_counter() - began
            yield [Prediction(_known(frame, item), item) for frame, item in zip(frames, items, strict=True)]

    def run_batch(self, frames: Sequence[Frame], batch: Batch) -> list[Frame]:
        """One batch through network and decoding.

        Args:
            frames: What the batch was made of.
            batch: As many entries.

        Returns:
            The frames with predicted instances.
        """
        with torch.inference_mode():
            batch = batch.to(self.device)
            outputs, found = look(self.algorithm, batch, self.looks)
            if found.keypoints.shape[-1] == 2:
                flat = found.numpy()
                return [replace(frame, instances=_there(frame, flat[i])) for i, frame in enumerate(frames)]
            views = self.algorithm.decode_views(outputs, batch)
            seen, solid = (_seen(found, batch) if views is None else views).numpy(), found.numpy()
        return [
            replace(frame, instances=_there(frame, seen[i]), instances_3d=solid[i]) for i, frame in enumerate(frames)
        ]

    def predict_labels(
        self, labels: Labels, cache: ImageCache | None = None, advance: Callable[[int], None] | None = None
    ) -> Labels:
        """Predictions on labelled frames, in their order.

        Args:
            labels: The frames; what is labelled in them is not looked at.
            cache: Decoded images; None reads each image when its turn comes.
            advance: Is told how many more frames have been predicted.

        Returns:
            The same frames with predicted instances.

        Raises:
            InputError: An image cannot be read.
        """
        algorithm = self.algorithm
        cache = cache or ImageCache(0)
        if self.locator is not None:
            labels = self.locator.locate(labels, cache)
        data = PoseDataset(labels, self._input_size, algorithm.needs, cache)
        groups = [range(i, min(len(labels), i + self.batch_size)) for i in range(0, len(labels), self.batch_size)]
        batches = overlap(((group, collate([data[i] for i in group])) for group in groups), _DEPTH)
        with closing(batches):
            frames: list[Frame] = []
            for group, batch in batches:
                frames += self.run_batch([labels[i] for i in group], batch)
                if advance is not None:
                    advance(len(group))
        # What detectors find is numbered as they learned it.
        categories = algorithm.task.categories if algorithm.needs.boxes else labels.categories
        return replace(labels, frames=tuple(frames), skeleton=algorithm.task.skeleton, categories=categories)


def _there(frame: Frame, found: Instances) -> Instances:
    """What was found in the views of a frame; nothing in those that are missing, which were looked at as black."""
    gone = [image.missing for image in frame.images]
    if not any(gone):
        return found
    nothing = dict.fromkeys(("keypoints", "keypoint_scores", "scores", "boxes", "areas", "head_boxes"), np.nan)
    values = {**nothing, "visible": UNLABELLED, "categories": -1, "tracks": -1, "crowds": False}
    arrays = {name: np.array(array) for name, array in vars(found).items() if array is not None}
    for name, array in arrays.items():
        array[gone] = values[name]
    return Instances(**arrays)


def _known(frame: Frame, shot: Shot) -> Frame:
    """A predicted frame; without any instance where there was nothing to look at."""
    if all(image is not UNREADABLE for image in shot.images):
        return frame
    return replace(frame, instances=frame.instances[:, :0], instances_3d=None)


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
