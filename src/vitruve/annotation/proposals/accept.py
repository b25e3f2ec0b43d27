"""What people made of proposals goes to the labels: each shape once, however often it is brought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vitruve.annotation.cvat.diff import alike, described, name_of
from vitruve.annotation.cvat.reader import TaskInfo
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.cvat.verbs import Outcome
from vitruve.annotation.proposals.match import ADD, CONFLICT, PRESENT, UPDATE, Step, exact_steps, matched_steps
from vitruve.annotation.proposals.propose import OUTPUT
from vitruve.annotation.proposals.review import named_shapes, points_of
from vitruve.annotation.proposals.trail import ACCEPTED, CHANGED, REJECTED, Proposal, Trail, counted
from vitruve.errors import InputError
from vitruve.structures.annotation import AnnotationTask

_MARK = "FieldData"
_PIXELS = 0.011
_SIGNS = {ADD: "+", UPDATE: "~", PRESENT: "=", CONFLICT: "!"}


def accept_proposals(
    truth: str,
    reviewed: str,
    *,
    exact: bool = False,
    output: str | Path = OUTPUT,
    apply: bool = False,
    server: CvatServer | None = None,
) -> Outcome:
    """Bring what people left of proposals in completed review tasks to the tasks of labels.

    A shape is brought where no label of its class is like it, one to one; a correction takes the place of the label
    that it corrects. Doing so again changes nothing. Nothing is deleted.

    Args:
        truth: Names of tasks of labels hold this.
        reviewed: Names of review tasks hold this; those that are completed count.
        exact: OBDB's rule in place of matching: everything is added but what covers a label of any class exactly.
        output: Folder with the trail of proposals, which learns what people made of them.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment.

    Returns:
        What was done, or would be.

    Raises:
        InputError: A review task belongs to no task of labels or to several, or these lack an image or a class.
        ServerError: The server failed; doing the same again goes on.
    """
    server = server or CvatServer.connect()
    every = server.tasks(pattern=reviewed)
    done = [info for info in every if info.status == "completed"]
    numbers = {info.id for info in every}
    labels = [info for info in server.tasks(pattern=truth) if info.id not in numbers]
    if not labels:
        raise InputError(f"{server.url}: no task of labels has '{truth}' in its name; give a part of their names")
    if not every:
        raise InputError(f"{server.url}: no review task has '{reviewed}' in its name; give a part of their names")
    trail = Trail(Path(output))
    lines = [f"= task {info.id} ({info.name}) is not completed: left alone" for info in every if info not in done]
    # All is planned before anything is changed: a class that is missing must not leave half of it.
    pairs = [(info, _partner(info, labels, trail, server.url)) for info in done]
    changes = 0
    for check in (True, False):
        for review, own in pairs:
            there, task = server.read(own.id), server.read(review.id)
            before = {item.id for item in trail.of_review(review.id) if item.returned}
            steps = exact_steps(task, there) if exact else matched_steps(task, there, before)
            if check:
                lines += _lines(task, there, steps)
                changes += sum(step.action in (ADD, UPDATE) for step in steps)
            else:
                _apply(server, trail, task, there, steps)
                judged = trail.of_review(review.id)
                lines += [f"  proposals of task {review.id}: {counted(judged)}"] if judged else []
        if not apply:
            break
    return Outcome(tuple(lines), changes, apply and changes > 0, None)


def _partner(review: TaskInfo, labels: Sequence[TaskInfo], trail: Trail, url: str) -> TaskInfo:
    """The task of labels that a review task belongs to: by the trail, or else by the end of its name."""
    source = next((item.source_task for item in trail.of_review(review.id)), None)
    found = [info for info in labels if info.id == source]
    if not found:
        name = review.name.replace(" ", "_")
        ends = [(info, info.name.replace(" ", "_")) for info in labels]
        if _MARK in name:
            tail = name.rpartition(_MARK)[2]
            found = [info for info, end in ends if _MARK in end and end.rpartition(_MARK)[2] == tail]
        else:
            longest = max((len(end) for _, end in ends if name.endswith(end)), default=0)
            found = [info for info, end in ends if name.endswith(end) and len(end) == longest]
    if len(found) != 1:
        known = ", ".join(f"{info.id} ({info.name})" for info in found) or "none"
        raise InputError(
            f"{url}: task {review.id} ({review.name}) must belong to exactly one task of labels, and belongs to {known}"
            "; give the one with a narrower pattern, or rename the others"
        )
    return found[0]


def _apply(
    server: CvatServer, trail: Trail, task: AnnotationTask, there: AnnotationTask, steps: Sequence[Step]
) -> None:
    assert there.id is not None and task.id is not None
    add = [step.shape for step in steps if step.action == ADD]
    update = [step.shape for step in steps if step.action == UPDATE]
    server.change(there.id, add, update)
    proposals = trail.of_review(task.id)
    if proposals:
        # A server numbers what is added or updated.
        after = server.read(there.id) if add or update else there
        trail.put(_judged(proposals, task, after, steps))


def _judged(
    proposals: Sequence[Proposal], task: AnnotationTask, after: AnnotationTask, steps: Sequence[Step]
) -> Iterator[Proposal]:
    """What people made of proposals, and which label each has become."""
    shapes = named_shapes(task)
    by_name = {step.proposal: step for step in steps if step.proposal}
    for item in proposals:
        shape, step = shapes.get(item.id), by_name.get(item.id)
        if shape is None or step is None:
            yield item if item.returned else replace(item, state=REJECTED)
            continue
        points = points_of(shape)
        same = shape.label == item.category and len(points) == len(item.points)
        same = same and all(abs(a - b) <= _PIXELS for a, b in zip(points, item.points, strict=False))
        label = next((s for s in after.shapes if alike(s, step.shape)), step.target)
        returned = item.returned or ("" if label is None or step.action == CONFLICT else name_of(label))
        yield replace(
            item, state=ACCEPTED if same else CHANGED, shape=name_of(shape), returned=returned, returned_task=after.id
        )


def _lines(task: AnnotationTask, there: AnnotationTask, steps: Sequence[Step]) -> Iterator[str]:
    yield f"task {task.id} ({task.name}) -> task {there.id} ({there.name})"
    for step in steps:
        name = f"{name_of(step.target)} " if step.target is not None and step.target.id is not None else ""
        why = {PRESENT: " (there already)", CONFLICT: " (what it corrects is not there any more)"}.get(step.action, "")
        yield f"  {_SIGNS[step.action]} {name}{described(step.shape, there.frames)}{why}"
    for track in task.tracks:
        yield f"  ! track of {track.label}: left alone; review tasks hold single shapes"
