"""Which reviewed shapes the labels have already, which they lack, and which they have otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from vitruve.annotation.cvat.diff import alike, name_of, same_image
from vitruve.annotation.proposals.review import ATTRIBUTE, CORRECTS
from vitruve.errors import InputError
from vitruve.evaluation.verdicts import ALIKE, NEAR, judge_boxes, judge_keypoints
from vitruve.formats.shapes import BOX_SUFFIX, box_of, labels_of
from vitruve.geometry.boxes import overlaps
from vitruve.structures.annotation import AnnotationTask, LabelSpec, Shape, TaskFrame
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.labels import Labels

ADD, UPDATE, PRESENT, CONFLICT = "add", "update", "present", "conflict"
_BOXLESS = ("skeleton", "tag")
# Files of CVAT's own hold two decimals.
_PIXELS = 0.011


@dataclass(frozen=True)
class Step:
    """What becomes of one reviewed shape.

    Attributes:
        action: Added; put in the place of another; there already; or left alone, since what it corrects is gone.
        shape: As it is to be among the labels.
        proposal: Name of its proposal, or empty.
        target: The label that it is like or corrects, or None.
    """

    action: str
    shape: Shape
    proposal: str = ""
    target: Shape | None = None


def said_of(shape: Shape) -> tuple[str, str]:
    """The proposal that a shape carries, and what that corrects.

    Args:
        shape: Of a review task.

    Returns:
        Both may be empty.
    """
    proposal, _, corrects = dict(shape.attributes).get(ATTRIBUTE, "").partition(CORRECTS)
    return proposal, corrects


def exact_steps(task: AnnotationTask, there: AnnotationTask) -> list[Step]:
    """OBDB's rule: everything is added but what a label of any class covers exactly.

    Args:
        task: The review task.
        there: The labels. An image is the first whose name the reviewed one's contains.

    Returns:
        A step a shape.

    Raises:
        InputError: The labels lack an image or a class.
    """
    boxes: dict[int, list[np.ndarray]] = {}
    for shape in there.shapes:
        if shape.kind not in _BOXLESS:
            boxes.setdefault(shape.frame, []).append(box_of(shape))
    steps = []
    for shape in task.shapes:
        name = task.frames[shape.frame].file
        place = next((n for n, frame in enumerate(there.frames) if frame.file in name), None)
        wanted = _moved(shape, place, task, there)
        others = np.array(boxes.get(wanted.frame, [])).reshape(-1, 4)
        covered = wanted.kind not in _BOXLESS and overlaps(box_of(wanted)[None], others).max(initial=0.0) == 1.0
        steps.append(Step(PRESENT if covered else ADD, wanted, said_of(shape)[0]))
    return steps


def matched_steps(task: AnnotationTask, there: AnnotationTask, returned: Collection[str]) -> list[Step]:
    """What no label of its class is like, one to one, is added; corrections take the place of what they correct.

    Args:
        task: The review task.
        there: The labels.
        returned: Proposals that were brought before.

    Returns:
        A step a shape.

    Raises:
        InputError: The labels lack an image or a class.
    """
    places = _places(task, there)
    partners = _partners(task, there, places)
    free = max((*(shape.group for shape in there.shapes), *(track.group for track in there.tracks), 0))
    held = {shape.id: shape for shape in there.shapes}
    leaders = {(s.frame, s.group): s for s in task.shapes if s.kind == "skeleton" and s.group}
    drawn: dict[int, list[Shape]] = defaultdict(list)
    for shape in there.shapes:
        drawn[shape.frame].append(shape)
    steps = []
    for shape in task.shapes:
        if shape.kind == "rectangle" and shape.label.endswith(BOX_SUFFIX) and (shape.frame, shape.group) not in leaders:
            # Its skeleton was taken out.
            continue
        # The box around a skeleton shares its fate.
        leader = leaders.get((shape.frame, shape.group), shape) if shape.kind == "rectangle" else shape
        proposal, corrects = said_of(leader)
        place = places[shape.frame]
        wanted = _moved(shape, place, task, there)
        own = said_of(shape)[0]
        if proposal in returned:
            steps.append(Step(PRESENT, wanted, own))
        elif corrects and leader is shape:
            steps.append(_correction(wanted, own, _target(wanted, corrects, drawn[wanted.frame])))
        elif corrects:
            pose = _target(_moved(leader, place, task, there), corrects, drawn[wanted.frame])
            steps.append(_box_correction(wanted, own, pose, drawn[wanted.frame]))
        elif leader.id in partners:
            steps.append(Step(PRESENT, wanted, own, held.get(partners.get(leader.id, -1)) if leader is shape else None))
        else:
            steps.append(Step(ADD, replace(wanted, group=wanted.group + free if wanted.group else 0), own))
    return steps


def _target(wanted: Shape, corrects: str, drawn: Sequence[Shape]) -> Shape | None:
    """The label of an image that a shape corrects."""
    candidates = [shape for shape in drawn if shape.kind == wanted.kind]
    return next((shape for shape in candidates if name_of(shape) == corrects), None) or _nearest(wanted, candidates)


def _correction(wanted: Shape, proposal: str, target: Shape | None) -> Step:
    """Put a shape in the place of the label that it corrects."""
    if target is None:
        return Step(CONFLICT, wanted, proposal)
    corrected = replace(target, label=wanted.label, points=wanted.points, rotation=wanted.rotation, parts=wanted.parts)
    return Step(PRESENT if alike(target, corrected) else UPDATE, corrected, proposal, target)


def _box_correction(wanted: Shape, proposal: str, pose: Shape | None, drawn: Sequence[Shape]) -> Step:
    """Put the box around a corrected pose in the place of that pose's own; one without a box stays without."""
    boxes = [shape for shape in drawn if shape.kind == "rectangle" and shape.group]
    own = None if pose is None else next((box for box in boxes if box.group == pose.group), None)
    if own is None:
        return Step(PRESENT, wanted, proposal)
    if own.label == wanted.label and np.abs(box_of(own) - box_of(wanted)).max() <= _PIXELS:
        # A box that is turned stays so.
        return Step(PRESENT, own, proposal, own)
    return _correction(wanted, proposal, own)


def _nearest(wanted: Shape, candidates: Sequence[Shape]) -> Shape | None:
    """The shape whose extent is most like that of one: it does not matter which keypoint is which."""
    if not candidates:
        return None
    shared = overlaps(_extent(wanted)[None], np.stack([_extent(other) for other in candidates]))[0]
    return candidates[int(shared.argmax())] if shared.max() >= NEAR else None


def _extent(shape: Shape) -> np.ndarray:
    if shape.kind != "skeleton":
        return box_of(shape)
    points = np.array([part.points for part in shape.parts if not part.outside]).reshape(-1, 2)
    return np.concatenate([points.min(0), points.max(0)]) if len(points) else np.full(4, np.nan)


def _partners(task: AnnotationTask, there: AnnotationTask, places: Sequence[int | None]) -> dict[int | None, int]:
    """For each reviewed shape that a label is like, that label's number."""
    ours, theirs = labels_of(there), labels_of(task)
    names = tuple(dict.fromkeys((*ours.categories, *theirs.categories)))
    ours, theirs = ours.with_categories(names), theirs.with_categories(names)
    own = {number: frame.instances[0] for number, frame in zip(_shown(there), ours, strict=True)}
    # Sub-labels may stand in another order.
    order = [theirs.skeleton.names.index(name) for name in ours.skeleton.names if name in theirs.skeleton.names]
    comparable = len(order) == len(ours.skeleton) == len(theirs.skeleton)
    result: dict[int | None, int] = {}
    for number, frame in zip(_shown(task), theirs, strict=True):
        place = places[number]
        if place not in own or frame.instances.ids is None:
            continue
        found = frame.instances[0].reordered(order) if comparable else frame.instances[0]
        result |= _alike(own[place], found, ours, comparable)
    return result


def _shown(task: AnnotationTask) -> list[int]:
    return [number for number, frame in enumerate(task.frames) if not frame.deleted]


def _alike(truth: Instances, found: Instances, labels: Labels, poses: bool) -> dict[int | None, int]:
    """Poses beside poses, everything else beside everything else."""
    result: dict[int | None, int] = {}
    for posed in (True, False):
        ours, theirs = (
            np.flatnonzero((np.asarray(each.visible) > UNLABELLED).any(-1) == posed) for each in (truth, found)
        )
        if posed and not poses:
            continue
        one, other = truth[ours], found[theirs]
        if posed:
            verdicts = judge_keypoints(one, other, labels.skeleton.oks_sigmas, ALIKE, NEAR)
        else:
            verdicts = judge_boxes(one, other, ALIKE, NEAR)
        for n, m in enumerate(verdicts.found.tolist()):
            if m >= 0 and other.ids is not None:
                result[int(other.ids[m])] = -1 if one.ids is None else int(one.ids[n])
    return result


def _places(task: AnnotationTask, there: AnnotationTask) -> list[int | None]:
    """For each image of a review task, that of the labels, which has the same end of its path."""
    ends: dict[str, list[tuple[int, TaskFrame]]] = defaultdict(list)
    for number, frame in enumerate(there.frames):
        ends[PurePosixPath(frame.file).name].append((number, frame))
    places: list[int | None] = []
    for frame in task.frames:
        near = ends[PurePosixPath(frame.file).name]
        exact = [n for n, other in near if (other.name, other.index) == (frame.name, frame.index)]
        found = exact or [n for n, other in near if same_image(other, frame)]
        places.append(found[0] if len(found) == 1 else None)
    return places


def _moved(shape: Shape, place: int | None, task: AnnotationTask, there: AnnotationTask) -> Shape:
    """A reviewed shape as it is to be among the labels."""
    where = f"task {there.id} ({there.name})"
    if place is None:
        raise InputError(
            f"{where}: has no image {task.frames[shape.frame].name}, or several; task {task.id} ({task.name}) needs one"
        )
    spec = next((spec for spec in there.labels if spec.name == shape.label), None)
    if spec is None:
        known = ", ".join(item.name for item in there.labels)
        raise InputError(f"{where}: has no label {shape.label}, as task {task.id} ({task.name}) has; it has {known}")
    lost = sorted({part.label for part in shape.parts} ^ {part.name for part in spec.parts}) if shape.parts else []
    if lost:
        raise InputError(f"{where}: skeleton {spec.name} and that of task {task.id} differ in {', '.join(lost)}")
    inner = {part.name: part for part in spec.parts}
    parts = tuple(replace(_plain(part, inner[part.label]), frame=place) for part in shape.parts)
    return replace(_plain(shape, spec), frame=place, parts=parts)


def _plain(shape: Shape, spec: LabelSpec) -> Shape:
    """A shape of a person, with the attributes that its label has there."""
    known = {item.name for item in spec.attributes}
    kept = tuple(pair for pair in shape.attributes if pair[0] in known and pair[0] != ATTRIBUTE)
    return replace(shape, id=None, source="manual", score=1.0, attributes=kept)
