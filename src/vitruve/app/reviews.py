"""Proposals that wait for people: what the browser draws of one, and what it says back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vitruve.annotation.proposals.into_labels import write_review
from vitruve.annotation.proposals.pending import (
    DecidedMeanwhile,
    Decision,
    Pending,
    as_kept,
    pending_folders,
    state_of,
)
from vitruve.annotation.proposals.propose import OUTPUT
from vitruve.annotation.proposals.trail import ACCEPTED, REJECTED, Proposal
from vitruve.app.labels import LabelFile
from vitruve.app.media import frame_url
from vitruve.app.projects import AppProject
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError
from vitruve.structures.annotation import Shape

OPEN = "open"
STATES = (OPEN, ACCEPTED, "changed", REJECTED)


def find_reviews(project: AppProject) -> list[Path]:
    """The folders of proposals of a project that wait, or waited, for people.

    Args:
        project: The project.

    Returns:
        The newest first.
    """
    return [path for path in pending_folders(project.path / OUTPUT) if project.holds(path)]


def drawing(workspace: Workspace, pending: Pending, proposal: Proposal) -> dict[str, Any]:
    """What the component draws of a proposal.

    Args:
        workspace: The folders; an image outside is not shown.
        pending: All of them.
        proposal: One of them.

    Returns:
        Plain values.

    Raises:
        InputError: The image is not in the workspace, or not there.
    """
    shapes = pending.shapes(proposal.id)
    if not shapes:
        raise InputError(f"{pending.folder}: nothing is drawn for proposal {proposal.id}; propose again")
    frame = pending.task.frames[shapes[0].frame]
    image = workspace.existing(pending.root / frame.name)
    pose = next((shape for shape in shapes if shape.parts), None)
    box = next((shape for shape in shapes if shape.kind == "rectangle"), None)
    specs = {spec.name: spec for spec in pending.task.labels}
    decision = pending.decisions.get(proposal.id)
    return {
        "id": proposal.id,
        # Where another browser has decided anew, it is drawn anew; what is said back tells which one it was drawn from.
        "version": repr(decision),
        "image": frame_url(workspace, image, frame.index or 0),
        "size": [frame.width, frame.height],
        "proposed": {"box": None if box is None else list(box.points), "parts": _parts(pose, frame.width)},
        "labelled": _labels_of(pending, proposal, shapes),
        "edges": [] if pose is None or pose.label not in specs else [list(edge) for edge in specs[pose.label].edges],
        "about": list(proposal.keypoints),
        "corrects": bool(proposal.corrects),
        "state": state_of(decision),
        "locked": pending.sent is not None,
    }


def decision_of(pending: Pending, proposal: str, said: Mapping[str, Any]) -> Decision:
    """What the browser says of a proposal, together with what was corrected before.

    Args:
        pending: All of them.
        proposal: Its name.
        said: ``action``, ``box``, ``parts``, and the ``version`` that was looked at.

    Returns:
        The decision, as it is kept.

    Raises:
        DecidedMeanwhile: Somebody else has decided since it was drawn.
        InputError: It is none.
    """
    now = pending.decisions.get(proposal)
    decision = as_kept(pending, proposal, _said(now or Decision(ACCEPTED), said))
    # What was decided alike, perhaps by a second press of the same key, is no matter.
    if said.get("version") != repr(now) and decision != now:
        raise DecidedMeanwhile(now)
    return decision


def _said(before: Decision, said: Mapping[str, Any]) -> Decision:
    """What the browser says, with what stays of before."""
    if said.get("action") == REJECTED:
        return Decision(REJECTED, before.box, before.parts)
    if said.get("action") != ACCEPTED:
        raise InputError(f"{str(said.get('action'))[:40]!r}: proposals are {ACCEPTED} or {REJECTED}")
    parts = said.get("parts") or {}
    if not isinstance(parts, Mapping) or len(parts) > 1000:
        raise InputError("parts: must be points by names of keypoints")
    moved = {str(name): None if point is None else _point(point) for name, point in parts.items()}
    box = said.get("box")
    corners = before.box if box is None else (*_point(box[:2]), *_point(box[2:4]))
    return Decision(ACCEPTED, corners, {**(before.parts or {}), **moved})


def table(pending: Pending) -> list[dict[str, Any]]:
    """All proposals, a row each.

    Args:
        pending: The proposals.

    Returns:
        Plain values.
    """
    return [
        {
            "state": state_of(pending.decisions.get(item.id)),
            "kind": item.kind,
            "class": item.category,
            "score": item.score,
            "keypoints": ", ".join(item.keypoints),
            "image": item.image if item.index is None else f"{item.image}, frame {item.index}",
        }
        for item in pending.proposals
    ]


def labels_with(pending: Pending, file: LabelFile) -> bytes:
    """A label file as it would be with what was accepted.

    Args:
        pending: The proposals.
        file: The labels; not changed.

    Returns:
        Its content.

    Raises:
        InputError: As :func:`~vitruve.annotation.proposals.into_labels.write_review` says.
    """
    with TemporaryDirectory() as folder:
        made = Path(folder) / file.path.name
        write_review(pending.folder, file.path, format=file.format, root=file.root, output=made, apply=True)
        return made.read_bytes()


def _labels_of(pending: Pending, proposal: Proposal, shapes: list[Shape]) -> list[dict[str, Any]]:
    """What is labelled in the frame; the one whose place the proposal is to take comes last."""
    there = [shape for shape in pending.labelled if shape.frame == shapes[0].frame]
    own = None
    if proposal.corrects:
        away = [min((_distance(shape, each) for each in shapes), default=math.inf) for shape in there]
        own = min(range(len(there)), key=away.__getitem__, default=None)
    found = []
    for number in sorted(range(len(there)), key=lambda each: each == own):
        shape = there[number]
        parts = {part.label: list(part.points) for part in shape.parts if not part.outside and len(part.points) == 2}
        box = list(shape.points) if shape.kind == "rectangle" else None
        if box or parts:
            found.append({"class": shape.label, "box": box, "parts": parts, "own": number == own})
    return found


def _distance(one: Shape, other: Shape) -> float:
    """How far two boxes, or two poses, lie from one another in pixels; infinite where they are not alike at all."""
    if one.kind == other.kind == "rectangle":
        return math.dist(one.points, other.points)
    first = {part.label: part.points for part in one.parts if not part.outside}
    second = {part.label: part.points for part in other.parts if not part.outside}
    both = first.keys() & second.keys()
    return sum(math.dist(first[name], second[name]) for name in both) / len(both) if both else math.inf


def _parts(pose: Shape | None, width: int) -> list[dict[str, Any]]:
    """Keypoints; those that are not there lie beside the image's edge until they are brought in."""
    parts = () if pose is None else pose.parts
    there = [part.points for part in parts if not part.outside and len(part.points) == 2]
    middle = [sum(axis) / len(there) for axis in zip(*there, strict=True)] if there else [width / 2, 0.0]
    made = []
    for part in parts:
        x, y = part.points if len(part.points) == 2 and all(map(math.isfinite, part.points)) else middle
        made.append({"name": part.label, "x": x, "y": y, "outside": part.outside})
    return made


def _point(value: Any) -> tuple[float, float]:
    numbers = isinstance(value, (list, tuple)) and len(value) == 2
    if not numbers or not all(isinstance(each, (int, float)) and math.isfinite(each) for each in value):
        raise InputError(f"{str(value)[:40]}: no point of two numbers")
    return float(value[0]), float(value[1])
