"""From what is drawn to what networks learn from, and back.

Servers count pixels from the corner of the image, labels from the centre of the first pixel: half a pixel lies between.
A pose is a skeleton; where its box is known, too, a rectangle with the same group number holds it, as in CVAT's COCO
files, with the skeleton's label and `` box`` as its own.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitruve.errors import InputError
from vitruve.formats.notes import LabelsWarning
from vitruve.formats.tracked_shapes import shapes_by_frame
from vitruve.geometry.polygon import polygon_mask
from vitruve.media.images import image_size
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame, Track
from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.mask import Mask
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import recognised

BOX_SUFFIX = " box"
"""What the label of the box around a skeleton is called by, after the skeleton's."""

_HALF = 0.5
_SUBSETS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


@dataclass
class _Found:
    """One instance of a frame."""

    category: int
    keypoints: dict[str, Shape]
    box: np.ndarray | None
    score: float
    track: int
    id: int


def labels_of(task: AnnotationTask, *, root: Path = Path()) -> Labels:
    """What is drawn in a task, as labels.

    Skeletons become poses, everything else with an extent its box; what is followed has its number as identity and a
    place in every image, by straight lines between keyframes. Where no label is a skeleton, single points are keypoints
    named after their labels, those with one group number in one instance. Tags are left out, as are deleted images.

    Args:
        task: The task.
        root: The folder that names of images start from; a video's frames may be images (:attr:`TaskFrame.file`).

    Returns:
        The labels. The classes are the task's labels in its order, and none is a background. Scores are there only
        where one differs from 1.
    """
    kinds = _Kinds(task)
    drawn = shapes_by_frame(task)
    frames: list[Frame] = []
    away: list[str] = []
    for number, item in enumerate(task.frames):
        if item.deleted:
            continue
        found, outside = kinds.instances(drawn[number], item)
        away += [f"{item.name}: {shape.kind} {shape.label}" for shape in outside]
        session = Path(item.file).parent.name
        frames.append(Frame((_image(item, root),), kinds.arrays(found), session, _SUBSETS.get(task.subset.lower())))
    if away:
        warnings.warn(
            f"task {task.name}: {len(away)} shapes lie outside of their images and are left out (first: {away[0]})",
            LabelsWarning,
            stacklevel=2,
        )
    return Labels(kinds.skeleton, tuple(frames), root, kinds.categories or ("object",), scorer="cvat")


def _image(frame: TaskFrame, root: Path) -> ImageRef:
    """Where an image is: a frame of a video that is not there may be a file of its own."""
    alone = not (root / frame.name).is_file() and (root / frame.file).is_file()
    size = (frame.width, frame.height) if frame.width and frame.height else None
    return ImageRef(Path(frame.file if alone else frame.name), None if alone else frame.index, size)


class _Kinds:
    """What the labels of a task are to labels of ours."""

    def __init__(self, task: AnnotationTask) -> None:
        skeletons = [label for label in task.labels if label.parts]
        partners = self._partners = {label.name + BOX_SUFFIX for label in skeletons}
        self._posed_groups = {track.group for track in task.tracks if track.label not in partners and track.group}
        self._loose: dict[str, None] = {}
        if not skeletons:
            single = {s.label for s in task.drawn() if s.kind == "points" and len(s.points) == 2}
            self._loose = {label.name: None for label in task.labels if label.name in single}
        named = [label.name for label in task.labels if label.kind != "tag" and label.name not in self._loose]
        self.categories = tuple(name for name in named if name not in partners)
        self._number = {name: place for place, name in enumerate(self.categories)}
        self._number |= {label.name + BOX_SUFFIX: self._number[label.name] for label in skeletons}
        names = dict.fromkeys((*(part.name for label in skeletons for part in label.parts), *self._loose))
        pairs = dict.fromkeys(edge for label in skeletons for edge in label.edges)
        self.skeleton = _skeleton(tuple(names), tuple(pairs))
        whole = list(task.drawn())
        joints = [part for shape in whole for part in ((shape,) if shape.label in self._loose else shape.parts)]
        self._scored = any(shape.score != 1 for shape in whole if shape.label not in self._loose)
        self._joints_scored = any(part.score != 1 for part in joints)
        self._boxed = any(self._is_box(shape) for shape in whole)
        # The track of the box around a skeleton is none of its own.
        apart = [number for number, track in enumerate(task.tracks) if not self._is_partner(track)]
        self._identity = {number: place for place, number in enumerate(apart)}
        self._numbered = any(shape.id is not None for shape in task.shapes)

    def _is_partner(self, track: Track) -> bool:
        return track.label in self._partners and track.group in self._posed_groups

    def _is_box(self, shape: Shape) -> bool:
        return shape.kind not in ("skeleton", "tag") and shape.label not in self._loose

    def instances(self, drawn: Sequence[tuple[Shape, int]], frame: TaskFrame) -> tuple[list[_Found], list[Shape]]:
        """Those of one image, and the shapes that lie outside of it."""
        found, away = [], []
        groups: dict[int, _Found] = {}
        poses = [(s, t) for s, t in drawn if s.kind == "skeleton"]
        for shape, track in poses:
            parts = {part.label: part for part in shape.parts if not part.outside and len(part.points) == 2}
            pose = _Found(self._number[shape.label], parts, None, shape.score, track, _id(shape))
            found.append(pose)
            if shape.group:
                groups[shape.group] = pose
        for shape, track in drawn:
            if not self._is_box(shape):
                continue
            box = box_of(shape)
            if _outside(box, frame):
                away.append(shape)
                continue
            pose_of = groups.get(shape.group)
            if pose_of is not None and pose_of.box is None and shape.kind == "rectangle":
                pose_of.box = box
            elif shape.label in self._number:
                found.append(_Found(self._number[shape.label], {}, box, shape.score, track, _id(shape)))
        return [*found, *self._points(drawn)], away

    def _points(self, drawn: Sequence[tuple[Shape, int]]) -> Iterator[_Found]:
        """Instances of single points, in which each label stands once."""
        open_ones: dict[int, list[_Found]] = defaultdict(list)
        for shape, track in drawn:
            if shape.kind != "points" or shape.label not in self._loose:
                continue
            free = (one for one in open_ones[shape.group] if shape.label not in one.keypoints)
            one = next(free, None)
            if one is None:
                one = _Found(0, {}, None, 1.0, track, -1)
                open_ones[shape.group].append(one)
            one.keypoints[shape.label] = shape
        for group in open_ones.values():
            yield from group

    def arrays(self, found: Sequence[_Found]) -> Instances:
        """Instances as arrays, of one view."""
        names, count = self.skeleton.names, len(found)
        keypoints = np.full((1, count, len(names), 2), np.nan)
        visible = np.full((1, count, len(names)), UNLABELLED, np.int8)
        sure = np.full((1, count, len(names)), np.nan)
        boxes = np.full((1, count, 4), np.nan)
        for n, item in enumerate(found):
            for k, name in enumerate(names):
                part = item.keypoints.get(name)
                if part is not None:
                    keypoints[0, n, k] = np.array(part.points) - _HALF
                    visible[0, n, k] = OCCLUDED if part.occluded else VISIBLE
                    sure[0, n, k] = part.score
            if item.box is not None:
                boxes[0, n] = item.box

        def each(values: Sequence[float], kind: type) -> np.ndarray:
            return np.array(values, kind).reshape(1, count)

        several = self._boxed or len(self.categories) > 1
        return Instances(
            keypoints,
            visible,
            sure if self._joints_scored else None,
            each([item.score for item in found], np.float64) if self._scored else None,
            boxes if self._boxed else None,
            each([item.category for item in found], np.int64) if several else None,
            each([self._identity.get(item.track, -1) for item in found], np.int64) if self._identity else None,
            ids=each([item.id for item in found], np.int64) if self._numbered else None,
        )


def task_of(
    labels: Labels, name: str, specs: Sequence[LabelSpec] = (), *, source: str = "manual", id: int | None = None
) -> AnnotationTask:
    """Labels or predictions as what is drawn in a task.

    Args:
        labels: Of one view, in the plane.
        name: Name of the task.
        specs: The labels of the task it goes into, or none: those that are needed are made.
        source: Who drew it, one of :data:`~vitruve.structures.annotation.SOURCES`.
        id: Number of the task.

    Returns:
        The task, with one frame a frame. Instances with an identity are tracks; keypoints that are missing are
        ``outside``, in the middle of those that are there.

    Raises:
        InputError: There are several views.
    """
    if any(len(frame.images) > 1 for frame in labels):
        raise InputError(f"task {name}: an annotation server shows one view, not {len(labels[0].images)}; give one")
    known = tuple(specs) or _specs(labels)
    drawing = _Drawing(labels, {label.name for label in known}, source)
    shapes: list[Shape] = []
    followed: dict[tuple[int, str], list[Shape]] = defaultdict(list)
    for number, frame in enumerate(labels):
        people = frame.instances[0]
        for n in np.flatnonzero(np.asarray(people.present)).tolist():
            track = -1 if people.tracks is None else int(people.tracks[n])
            items = drawing.instance(people, n, number, track)
            if track < 0:
                shapes += items
            for item in items if track >= 0 else ():
                followed[track, item.label].append(item)
    if drawing.left_out and specs:
        warnings.warn(
            f"task {name}: has no label for the boxes around {drawing.left_out} instances, which are left out; one is "
            f"called '{labels.categories[0]}{BOX_SUFFIX}'",
            LabelsWarning,
            stacklevel=2,
        )
    last = len(labels) - 1
    tracks = tuple(_track(key[1], items, last) for key, items in sorted(followed.items(), key=lambda pair: pair[0]))
    frames = tuple(_task_frame(labels, frame.first_image) for frame in labels)
    splits = {frame.split for frame in labels}
    only = splits.pop() if len(splits) == 1 else None
    return AnnotationTask(name, known, frames, tuple(shapes), tracks, subset=(only or "").capitalize(), id=id)


class _Drawing:
    """How instances of some labels are drawn."""

    def __init__(self, labels: Labels, known: set[str], source: str) -> None:
        self._skeleton, self._categories = labels.skeleton, labels.categories
        self._known, self._source = known, source
        self._groups: dict[tuple[int, int], int] = {}
        self.left_out = 0

    def instance(self, people: Instances, n: int, frame: int, track: int) -> list[Shape]:
        """The shapes of one instance: its skeleton, its box, or both in a group."""
        place = 0 if people.categories is None else max(0, int(people.categories[n]))
        category = self._categories[place] if place < len(self._categories) else f"class {place}"
        score = 1.0 if people.scores is None or not np.isfinite(people.scores[n]) else float(people.scores[n])
        number = None if people.ids is None or people.ids[n] < 0 else int(people.ids[n])
        score = min(1.0, max(0.0, score))
        box = None if people.boxes is None or not np.isfinite(people.boxes[n]).all() else people.boxes[n] + _HALF
        posed = bool((people.visible[n] > UNLABELLED).any())
        boxed = category + BOX_SUFFIX if self._skeleton.names else category
        shapes = []
        if posed:
            parts = self._parts(people, n, frame, box)
            shapes.append(Shape("skeleton", category, frame, (), parts, score=score, source=self._source, id=number))
        if box is not None and (boxed in self._known or not posed):
            corners = tuple(float(value) for value in box)
            own = None if posed else number
            shapes.append(Shape("rectangle", boxed, frame, corners, score=score, source=self._source, id=own))
        self.left_out += box is not None and posed and boxed not in self._known
        if track < 0 and len(shapes) < 2:
            return shapes
        # What is followed keeps its group, whether skeleton and box are both there or not.
        key = (-1, track) if track >= 0 else (frame, n)
        group = self._groups.setdefault(key, len(self._groups) + 1)
        return [replace(shape, group=group) for shape in shapes]

    def _parts(self, people: Instances, n: int, frame: int, box: np.ndarray | None) -> tuple[Shape, ...]:
        points, seen = people.keypoints[n] + _HALF, people.visible[n]
        there = (seen > UNLABELLED) & np.isfinite(points).all(-1)
        # A server wants a place for what is not there, too; far away it would be in the way of people.
        middle = points[there].mean(0) if there.any() else np.zeros(2) if box is None else (box[:2] + box[2:]) / 2
        parts = []
        for k, name in enumerate(self._skeleton.names):
            x, y = (points[k] if there[k] else middle).tolist()
            sure = 1.0 if people.keypoint_scores is None else float(people.keypoint_scores[n, k])
            score = min(1.0, max(0.0, sure)) if there[k] and math.isfinite(sure) else 1.0
            hidden = bool(there[k] and seen[k] == OCCLUDED)
            part = Shape("points", name, frame, (x, y), (), hidden, not there[k], score, self._source)
            parts.append(part)
        return tuple(parts)


def box_of(shape: Shape) -> np.ndarray:
    """The box around a shape, in our pixels.

    Args:
        shape: Of any kind but skeleton and tag.

    Returns:
        ``x1 y1 x2 y2``; the extremes of what is drawn, turned as it is.
    """
    corners = _corners(shape)
    return np.concatenate([corners.min(0), corners.max(0)]) - _HALF


def mask_of(shape: Shape, size: tuple[int, int]) -> Mask:
    """The pixels that a shape covers.

    Args:
        shape: A rectangle, polygon, ellipse or mask.
        size: Width and height of the image.

    Returns:
        The mask; what lies outside the image is left out.
    """
    if shape.kind != "mask":
        return polygon_mask([_corners(shape, steps=128) - _HALF], size)
    *runs, left, top, right, bottom = (int(value) for value in shape.points)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    inside = np.zeros((size[1], size[0]), bool)
    inside[top : bottom + 1, left : right + 1] = flat.reshape(bottom - top + 1, right - left + 1)
    return Mask.from_array(inside)


def _corners(shape: Shape, steps: int = 64) -> np.ndarray:
    """Points whose extent is that of a shape, as the server counts pixels."""
    if shape.kind == "mask":
        left, top, right, bottom = shape.points[-4:]
        return np.array([[left, top], [right + 1, bottom + 1]])
    points = np.array(shape.points, np.float64).reshape(-1, 2)
    if shape.kind == "ellipse":
        middle, radius = points[0], np.abs(points[1] - points[0])
        turns = np.linspace(0, 2 * np.pi, steps, endpoint=False)
        points = middle + radius * np.stack([np.cos(turns), np.sin(turns)], -1)
    elif shape.kind == "rectangle":
        (x1, y1), (x2, y2) = points
        points = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
        middle = points.mean(0)
    else:
        return points
    if not shape.rotation:
        return points
    angle = math.radians(shape.rotation)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (points - middle) @ turn.T + middle


def _outside(box: np.ndarray, frame: TaskFrame) -> bool:
    if not frame.width or not frame.height:
        return False
    low, high = -_HALF, np.array([frame.width, frame.height]) - _HALF
    return bool((box[2:] < low).any() or (box[:2] > high).any())


def _skeleton(names: tuple[str, ...], pairs: tuple[tuple[str, str], ...]) -> Skeleton:
    edges = tuple((names.index(a), names.index(b)) for a, b in pairs)
    known = recognised(names)
    if known is None:
        return Skeleton.from_names(names, edges)
    return replace(known, edges=edges or known.edges)


def _specs(labels: Labels) -> tuple[LabelSpec, ...]:
    names = labels.skeleton.names
    if not names:
        return tuple(LabelSpec(category, "rectangle") for category in labels.categories)
    parts = tuple(LabelSpec(part, "points") for part in names)
    edges = tuple((names[a], names[b]) for a, b in labels.skeleton.edges)
    poses = [LabelSpec(category, "skeleton", parts=parts, edges=edges) for category in labels.categories]
    if all(f.instances.boxes is None or np.isnan(f.instances.boxes).all() for f in labels):
        return tuple(poses)
    return (*poses, *(LabelSpec(category + BOX_SUFFIX, "rectangle") for category in labels.categories))


def _track(label: str, items: Sequence[Shape], last: int) -> Track:
    """A track that is where it is said to be, and outside in between."""
    shapes = []
    for item, following in zip(items, [*items[1:], None], strict=True):
        shapes.append(replace(item, id=None, group=0))
        after = item.frame + 1
        if after <= last and (following is None or following.frame > after):
            shapes.append(replace(item, frame=after, parts=(), outside=True, id=None, group=0))
    return Track(label, tuple(shapes), items[0].source, group=items[0].group)


def _task_frame(labels: Labels, image: ImageRef) -> TaskFrame:
    known = image.size is not None or image.index is not None or not labels.path(image).is_file()
    width, height = (image.size if known else image_size(labels.path(image))) or (0, 0)
    return TaskFrame(image.path.as_posix(), width, height, index=image.index)


def _id(shape: Shape) -> int:
    return -1 if shape.id is None else shape.id
