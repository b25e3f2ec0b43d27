"""Writes XML of CVAT 1.1.

CVAT reads such a file again. What its format has no place for stands in attributes that it passes over: ``score``,
``server_id`` (the number that a server knows a shape by), ``deleted``, and ``video`` and ``index`` of an image that is
a frame of a video.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from vitruve.atomic import atomic_write
from vitruve.formats.cvat_skeleton import draw_skeleton
from vitruve.structures.annotation import AnnotationTask, Attributes, LabelSpec, Shape, Track

FILE_NAME = "annotations.xml"
CUBOID = tuple(f"{axis}{corner}{side}" for side in "12" for corner in ("tl", "bl", "tr", "br") for axis in "xy")
"""Attributes of a cuboid, in the order of its points."""


def write_task(task: AnnotationTask, file: Path) -> None:
    """Write a task with all that is drawn, without loss.

    Args:
        task: The task.
        file: Where to; replaced in one step.

    Raises:
        InputError: The file cannot be written.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    _about(ET.SubElement(ET.SubElement(root, "meta"), "task"), task)
    drawn: dict[int, list[Shape]] = defaultdict(list)
    for shape in task.shapes:
        drawn[shape.frame].append(shape)
    for number, frame in enumerate(task.frames):
        size = {"width": str(frame.width), "height": str(frame.height)}
        name = frame.name if frame.index is None else f"frame_{frame.index:06d}"
        image = ET.SubElement(root, "image", {"id": str(number), "name": name, **size})
        if frame.index is not None:
            image.attrib |= {"video": frame.name, "index": str(frame.index)}
        if frame.deleted:
            image.set("deleted", "1")
        for shape in drawn[number]:
            _shape(image, shape, shape.attributes)
    for number, track in enumerate(task.tracks):
        _track(ET.SubElement(root, "track", {"id": str(number), "label": track.label, "source": track.source}), track)
    ET.indent(root, " ")
    atomic_write(file, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _about(node: ET.Element, task: AnnotationTask) -> None:
    video = bool(task.frames) and task.frames[0].index is not None
    values = {
        "id": "" if task.id is None else str(task.id),
        "name": task.name,
        "size": str(len(task.frames)),
        "mode": "interpolation" if video else "annotation",
        "status": task.status,
        "created": task.created,
        "updated": task.updated,
        "subset": task.subset,
    }
    for key, value in values.items():
        ET.SubElement(node, key).text = value
    labels = ET.SubElement(node, "labels")
    for label in task.labels:
        _label(labels, label)
        for part in label.parts:
            _label(labels, part, label.name)


def _label(parent: ET.Element, label: LabelSpec, whole: str = "") -> None:
    node = ET.SubElement(parent, "label")
    for key, value in (("name", label.name), ("color", label.color), ("type", label.kind)):
        ET.SubElement(node, key).text = value
    attributes = ET.SubElement(node, "attributes")
    for spec in label.attributes:
        item = ET.SubElement(attributes, "attribute")
        ET.SubElement(item, "name").text = spec.name
        ET.SubElement(item, "mutable").text = str(spec.mutable)
        ET.SubElement(item, "input_type").text = spec.input_type
        ET.SubElement(item, "default_value").text = spec.default
        ET.SubElement(item, "values").text = "\n".join(spec.values)
    if label.parts:
        ET.SubElement(node, "svg").text = draw_skeleton(label)
    if whole:
        ET.SubElement(node, "parent").text = whole


def _track(node: ET.Element, track: Track) -> None:
    if track.group:
        node.set("group_id", str(track.group))
    if track.id is not None:
        node.set("server_id", str(track.id))
    for shape in track.shapes:
        # CVAT repeats with every shape what does not change, and takes it from the first one.
        _shape(node, shape, (*track.attributes, *shape.attributes), followed=True)


def _shape(
    parent: ET.Element, shape: Shape, attributes: Attributes, *, followed: bool = False, part: bool = False
) -> None:
    node = ET.SubElement(parent, "box" if shape.kind == "rectangle" else shape.kind)
    if followed and not part:
        node.set("frame", str(shape.frame))
    else:
        node.set("label", shape.label)
        node.set("source", shape.source)
    if followed:
        node.set("keyframe", str(int(shape.keyframe)))
    if shape.kind != "tag":
        node.set("occluded", str(int(shape.occluded)))
        if followed or part or shape.outside:
            node.set("outside", str(int(shape.outside)))
        if not part or shape.z_order:
            node.set("z_order", str(shape.z_order))
        node.attrib |= _place(shape)
    if shape.rotation:
        node.set("rotation", _text(shape.rotation))
    if shape.score != 1:
        node.set("score", _text(shape.score))
    if shape.group:
        node.set("group_id", str(shape.group))
    if shape.id is not None:
        node.set("server_id", str(shape.id))
    for inner in shape.parts:
        _shape(node, inner, inner.attributes, followed=followed, part=True)
    for name, value in attributes:
        ET.SubElement(node, "attribute", {"name": name}).text = value


def _place(shape: Shape) -> dict[str, str]:
    points = shape.points
    if shape.kind == "skeleton":
        return {}
    if shape.kind == "rectangle":
        return _pairs(("xtl", "ytl", "xbr", "ybr"), points)
    if shape.kind == "cuboid":
        return _pairs(CUBOID, points)
    if shape.kind == "ellipse":
        x, y, right, top = points
        return _pairs(("cx", "cy", "rx", "ry"), (x, y, right - x, y - top))
    if shape.kind == "mask":
        *runs, left, top, right, bottom = (int(value) for value in points)
        size = _pairs(("left", "top", "width", "height"), (left, top, right - left + 1, bottom - top + 1))
        return {"rle": ", ".join(map(str, runs)), **size}
    return {"points": ";".join(f"{_text(x)},{_text(y)}" for x, y in zip(points[::2], points[1::2], strict=True))}


def _pairs(names: Sequence[str], values: Sequence[float]) -> dict[str, str]:
    return {name: _text(value) for name, value in zip(names, values, strict=True)}


def _text(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
