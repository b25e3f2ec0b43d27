"""Where to look in each image: boxes from a network's predictions, or from tables."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.data.crop_settings import CropSettings
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError, InputError, RunError, nearest
from vitruve.formats.bbox_file import BoxTable, as_written, boxes_file, read_boxes
from vitruve.geometry.boxes import BoxRule, boxes_around, centred, edges, known_median, whole_image
from vitruve.inference.agree import agreed
from vitruve.inference.predictor import Prediction, Predictor
from vitruve.inference.shots import CalibratedRecording, Edges, Shot, Source, shots
from vitruve.inference.sightings import Sightings, best_likelihoods, frames_of
from vitruve.media.recordings import Recording
from vitruve.media.video import VideoReader, is_video
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


class NetworkLocator:
    """Puts boxes around what a network finds.

    Where several views are calibrated, what they find is brought together in space first, so that a view that sees
    something else, or nothing, looks at the same animal as the others.

    In a video (or an array of images) a box is the median of those within a window of frames. Where nothing was found
    in the whole window, the last box stays; before anything was found at all, the whole image is looked at. Image files
    have boxes of their own.

    Args:
        predictor: A network with keypoints, or with boxes.
        settings: The section ``crop``.
        aspect: Width over height of the input that the boxes are for.
        identity: Names the network.

    Attributes:
        predictor: The network.

    Raises:
        ConfigError: An anchor is no keypoint of the network, or it gives but one keypoint and no size is set.
    """

    def __init__(self, predictor: Predictor, settings: CropSettings, aspect: float, identity: str) -> None:
        self.predictor = predictor
        self._rule = settings.rule(aspect)
        self._threshold = settings.threshold
        self._anchors = anchor_columns(settings, predictor.algorithm.task.skeleton)
        self._reach = settings.smooth_window // 2
        own = settings.model_dump(mode="json", exclude={"locator", "from_labels", "jitter"})
        self.identity = f"{identity} {own} {aspect:.6f}"

    def check(self, sources: Sequence[Path]) -> None:
        """Nothing to check: what is not found is looked for in the whole image; as for :meth:`Locator.check`."""

    def follow(self, source: Source, start: int = 0, held: Edges | None = None) -> Generator[Shot, None, None]:
        """The instants of a source, each with the boxes of its views; as for :meth:`Locator.follow`."""
        # Whole batches from the beginning on: a prediction that goes on meets the same batches as an unbroken one.
        size = self.predictor.batch_size
        # Image files need not follow one another in time: each has its own box.
        apart = _are_image_files(source)
        reach = 0 if apart else self._reach
        first = max(0, start - reach) // size * size
        window: deque[tuple[Edges, str]] = deque(maxlen=2 * reach + 1)
        waiting: deque[tuple[Prediction, tuple[float, ...]]] = deque()
        last = None if held is None or apart else centred(held)
        seen = Sightings(self._threshold)
        with closing(self.predictor.stream_source(source, first)) as found:
            behind = repeat(None, reach)
            for index, prediction in enumerate(chain(found, behind), first - reach):
                if prediction is not None:
                    boxes, note, sure = self._raw(prediction.frame, prediction.shot.cameras, seen)
                    waiting.append((prediction, sure))
                    window.append((boxes, note))
                elif window:
                    window.append((np.full_like(window[-1][0], np.nan), ""))
                if index < first or not waiting:
                    continue
                one, sure = waiting.popleft()
                if index < start:
                    continue
                raw = np.stack([each for each, _ in window])
                boxes = self._settled(raw, last, [image.shape[1::-1] for image in one.images])
                last = None if apart else centred(boxes)
                # One that was located in its neighbourhood in time was located.
                note = next((why for _, why in window if why), "") if np.isnan(raw[..., :2]).all() else ""
                yield replace(one.shot, frame=with_boxes(one.frame, boxes), note=note, sure=sure)
        seen.check(frames_of(source))

    def locate(self, labels: Labels, cache: ImageCache, *, needed: bool = False) -> Labels:
        """Labels whose images all have a box; as for :meth:`Locator.locate`.

        With ``needed``, InputError is raised where nothing is found in any image.
        """
        seen = Sightings(self._threshold)
        located = _filled(labels, lambda part: self._boxes_of(part, cache, seen))
        seen.check("labelled images", needed=needed)
        return located

    def _boxes_of(self, labels: Labels, cache: ImageCache, seen: Sightings) -> list[Edges]:
        found = self.predictor.predict_labels(labels, cache)
        result = []
        for frame in found:
            sizes = [image.size or cache.read(labels, image).shape[1::-1] for image in frame.images]
            boxes, _, _ = self._raw(frame, labels.cameras.get(frame.session, ()), seen)
            result.append(self._settled(boxes[None], None, sizes))
        return result

    def _settled(self, window: np.ndarray, last: np.ndarray | None, sizes: Sequence[tuple[int, ...]]) -> Edges:
        """Boxes of one instant from those of its window, filled up from the last ones or from the whole image."""
        middle = known_median(window)
        if last is None:
            last = np.stack([whole_image((size[0], size[1]), self._rule.aspect) for size in sizes])
        return as_written(edges(np.where(np.isnan(middle), last, middle)))

    def _raw(self, frame: Frame, cameras: Sequence[Camera], seen: Sightings) -> tuple[Edges, str, tuple[float, ...]]:
        """Centre and size in each view, NaN where nothing was found; why nothing was in any; how sure each view was."""
        instances = frame.instances
        note, sure, of_anchors = "", best_likelihoods(instances), best_likelihoods(instances, self._anchors)
        if len(cameras) > 1 and instances.num_keypoints:
            instances, note = agreed(instances, cameras, self._threshold)
        boxes = instance_boxes(instances, self._anchors, self._rule)
        there = [not image.missing for image in frame.images]
        seen.add(np.isfinite(boxes[there, :2]).all(-1), np.array(of_anchors)[there])
        if not note and np.isnan(boxes[..., :2]).all():
            note = f"not found; likelihood at best {max(sure, default=0):.2f}, {self._threshold:g} is needed"
        return boxes, note, sure


def _are_image_files(source: Source) -> bool:
    if isinstance(source, (str, Path)):
        return not is_video(Path(source))
    if isinstance(source, (Recording, CalibratedRecording)):
        return False
    return isinstance(source, (list, tuple)) and isinstance(source[0], (str, Path, tuple))


def instance_boxes(instances: Instances, anchors: Sequence[int], rule: BoxRule) -> Edges:
    """Boxes around the best instance of each view.

    Args:
        instances: ``(V, N, ...)`` as numpy arrays; without keypoints their boxes are taken.
        anchors: Columns of the keypoints that count.
        rule: How boxes are made.

    Returns:
        Centre and size ``(V, 4)``, NaN where nothing is.
    """
    views, count = instances.keypoints.shape[:2]
    if count == 0:
        return np.full((views, 4), np.nan)
    scores = instances.scores
    best = np.zeros(views, int) if scores is None else np.nan_to_num(scores, nan=-1.0).argmax(1)
    rows = np.arange(views)
    if instances.num_keypoints == 0:
        if instances.boxes is None:
            raise InputError("locator: gives neither keypoints nor boxes; take a run of a pose network or a detector")
        corners = instances.boxes[rows, best].reshape(views, 2, 2)
        known = None if scores is None else np.repeat(scores[rows, best][:, None], 2, 1)
        return boxes_around(corners.astype(np.float64), known, rule)
    likelihood = instances.keypoint_scores
    columns = np.asarray(anchors)
    known = None if likelihood is None else likelihood[rows, best][:, columns].astype(np.float64)
    return boxes_around(instances.keypoints[rows, best][:, columns].astype(np.float64), known, rule)


def anchor_columns(settings: CropSettings, skeleton: Skeleton) -> list[int]:
    """The keypoints that boxes are put around.

    Args:
        settings: The section ``crop``.
        skeleton: Of what is predicted or labelled.

    Returns:
        Their columns; all where none is named.

    Raises:
        ConfigError: One is no keypoint, or there is but one and no size is set.
    """
    names = skeleton.names
    for name in settings.anchors or ():
        if name not in names:
            raise ConfigError(f"crop.anchors: '{name}' is no keypoint{nearest(name, names)}; known: {', '.join(names)}")
    if settings.size is None and len(names) == 1:
        raise ConfigError(f"crop.ratio: the only keypoint, '{names[0]}', has no extent; set crop.size")
    return [names.index(name) for name in settings.anchors or names]


class TableLocator:
    """Takes boxes from tables.

    Args:
        place: A table, or a folder in which each video has its ``<video>_bbox.csv``, and images have ``bbox.csv`` or,
            with several views, ``bboxes_<view>.csv``.

    Raises:
        InputError: There is no such file or folder.
    """

    def __init__(self, place: Path) -> None:
        if not place.exists():
            raise InputError(f"{place}: no such file or folder; give a table of boxes, or a folder of them")
        self._place = place
        self._tables: dict[Path, BoxTable] = {}
        files = sorted(place.glob("*bbox*.csv")) if place.is_dir() else [place]
        # By time and size, not by content: tables of long videos are long.
        self.identity = "boxes " + " ".join(f"{f.name}:{f.stat().st_size}:{f.stat().st_mtime_ns}" for f in files)

    def of_video(self, video: Path) -> BoxTable:
        """The table of a video.

        Args:
            video: The video.

        Returns:
            One box a frame.

        Raises:
            InputError: There is none, or it has another number of rows than the video has frames.
        """
        path = self._place / boxes_file(video.stem) if self._place.is_dir() else self._place
        if not path.is_file():
            raise InputError(
                f"{path}: missing, so there are no boxes for {video.name}; 'vitruve create-bbox' makes them"
            )
        table = self._read(path)
        with VideoReader(video) as reader:
            check_length(table, video, reader.count())
        return table

    def of_image(self, name: str) -> Float[np.ndarray, " 4"]:
        """The box of an image.

        Args:
            name: Its path.

        Returns:
            The edges.

        Raises:
            InputError: No table has a box for it.
        """
        files = [self._place]
        if self._place.is_dir():
            files = [*self._place.glob("bbox.csv"), *sorted(self._place.glob("bboxes_*.csv"))]
        if not files:
            raise InputError(f"{self._place}: holds no bbox.csv, so there are no boxes for images such as '{name}'")
        tables = [self._read(path) for path in files]
        return next((table for table in tables if name in table), tables[0]).of_image(name)

    def _read(self, path: Path) -> BoxTable:
        if path not in self._tables:
            self._tables[path] = read_boxes(path)
        return self._tables[path]

    def check(self, sources: Sequence[Path]) -> None:
        """Raises where a video has no table, or one of another length; as for :meth:`Locator.check`."""
        for path in sources:
            if is_video(path):
                self.of_video(path)
            else:
                self.of_image(_full_name(ImageRef(path)))

    def follow(self, source: Source, start: int = 0, held: Edges | None = None) -> Generator[Shot, None, None]:
        """The instants of a source, each with the boxes of its views; as for :meth:`Locator.follow`."""
        if isinstance(source, (str, Path)) and is_video(Path(source)):
            source = Recording((Path(source),))
        videos = source.videos if isinstance(source, CalibratedRecording) else source
        if isinstance(videos, Recording):
            boxes = np.stack([self.of_video(path).edges for path in videos], 1)
            for index, shot in enumerate(shots(source, start), start):
                yield replace(shot, frame=with_boxes(shot.frame, boxes[index]))
        else:
            for shot in shots(source, start):
                boxes = np.stack([self.of_image(_full_name(image)) for image in shot.frame.images])
                yield replace(shot, frame=with_boxes(shot.frame, boxes))

    def locate(self, labels: Labels, cache: ImageCache) -> Labels:
        """Labels whose images all have a box; as for :meth:`Locator.locate`."""
        return self.boxed(labels)

    def boxed(self, labels: Labels) -> Labels:
        """Labels whose images all have a box; boxes that are there stay."""
        return _filled(labels, lambda part: [self._of_frame(frame) for frame in part])

    def _of_frame(self, frame: Frame) -> Edges:
        return np.stack([self._of_reference(image) for image in frame.images])

    def _of_reference(self, image: ImageRef) -> np.ndarray:
        if image.index is None:
            return self.of_image(image.path.as_posix())
        return self.of_video(image.path).edges[image.index]


def _full_name(image: ImageRef) -> str:
    """What ends in the name that a table has for an image, whatever folder its path was given from."""
    return image.name if image.index is not None else image.path.absolute().as_posix()


class NoLocator:
    """Stands in where a run needs crops and nothing says which: every use of it is an error.

    Args:
        run: The run directory, for the message.
    """

    def __init__(self, run: Path) -> None:
        self._message = (
            f"{run}: was trained on crops, but it keeps no locator; give --locator RUN (a network that finds the "
            "animal) or --boxes with tables of boxes"
        )
        self.identity = "none"

    def check(self, sources: Sequence[Path]) -> None:
        """Raises where there is anything to be looked at; as for :meth:`Locator.check`."""
        if sources:
            raise RunError(self._message)

    def follow(self, source: Source, start: int = 0, held: Edges | None = None) -> Generator[Shot, None, None]:
        """Raises; as for :meth:`Locator.follow`."""
        raise RunError(self._message)

    def locate(self, labels: Labels, cache: ImageCache) -> Labels:
        """Raises where a box is missing; as for :meth:`Locator.locate`."""
        if all(image.box is not None for frame in labels for image in frame.images):
            return labels
        raise RunError(self._message)


def check_length(table: BoxTable, video: Path, frames: int) -> None:
    """Compare a table with the video that it is for.

    Args:
        table: One row a frame.
        video: For the message.
        frames: How many frames it has.

    Raises:
        InputError: The numbers differ.
    """
    if not table.numbered:
        raise InputError(f"{table.source}: names images, but boxes of {video.name} are needed, one row a frame")
    if len(table.edges) != frames:
        raise InputError(f"{table.source}: {len(table.edges)} rows, but {video.name} has {frames} frames")


def with_boxes(frame: Frame, boxes: Edges) -> Frame:
    """A frame whose images have boxes.

    Args:
        frame: The frame.
        boxes: Edges, one row a view.

    Returns:
        The frame.
    """
    images = tuple(
        replace(image, box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])))
        for image, box in zip(frame.images, boxes, strict=True)
    )
    return replace(frame, images=images)


def _filled(labels: Labels, boxes_of: Callable[[Labels], list[Edges]]) -> Labels:
    """Labels in which frames that lack a box have got theirs."""
    rows = [row for row, frame in enumerate(labels) if any(image.box is None for image in frame.images)]
    if not rows:
        return labels
    frames = list(labels.frames)
    for row, boxes in zip(rows, boxes_of(labels[rows]), strict=True):
        frames[row] = with_boxes(frames[row], boxes)
    return replace(labels, frames=tuple(frames))
