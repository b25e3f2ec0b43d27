"""Proposals on disk, before they go to a server: people accept, reject and correct them first."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.cvat.verbs import Outcome
from vitruve.annotation.proposals.review import ATTRIBUTE, CORRECTS, Review, with_shapes
from vitruve.annotation.proposals.sources import Source
from vitruve.annotation.proposals.trail import ACCEPTED, CHANGED, REJECTED, Proposal, Trail, counted, proposal_of
from vitruve.atomic import alone, atomic_json
from vitruve.errors import InputError
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.cvat_xml_writer import FILE_NAME, write_task
from vitruve.formats.json_file import read_json
from vitruve.formats.shapes import task_of
from vitruve.structures.annotation import AnnotationTask, Shape
from vitruve.structures.labels import Labels

FOLDER = "review"
"""Takes a folder for each source of which something is proposed."""

_ABOUT, _LABELLED, _DECISIONS, _SENT = "review.json", "labelled.xml", "decisions", "sent.json"
_FORMAT = 1
_NO_TASK = 0
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Decision:
    """What somebody makes of a proposal.

    Attributes:
        state: ``accepted`` or ``rejected``.
        box: Corners ``x1 y1 x2 y2`` as the server counts pixels, where they were moved; None as proposed.
        parts: Where keypoints were moved to, by name; None for one that is taken away. Others stay.
    """

    state: str
    box: tuple[float, float, float, float] | None = None
    parts: Mapping[str, tuple[float, float] | None] | None = None


@dataclass(frozen=True, eq=False)
class Pending:
    """Proposals of one source, with what people make of them so far.

    Attributes:
        folder: Where they are kept.
        task: What goes to the server, as proposed.
        proposals: One for each thing proposed.
        root: The folder that names of images start from.
        decisions: By names of proposals.
        sent: Number of the review task that was made; 0 where none was needed; None before.
        labelled: What was labelled in the task's frames when it was looked through.
    """

    folder: Path
    task: AnnotationTask
    proposals: tuple[Proposal, ...]
    root: Path
    decisions: Mapping[str, Decision]
    sent: int | None
    labelled: tuple[Shape, ...] = ()

    @property
    def open(self) -> list[Proposal]:
        """Those of which nothing was decided yet."""
        return [item for item in self.proposals if item.id not in self.decisions]

    def shapes(self, proposal: str) -> list[Shape]:
        """What is drawn for a proposal, as it was corrected.

        Args:
            proposal: Its name.

        Returns:
            A pose, a box, or both.
        """
        own = [shape for shape, name in _owned(self.task) if name == proposal]
        return _decided(own, self.decisions.get(proposal), self.task)


def keep_review(place: Path, review: Review, source: Source) -> Path:
    """Keep the proposals of a source for people to look through.

    Args:
        place: Folder of the report.
        review: The review task that was not made.
        source: What was looked through.

    Returns:
        The folder of these proposals.
    """
    folder = place / FOLDER / (re.sub(r"[^\w.-]+", "_", source.name).strip(".") or "source")
    write_task(review.task, folder / FILE_NAME)
    write_task(_labelled(review.task, source.labels), folder / _LABELLED)
    about = {"format": _FORMAT, "name": review.task.name, "root": str(source.labels.root.resolve())}
    atomic_json(folder / _ABOUT, about | {"proposals": [asdict(item) for item in review.proposals]})
    return folder


def pending_folders(output: Path) -> list[Path]:
    """The folders of proposals that were kept.

    Args:
        output: Of :func:`~vitruve.annotation.proposals.propose.propose`.

    Returns:
        The newest first.
    """
    return sorted(
        (file.parent for file in output.glob(f"*/*/{FOLDER}/*/{_ABOUT}")), key=lambda p: p.parts[-3:], reverse=True
    )


def open_pending(folder: Path) -> Pending:
    """Proposals that were kept, with what people make of them.

    Args:
        folder: As :func:`keep_review` gives it.

    Returns:
        The proposals.

    Raises:
        InputError: A file is missing or damaged.
    """
    file = folder / _ABOUT
    if not file.is_file():
        raise InputError(f"{folder}: holds no proposals; vitruve annotate propose makes them")
    about = read_json(file)
    try:
        if about["format"] > _FORMAT:
            raise InputError(f"{file}: was written by a newer program; update Vitruve")
        proposals = tuple(proposal_of(row) for row in about["proposals"])
        root, name = Path(about["root"]), str(about["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: no proposals ({error!r}); make them again: vitruve annotate propose") from error
    found = {item.id: _decision(folder, item.id) for item in proposals}
    decisions = {name: decision for name, decision in found.items() if decision is not None}
    sent = read_json(folder / _SENT)["task"] if (folder / _SENT).is_file() else None
    task = replace(read_task(folder / FILE_NAME), name=name)
    # Proposals that were kept before labels were kept beside them have none.
    labelled = read_task(folder / _LABELLED).shapes if (folder / _LABELLED).is_file() else ()
    return Pending(folder, task, proposals, root, decisions, sent, labelled)


class DecidedMeanwhile(InputError):
    """Somebody else has decided otherwise since a proposal was looked at.

    Args:
        now: What was decided; None where it was left open again.
    """

    def __init__(self, now: Decision | None) -> None:
        super().__init__(f"meanwhile this was {in_words(now)} elsewhere; look at it as it is now, and decide")


def decide(pending: Pending, proposal: str, decision: Decision | None) -> None:
    """Keep what somebody makes of a proposal, who has seen what was made of it before.

    Args:
        pending: The proposals, with the decisions that were seen.
        proposal: Name of one of them.
        decision: What is made of it; None to leave it open again.

    Raises:
        DecidedMeanwhile: It was decided otherwise since; nothing is kept then.
        InputError: There is no such proposal, they were sent already, or a point is none.
    """
    if not _ID.fullmatch(proposal) or all(item.id != proposal for item in pending.proposals):
        raise InputError(f"{pending.folder}: no proposal '{proposal}'; look at them again")
    if (pending.folder / _SENT).is_file():
        raise InputError(f"{pending.folder}: these proposals were sent already; change them on the server")
    kept = None if decision is None else as_kept(pending, proposal, decision)
    # One at a time, of all who look through these.
    with alone(pending.folder / _ABOUT):
        now = _decision(pending.folder, proposal)
        if now == kept:
            return
        if now != pending.decisions.get(proposal):
            raise DecidedMeanwhile(now)
        file = pending.folder / _DECISIONS / f"{proposal}.json"
        if kept is None:
            file.unlink(missing_ok=True)
        else:
            atomic_json(file, {"format": _FORMAT, **asdict(kept)})


def in_words(decision: Decision | None) -> str:
    """A decision in words.

    Args:
        decision: The decision, or None.

    Returns:
        Such as ``accepted, with nose moved and its box``.
    """
    if decision is None:
        return "left open"
    moved = [f"{name} {'taken away' if point is None else 'moved'}" for name, point in (decision.parts or {}).items()]
    changes = [*moved, *(["its box moved"] if decision.box is not None else [])]
    return decision.state + (f" with {', '.join(changes)}" if changes and decision.state == ACCEPTED else "")


def as_kept(pending: Pending, proposal: str, decision: Decision) -> Decision:
    """A decision as it is kept.

    Args:
        pending: The proposals.
        proposal: Name of one of them.
        decision: What is made of it.

    Returns:
        The same, its points within the image, with two decimals.

    Raises:
        InputError: There is no such proposal, or a point is none.
    """
    own = [shape for shape in pending.task.shapes if _of(shape) == proposal]
    if not own or not proposal:
        raise InputError(f"{pending.folder}: no proposal '{proposal}'; look at them again")
    if decision.state not in (ACCEPTED, REJECTED):
        raise InputError(f"{decision.state}: proposals are {ACCEPTED} or {REJECTED}")
    known = {part.label for shape in own for part in shape.parts}
    values = [*(decision.box or ()), *(v for point in (decision.parts or {}).values() for v in point or ())]
    if not all(math.isfinite(value) for value in values) or not set(decision.parts or {}) <= known:
        raise InputError(f"proposal {proposal}: a point is no number, or of no keypoint it has")
    frame = pending.task.frames[own[0].frame]

    def clipped(values: Sequence[float]) -> list[float]:
        limits = (frame.width, frame.height) * (len(values) // 2)
        return [round(min(max(float(value), 0.0), limit), 2) for value, limit in zip(values, limits, strict=True)]

    box = None
    if decision.box is not None:
        a, b, c, d = clipped(decision.box)
        box = (min(a, c), min(b, d), max(a, c), max(b, d))
    parts = {name: None if point is None else _pair(clipped(point)) for name, point in (decision.parts or {}).items()}
    return Decision(decision.state, box, parts)


def _owned(task: AnnotationTask) -> list[tuple[Shape, str]]:
    """All shapes with the names of their proposals; the box around a skeleton is of the skeleton's."""
    groups = {(shape.frame, shape.group): _of(shape) for shape in task.shapes if shape.parts and shape.group}
    return [(shape, _of(shape) or groups.get((shape.frame, shape.group), "")) for shape in task.shapes]


def _decided(shapes: Sequence[Shape], decision: Decision | None, task: AnnotationTask) -> list[Shape]:
    """What is drawn for a proposal as somebody has moved it; a pose's box that nobody moved holds its keypoints."""
    decision = decision or Decision(ACCEPTED)
    moved = [_corrected(shape, decision) for shape in shapes]
    points = [part.points for shape in moved for part in shape.parts if not part.outside]
    if decision.box is not None or not points:
        return moved
    size = task.frames[shapes[0].frame]
    xs, ys = (
        [min(max(value, 0.0), limit) for value in axis]
        for axis, limit in zip(zip(*points, strict=True), (size.width, size.height), strict=True)
    )

    def around(shape: Shape) -> Shape:
        a, b, c, d = shape.points
        return replace(shape, points=(min(a, *xs), min(b, *ys), max(c, *xs), max(d, *ys)))

    return [around(shape) if shape.kind == "rectangle" else shape for shape in moved]


def _corrected(shape: Shape, decision: Decision) -> Shape:
    if shape.kind == "rectangle" and decision.box is not None:
        return replace(shape, points=decision.box)
    if not shape.parts or not decision.parts:
        return shape
    moved = decision.parts
    return replace(shape, parts=tuple(_moved(p, moved[p.label]) if p.label in moved else p for p in shape.parts))


def send_review(
    folder: str | Path, *, share: bool = False, apply: bool = False, server: CvatServer | None = None
) -> Outcome:
    """Make a review task of the proposals that people have accepted; those they refused are not proposed again.

    Args:
        folder: As :func:`keep_review` gives it, four folders below the one that ``proposals.json`` lies in.
        share: The server has the images on its share, under the same names.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment, which is asked only where something is sent.

    Returns:
        What was done, or would be.

    Raises:
        InputError: Some of the proposals are not decided yet, or they were sent already.
        ServerError: The server failed; doing the same again goes on.
    """
    pending = open_pending(Path(folder))
    if pending.sent is not None:
        raise InputError(f"{folder}: sent already, as task {pending.sent or 'none: all were refused'}")
    if pending.open:
        raise InputError(f"{folder}: {len(pending.open)} of {len(pending.proposals)} proposals are not decided yet")
    accepted = [item for item in pending.proposals if pending.decisions[item.id].state == ACCEPTED]
    refused = [replace(item, state=REJECTED) for item in pending.proposals if item not in accepted]
    said = f"{len(accepted)} accepted, {len(refused)} refused"
    if not apply:
        return Outcome((f"+ task ({pending.task.name}): {said}",), int(bool(accepted)), False, None)
    trail, number = Trail(pending.folder.parents[3]), _NO_TASK
    if accepted:
        server = server or CvatServer.connect()
        # In the trail before, so that what breaks off goes on under the same name.
        trail.put(accepted)
        number = server.create(accepted_task(pending), None if share else pending.root)
        trail.put(with_shapes(accepted, server.read(number)))
    trail.put(replace(item, review_task=number) for item in refused)
    atomic_json(pending.folder / _SENT, {"task": number})
    line = f"+ task {number} ({pending.task.name}): {said}" if accepted else f"= no task: {said}"
    return Outcome((line, f"  {counted([*accepted, *refused])}"), int(bool(accepted)), True, number or None)


def accepted_task(pending: Pending) -> AnnotationTask:
    """The review task with what was accepted, as it was corrected, and only the images of that.

    Args:
        pending: The proposals.

    Returns:
        The task.
    """
    drawn: dict[str, list[Shape]] = defaultdict(list)
    for shape, name in _owned(pending.task):
        drawn[name].append(shape)
    kept = {name: decision for name, decision in pending.decisions.items() if decision.state == ACCEPTED}
    shapes = [shape for name, own in drawn.items() if name in kept for shape in _decided(own, kept[name], pending.task)]
    places = {frame: number for number, frame in enumerate(sorted({shape.frame for shape in shapes}))}
    made = []
    for shape in shapes:
        place = places[shape.frame]
        made.append(replace(shape, frame=place, parts=tuple(replace(part, frame=place) for part in shape.parts)))
    frames = tuple(pending.task.frames[frame] for frame in places)
    return replace(pending.task, frames=frames, shapes=tuple(made))


def state_of(decision: Decision | None) -> str:
    """What a decision is called: ``open``, ``accepted``, ``changed`` or ``rejected``.

    Args:
        decision: The decision, or None.

    Returns:
        The word.
    """
    if decision is None:
        return "open"
    moved = decision.state == ACCEPTED and (decision.box is not None or bool(decision.parts))
    return CHANGED if moved else decision.state


def _labelled(task: AnnotationTask, labels: Labels) -> AnnotationTask:
    """What is labelled in the frames of a review task, in their order."""
    known = {(frame.first_image.path.as_posix(), frame.first_image.index): frame for frame in labels}
    frames = [known[each.name, each.index] for each in task.frames]
    # One frame at a time is looked at: who is who in a video does not matter.
    untracked = tuple(replace(each, instances=replace(each.instances, tracks=None)) for each in frames)
    return task_of(replace(labels, frames=untracked), "labelled")


def _of(shape: Shape) -> str:
    return dict(shape.attributes).get(ATTRIBUTE, "").partition(CORRECTS)[0]


def _moved(part: Shape, point: tuple[float, float] | None) -> Shape:
    if point is None:
        return replace(part, outside=True)
    return replace(part, points=point, outside=False)


def _pair(values: Sequence[float]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _decision(folder: Path, proposal: str) -> Decision | None:
    file = folder / _DECISIONS / f"{proposal}.json"
    if not file.is_file():
        return None
    row = read_json(file)
    try:
        box = None if row["box"] is None else tuple(float(value) for value in row["box"])
        parts = {str(k): None if v is None else _pair(v) for k, v in row["parts"].items()}
        if row["state"] not in (ACCEPTED, REJECTED) or (box is not None and len(box) != 4):
            raise ValueError("state or box")
        return Decision(row["state"], box, parts)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{file}: no decision ({error!r}); remove it, and decide again") from error
