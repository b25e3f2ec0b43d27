"""From what was found to tasks for people: one for each task that was looked through, with scores and names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitruve.annotation.cvat.diff import name_of
from vitruve.annotation.proposals.judge import POSE_KINDS, SPURIOUS, SWAPPED, Finding
from vitruve.annotation.proposals.sources import Source
from vitruve.annotation.proposals.trail import AND, Proposal, Trail, proposal_id
from vitruve.evaluation.oks import instance_boxes
from vitruve.formats.shapes import BOX_SUFFIX, task_of
from vitruve.structures.annotation import AnnotationTask, AttributeSpec, LabelSpec, Shape
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame

ATTRIBUTE = "proposal"
"""Name of the attribute by which shapes of review tasks know their proposal: it stays when people change a shape."""
CORRECTS = " corrects "
"""Stands in that attribute between the proposal and the shape whose place it is to take."""
LABEL = "label"
"""In place of a shape's name where the label has none."""

_BOXES = ("any", "rectangle")


@dataclass(frozen=True, eq=False)
class Review:
    """A task for people, not yet made.

    Attributes:
        task: What goes to the server.
        proposals: One for each thing proposed.
        known: How many were left out, because they were proposed before.
    """

    task: AnnotationTask
    proposals: tuple[Proposal, ...]
    known: int


@dataclass(frozen=True)
class Origin:
    """What makes proposals.

    Attributes:
        run: The run directory.
        variant: The run's name in names of tasks.
        identity: Names weights and runtime.
        date: When, as ``2021_12_16_12_57_57``.
    """

    run: str
    variant: str
    identity: str
    date: str


def review_name(origin: Origin, source: str) -> str:
    """What a review task is called: ``auto_annotation_<variant>_<date>_<task>``, without blanks.

    Args:
        origin: Run and date.
        source: Name of the task that was looked through.

    Returns:
        The name.
    """
    return f"auto_annotation_{origin.variant}_{origin.date}_{source}".replace(" ", "_")


def review_of(
    source: Source, findings: Sequence[Finding], origin: Origin, kinds: Collection[str], trail: Trail, name: str = ""
) -> Review:
    """The review task of a source.

    Args:
        source: What was looked through.
        findings: What was found.
        origin: By which run, when.
        kinds: The kinds that are proposed.
        trail: What was proposed before: that is left out, unless its task was not made.
        name: Of the task; by default :func:`review_name`.

    Returns:
        The task, with the images that something is proposed on.
    """
    unsent = {p.id: p for p in trail.unsent(source.name, origin.run)}
    name = next((p.review for p in unsent.values()), name or review_name(origin, source.name))
    chosen: list[tuple[Proposal, Finding]] = []
    wanted = [finding for finding in findings if finding.kind in kinds and finding.kind != SPURIOUS]
    new = [left for finding in wanted if (left := _unsaid(finding, source, trail)) is not None]
    known = len(wanted) - len(new)
    for finding in _joined(new):
        whole = _inside(finding, source)
        if whole is None:
            continue
        proposal = _proposal(whole, source, origin, name)
        before = trail.known(proposal)
        if before is None or before.id in unsent:
            chosen.append((proposal if before is None else before, whole))
        else:
            known += 1
    task = _task(source, chosen, name)
    shapes = named_shapes(task)
    return Review(task, tuple(replace(p, points=points_of(shapes[p.id])) for p, _ in chosen), known)


def named_shapes(task: AnnotationTask) -> dict[str, Shape]:
    """The shapes of a review task by the names of their proposals.

    Args:
        task: As a server has it.

    Returns:
        Those that have one.
    """
    return {
        said.partition(CORRECTS)[0]: shape for shape in task.shapes if (said := dict(shape.attributes).get(ATTRIBUTE))
    }


def points_of(shape: Shape) -> tuple[float, ...]:
    """All coordinates of a shape, those of parts in the order of their names; what is not visible has none.

    Args:
        shape: The shape.

    Returns:
        The coordinates.
    """
    parts = sorted((part for part in shape.parts if not part.outside), key=lambda part: part.label)
    return (*shape.points, *(value for part in parts for value in part.points))


def with_shapes(proposals: Sequence[Proposal], task: AnnotationTask) -> list[Proposal]:
    """Proposals with the shapes that a server has made of them.

    Args:
        proposals: As they were sent.
        task: The review task as the server has it.

    Returns:
        The proposals; without a shape where somebody has taken it out already.
    """
    shapes = named_shapes(task)
    return [
        replace(p, review_task=task.id, shape=name_of(shapes[p.id]) if p.id in shapes else p.shape) for p in proposals
    ]


def _unsaid(finding: Finding, source: Source, trail: Trail) -> Finding | None:
    """A correction of a pose without the keypoints of which the same was proposed before; None where none is left."""
    if finding.kind not in POSE_KINDS:
        return finding
    labels = source.labels
    frame, names = labels[finding.frame], labels.skeleton.names
    label = frame.instances[0][finding.labelled : finding.labelled + 1]
    place = 0 if label.categories is None else int(label.categories[0])
    box, image = instance_boxes(finding.instance)[0], frame.first_image
    said = trail.said(finding.kind, (source.name, image.path.as_posix(), image.index, labels.categories[place]), box)
    left = tuple(k for k in finding.keypoints if names[k] not in said)
    if not left or left == finding.keypoints or finding.kind == SWAPPED:
        return finding if left else None
    which = np.isin(np.arange(len(names)), left)[None]
    instance = replace(
        finding.instance,
        keypoints=np.where(which[..., None], finding.instance.keypoints, label.keypoints),
        visible=np.where(which, finding.instance.visible, label.visible),
    )
    return replace(finding, instance=instance, keypoints=left)


def _joined(findings: Sequence[Finding]) -> list[Finding]:
    """What is to be proposed; all corrections of one pose are one."""
    result: list[Finding] = []
    places: dict[tuple[int, int], int] = {}
    for finding in findings:
        key = (finding.frame, finding.labelled)
        if finding.kind in POSE_KINDS and key in places:
            result[places[key]] = _both(result[places[key]], finding)
        else:
            if finding.kind in POSE_KINDS:
                places[key] = len(result)
            result.append(finding)
    return result


def _both(one: Finding, other: Finding) -> Finding:
    """Two corrections of one pose together."""
    which = list(other.keypoints)
    arrays = {name: np.array(getattr(one.instance, name)) for name in ("keypoints", "visible", "keypoint_scores")}
    for name, array in arrays.items():
        array[0, which] = getattr(other.instance, name)[0, which]
    keypoints = tuple(sorted({*one.keypoints, *other.keypoints}))
    instance = replace(one.instance, **arrays)
    return replace(
        one,
        kind=f"{one.kind}{AND}{other.kind}",
        instance=instance,
        keypoints=keypoints,
        score=min(one.score, other.score),
    )


def _inside(finding: Finding, source: Source) -> Finding | None:
    """A finding whose box ends where the image does; None where nothing of it is inside."""
    size, boxes = source.labels[finding.frame].first_image.size, finding.instance.boxes
    if size is None or boxes is None or not np.isfinite(boxes).all():
        return finding
    low, high = -0.5, np.array([*size, *size]) - 0.5
    cut = np.clip(np.asarray(boxes, np.float64), low, high)
    if (cut[0, 2:] - cut[0, :2] <= 0).any():
        return None
    return replace(finding, instance=replace(finding.instance, boxes=cut))


def _proposal(finding: Finding, source: Source, origin: Origin, name: str) -> Proposal:
    labels = source.labels
    image = labels[finding.frame].first_image
    people = labels[finding.frame].instances[0]
    one = finding.instance
    place = 0 if one.categories is None else int(one.categories[0])
    corrects = ""
    if finding.labelled >= 0:
        number = -1 if people.ids is None else int(people.ids[finding.labelled])
        corrects = f"shape-{number}" if number >= 0 and source.task is not None else LABEL
    a, b, c, d = (round(float(value), 2) for value in instance_boxes(one)[0])
    category, path = labels.categories[place], image.path.as_posix()
    key = proposal_id(origin.identity, source.name, path, image.index, finding.kind, category, a, b, c, d)
    keypoints = tuple(labels.skeleton.names[k] for k in finding.keypoints)
    return Proposal(
        key,
        finding.kind,
        origin.run,
        origin.identity,
        origin.date,
        source.name,
        source.task,
        path,
        image.index,
        category,
        round(min(1.0, max(0.0, finding.score)), 4),
        round(finding.similar, 4),
        (a, b, c, d),
        keypoints,
        corrects,
        name,
    )


def _task(source: Source, chosen: Sequence[tuple[Proposal, Finding]], name: str) -> AnnotationTask:
    """The task, of the images that something is proposed on; each shape knows its proposal."""
    labels = source.labels
    specs = source.specs or task_of(labels, name).labels
    boxed = not len(labels.skeleton) or any(spec.name.endswith(BOX_SUFFIX) for spec in specs)
    by_frame: dict[int, list[int]] = {}
    for number, (_, finding) in enumerate(chosen):
        by_frame.setdefault(finding.frame, []).append(number)
    frames = []
    for place, numbers in sorted(by_frame.items()):
        drawn = _drawn([chosen[number] for number in numbers], numbers, len(labels.skeleton), boxed)
        frames.append(Frame(labels[place].images, drawn[None], labels[place].session))
    specs = tuple(_for_review(spec, boxes=not len(labels.skeleton)) for spec in specs)
    task = task_of(replace(labels, frames=tuple(frames)), name, specs, source="auto")
    proposals = [proposal for proposal, _ in chosen]
    return replace(task, shapes=tuple(_named(shape, proposals) for shape in task.shapes), subset="")


def _drawn(items: Sequence[tuple[Proposal, Finding]], numbers: Sequence[int], joints: int, boxed: bool) -> Instances:
    """The instances proposed on one image, numbered by their proposals."""
    ones = [finding.instance for _, finding in items]
    count = len(ones)
    sure = [np.ones((1, joints)) if one.keypoint_scores is None else one.keypoint_scores for one in ones]
    return Instances(
        np.concatenate([np.asarray(one.keypoints, np.float64) for one in ones]),
        np.concatenate([np.asarray(one.visible) for one in ones]),
        np.concatenate([np.asarray(each, np.float64) for each in sure]) if joints else None,
        np.array([finding.score for _, finding in items]),
        np.concatenate([instance_boxes(one) for one in ones]) if boxed else None,
        np.concatenate([np.zeros(1, np.int64) if one.categories is None else one.categories for one in ones]),
        ids=np.array(numbers, np.int64).reshape(count),
    )


def _for_review(spec: LabelSpec, *, boxes: bool) -> LabelSpec:
    if any(item.name == ATTRIBUTE for item in spec.attributes):
        return spec
    kind = "any" if boxes and spec.kind not in _BOXES else spec.kind
    return replace(spec, kind=kind, attributes=(*spec.attributes, AttributeSpec(ATTRIBUTE)))


def _named(shape: Shape, proposals: Sequence[Proposal]) -> Shape:
    if shape.id is None:
        return shape
    proposal = proposals[shape.id]
    said = proposal.id + (CORRECTS + proposal.corrects if proposal.corrects else "")
    return replace(shape, id=None, attributes=((ATTRIBUTE, said),))
