"""Tasks as documents, in the form in which OBDB keeps them in MongoDB, and back without loss.

A task is one document in ``tasks``, one in ``meta`` with its frames, and one in ``annotation_data`` for each shape.
Beside OBDB's keys they have those of CVAT's JSON, and ``task_id``. A track is one document: its place is that of its
first keyframe, and ``shapes`` and ``elements`` hold the others. Keys that nothing here knows are left as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from vitruve.annotation.cvat.payloads import Numbering, label_json
from vitruve.errors import InputError
from vitruve.structures.annotation import AnnotationTask, Attributes, AttributeSpec, LabelSpec, Shape, TaskFrame, Track

Json = dict[str, Any]
COLLECTIONS = ("tasks", "meta", "annotation_data")
"""Names of what documents are kept in."""


@dataclass(frozen=True)
class TaskDocuments:
    """A task as documents.

    Attributes:
        task: Its entry in ``tasks``.
        meta: Its entry in ``meta``.
        annotations: Its entries in ``annotation_data``.
    """

    task: Json
    meta: Json
    annotations: Sequence[Json] = field(default=())


def documents_of(task: AnnotationTask) -> TaskDocuments:
    """A task as documents.

    Args:
        task: The task.

    Returns:
        The documents. Labels and attributes are numbered from 1 in their order.
    """
    specs = _all_specs(task)
    labels = _numbered_labels(specs.values())
    numbering = Numbering(f"task {task.name}", labels)
    identity: Json = {} if task.id is None else {"task_id": task.id}
    about = {
        "type": "task_data",
        "name": task.name,
        "labels": labels,
        "created_date": task.created,
        "updated_date": task.updated,
        "status": task.status,
        "subset": task.subset,
        **identity,
    }
    frames = [_frame_json(frame) for frame in task.frames]
    place = {"type": "annotation", "task_name": task.name, **identity}
    entries = [_entry(numbering.shape_json(shape, keep_id=True), shape, task, place) for shape in task.shapes]
    for track in task.tracks:
        seen = next((shape for shape in track.shapes if shape.keyframe and not shape.outside), track.shapes[0])
        body = _with_scores(numbering.track_json(track, keep_id=True), track, specs[track.label])
        entries.append(_entry(_with_place(body, seen), replace(seen, label=track.label), task, place | {"track": True}))
    return TaskDocuments(about, {"task_name": task.name, "frames": frames, **identity}, entries)


def task_from(documents: TaskDocuments) -> AnnotationTask:
    """The task that documents hold, those of OBDB too.

    Args:
        documents: Of one task.

    Returns:
        The task.

    Raises:
        InputError: Something in them is not as it should be; the message names the task and the document.
    """
    about, where = documents.task, name_of(documents.task)
    try:
        frames = tuple(_frame(item) for item in documents.meta.get("frames") or ())
        labels = _all_labels(about, documents.annotations)
        numbering = Numbering(where, labels)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where}: its labels or frames are not as OBDB writes them ({_said(error)})") from error
    numbers = {label["name"]: label["id"] for label in labels}
    places = {frame.name: number for number, frame in enumerate(frames)}
    shapes: list[Shape] = []
    tracks: list[Track] = []
    for number, item in enumerate(documents.annotations):
        try:
            body = _cvat_json(item, numbers, places)
            if item.get("track"):
                tracks.append(numbering.track(body))
            else:
                shapes.append(numbering.tag(body) if body["type"] == "tag" else numbering.shape(body))
            if not 0 <= body["frame"] < len(frames):
                raise ValueError(f"frame {body['frame']} of {len(frames)}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{where}: annotation {number}: {_said(error)}; import or sync the task again") from error
    return AnnotationTask(
        str(about.get("name", "")),
        numbering.labels,
        frames,
        tuple(sorted(shapes, key=lambda shape: shape.frame)),
        tuple(tracks),
        str(about.get("status") or "completed"),
        str(about.get("updated_date") or ""),
        str(about.get("created_date") or ""),
        str(about.get("subset") or ""),
        about.get("task_id"),
    )


def name_of(about: Mapping[str, Any]) -> str:
    """How a task is called in messages and lists."""
    number = about.get("task_id")
    return f"task {about.get('name')}" + ("" if number is None else f" ({number})")


def shape_type(document: Mapping[str, Any]) -> str:
    """The kind of a shape; older documents have it under another key."""
    return str(document.get("shape_types") or document.get("shape_type") or "")


def tally(annotations: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """How many shapes there are, by class and kind.

    Args:
        annotations: Documents of ``annotation_data``.

    Returns:
        The counts.
    """
    return Counter((str(item.get("object_class") or ""), shape_type(item)) for item in annotations)


def _all_specs(task: AnnotationTask) -> dict[str, LabelSpec]:
    """The labels of a task with all that shapes have: files list neither all labels nor all attributes."""
    specs = {label.name: label for label in task.labels}
    said: list[tuple[str, Shape | Track]] = [(track.label, track) for track in task.tracks]
    said += [(track.label, shape) for track in task.tracks for shape in track.shapes]
    said += [(shape.label, shape) for shape in task.shapes]
    for name, item in said:
        known = specs.setdefault(name, LabelSpec(name))
        parts = item.parts if isinstance(item, Shape) else ()
        if item.attributes or parts:
            inner = {part.name: part for part in known.parts}
            for part in parts:
                inner[part.label] = _described(
                    inner.get(part.label) or LabelSpec(part.label, "points"), part.attributes
                )
            known = _described(known, item.attributes)
            specs[name] = replace(known, parts=tuple(inner.values()))
    return specs


def _described(label: LabelSpec, attributes: Attributes) -> LabelSpec:
    known = {spec.name for spec in label.attributes}
    lost = tuple(AttributeSpec(name) for name, _ in attributes if name not in known)
    return replace(label, attributes=(*label.attributes, *lost)) if lost else label


def _numbered_labels(labels: Iterable[LabelSpec]) -> list[Json]:
    numbers = count(1)

    def numbered(label: Json) -> Json:
        found = {"id": next(numbers), **label}
        found["attributes"] = [{"id": next(numbers), **item} for item in label["attributes"]]
        if "sublabels" in label:
            found["sublabels"] = [numbered(item) for item in label["sublabels"]]
        return found

    return [numbered(label_json(label)) for label in labels]


def _entry(body: Json, shape: Shape, task: AnnotationTask, place: Json) -> Json:
    body.pop("type", None)
    for element, part in zip(body.get("elements", ()), shape.parts, strict=False):
        if part.id is not None:
            element["id"] = part.id
    image = task.frames[shape.frame] if 0 <= shape.frame < len(task.frames) else TaskFrame("", 0, 0)
    about = {"shape_types": shape.kind, "object_class": shape.label}
    size = {"img_path": image.name, "img_height": image.height, "img_width": image.width}
    return {**place, **about, **body, **size}


def _with_place(body: Json, shape: Shape) -> Json:
    return {**body, "frame": shape.frame, "points": list(shape.points), "occluded": shape.occluded}


def _with_scores(body: Json, track: Track, spec: LabelSpec) -> Json:
    """CVAT keeps no scores of tracks; a network's are kept here."""
    _set_scores(body["shapes"], [shape for shape in track.shapes if shape.keyframe])
    drawn = [part for shape in track.shapes for part in shape.parts if part.keyframe]
    series = [[part for part in drawn if part.label == inner.name] for inner in spec.parts]
    for element, parts in zip(body["elements"], filter(None, series), strict=True):
        _set_scores(element["shapes"], parts)
    return body


def _set_scores(items: Sequence[Json], shapes: Sequence[Shape]) -> None:
    for item, shape in zip(items, shapes, strict=True):
        if shape.score != 1:
            item["score"] = shape.score


def _frame_json(frame: TaskFrame) -> Json:
    item: Json = {"name": frame.name, "width": frame.width, "height": frame.height}
    if frame.deleted:
        item["deleted"] = True
    if frame.index is not None:
        item["index"] = frame.index
    return item


def _frame(item: Json) -> TaskFrame:
    index = item.get("index")
    sides = (int(item.get("width") or 0), int(item.get("height") or 0))
    return TaskFrame(str(item["name"]), *sides, bool(item.get("deleted")), None if index is None else int(index))


def _all_labels(about: Json, annotations: Sequence[Json]) -> list[Json]:
    """The labels of a task, and those that shapes have and the task does not list."""
    labels = list(about.get("labels") or ())
    known = {label["name"] for label in labels}
    lost = sorted({str(item["object_class"]) for item in annotations if item.get("object_class")} - known)
    free = 1 + max((int(label["id"]) for label in labels), default=0)
    return labels + [{"id": free + number, "name": name, "attributes": []} for number, name in enumerate(lost)]


def _cvat_json(item: Json, numbers: Mapping[str, int], places: Mapping[str, int]) -> Json:
    """A document as CVAT's JSON."""
    kind = shape_type(item)
    if not kind:
        raise ValueError("has neither shape_types nor shape_type")
    name = item.get("object_class")
    body = {**item, "type": kind, "label_id": numbers[name] if name else item["label_id"]}
    if item.get("frame") is None:
        body["frame"] = places[item["img_path"]]
    if item.get("track") and item["shapes"]:
        body["shapes"] = [{"type": kind, **shape} for shape in item["shapes"]]
    return body


def _said(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
