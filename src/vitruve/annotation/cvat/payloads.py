"""Annotations as CVAT sends and takes them in JSON, to and from what they are here; nothing is lost on either way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from vitruve.errors import InputError, nearest
from vitruve.formats.cvat_skeleton import draw_skeleton, with_drawing
from vitruve.structures.annotation import AnnotationTask, Attributes, AttributeSpec, LabelSpec, Shape, TaskFrame, Track

Json = dict[str, Any]


class Numbering:
    """The labels of a task, with the numbers that the server gave to them.

    Args:
        task: How the task is called in messages.
        labels: As the server lists them.
    """

    def __init__(self, task: str, labels: Iterable[Json]) -> None:
        self._task = task
        self._entries = [_Entry(item) for item in labels]
        self._by_id = {entry.id: entry for entry in self._entries}
        self._by_name = {entry.spec.name: entry for entry in self._entries}

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """The labels."""
        return tuple(entry.spec for entry in self._entries)

    def shape(self, item: Json) -> Shape:
        """A shape as the server sends it."""
        return self._shape(item, self._entry_of(item["label_id"]))

    def tag(self, item: Json) -> Shape:
        """A tag as the server sends it."""
        return self._shape({**item, "type": "tag"}, self._entry_of(item["label_id"]))

    def track(self, item: Json) -> Track:
        """A track as the server sends it.

        Parts of a skeleton have their own keyframes: a shape stands at each frame that the skeleton or a part has one
        at, with the parts that have; where only parts have one, it is no keyframe itself.
        """
        entry = self._entry_of(item["label_id"])
        own = {shape["frame"]: shape for shape in item["shapes"]}
        parts: dict[int, list[Shape]] = {frame: [] for frame in own}
        for element in item.get("elements") or ():
            part = entry.part_by_id(element["label_id"])
            fixed = part.read_attributes(element)
            for shape in element["shapes"]:
                drawn = self._shape({**shape, "source": element.get("source", "manual"), "id": None}, part)
                values = part.ordered((*fixed, *drawn.attributes))
                parts.setdefault(shape["frame"], []).append(replace(drawn, attributes=values))
        shapes: list[Shape] = []
        for frame in sorted(parts):
            if frame in own:
                whole = self._shape({**own[frame], "source": item.get("source", "manual"), "id": None}, entry)
            else:
                before = shapes[-1] if shapes else Shape("skeleton", entry.spec.name, frame)
                whole = replace(before, frame=frame, attributes=(), keyframe=False)
            shapes.append(replace(whole, parts=entry.in_order(parts[frame])))
        return Track(
            entry.spec.name,
            tuple(shapes),
            item.get("source", "manual"),
            entry.read_attributes(item),
            item.get("group") or 0,
            item.get("id"),
        )

    def _shape(self, item: Json, entry: _Entry) -> Shape:
        elements = [self._shape(e, entry.part_by_id(e["label_id"])) for e in item.get("elements") or ()]
        return Shape(
            item["type"],
            entry.spec.name,
            item["frame"],
            tuple(float(value) for value in item.get("points") or ()),
            entry.in_order(elements),
            bool(item.get("occluded")),
            bool(item.get("outside")),
            1.0 if item.get("score") is None else float(item["score"]),
            item.get("source") or "manual",
            entry.read_attributes(item),
            item.get("group") or 0,
            item.get("z_order") or 0,
            float(item.get("rotation") or 0.0),
            id=item.get("id"),
        )

    def shape_json(self, shape: Shape, *, keep_id: bool = False) -> Json:
        """A shape or tag as the server takes it.

        Args:
            shape: Its label and those of its parts are the task's.
            keep_id: Name the number that the server knows it by, for updates.

        Returns:
            The JSON.

        Raises:
            InputError: The task has no such label, part or attribute.
        """
        entry = self._entry_named(shape.label)
        item: Json = {"label_id": entry.id, "frame": shape.frame, "group": shape.group, "source": shape.source}
        item["attributes"] = entry.write_attributes(shape.attributes)
        if keep_id and shape.id is not None:
            item["id"] = shape.id
        if shape.kind == "tag":
            return item
        item |= _placed(shape) | {"score": shape.score}
        item["elements"] = [
            _placed(part)
            | {"label_id": inner.id, "frame": shape.frame, "group": part.group, "source": part.source}
            | {"score": part.score, "attributes": inner.write_attributes(part.attributes)}
            for part in entry.completed(shape)
            for inner in [entry.part_named(part.label)]
        ]
        return item

    def track_json(self, track: Track, *, keep_id: bool = False) -> Json:
        """A track as the server takes it: its keyframes, and those of each part.

        Args:
            track: Its label and those of its parts are the task's; it has a keyframe at least.
            keep_id: Name the number that the server knows it by, for updates.

        Returns:
            The JSON. Scores are not in it: a server keeps none for tracks.

        Raises:
            InputError: The task has no such label, part or attribute.
        """
        entry = self._entry_named(track.label)
        keys = [shape for shape in track.shapes if shape.keyframe]
        if not keys:
            raise InputError(f"{self._task}: a track of {track.label} has no keyframe; give it one")
        item: Json = {"label_id": entry.id, "frame": keys[0].frame, "group": track.group, "source": track.source}
        item["attributes"] = entry.write_attributes(track.attributes)
        if keep_id and track.id is not None:
            item["id"] = track.id
        item["shapes"] = [_keyframe(shape, entry, shape.attributes) for shape in keys]
        elements: list[Json] = []
        for inner in entry.parts:
            drawn = [(s.frame, p) for s in track.shapes for p in s.parts if p.label == inner.spec.name and p.keyframe]
            if drawn:
                fixed, source = inner.lasting(drawn[0][1].attributes), drawn[0][1].source
                shapes = [_keyframe(replace(p, frame=f), inner, inner.changing(p.attributes)) for f, p in drawn]
                element = {"label_id": inner.id, "frame": drawn[0][0], "group": track.group, "source": source}
                elements.append(element | {"attributes": inner.write_attributes(fixed), "shapes": shapes})
        return item | {"elements": elements}

    def _entry_of(self, number: int) -> _Entry:
        if number not in self._by_id:
            raise InputError(f"{self._task}: something is drawn with label {number}, which the task has not")
        return self._by_id[number]

    def _entry_named(self, name: str) -> _Entry:
        if name not in self._by_name:
            known = ", ".join(self._by_name)
            raise InputError(
                f"{self._task}: has no label '{name}'{nearest(name, self._by_name)}; it has {known}: add it in CVAT"
            )
        return self._by_name[name]


class _Entry:
    """A label or a part, with its number and those of its attributes."""

    def __init__(self, item: Json) -> None:
        self.id = int(item["id"])
        self.parts: tuple[_Entry, ...] = tuple(_Entry(part) for part in item.get("sublabels") or ())
        self._attributes = {int(a["id"]): _attribute(a) for a in item.get("attributes") or ()}
        label = LabelSpec(
            item["name"],
            str(item.get("type") or "any"),
            item.get("color") or "",
            tuple(self._attributes.values()),
            tuple(part.spec for part in self.parts),
        )
        names = {str(part.id): part.spec.name for part in self.parts}
        self.spec: LabelSpec = with_drawing(label, item.get("svg") or "", names)

    @cached_property
    def _rank(self) -> dict[str, int]:
        return {part.name: number for number, part in enumerate(self.spec.parts)}

    def part_by_id(self, number: int) -> _Entry:
        for part in self.parts:
            if part.id == number:
                return part
        raise InputError(f"label {self.spec.name}: a skeleton has part {number}, which the label has not")

    def part_named(self, name: str) -> _Entry:
        for part in self.parts:
            if part.spec.name == name:
                return part
        known = [part.spec.name for part in self.parts]
        raise InputError(
            f"label {self.spec.name}: has no part '{name}'{nearest(name, known)}; it has {', '.join(known) or 'none'}"
        )

    def completed(self, shape: Shape) -> tuple[Shape, ...]:
        """The parts of a skeleton, those that are missing as outside: a server wants all of them."""
        if not shape.parts or len(shape.parts) == len(self.parts):
            return shape.parts
        named = {part.label for part in shape.parts}
        absent = (part.spec.name for part in self.parts if part.spec.name not in named)
        like = replace(shape.parts[0], attributes=(), occluded=False, outside=True, score=1.0, id=None)
        return (*shape.parts, *(replace(like, label=name) for name in absent))

    def in_order(self, parts: Iterable[Shape]) -> tuple[Shape, ...]:
        """Parts in the order of the label: servers give them in any."""
        return tuple(sorted(parts, key=lambda part: self._rank[part.label]))

    def read_attributes(self, item: Json) -> Attributes:
        pairs = [(a["spec_id"], a["value"]) for a in item.get("attributes") or ()]
        unknown = next((number for number, _ in pairs if number not in self._attributes), None)
        if unknown is not None:
            raise InputError(f"label {self.spec.name}: a shape has attribute {unknown}, which the label has not")
        return self.ordered((self._attributes[number].name, value) for number, value in pairs)

    def ordered(self, pairs: Iterable[tuple[str, str]]) -> Attributes:
        values = dict(pairs)
        return tuple((spec.name, values[spec.name]) for spec in self._attributes.values() if spec.name in values)

    def write_attributes(self, pairs: Attributes) -> list[Json]:
        numbers = {spec.name: number for number, spec in self._attributes.items()}
        for name, _ in pairs:
            if name not in numbers:
                known = ", ".join(numbers) or "none"
                raise InputError(f"label {self.spec.name}: has no attribute '{name}'; it has {known}: add it in CVAT")
        return [{"spec_id": numbers[name], "value": value} for name, value in pairs]

    def lasting(self, pairs: Attributes) -> Attributes:
        """Those that do not change along a track."""
        fixed = {spec.name for spec in self._attributes.values() if not spec.mutable}
        return tuple(pair for pair in pairs if pair[0] in fixed)

    def changing(self, pairs: Attributes) -> Attributes:
        """Those that do."""
        fixed = self.lasting(pairs)
        return tuple(pair for pair in pairs if pair not in fixed)


def read_task(task: Json, labels: Iterable[Json], meta: Json, annotations: Json) -> AnnotationTask:
    """A task with all that is drawn in it.

    Args:
        task: The task as the server describes it.
        labels: Its labels.
        meta: What the server says of its frames.
        annotations: What is drawn.

    Returns:
        The task. Frames of a video have its name, and say which of its frames they are.

    Raises:
        InputError: Something is drawn with a label that the task has not.
    """
    numbering = Numbering(f"task {task['id']} ({task['name']})", labels)
    shapes = [numbering.tag(item) for item in annotations.get("tags") or ()]
    shapes += [numbering.shape(item) for item in annotations.get("shapes") or ()]
    return AnnotationTask(
        task["name"],
        numbering.labels,
        read_frames(task, meta),
        tuple(sorted(shapes, key=lambda shape: shape.frame)),
        tuple(numbering.track(item) for item in annotations.get("tracks") or ()),
        str(task.get("status") or "annotation"),
        task.get("updated_date") or "",
        task.get("created_date") or "",
        task.get("subset") or "",
        task["id"],
    )


def read_frames(task: Json, meta: Json) -> tuple[TaskFrame, ...]:
    """The frames of a task.

    Args:
        task: The task as the server describes it.
        meta: What the server says of its frames.

    Returns:
        One entry a frame, deleted ones too.
    """
    entries = meta.get("frames") or []
    gone = set(meta.get("deleted_frames") or ())
    size = int(meta.get("size") or len(entries))
    video = task.get("mode") == "interpolation" and len(entries) == 1 and size != 1
    step = int(str(meta.get("frame_filter") or "step=1").rpartition("=")[2] or 1)
    first = int(meta.get("start_frame") or 0)
    return tuple(
        TaskFrame(
            entry["name"],
            int(entry.get("width") or 0),
            int(entry.get("height") or 0),
            number in gone,
            first + number * step if video else None,
        )
        for number in range(size)
        for entry in [entries[0 if video else number]]
    )


def label_json(label: LabelSpec) -> Json:
    """A label as the server takes it with a new task.

    Args:
        label: The label.

    Returns:
        The JSON.
    """
    item: Json = {"name": label.name, "type": label.kind, "attributes": [_attribute_json(a) for a in label.attributes]}
    if label.color:
        item["color"] = label.color
    if label.parts:
        item |= {"type": "skeleton", "svg": draw_skeleton(label)}
        item["sublabels"] = [label_json(part) | {"type": "points"} for part in label.parts]
    return item


def _attribute(item: Mapping[str, Any]) -> AttributeSpec:
    return AttributeSpec(
        item["name"],
        str(item.get("input_type") or "text"),
        tuple(item.get("values") or ()),
        item.get("default_value") or "",
        bool(item.get("mutable")),
    )


def _attribute_json(spec: AttributeSpec) -> Json:
    return {
        "name": spec.name,
        "input_type": spec.input_type,
        "values": list(spec.values),
        "default_value": spec.default,
        "mutable": spec.mutable,
    }


def _placed(shape: Shape) -> Json:
    return {
        "type": shape.kind,
        "points": list(shape.points),
        "occluded": shape.occluded,
        "outside": shape.outside,
        "z_order": shape.z_order,
        "rotation": shape.rotation % 360.0,
    }


def _keyframe(shape: Shape, entry: _Entry, attributes: Attributes) -> Json:
    return _placed(shape) | {"frame": shape.frame, "attributes": entry.write_attributes(attributes)}
