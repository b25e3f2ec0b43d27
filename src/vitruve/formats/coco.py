"""COCO's json of keypoints: any number of people, crowds, boxes, areas, and what is to be ignored.

Coordinates are taken as they are. COCO's evaluation compares boxes with keypoints without a shift, and so does ours.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from vitruve.errors import InputError
from vitruve.formats import coco_writer
from vitruve.formats.coco_masks import box_region, check_segmentation, read_segmentation, segmentation_box
from vitruve.formats.coco_writer import FILE_NAME, SPLITS
from vitruve.formats.image_layout import image_folder, name_below, split_of
from vitruve.formats.json_file import read_json
from vitruve.formats.json_outline import json_outline
from vitruve.formats.notes import LabelsWarning
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.mask import Mask
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import recognised

NAME = "coco"
DESCRIPTION = "COCO json of keypoints: several instances and categories, crowds, boxes, areas, scores"
SUFFIXES = (".json",)
KEEPS = frozenset(
    {"fractions", "occluded", "keypoint scores", "instance scores", "boxes", "tracks", "instances", "splits", "videos"}
    | {"categories", "edges", "crowds", "areas", "head boxes", "ignored parts"}
)
_YEAR = re.compile(r"\d{4}")


def sniff(path: Path) -> bool:
    """Whether a path is a COCO file, or a folder as COCO's archives unpack to.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    if path.is_dir():
        return bool(annotation_files(path))
    content = json_outline(path)
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        return False
    categories = content.get("categories")
    if not isinstance(categories, list) or not isinstance(content.get("annotations", []), list):
        return False
    # JARVIS counts the keypoints of a category where COCO names them.
    return not any(isinstance(each, dict) and "num_keypoints" in each for each in categories)


def annotation_files(folder: Path) -> list[Path]:
    """The COCO files of a folder.

    Args:
        folder: Holds ``annotations.json``, or ``annotations/person_keypoints_<set>.json`` of one version.

    Returns:
        The files.
    """
    own = folder / FILE_NAME
    return [own] if own.is_file() else sorted((folder / "annotations").glob("person_keypoints_*.json"))


def read(path: Path, *, root: Path | None = None) -> Labels:
    """The images of a file with all their instances.

    An instance without any keypoint, and a crowd, are instances whose keypoints are missing; what they cover is the
    frame's ``ignore``. Categories may have different keypoints: the skeleton has them all, those of one name once.

    Args:
        path: The file, or a folder of ``annotations/``, ``train2017/`` and so on.
        root: The folder that image names start from; by default that of the file, or the one above ``annotations/``.
            Images are looked for there, in ``images/`` and in COCO's own folders.

    Returns:
        The labels, with the file's numbers as :attr:`Frame.id` and :attr:`Instances.ids`. Splits are those that the
        file gives, or those that COCO's file names say.

    Raises:
        InputError: Something in it is not as it should be; the message names the annotation.
    """
    files = annotation_files(path) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no {FILE_NAME} or annotations/person_keypoints_*.json in this folder; name the file")
    if len({year.group() if (year := _YEAR.search(file.stem)) else "" for file in files}) > 1:
        names = ", ".join(file.name for file in files)
        raise InputError(f"{path}: holds several versions of COCO ({names}), which share images; name one file")
    home = path if path.is_dir() else path.parent.parent if path.parent.name == "annotations" else path.parent
    start = home if root is None else root
    parts = [_File(file) for file in files]
    first = parts[0]
    for part in parts[1:]:
        if (part.names, part.categories) != (first.names, first.categories):
            raise InputError(f"{part.file}: its categories differ from those of {first.file}; name one of the files")
    frames = [frame for part in parts for frame in part.frames(start)]
    if not frames:
        raise InputError(f"{path}: holds no image; images is empty")
    return Labels(first.skeleton(), tuple(frames), start, first.categories or ("object",), scorer="coco")


def write(labels: Labels, path: Path) -> None:
    """Write a file, or ``annotations.json`` in a folder; see :func:`vitruve.formats.coco_writer.write_file`."""
    coco_writer.write_file(labels, path if path.suffix.lower() in SUFFIXES else path / FILE_NAME)


@dataclass
class _File:
    """One file, checked as far as all its frames need it."""

    file: Path
    images: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    annotations: dict[int, list[Mapping[str, Any]]] = field(default_factory=dict)
    places: dict[int, np.ndarray] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    categories: tuple[str, ...] = ()
    boxed: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        content = read_json(self.file)
        entries = {key: content.get(key, []) for key in ("images", "annotations", "categories")}
        for key, value in entries.items():
            if key not in content and key != "annotations":
                raise InputError(f"{self.file}: {key}: is missing; give a COCO file of keypoints")
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                raise InputError(f"{self.file}: {key}: must be a list of entries; give a COCO file of keypoints")
        self._read_categories(entries["categories"])
        for number, image in enumerate(entries["images"]):
            where = f"{self.file}: images[{number}]"
            if not _is_number(image.get("id")) or not isinstance(image.get("file_name"), str):
                raise InputError(f"{where}: must have a whole number as id, and a file_name")
            if image["id"] in self.images:
                raise InputError(f"{where}: id {image['id']} is that of another image, too; give each its own")
            self.images[image["id"]] = image
        self._sort_annotations(entries["annotations"])

    def skeleton(self) -> Skeleton:
        """Names and edges of the file; sigmas and so on where they are a known skeleton's."""
        known = recognised(self.names)
        edges = self.edges or (() if known is None else known.edges)
        if known is None:
            return Skeleton.from_names(self.names, edges)
        return Skeleton(known.names, edges, known.swaps, known.sigmas, known.colors, known.derived)

    def _read_categories(self, entries: Sequence[Mapping[str, Any]]) -> None:
        place: dict[str, int] = {}
        edges: dict[tuple[int, int], None] = {}
        for number, category in enumerate(entries):
            where = f"{self.file}: categories[{number}]"
            if not _is_number(category.get("id")) or category["id"] in self.numbers:
                raise InputError(f"{where}: id: must be a whole number of its own")
            names = category.get("keypoints") or []
            if not isinstance(names, list) or len(set(map(str, names))) < len(names):
                raise InputError(f"{where}: keypoints: must list the names of the keypoints, each once")
            own = [place.setdefault(str(name), len(place)) for name in names]
            for pair in category.get("skeleton") or []:
                if not isinstance(pair, list) or len(pair) != 2 or not all(i in range(1, len(own) + 1) for i in pair):
                    raise InputError(f"{where}: skeleton: {pair} must be two keypoints, counted from 1 to {len(own)}")
                edges[own[pair[0] - 1], own[pair[1] - 1]] = None
            self.numbers[category["id"]] = number
            self.places[category["id"]] = np.array(own, np.int64)
        self.names, self.edges = tuple(place), tuple(edges)
        self.categories = tuple(str(category.get("name") or "object") for category in entries)

    def _where(self, number: int, entry: Mapping[str, Any]) -> str:
        return f"{self.file}: annotations[{number}] (id {entry.get('id')})"

    def _sort_annotations(self, entries: Sequence[Mapping[str, Any]]) -> None:
        seen: set[int] = set()
        for number, entry in enumerate(entries):
            where = self._where(number, entry)
            if not _is_number(entry.get("image_id")) or entry["image_id"] not in self.images:
                raise InputError(
                    f"{where}.image_id: {entry.get('image_id')} is the id of no image; list that image, or remove the "
                    "annotation"
                )
            if not _is_number(entry.get("category_id")) or entry["category_id"] not in self.numbers:
                raise InputError(f"{where}.category_id: {entry.get('category_id')} is the id of no category")
            if _is_number(entry.get("id")):
                if entry["id"] in seen:
                    raise InputError(f"{where}: its id is that of another annotation, too; give each its own")
                seen.add(entry["id"])
            # CVAT keeps what COCO has no place for in attributes.
            extra = entry["attributes"] if isinstance(entry.get("attributes"), dict) else {}
            tracked = {"track_id": extra["track_id"]} if "track_id" in extra else {}
            self.annotations.setdefault(entry["image_id"], []).append({**tracked, **entry, "where": where})

    def frames(self, start: Path) -> list[Frame]:
        """Every image as a frame."""
        folder = image_folder(self.file, [image["file_name"] for image in self.images.values()], start)
        usual = split_of(self.file)
        has = {
            key: any(key in entry for entries in self.annotations.values() for entry in entries) for key in _OPTIONAL
        }
        found = []
        for number, image in self.images.items():
            entries = self.annotations.get(number, [])
            path = name_below(folder, image["file_name"], start)
            index = image.get("frame")
            size = _size(image)
            people = self._instances(entries, has)
            ignore = self._ignored(entries, ~(people.visible[0] > 0).any(-1), size) if self.names else None
            session = path.stem if index is not None else Path(image["file_name"].replace("\\", "/")).parent.name
            found.append(
                Frame(
                    (ImageRef(path, index if _is_number(index) else None, size),),
                    people,
                    session,
                    self._split(image, usual),
                    ignore=() if ignore is None else (ignore,),
                    id=number,
                )
            )
        if self.boxed:
            warnings.warn(
                f"{self.file}: {len(self.boxed)} crowds or instances without keypoints have no segmentation (first: "
                f"{self.boxed[0]}); their boxes are ignored instead",
                LabelsWarning,
                stacklevel=2,
            )
        if self.unread:
            warnings.warn(
                f"{self.unread[0]}; instances with keypoints are learned without their segmentation, of which "
                f"{len(self.unread)} in this file are wrong",
                LabelsWarning,
                stacklevel=2,
            )
        return found

    def _split(self, image: Mapping[str, Any], usual: str | None) -> str | None:
        given = image.get("split")
        if given is None:
            return usual
        if given not in SPLITS:
            raise InputError(f"{self.file}: image {image['id']}: split: '{given}'; must be one of {', '.join(SPLITS)}")
        return SPLITS[given]

    def _instances(self, entries: Sequence[Mapping[str, Any]], has: Mapping[str, bool]) -> Instances:
        count, joints = len(entries), len(self.names)
        keypoints = np.full((1, count, joints, 2), np.nan)
        visible = np.zeros((1, count, joints), np.int8)
        likelihood = np.full((1, count, joints), np.nan)
        boxes, heads = np.full((2, 1, count, 4), np.nan)
        scores, areas = np.full((2, 1, count), np.nan)
        crowds = np.zeros((1, count), bool)
        tracks, ids, categories = np.full((3, 1, count), -1, np.int64)
        for row, entry in enumerate(entries):
            places = self.places[entry["category_id"]]
            crowds[0, row] = bool(entry.get("iscrowd"))
            if not crowds[0, row] and entry.get("keypoints") is not None and len(places):
                values = _keypoints(entry, [self.names[place] for place in places])
                visible[0, row, places] = values[:, 2]
                keypoints[0, row, places] = np.where(values[:, 2:] > 0, values[:, :2], np.nan)
                if entry.get("keypoint_scores") is not None:
                    likelihood[0, row, places] = _numbers(entry, "keypoint_scores", len(places))
            boxes[0, row], heads[0, row] = _box(entry, "bbox"), _box(entry, "bbox_head")
            if not entry.get("bbox") and not visible[0, row].any():
                boxes[0, row] = segmentation_box(entry["where"], entry.get("segmentation"))
            areas[0, row], scores[0, row] = (_number(entry, key) for key in ("area", "score"))
            categories[0, row] = self.numbers[entry["category_id"]]
            for array, key in ((tracks, "track_id"), (ids, "id")):
                array[0, row] = entry[key] if _is_number(entry.get(key)) else -1
        given = {
            "keypoint_scores": likelihood,
            "score": scores,
            "bbox": boxes,
            "track_id": tracks,
            "area": areas,
            "bbox_head": heads,
            "iscrowd": crowds,
            "id": ids,
        }
        known = {**has, "bbox": has["bbox"] or bool(np.isfinite(boxes).any())}
        arrays = {_OPTIONAL[key]: array for key, array in given.items() if known[key]}
        return Instances(keypoints, visible, categories=categories, **arrays)

    def _ignored(
        self, entries: Sequence[Mapping[str, Any]], bare: np.ndarray, size: tuple[int, int] | None
    ) -> Mask | None:
        """What is covered by crowds and by instances of which no keypoint is known, which are the ``bare`` ones."""
        masks = []
        for entry, alone in zip(entries, bare, strict=True):
            where = entry["where"]
            if not alone:
                if size is not None:
                    self._check(where, entry.get("segmentation"), size)
                continue
            if size is None:
                raise InputError(f"{where}: its image {entry['image_id']} has no width and height; its mask needs them")
            mask = read_segmentation(where, entry.get("segmentation"), size)
            if mask is None:
                box = _box(entry, "bbox")
                if np.isnan(box).any():
                    raise InputError(f"{where}: has no keypoints, no segmentation and no bbox; give one, or remove it")
                mask = box_region(box[None], size)
                self.boxed.append(f"annotation {entry.get('id')}")
            masks.append(mask)
        return Mask.union(masks) if masks else None

    def _check(self, where: str, segmentation: Any, size: tuple[int, int]) -> None:
        """Remember a mask that is wrong but not needed."""
        try:
            check_segmentation(where, segmentation, size)
        except InputError as error:
            self.unread.append(str(error))


_OPTIONAL = {
    "keypoint_scores": "keypoint_scores",
    "score": "scores",
    "bbox": "boxes",
    "track_id": "tracks",
    "area": "areas",
    "bbox_head": "head_boxes",
    "iscrowd": "crowds",
    "id": "ids",
}
"""Keys of annotations and the arrays that they fill, where any annotation has them."""


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = (side if _is_number(side) and side > 0 else 0 for side in (image.get("width"), image.get("height")))
    return (width, height) if width and height else None


def _numbers(entry: Mapping[str, Any], key: str, count: int) -> np.ndarray:
    try:
        values = np.array([np.nan if value is None else value for value in entry[key]], np.float64)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != (count,):
        given = len(entry[key]) if isinstance(entry[key], list) else "no"
        raise InputError(f"{entry['where']}.{key}: {given} numbers; expected {count}")
    return values


def _keypoints(entry: Mapping[str, Any], names: Sequence[str]) -> np.ndarray:
    given, count = entry["keypoints"], 3 * len(names)
    if not isinstance(given, list) or len(given) != count:
        number = len(given) if isinstance(given, list) else "no"
        raise InputError(
            f"{entry['where']}.keypoints: {number} numbers; expected {count}: x, y and visibility of each of the "
            f"{len(names)} keypoints of its category"
        )
    values = _numbers(entry, "keypoints", count).reshape(-1, 3)
    strange = ~np.isin(values[:, 2], (0, 1, 2))
    nowhere = ~np.isfinite(values[:, :2]).all(-1) & (values[:, 2] > 0)
    for name, (x, y, seen) in zip(np.array(names)[strange | nowhere], values[strange | nowhere], strict=True):
        if seen not in (0, 1, 2):
            raise InputError(f"{entry['where']}.keypoints: visibility of '{name}' is {seen:g}; must be 0, 1 or 2")
        raise InputError(
            f"{entry['where']}.keypoints: '{name}' is at ({x:g}, {y:g}); write 0, 0, 0 where it is not labelled"
        )
    return values


def _box(entry: Mapping[str, Any], key: str) -> np.ndarray:
    if not entry.get(key):
        return np.full(4, np.nan)
    x, y, width, height = values = _numbers(entry, key, 4)
    if not np.isfinite(values).all() or width < 0 or height < 0:
        raise InputError(f"{entry['where']}.{key}: {entry[key]}; must be x, y, width and height, finite, sizes above 0")
    return np.array([x, y, x + width, y + height])


def _number(entry: Mapping[str, Any], key: str) -> float:
    value = entry.get(key)
    if value is None:
        return float("nan")
    if not isinstance(value, (int, float)) or not np.isfinite(value):
        raise InputError(f"{entry['where']}.{key}: {value}; must be a finite number")
    return float(value)
