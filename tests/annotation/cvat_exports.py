"""CVAT's XML as the server writes and reads it, without a line of the package that is tested."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from annotation.cvat_state import EMPTY, Task


def images_xml(task: Task) -> bytes:
    """The shapes of a task as 'CVAT for images 1.1'."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    about = ET.SubElement(ET.SubElement(root, "meta"), "task")
    values = {"id": task.id, "name": task.name, "size": len(task.frames), "mode": "annotation", "subset": task.subset}
    for key, value in values.items():
        ET.SubElement(about, key).text = str(value)
    labels = ET.SubElement(about, "labels")
    for label in task.labels:
        _label(labels, label)
        for part in label["sublabels"]:
            ET.SubElement(_label(labels, part), "parent").text = label["name"]
    for number, frame in enumerate(task.frames):
        size = {key: str(frame[key]) for key in ("width", "height")}
        image = ET.SubElement(root, "image", {"id": str(number), "name": frame["name"], **size})
        for shape in task.annotations["shapes"]:
            if shape["frame"] == number:
                _shape(image, shape, task.labels)
        for tag in task.annotations["tags"]:
            if tag["frame"] == number:
                label = _by_id(task.labels, tag["label_id"])
                _attributes(ET.SubElement(image, "tag", {"label": label["name"], "source": tag["source"]}), tag, label)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _label(labels: ET.Element, label: dict[str, Any]) -> ET.Element:
    node = ET.SubElement(labels, "label")
    for key in ("name", "color", "type"):
        ET.SubElement(node, key).text = label[key]
    attributes = ET.SubElement(node, "attributes")
    for spec in label["attributes"]:
        inner = ET.SubElement(attributes, "attribute")
        ET.SubElement(inner, "name").text = spec["name"]
        ET.SubElement(inner, "mutable").text = str(spec["mutable"])
        ET.SubElement(inner, "input_type").text = spec["input_type"]
        ET.SubElement(inner, "default_value").text = spec["default_value"]
        ET.SubElement(inner, "values").text = "\n".join(spec["values"])
    if "svg" in label:
        ET.SubElement(node, "svg").text = label["svg"]
    return node


def _shape(parent: ET.Element, shape: dict[str, Any], labels: list[dict[str, Any]], part: bool = False) -> None:
    label = _by_id(labels, shape["label_id"])
    flags = {"label": label["name"], "source": shape["source"], "occluded": str(int(shape["occluded"]))}
    points = shape["points"]
    if part:
        flags["outside"] = str(int(shape["outside"]))
    else:
        flags["z_order"] = str(shape["z_order"])
    if shape["group"]:
        flags["group_id"] = str(shape["group"])
    if shape["type"] == "rectangle":
        flags |= {key: f"{value:.2f}" for key, value in zip(("xtl", "ytl", "xbr", "ybr"), points, strict=True)}
        if shape["rotation"]:
            flags["rotation"] = f"{shape['rotation']:.2f}"
    elif shape["type"] != "skeleton":
        pairs = zip(points[::2], points[1::2], strict=True)
        flags["points"] = ";".join(f"{x:.2f},{y:.2f}" for x, y in pairs)
    node = ET.SubElement(parent, shape["type"], flags)
    for element in shape.get("elements", []):
        _shape(node, element, label["sublabels"], part=True)
    _attributes(node, shape, label)


def _attributes(node: ET.Element, item: dict[str, Any], label: dict[str, Any]) -> None:
    names = {spec["id"]: spec["name"] for spec in label["attributes"]}
    for one in item["attributes"]:
        ET.SubElement(node, "attribute", {"name": names[one["spec_id"]]}).text = one["value"]


def _by_id(labels: list[dict[str, Any]], number: int) -> dict[str, Any]:
    return next(label for label in labels if label["id"] == number)


def read(task: Task, content: bytes) -> dict[str, Any]:
    """The annotations in an XML file, as CVAT takes them over the wire."""
    root = ET.fromstring(content)
    numbers = {frame["name"]: number for number, frame in enumerate(task.frames)}
    found: dict[str, Any] = {**EMPTY, "shapes": [], "tags": [], "tracks": []}
    for image in root.iter("image"):
        for node in image:
            if node.tag == "tag":
                label = _by_name(task.labels, node.get("label"))
                found["tags"].append({"label_id": label["id"], "frame": numbers[image.get("name", "")]})
            else:
                found["shapes"].append(_read_shape(node, numbers[image.get("name", "")], task.labels))
    for track in root.iter("track"):
        label = _by_name(task.labels, track.get("label"))
        shapes = [_read_shape(node, int(node.get("frame", 0)), task.labels, label) for node in track]
        shapes = [shape for shape, node in zip(shapes, track, strict=True) if node.get("keyframe") == "1"]
        for shape in shapes:
            for key in ("label_id", "source", "group"):
                del shape[key]
        found["tracks"].append({"label_id": label["id"], "frame": shapes[0]["frame"], "shapes": shapes})
    return found


def _read_shape(
    node: ET.Element, frame: int, labels: list[dict[str, Any]], label: dict[str, Any] | None = None
) -> dict[str, Any]:
    label = label or _by_name(labels, node.get("label"))
    if node.tag in ("box", "rectangle"):
        points = [float(node.get(key, 0)) for key in ("xtl", "ytl", "xbr", "ybr")]
    else:
        points = [float(value) for pair in (node.get("points") or "").split(";") if pair for value in pair.split(",")]
    specs = {spec["name"]: spec["id"] for spec in label["attributes"]}
    return {
        "type": "rectangle" if node.tag == "box" else node.tag,
        "frame": frame,
        "label_id": label["id"],
        "points": points,
        "occluded": node.get("occluded") == "1",
        "outside": node.get("outside") == "1",
        "z_order": int(node.get("z_order", 0)),
        "rotation": float(node.get("rotation", 0)),
        "source": node.get("source", "manual"),
        "group": int(node.get("group_id", 0)),
        "attributes": [
            {"spec_id": specs[one.get("name", "")], "value": one.text or ""} for one in node.findall("attribute")
        ],
        "elements": [_read_shape(one, frame, label["sublabels"]) for one in node.findall("points")],
    }


def _by_name(labels: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    return next(label for label in labels if label["name"] == name)
