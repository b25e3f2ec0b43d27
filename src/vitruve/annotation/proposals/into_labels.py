"""What people accepted of proposals goes into label files: what is in these already stays as it is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.annotation.cvat.diff import described
from vitruve.annotation.cvat.verbs import Outcome
from vitruve.annotation.proposals.match import ADD, CONFLICT, UPDATE, Step, matched_steps
from vitruve.annotation.proposals.pending import Pending, accepted_task, open_pending
from vitruve.annotation.proposals.review import ATTRIBUTE, CORRECTS, LABEL
from vitruve.atomic import alone, atomic_path, atomic_write
from vitruve.errors import InputError
from vitruve.formats import coco, cvat_xml
from vitruve.formats.coco_writer import coco_content
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.cvat_xml_writer import FILE_NAME, write_task
from vitruve.formats.hub import format_for, get_format, read_labels, recognise, write_labels
from vitruve.formats.json_file import read_json
from vitruve.formats.notes import features
from vitruve.formats.shapes import BOX_SUFFIX, labels_of, task_of
from vitruve.structures.annotation import AnnotationTask
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

BACKUPS = "label_backups"
"""Folder beside a label file that takes it as it was, with the time, before something is written into it."""

_BESIDE = ("edges", "swaps", "details")
"""What skeletons have of their own, which lies beside a label file that cannot hold it, and stays there."""
_PIXELS = 0.011
_SIGNS = {ADD: "+", UPDATE: "~", CONFLICT: "!"}


@dataclass(frozen=True)
class _Change:
    """What becomes of a label file.

    Attributes:
        steps: What is done with each shape.
        frames: The images that the steps speak of.
        write: Writes the whole file under a path.
    """

    steps: Sequence[Step]
    frames: AnnotationTask
    write: Callable[[Path], None]

    def count(self, *actions: str) -> int:
        """How many instances some actions are of: a pose and the box around it are one."""
        shapes = [step.shape for step in self.steps if step.action in actions]
        posed = [each for each in shapes if each.group and (each.parts or each.label.endswith(BOX_SUFFIX))]
        return len(shapes) - len(posed) + len({(each.frame, each.group) for each in posed})

    def lines(self) -> Iterator[str]:
        """In words, but for what is there already."""
        for step in self.steps:
            if step.action in _SIGNS:
                why = " (what it corrects is not there any more)" if step.action == CONFLICT else ""
                yield f"  {_SIGNS[step.action]} {described(step.shape, self.frames.frames)}{why}"


def write_review(
    folder: str | Path,
    file: str | Path,
    *,
    format: str | None = None,
    root: str | Path | None = None,
    output: str | Path | None = None,
    apply: bool = False,
) -> Outcome:
    """Write the proposals that people have accepted, as they were corrected, into a label file.

    A shape is added where no label of its class is like it, one to one; a correction takes the place of the label that
    it corrects. All else stays as it is, and doing so again changes nothing.

    Args:
        folder: As :func:`~vitruve.annotation.proposals.pending.keep_review` gives it.
        file: The label file.
        format: Of the file; found by looking inside by default.
        root: The folder that names of its images start from; by default as the format has it.
        output: Another file to be written instead; by default the same one, which is kept in :data:`BACKUPS` as it was.
        apply: Write; without, only say what would be written.

    Returns:
        What was done, or would be.

    Raises:
        InputError: Nothing was accepted, an image lies elsewhere, or the format cannot hold what the file would be.
    """
    pending, source = open_pending(Path(folder)), Path(file)
    if source.is_dir() and (source / FILE_NAME).is_file():
        source = source / FILE_NAME
    if source.is_dir():
        raise InputError(f"{source}: a folder; name the label file in it that is to be written")
    target = source if output is None else Path(output)
    # A link stays one: the file that it leads to is written, and nothing that is called otherwise is taken for it.
    place, own = target.resolve(), source.resolve()
    if place.suffix != target.suffix:
        raise InputError(f"{target}: is a link to {place.name}, which has another ending; name that file")
    # Read, put together and written while nobody else does so.
    with alone(own) if apply else nullcontext():
        change = _change(pending, source, format, None if root is None else Path(root), target)
        count = change.count(ADD, UPDATE)
        backup = None
        if apply and (count or place != own):
            backup = _kept(own) if place == own else None
            change.write(place)
    added, every = change.count(ADD), change.count(*{step.action for step in change.steps})
    said = f"{added} added, {count - added} corrected, {every - count} left as they are"
    kept = () if backup is None else (f"as it was: {backup}",)
    return Outcome((f"{target}: {said}", *change.lines(), *kept), count, apply and count > 0, None)


def _kept(file: Path) -> Path:
    """A copy of a file as it is."""
    folder = file.parent / BACKUPS
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: must be a folder of its own, not a link or a file; rename it")
    folder.mkdir(exist_ok=True)
    copy = folder / f"{file.stem}_{datetime.now():%Y_%m_%d_%H_%M_%S_%f}{file.suffix}"
    with atomic_path(copy) as temporary:
        shutil.copyfile(file, temporary)
    return copy


def _change(pending: Pending, file: Path, format: str | None, root: Path | None, target: Path) -> _Change:
    name = format or recognise(file).NAME
    task = accepted_task(pending)
    if not task.shapes:
        raise InputError(f"{pending.folder}: nothing was accepted, so there is nothing to write")
    if name == cvat_xml.NAME:
        there = read_task(file)
        wanted = _placed(task, pending.root, root or file.parent)
        steps = matched_steps(wanted, there, ())
        made = _redrawn(there, steps)
        return _Change(steps, there, lambda path: write_task(made, path))
    labels = read_labels(file, name, root)
    content = read_json(file) if name == coco.NAME and target.suffix == file.suffix else None
    if content is not None:
        labels = _by_place(labels, content)
    if any(len(frame.images) > 1 for frame in labels):
        raise InputError(f"{file}: has {len(labels[0].images)} views; proposals are for images of one")
    wanted = _placed(task, pending.root, labels.root)
    numbered = _numbered(_with_images(labels, wanted))
    there = task_of(numbered, file.stem)
    steps = matched_steps(wanted, there, ())
    merged, touched = _merged(numbered, labels, there, steps)
    if content is not None:
        whole = _into_coco(content, merged, touched, file)
        text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"
        return _Change(steps, there, lambda path: atomic_write(path, text))
    kind = name if target.suffix == file.suffix else format_for(target).NAME
    lost = [words for each, words in features(merged).items() if each not in {*get_format(kind).KEEPS, *_BESIDE}]
    if lost:
        raise InputError(
            f"{target}: {kind} cannot hold {', '.join(lost)}; write a file of another format, such as .json"
        )
    return _Change(steps, there, lambda path: write_labels(merged, path, kind))


def _placed(task: AnnotationTask, root: Path, start: Path) -> AnnotationTask:
    """A task as a server would have it, its images named from another folder; what is corrected is found by place."""
    frames, folder = [], start.resolve()
    for frame in task.frames:
        # An image that is a link has the link's name in labels; folders may have been named by way of one.
        path = Path(os.path.normpath(root.resolve() / frame.name))
        path = path if path.is_relative_to(folder) else path.resolve()
        if not path.is_relative_to(folder):
            raise InputError(f"{path}: lies outside of {folder}, which the images of the labels are named from")
        frames.append(replace(frame, name=path.relative_to(folder).as_posix()))
    shapes = []
    for number, shape in enumerate(task.shapes):
        said = {each: value.partition(CORRECTS) for each, value in shape.attributes}
        kept = tuple(
            (each, f"{name}{CORRECTS}{LABEL}" if each == ATTRIBUTE and corrects else f"{name}{corrects}{rest}")
            for each, (name, corrects, rest) in said.items()
        )
        shapes.append(replace(shape, id=number, attributes=kept))
    return replace(task, frames=tuple(frames), shapes=tuple(shapes))


def _redrawn(there: AnnotationTask, steps: Sequence[Step]) -> AnnotationTask:
    updated = {id(step.target): step.shape for step in steps if step.action == UPDATE}
    kept = [updated.get(id(shape), shape) for shape in there.shapes]
    return replace(there, shapes=(*kept, *(step.shape for step in steps if step.action == ADD)))


def _with_images(labels: Labels, task: AnnotationTask) -> Labels:
    """Labels with the images of a task that they lack, of which nothing is labelled yet."""
    known = {(frame.first_image.path.as_posix(), frame.first_image.index) for frame in labels}
    free = max((frame.id for frame in labels if frame.id is not None), default=0) + 1
    new = [frame for frame in task.frames if (frame.name, frame.index) not in known]
    empty = Instances.empty(len(labels.skeleton), (1,))
    frames = tuple(
        Frame((ImageRef(Path(each.name), each.index, (each.width, each.height)),), empty, "", None, id=free + number)
        for number, each in enumerate(new)
    )
    return replace(labels, frames=(*labels.frames, *frames))


def _numbered(labels: Labels) -> Labels:
    """Labels whose instances are numbered through, so that what is drawn of one is known again."""
    frames, first = [], 0
    for frame in labels:
        own = frame.instances.numpy()
        count = own.keypoints.shape[1]
        ids = np.arange(first, first + count, dtype=np.int64)[None]
        # Who is who in a video does not matter here.
        frames.append(replace(frame, instances=replace(own, ids=ids, tracks=None)))
        first += count
    return replace(labels, frames=tuple(frames))


def _merged(
    numbered: Labels, labels: Labels, there: AnnotationTask, steps: Sequence[Step]
) -> tuple[Labels, set[tuple[int, int]]]:
    """The labels with what the steps say, and which instances are new or changed, by frame and place in it."""
    wanted = [step.shape for step in steps if step.action in (ADD, UPDATE)]
    # A box alone that is corrected is still that of its pose.
    boxes = {(shape.frame, shape.group) for shape in wanted if shape.kind == "rectangle" and shape.group}
    boxes -= {(shape.frame, shape.group) for shape in wanted if shape.kind == "skeleton"}
    wanted += [shape for shape in there.shapes if shape.kind == "skeleton" and (shape.frame, shape.group) in boxes]
    drawn = labels_of(AnnotationTask("drawn", there.labels, there.frames, tuple(wanted)))
    changed = {shape.frame for shape in wanted}
    frames: list[Frame] = list(labels.frames)
    frames += numbered.frames[len(labels) :]
    touched: set[tuple[int, int]] = set()
    for number in sorted(changed):
        own = frames[number].instances.numpy()[0]
        found = drawn[number].instances[0]
        ids = np.full(len(found.keypoints), -1) if found.ids is None else found.ids
        places = {int(key): n for n, key in enumerate(np.asarray(numbered[number].instances.ids)[0])}
        for m in np.flatnonzero(ids >= 0):
            own = _corrected(own, places[int(ids[m])], found[int(m) : int(m) + 1])
            touched.add((number, places[int(ids[m])]))
        new = found[np.flatnonzero(ids < 0)]
        if len(new.keypoints):
            # Rows of a table in which nothing is labelled are instances, too.
            crowds = np.zeros(len(own.keypoints), bool) if own.crowds is None else own.crowds
            kept = np.flatnonzero(np.asarray(own.present) | crowds)
            touched = {(f, int(np.searchsorted(kept, n)) if f == number else n) for f, n in touched}
            touched |= {(number, len(kept) + n) for n in range(len(new.keypoints))}
            own = _appended(own[kept], new)
        frames[number] = replace(frames[number], instances=own[None])
    return replace(labels, frames=tuple(frames)), touched


def _corrected(own: Instances, n: int, found: Instances) -> Instances:
    """Instances of which one is as it was drawn anew; what was not moved keeps its decimals."""
    points, visible = np.array(own.keypoints, np.float64), np.array(own.visible)
    both = np.isfinite(points[n]).all(-1) & np.isfinite(found.keypoints[0]).all(-1)
    near = both & (np.abs(points[n] - found.keypoints[0]).max(-1, initial=0) <= _PIXELS)
    points[n] = np.where(near[:, None], points[n], found.keypoints[0])
    visible[n] = found.visible[0]
    boxes, areas, categories = own.boxes, own.areas, own.categories
    if boxes is not None and found.boxes is not None and np.isfinite(found.boxes[0]).all():
        boxes = np.array(boxes, np.float64)
        still = np.abs(boxes[n] - found.boxes[0]) <= _PIXELS
        boxes[n] = np.where(still, boxes[n], found.boxes[0])
        if areas is not None and not still.all():
            areas = np.where(np.arange(len(areas)) == n, np.nan, areas)
    if found.categories is not None:
        categories = np.zeros(len(points), np.int64) if categories is None else np.array(categories)
        categories[n] = found.categories[0]
    return replace(own, keypoints=points, visible=visible, boxes=boxes, areas=areas, categories=categories)


def _appended(own: Instances, new: Instances) -> Instances:
    """Instances and further ones; what only some have is unknown of the others."""
    made: dict[str, Any] = {}
    new = replace(new, ids=None)
    for item in fields(Instances):
        one, other = (getattr(each, item.name) for each in (own, new))
        if one is None and other is None:
            continue
        like = np.asarray(other if one is None else one)
        parts = [
            _unknown(item.name, len(of.keypoints), like) if value is None else np.asarray(value).astype(like.dtype)
            for of, value in ((own, one), (new, other))
        ]
        made[item.name] = np.concatenate(parts)
    return Instances(**made)


def _unknown(name: str, count: int, like: np.ndarray) -> np.ndarray:
    value = {"crowds": False, "categories": 0, "tracks": -1, "ids": -1}.get(name, np.nan)
    return np.full((count, *like.shape[1:]), value, like.dtype)


def _by_place(labels: Labels, content: Mapping[str, Any]) -> Labels:
    """Labels of a file of COCO whose instances are numbered by their place in it: not all files number them."""
    places: dict[int, list[int]] = {}
    for number, entry in enumerate(content.get("annotations", [])):
        places.setdefault(entry["image_id"], []).append(number)
    frames = []
    for entry, frame in zip(content["images"], labels, strict=True):
        ids = np.array(places.get(entry["id"], []), np.int64)[None]
        frames.append(replace(frame, instances=replace(frame.instances, ids=ids)))
    return replace(labels, frames=tuple(frames))


def _into_coco(old: Mapping[str, Any], merged: Labels, touched: set[tuple[int, int]], file: Path) -> dict[str, Any]:
    """A file of COCO with what was added and corrected; of all else, every key stays as it is."""
    there = old.get("annotations", [])
    frames, ours, after = [], set(), len(there)
    for number, frame in enumerate(merged):
        rows = sorted(n for f, n in touched if f == number)
        if rows:
            own = frame.instances[0]
            ids = np.full(len(own.keypoints), -1) if own.ids is None else np.array(own.ids)
            for n in rows:
                if ids[n] < 0:
                    ids[n], after = after, after + 1
                ours.add(int(ids[n]))
            frame = replace(frame, instances=replace(own, ids=ids)[None])
        frames.append(frame)
    made = coco_content(replace(merged, frames=tuple(frames)), file)
    categories = old["categories"] or made["categories"]
    wanted = {
        entry.pop("id"): _of_category(entry, categories[entry["category_id"] - 1], merged.skeleton.names)
        for entry in made["annotations"]
        if entry["id"] in ours
    }
    kept = [_redone(entry, wanted[place]) if place in wanted else entry for place, entry in enumerate(there)]
    free = max((key for entry in there if isinstance(key := entry.get("id"), int)), default=0) + 1
    new = [entry for place, entry in wanted.items() if place >= len(there)]
    images = {entry["id"] for entry in old["images"]}
    return {
        **old,
        "images": [*old["images"], *(entry for entry in made["images"] if entry["id"] not in images)],
        "annotations": [*kept, *({"id": number} | entry for number, entry in enumerate(new, free))],
        "categories": categories,
    }


def _of_category(entry: Mapping[str, Any], category: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """An annotation as its file has it: the category's own number, and its keypoints in its own order."""
    own = [names.index(str(name)) for name in category.get("keypoints") or []]
    values = entry["keypoints"]
    listed = {"keypoints": [value for place in own for value in values[3 * place : 3 * place + 3]]}
    if "keypoint_scores" in entry:
        listed["keypoint_scores"] = [entry["keypoint_scores"][place] for place in own]
    return {**entry, **listed, "category_id": category["id"]}


def _redone(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """An annotation as it was corrected, without the outline of a box that was moved."""
    moved = np.abs(np.subtract(old.get("bbox") or new["bbox"], new["bbox"])).max() > _PIXELS
    return {**{key: value for key, value in old.items() if not (moved and key == "segmentation")}, **new}
