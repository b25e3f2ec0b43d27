"""Parts of an image that are looked at one by one, and what they show put together: tiles, and detected instances.

Whatever says which the parts are, they are images with a box, as crops are, and go through the network in batches that
know nothing of where one image ends: memory is that of a batch, however many parts an image has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vitruve.data.images import ImageCache
from vitruve.data.tile_settings import TileSettings
from vitruve.data.tiles import tiles_of
from vitruve.errors import ConfigError
from vitruve.geometry.boxes import BoxRule, boxes_around, edges
from vitruve.inference.predictor import Prediction, Predictor
from vitruve.inference.shots import Shot, Source, shots
from vitruve.inference.suppression import concatenated, suppressed
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels

Boxes = Float[np.ndarray, "P 4"]

_RIM = 2.0
"""A box that ends this near to where a tile was cut, in pixels, was cut there."""


class PartPredictor(Predictor, ABC):
    """Base of predictors that look at parts of each image.

    Subclasses say which parts in :meth:`parts`, and put together what these show in :meth:`joined`.

    Args:
        predictor: Whose network, batches and looks are taken.

    Attributes:
        identity: Changes with everything that the parts depend on.
    """

    identity = ""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__(predictor.algorithm, predictor.batch_size, predictor.device, None, predictor.looks)

    @abstractmethod
    def parts(self, shot: Shot) -> Boxes:
        """The parts of an image of one view.

        Args:
            shot: The image, with whatever :meth:`whole` has put into its frame.

        Returns:
            Edges; there may be none.
        """

    @abstractmethod
    def joined(self, parts: Sequence[Frame], shot: Shot) -> Instances:
        """What the parts of an image show together.

        Args:
            parts: A frame each, with its box and what was found.
            shot: The image.

        Returns:
            ``(1, N, ...)``, the best first.
        """

    @abstractmethod
    def whole(self, source: Source, start: int) -> Iterable[Shot]:
        """The images of a source, as :meth:`parts` takes them."""

    def stream_source(
        self, source: Source, start: int = 0, known: Float[np.ndarray, "n V 4"] | None = None
    ) -> Generator[Prediction, None, None]:
        """Like :meth:`Predictor.stream_source`; ``known`` is not looked at."""
        return self.stream(self.whole(source, start))

    def stream(self, items: Iterable[Shot], lead: int = 0) -> Generator[Prediction, None, None]:
        """Like :meth:`Predictor.stream`."""
        waiting: deque[tuple[Shot, int]] = deque()
        found: list[Frame] = []

        def each() -> Iterator[Shot]:
            for shot in items:
                if len(shot.frame.images) > 1:
                    raise ConfigError("tiles, crop.instances=all: are for images of one view; predict each by itself")
                parts = self.parts(shot)
                waiting.append((shot, len(parts)))
                for frame in _frames(shot.frame, parts):
                    yield replace(shot, frame=frame)

        def finished() -> Iterator[Prediction]:
            """Images of which all parts have been seen, and those that have none."""
            while waiting and waiting[0][1] == len(found):
                shot, _ = waiting.popleft()
                yield Prediction(replace(shot.frame, instances=self.joined(found, shot)), shot)
                found.clear()

        with closing(super().stream(each())) as predictions:
            for prediction in predictions:
                yield from finished()
                found.append(prediction.frame)
                yield from finished()
        yield from finished()

    def predict_labels(
        self, labels: Labels, cache: ImageCache | None = None, advance: Callable[[int], None] | None = None
    ) -> Labels:
        """Like :meth:`Predictor.predict_labels`."""
        cache = cache or ImageCache(0)
        shots = [Shot(frame, ()) for frame in self.located(labels, cache)]
        parts = [_frames(shot.frame, self.parts(shot)) for shot in shots]
        flat = replace(labels, frames=tuple(frame for frames in parts for frame in frames))
        whole = None if advance is None else _of_images(advance, [len(own) for own in parts])
        predicted = super().predict_labels(flat, cache, whole)
        rows = iter(predicted.frames)
        frames = []
        for frame, shot, own in zip(labels, shots, parts, strict=True):
            found = [next(rows) for _ in own]
            frames.append(replace(frame, instances=self.joined(found, shot)))
        return replace(predicted, frames=tuple(frames))

    def located(self, labels: Labels, cache: ImageCache) -> Labels:
        """The frames as :meth:`parts` takes them."""
        return labels


def _of_images(advance: Callable[[int], None], parts: Sequence[int]) -> Callable[[int], None]:
    """What tells of images when it is told of their parts."""
    ends, seen, told = np.cumsum(parts), 0, 0

    def advanced(count: int) -> None:
        nonlocal seen, told
        seen += count
        whole = int((ends <= seen).sum())
        advance(whole - told)
        told = whole

    return advanced


def _frames(frame: Frame, parts: Boxes) -> list[Frame]:
    return [
        replace(frame, images=(replace(frame.images[0], box=(box[0], box[1], box[2], box[3])),))
        for box in parts.tolist()
    ]


class TilePredictor(PartPredictor):
    """Looks at overlapping tiles of each image.

    Args:
        predictor: Whose network, batches and looks are taken.
        tiles: Which tiles.
        nms_iou: IoU above which two detections of a class are one.
    """

    def __init__(self, predictor: Predictor, tiles: TileSettings, nms_iou: float = 0.5) -> None:
        super().__init__(predictor)
        self._tiles, self._nms_iou = tiles, nms_iou
        self.identity = f"tiles {tiles.model_dump_json(exclude={'empty'})} {nms_iou:g}"

    def whole(self, source: Source, start: int) -> Iterable[Shot]:
        """The images of a source."""
        return shots(source, start)

    def parts(self, shot: Shot) -> Boxes:
        """The tiles of an image; of one that has a box already, that."""
        image = shot.frame.images[0]
        size = image.size or (shot.images[0].shape[1], shot.images[0].shape[0])
        return np.array([image.box] if image.box is not None else tiles_of(size, self._tiles))

    def joined(self, parts: Sequence[Frame], shot: Shot) -> Instances:
        """What all tiles show; what several show, or one of them cut off, is there once."""
        found = [frame.instances[0] for frame in parts]
        found = [each[np.asarray(each.present)] for each in found]
        boxes = np.array([frame.images[0].box for frame in parts])
        low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        cut = np.concatenate([_cut(each, box, low, high) for each, box in zip(found, boxes, strict=True)])
        together = concatenated(found)
        keep = suppressed(together, cut, self._nms_iou)
        return together[keep][None]


def _cut(found: Instances, tile: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which detections end where their tile does and the image does not."""
    assert found.boxes is not None
    before = (tile[:2] > low + _RIM) & (found.boxes[:, :2] < tile[:2] + _RIM)
    behind = (tile[2:] < high - _RIM) & (found.boxes[:, 2:] > tile[2:] - _RIM)
    return np.asarray((before | behind).any(1))


class DetectedPredictor(PartPredictor):
    """Looks at each instance that a detector finds, one after the other (top-down).

    Args:
        predictor: The network that is shown an instance at a time.
        detector: Says where they are.
        rule: How large the box around a detection is, and from which score on.

    Attributes:
        detector: The detector.
    """

    def __init__(self, predictor: Predictor, detector: Predictor, rule: BoxRule) -> None:
        super().__init__(predictor)
        self.several, self.identity = True, "all instances"
        self.detector, self._rule = detector, rule

    def whole(self, source: Source, start: int) -> Iterator[Shot]:
        """The images of a source with what is detected in them."""
        with closing(self.detector.stream_source(source, start)) as found:
            for prediction in found:
                yield replace(prediction.shot, frame=prediction.frame)

    def located(self, labels: Labels, cache: ImageCache) -> Labels:
        """The frames with what is detected in them."""
        return self.detector.predict_labels(labels, cache)

    def _sure(self, shot: Shot) -> Instances:
        found = shot.frame.instances[0]
        assert found.scores is not None
        return found[np.asarray(found.present) & np.asarray(found.scores >= self._rule.threshold)]

    def parts(self, shot: Shot) -> Boxes:
        """A box around each detection."""
        found = self._sure(shot)
        assert found.boxes is not None
        return edges(boxes_around(found.boxes.reshape(-1, 2, 2).astype(np.float64), None, self._rule))

    def joined(self, parts: Sequence[Frame], shot: Shot) -> Instances:
        """The keypoints of each detection, with its score, box and class."""
        sure = self._sure(shot)
        joints = len(self.algorithm.task.skeleton)
        if not parts:
            nothing = Instances.empty(joints)
            return replace(nothing, keypoint_scores=np.zeros(nothing.visible.shape), scores=np.zeros((1, 0)))
        found = concatenated([frame.instances[0, :1] for frame in parts])
        kept = {"scores": sure.scores, "boxes": sure.boxes, "categories": sure.categories}
        return Instances(found.keypoints, found.visible, keypoint_scores=found.keypoint_scores, **kept)[None]
