"""Writes COCO's json of keypoints."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.coco_masks import box_region, mask_box, write_segmentation
from vitruve.media.images import image_size
from vitruve.structures.instances import VISIBLE, Instances
from vitruve.structures.labels import Frame, Labels
from vitruve.structures.mask import Mask

FILE_NAME = "annotations.json"
SPLITS = {name: name for name in ("train", "validation", "test", "unused")} | {"val": "validation"}
"""What an image's ``split``, a key of our own, may be, and the split that it means."""

# Boxes are rounded: a segmentation may reach beyond its own by a pixel.
_RIM = np.array([-1.0, -1.0, 1.0, 1.0])


def write_file(labels: Labels, path: Path) -> None:
    """Write labels or predictions; image names are written as they are.

    Beside COCO's keys, an annotation has ``track_id``, ``bbox_head``, ``score`` and ``keypoint_scores``, and an image
    ``split`` and ``frame`` (its number in a video), where the labels know them. A box that is not known is that around
    the keypoints, an area that of the box. Segmentations are those of ``Frame.ignore`` alone.

    Args:
        labels: One view, at least one frame.
        path: The file.

    Raises:
        InputError: There are several views or no frame.
    """
    content = coco_content(labels, path)
    atomic_write(path, json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n")


def coco_content(labels: Labels, path: Path) -> dict[str, Any]:
    """What :func:`write_file` writes.

    Args:
        labels: One view, at least one frame.
        path: The file, for messages.

    Returns:
        Images, annotations and categories.

    Raises:
        InputError: There are several views or no frame.
    """
    if not labels.frames:
        raise InputError(f"{path}: these labels hold no frame; at least one is needed")
    if len(labels[0].images) > 1:
        raise InputError(f"{path}: coco holds one view, not {len(labels[0].images)}; write one file a view")
    numbers = frame_ids(labels)
    annotations: list[dict[str, Any]] = []
    for frame, number in zip(labels, numbers, strict=True):
        annotations += _annotations(frame, number)
    _number(annotations)
    return {
        "images": [_image(labels, frame, number) for frame, number in zip(labels, numbers, strict=True)],
        "annotations": annotations,
        "categories": [
            {
                "id": number,
                "name": name,
                "supercategory": name,
                "keypoints": list(labels.skeleton.names),
                "skeleton": [[a + 1, b + 1] for a, b in labels.skeleton.edges],
            }
            for number, name in enumerate(labels.categories, 1)
        ],
    }


def _number(annotations: list[dict[str, Any]]) -> None:
    """Give those a number that have none, or all where two have the same, as after merging."""
    given = [entry["id"] for entry in annotations if entry["id"] >= 0]
    alike = len(set(given)) < len(given)
    free = itertools.count(1 if alike else max(given, default=0) + 1)
    for entry in annotations:
        if alike or entry["id"] < 0:
            entry["id"] = next(free)


def frame_ids(labels: Labels) -> list[int]:
    """A number an image: those of their file where all frames have one, none of them twice; else 1, 2, 3."""
    given = [frame.id for frame in labels if frame.id is not None]
    return given if len(set(given)) == len(labels) else list(range(1, len(labels) + 1))


def whole_or_not(values: np.ndarray) -> list[int | float]:
    """Plain numbers, those without a fraction as whole numbers, as COCO writes them."""
    return [int(value) if value.is_integer() else value for value in map(float, values)]


def _image(labels: Labels, frame: Frame, number: int) -> dict[str, Any]:
    image = frame.first_image
    entry: dict[str, Any] = {"id": number, "file_name": image.path.as_posix()}
    size = image.size
    if size is None and image.index is None and labels.path(image).is_file():
        size = image_size(labels.path(image))
    if size is not None:
        entry |= {"width": size[0], "height": size[1]}
    if image.index is not None:
        entry["frame"] = image.index
    if frame.split is not None:
        entry["split"] = frame.split
    return entry


def _annotations(frame: Frame, image_id: int) -> list[dict[str, Any]]:
    people = frame.instances[0]
    mask = frame.ignore[0] if frame.ignore else None
    there = np.asarray(people.present)
    if people.crowds is not None:
        there = there | people.crowds
    entries = [_annotation(people, n, image_id, mask) for n in np.flatnonzero(there).tolist()]
    rest = None if mask is None else _without(mask, [entry["bbox"] for entry in entries if "segmentation" in entry])
    if rest is not None:
        box = mask_box(rest)
        entries.append(
            {
                "id": -1,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 1,
                "bbox": corner_and_size(box),
                "area": rest.area,
                "num_keypoints": 0,
                "keypoints": [0] * (3 * people.num_keypoints),
                "segmentation": write_segmentation(rest),
            }
        )
    return entries


def _annotation(people: Instances, n: int, image_id: int, ignored: Mask | None) -> dict[str, Any]:
    points, seen = people.keypoints[n], np.clip(people.visible[n], 0, VISIBLE)
    seen = np.where(np.isfinite(points).all(-1), seen, 0)
    points = np.where((seen > 0)[:, None], points, 0)
    crowd = people.crowds is not None and bool(people.crowds[n])
    box = _known(people.boxes, n)
    if box is None and seen.any():
        box = np.concatenate([points[seen > 0].min(0), points[seen > 0].max(0)])
    if box is None:
        box = np.zeros(4) if ignored is None else np.nan_to_num(mask_box(ignored))
    box = np.asarray(box, np.float64)
    area = _known(people.areas, n)
    entry: dict[str, Any] = {
        "id": -1 if people.ids is None else int(people.ids[n]),
        "image_id": image_id,
        "category_id": 1 if people.categories is None else max(0, int(people.categories[n])) + 1,
        "iscrowd": int(crowd),
        "bbox": corner_and_size(box),
        "area": whole_or_not(np.array([(box[2] - box[0]) * (box[3] - box[1]) if area is None else area]))[0],
        "num_keypoints": int((seen > 0).sum()),
        "keypoints": whole_or_not(np.concatenate([points, seen[:, None]], 1).ravel()),
    }
    if ignored is not None and (crowd or not seen.any()):
        entry["segmentation"] = write_segmentation(ignored & box_region(box[None] + _RIM, ignored.size))
    if people.tracks is not None and people.tracks[n] >= 0:
        entry["track_id"] = int(people.tracks[n])
    head, score = _known(people.head_boxes, n), _known(people.scores, n)
    if head is not None:
        entry["bbox_head"] = corner_and_size(head)
    if score is not None:
        entry["score"] = float(score)
    if people.keypoint_scores is not None:
        entry["keypoint_scores"] = [float(s) if np.isfinite(s) else None for s in people.keypoint_scores[n]]
    return entry


def _known(values: np.ndarray | None, n: int) -> np.ndarray | None:
    """One instance's value, None where it is not known."""
    return values[n] if values is not None and np.isfinite(values[n]).all() else None


def corner_and_size(box: Float[np.ndarray, " 4"]) -> list[int | float]:
    """Edges ``x1 y1 x2 y2`` as COCO's x, y, width and height."""
    return whole_or_not(np.concatenate([box[:2], box[2:] - box[:2]]))


def _without(mask: Mask, boxes: Sequence[Sequence[float]]) -> Mask | None:
    """The part of a mask that no box covers, if there is any."""
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    rest = mask & ~box_region(corners + _RIM, mask.size)
    return rest if rest.area else None
