"""XML of CVAT 1.1: tasks of images and videos with all that is drawn, read and written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitruve.errors import InputError, nearest
from vitruve.formats import cvat_xml_writer
from vitruve.formats.cvat_skeleton import with_drawing
from vitruve.formats.cvat_xml_writer import CUBOID, FILE_NAME
from vitruve.formats.shapes import labels_of, task_of
from vitruve.structures.annotation import AnnotationTask, Attributes, AttributeSpec, LabelSpec, Shape, TaskFrame, Track
from vitruve.structures.labels import Labels

NAME = "cvat_xml"
DESCRIPTION = "CVAT 1.1 XML of images and videos: boxes, polygons, points, skeletons, tracks"
SUFFIXES = (".xml",)
KEEPS = frozenset(
    {"fractions", "occluded", "keypoint scores", "instance scores", "boxes", "tracks", "instances", "videos"}
    | {"categories", "edges"}
)
_HEAD = re.compile(rb"<annotations[\s>]")
_CORNERS = ("xtl", "ytl", "xbr", "ybr")


def sniff(path: Path) -> bool:
    """Whether a path is such a file, or a folder with one named ``annotations.xml``.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if file.suffix.lower() not in SUFFIXES or not file.is_file():
        return False
    with file.open("rb") as stream:
        return bool(_HEAD.search(stream.read(4096)))


def read(path: Path, *, root: Path | None = None) -> Labels:
    """The images of a file with what is drawn, as labels.

    Args:
        path: The file, or a folder with ``annotations.xml``.
        root: The folder that image names start from; by default that of the file.

    Returns:
        The labels, see :func:`~vitruve.formats.shapes.labels_of`.

    Raises:
        InputError: Something in it is not as it should be.
    """
    file = path / FILE_NAME if path.is_dir() else path
    task = read_task(file)
    if not task.frames:
        raise InputError(f"{file}: holds no image")
    return labels_of(task, root=file.parent if root is None else root)


def write(labels: Labels, path: Path) -> None:
    """Write labels to a file, or to ``annotations.xml`` in a folder.

    Args:
        labels: One view, at least one frame.
        path: The file or folder.

    Raises:
        InputError: There are several views or no frame.
    """
    file = path if path.suffix.lower() in SUFFIXES else path / FILE_NAME
    if not labels.frames:
        raise InputError(f"{file}: these labels hold no frame; at least one is needed")
    cvat_xml_writer.write_task(task_of(labels, labels.scorer), file)


def read_task(file: Path) -> AnnotationTask:
    """A task with all that is drawn, without loss.

    Args:
        file: Of CVAT, or written by :func:`~vitruve.formats.cvat_xml_writer.write_task`.

    Returns:
        The task. Frames of a video have its name and number.

    Raises:
        InputError: It is no such XML, refers to other files or defines entities, or something in it is not as it should
            be; the message names the image.
    """
    root = _parsed(file)
    about = next((node for tag in ("task", "job", "project") for node in root.iterfind(f"meta/{tag}")), None)
    labels = _labels(file, about) if about is not None else ()
    page = _Page(file, {label.name: label for label in labels})
    frames, places = _frames(page, root, about)
    shapes = [
        page.shape(node, places[_whole(page, image, "id")], image.get("name", ""))
        for image in root.iterfind("image")
        for node in image
    ]
    tracks = [page.track(node, places) for node in root.iterfind("track")]
    drawn = [*(shape.label for shape in shapes), *(track.label for track in tracks)]
    known = labels or tuple(LabelSpec(name) for name in dict.fromkeys(drawn))

    def said(key: str) -> str:
        return (about.findtext(key) or "").strip() if about is not None else ""

    return AnnotationTask(
        said("name") or file.stem,
        known,
        frames,
        tuple(shapes),
        tuple(tracks),
        said("status") or "annotation",
        said("updated"),
        said("created"),
        said("subset"),
        int(said("id")) if said("id").isdigit() else None,
    )


@dataclass(frozen=True)
class _Page:
    """A file, and the labels that things in it may have."""

    file: Path
    labels: dict[str, LabelSpec]

    def shape(self, node: Any, frame: int, where: str) -> Shape:
        """What one element draws."""
        kind = "rectangle" if node.tag == "box" else node.tag
        label = self._label(node, where, self.labels)
        return self._shape(node, kind, label, frame, where)

    def _shape(self, node: Any, kind: str, label: LabelSpec, frame: int, where: str) -> Shape:
        specs = {part.name: part for part in label.parts}
        parts = (
            [
                self._shape(part, "points", self._label(part, where, specs), frame, where)
                for part in node.iterfind("points")
            ]
            if kind == "skeleton"
            else []
        )
        order = list(specs) or [part.label for part in parts]
        return Shape(
            kind,
            label.name,
            frame,
            self._points(node, kind, where),
            tuple(sorted(parts, key=lambda part: order.index(part.label))),
            node.get("occluded") == "1",
            node.get("outside") == "1",
            self._number(node, "score", where, "1"),
            node.get("source") or "manual",
            self._attributes(node, label),
            int(self._number(node, "group_id", where, "0")),
            int(self._number(node, "z_order", where, "0")),
            self._number(node, "rotation", where, "0"),
            node.get("keyframe", "1") == "1",
            int(node.get("server_id")) if (node.get("server_id") or "").isdigit() else None,
        )

    def track(self, node: Any, places: dict[int, int]) -> Track:
        """What one element follows over images."""
        where = f"track {node.get('id')}"
        label = self._label(node, where, self.labels)
        mutable = {spec.name for spec in label.attributes if spec.mutable}
        source = node.get("source") or "manual"
        fixed: Attributes = ()
        shapes: list[Shape] = []
        for item in node:
            frame = _whole(self, item, "frame")
            if frame not in places:
                raise InputError(f"{self.file}: {where}: frame {frame} is not among the {len(places)} images")
            kind = "rectangle" if item.tag == "box" else item.tag
            shape = self._shape(item, kind, label, places[frame], where)
            fixed = fixed or tuple(pair for pair in shape.attributes if pair[0] not in mutable)
            changing = tuple(pair for pair in shape.attributes if pair[0] in mutable)
            shapes.append(replace(shape, source=source, attributes=changing))
        if not shapes:
            raise InputError(f"{self.file}: {where}: has no shape; remove it, or give it one")
        shapes.sort(key=lambda shape: shape.frame)
        number = int(node.get("server_id")) if (node.get("server_id") or "").isdigit() else None
        return Track(label.name, tuple(shapes), source, fixed, int(self._number(node, "group_id", where, "0")), number)

    def _label(self, node: Any, where: str, known: dict[str, LabelSpec]) -> LabelSpec:
        name = node.get("label") or ""
        if not name:
            raise InputError(f"{self.file}: {where}: a <{node.tag}> has no label; give it one")
        if known and name not in known:
            listed = ", ".join(known)
            raise InputError(
                f"{self.file}: {where}: label '{name}' is not listed{nearest(name, known)}; it has {listed}"
            )
        return known.get(name) or LabelSpec(name)

    def _attributes(self, node: Any, label: LabelSpec) -> Attributes:
        values = {item.get("name", ""): item.text or "" for item in node.iterfind("attribute")}
        order = [spec.name for spec in label.attributes if spec.name in values]
        return tuple((name, values[name]) for name in dict.fromkeys([*order, *values]))

    def _points(self, node: Any, kind: str, where: str) -> tuple[float, ...]:
        if kind in ("skeleton", "tag"):
            return ()
        if kind == "rectangle":
            return tuple(self._number(node, key, where) for key in _CORNERS)
        if kind == "cuboid":
            return tuple(self._number(node, key, where) for key in CUBOID)
        if kind == "ellipse":
            x, y, rx, ry = (self._number(node, key, where) for key in ("cx", "cy", "rx", "ry"))
            return (x, y, x + rx, y - ry)
        if kind == "mask":
            left, top, width, height = (self._number(node, key, where) for key in ("left", "top", "width", "height"))
            runs = self._list(node, "rle", node.get("rle", "").split(","), where)
            return (*runs, left, top, left + width - 1, top + height - 1)
        if kind not in ("polygon", "polyline", "points"):
            raise InputError(f"{self.file}: {where}: <{node.tag}> is no shape of CVAT 1.1")
        return self._list(node, "points", re.split("[;,]", node.get("points", "")), where)

    def _list(self, node: Any, key: str, texts: Sequence[str], where: str) -> tuple[float, ...]:
        try:
            values = tuple(float(text) for text in texts)
        except ValueError:
            values = ()
        if not values or (key == "points" and len(values) % 2):
            raise InputError(
                f"{self.file}: {where}: {key}='{node.get(key, '')[:40]}' of a <{node.tag}> must be numbers"
            )
        return values

    def _number(self, node: Any, key: str, where: str, usual: str | None = None) -> float:
        text = node.get(key, usual)
        try:
            return float(text)
        except (TypeError, ValueError):
            said = "is missing" if text is None else f"'{text}' is no number"
            raise InputError(f"{self.file}: {where}: {key} of a <{node.tag}> {said}") from None


def _parsed(file: Path) -> Any:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    try:
        root = parse(file, forbid_dtd=True).getroot()
    except DefusedXmlException as error:
        raise InputError(
            f"{file}: defines entities or a document type ({type(error).__name__}), which no file of CVAT does; refused"
        ) from error
    except (ParseError, UnicodeDecodeError, LookupError, ValueError) as error:
        raise InputError(f"{file}: not XML ({error}); give annotations.xml of CVAT 1.1") from error
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); give annotations.xml of CVAT 1.1") from error
    if root.tag != "annotations":
        raise InputError(f"{file}: begins with <{root.tag}>, not with <annotations> as XML of CVAT 1.1")
    return root


def _labels(file: Path, about: Any) -> tuple[LabelSpec, ...]:
    """The labels, parts put into their skeletons: in the file they stand side by side."""
    whole: dict[str, tuple[LabelSpec, str]] = {}
    parts: dict[str, list[LabelSpec]] = {}
    for node in about.iterfind("labels/label"):
        name = node.findtext("name") or ""
        if not name:
            raise InputError(f"{file}: a label has no name")
        kind = (node.findtext("type") or "any").strip()
        attributes = tuple(_attribute(item) for item in node.iterfind("attributes/attribute"))
        label = LabelSpec(name, kind, (node.findtext("color") or "").strip(), attributes)
        parent = node.findtext("parent")
        if parent:
            parts.setdefault(parent, []).append(label)
        else:
            whole[name] = label, node.findtext("svg") or ""
    lost = next((parent for parent in parts if parent not in whole), None)
    if lost is not None:
        raise InputError(f"{file}: label {parts[lost][0].name} is part of '{lost}', which is no label")
    return tuple(
        with_drawing(replace(label, parts=tuple(parts.get(name, ()))), drawing, {}) if name in parts else label
        for name, (label, drawing) in whole.items()
    )


def _attribute(node: Any) -> AttributeSpec:
    values = (node.findtext("values") or "").split("\n")
    return AttributeSpec(
        node.findtext("name") or "",
        (node.findtext("input_type") or "text").strip(),
        tuple(value for value in values if value),
        node.findtext("default_value") or "",
        (node.findtext("mutable") or "").strip().lower() == "true",
    )


def _frames(page: _Page, root: Any, about: Any) -> tuple[tuple[TaskFrame, ...], dict[int, int]]:
    """The frames, and for each number that shapes name one by, its place among them."""
    listed = sorted(((_whole(page, image, "id"), image) for image in root.iterfind("image")), key=lambda pair: pair[0])
    followed = {_whole(page, item, "frame") for item in root.iterfind("track/*")}
    numbers = [number for number, _ in listed]
    twice = (
        next((number for number in numbers if numbers.count(number) > 1), None)
        if len(set(numbers)) < len(numbers)
        else None
    )
    if twice is not None:
        raise InputError(f"{page.file}: two images have id {twice}; give each its own")
    if listed and (followed <= set(numbers) or about is None or not about.findtext("source")):
        found = tuple(_listed(page, image) for _, image in listed)
        return found, {number: place for place, number in enumerate(numbers)}
    return _counted(page, about, {*followed, *numbers})


def _listed(page: _Page, image: Any) -> TaskFrame:
    name = image.get("video") or image.get("name") or ""
    if not name:
        raise InputError(f"{page.file}: an image has no name")
    width, height = (int(page._number(image, key, name, "0")) for key in ("width", "height"))
    index = int(page._number(image, "index", name, "0")) if image.get("video") else None
    return TaskFrame(name, width, height, image.get("deleted") == "1", index)


def _counted(page: _Page, about: Any, numbers: set[int]) -> tuple[tuple[TaskFrame, ...], dict[int, int]]:
    """The frames of a video, of which CVAT writes only how many there are."""

    def said(key: str, usual: int) -> int:
        text = (about.findtext(key) or "") if about is not None else ""
        digits = text.rpartition("=")[2].strip()
        return int(digits) if digits.isdigit() else usual

    start, step = said("start_frame", 0), said("frame_filter", 1)
    size = max(said("size", 0), (max(numbers, default=start) - start) // step + 1)
    video = (about.findtext("source") or "") if about is not None else ""
    width, height = said("original_size/width", 0), said("original_size/height", 0)
    found = tuple(
        TaskFrame(video or f"frame_{n:06d}", width, height, False, n if video else None)
        for n in range(start, start + size * step, step)
    )
    return found, {start + place * step: place for place in range(size)}


def _whole(page: _Page, node: Any, key: str) -> int:
    return int(page._number(node, key, node.get("name") or f"<{node.tag}>"))
