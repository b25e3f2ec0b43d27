"""Images with HyperPose's target dictionaries as labels of the core."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.compat.hyperpose.anatomy import Converter, as_rows
from vitruve.errors import InputError
from vitruve.formats.coco_masks import read_segmentation, write_segmentation
from vitruve.media.images import image_size
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.mask import Mask
from vitruve.structures.skeleton import Skeleton

Pair = tuple[str, Mapping[str, Any]]
"""Path of an image, and ``kpt``, ``mask`` and ``bbx`` of it."""

BOXES = ("bbx", "bbxs", "bbox", "bboxes")
"""Names under which pages and scripts of HyperPose have the boxes."""

_PICKLE = (b"\x80", b"(dp", b"}q", b"ccopy_reg")


def labels_of(pairs: Iterable[Any], skeleton: Skeleton, parts: int, where: str, convert: Converter | None) -> Labels:
    """Labels of pairs of an image and a target.

    Args:
        pairs: Path and target each; a target is a mapping or JSON.
        skeleton: The keypoints, after conversion.
        parts: How many a person may have when HyperPose's own are counted in.
        where: Names the data set.
        convert: Makes each person's keypoints those of the skeleton; None where they are.

    Returns:
        The images that are there; a warning counts the others.

    Raises:
        InputError: A target is not as it should be, or no image is left.
    """
    frames: list[Frame] = []
    lost: list[str] = []
    for number, pair in enumerate(pairs):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(f"{where}: element {number} is {type(pair).__name__}; expected (image path, target)")
        path = path_of(pair[0])
        if not path.is_file():
            lost.append(str(path))
            continue
        target = read_target(pair[1], f"{where}: {path}")
        if target.get("labeled", 1):
            frames.append(_frame(path, target, skeleton, parts, f"{where}: {path}", convert))
    if lost:
        warnings.warn(f"{where}: {len(lost)} images are not there (first: {lost[0]}) and are left out", stacklevel=2)
    if not frames:
        raise InputError(f"{where}: no image with a target is left; check its paths and Config.set_dataset_filter")
    return Labels(skeleton, tuple(frames), Path(), ("person",), scorer="hyperpose")


def path_of(value: Any) -> Path:
    """A path given as text, bytes, a path, or a tensor of one of these."""
    plain = value.numpy() if hasattr(value, "numpy") else value
    return Path(plain.decode() if isinstance(plain, bytes) else str(plain))


def read_target(value: Any, where: str) -> Mapping[str, Any]:
    """A target as a mapping.

    Args:
        value: A mapping, or JSON as text or bytes.
        where: Names the image.

    Returns:
        The mapping, which has ``kpt``.

    Raises:
        InputError: It is something else, such as a pickle.
    """
    plain = value.numpy() if hasattr(value, "numpy") and not isinstance(value, Mapping) else value
    if isinstance(plain, bytes) and plain.startswith(_PICKLE):
        raise InputError(
            f"{where}: its target is a Python pickle, which can run any code when it is read; yield the dict itself, "
            "or json.dumps(dict)"
        )
    if isinstance(plain, (str, bytes)):
        try:
            plain = json.loads(plain)
        except ValueError as error:
            raise InputError(f"{where}: its target is neither a dict nor JSON ({error})") from error
    if not isinstance(plain, Mapping) or "kpt" not in plain:
        there = ", ".join(map(str, plain)) if isinstance(plain, Mapping) else type(plain).__name__
        raise InputError(f"{where}: its target has no 'kpt' (but {there}); expected kpt, mask and bbx")
    return plain


def converted(people: Iterable[Any], convert: Converter | None, where: str) -> list[np.ndarray]:
    """Each person's keypoints as ``x, y, v``, made those of the model by ``convert`` unless it is None.

    Args:
        people: In any form that :func:`as_rows` takes.
        convert: Takes ``(J, 2)`` or ``(J, 3)``, or None.
        where: Names the image.

    Returns:
        ``(K, 3)`` of each.

    Raises:
        InputError: Somebody's cannot be converted.
    """
    rows = []
    for number, person in enumerate(people):
        try:
            rows.append(as_rows(person if convert is None else convert(np.asarray(person, np.float64))))
        except (ValueError, TypeError, IndexError) as error:
            raise InputError(f"{where}: person {number}: {error}") from error
    return rows


def _frame(
    path: Path, target: Mapping[str, Any], skeleton: Skeleton, parts: int, where: str, convert: Converter | None
) -> Frame:
    size = image_size(path)
    rows = []
    for number, row in enumerate(converted(target["kpt"], convert, where)):
        if len(row) not in (len(skeleton), parts):
            raise InputError(
                f"{where}: person {number} has {len(row)} keypoints after conversion, but the model learns "
                f"{len(skeleton)}; give get_input_kpt_cvter, or Config.set_custom_parts"
            )
        rows.append(row[: len(skeleton)])
    values = np.array(rows).reshape(1, len(rows), len(skeleton), 3)
    there = values[..., 2] > 0
    people = Instances(
        np.where(there[..., None], values[..., :2], np.nan),
        np.where(there, np.clip(values[..., 2], 1, 2), 0).astype(np.int8),
        boxes=_boxes(target, len(rows), where),
    )
    mask = read_mask(target.get("mask"), size, where)
    image = ImageRef(path.resolve(), size=size)
    return Frame((image,), people, split="train", ignore=() if mask is None else (mask,))


def _boxes(target: Mapping[str, Any], count: int, where: str) -> np.ndarray:
    given = next((target[name] for name in BOXES if target.get(name) is not None), None)
    if given is None or not count:
        return np.full((1, count, 4), np.nan)
    try:
        values = np.array(given, np.float64).reshape(-1, 4)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: 'bbx' must be [x, y, w, h] of each person ({error})") from error
    if len(values) != count:
        raise InputError(f"{where}: {len(values)} boxes in 'bbx' for {count} people in 'kpt'; give one each")
    return np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], 1)[None]


def read_mask(value: Any, size: tuple[int, int], where: str) -> Mask | None:
    """What is to be ignored in an image.

    Args:
        value: COCO's polygons or run lengths of unlabelled people, a list of such, a :class:`Mask`, an array that is
            true there, or None.
        size: Width and height of the image.
        where: Names it.

    Returns:
        The mask, or None.

    Raises:
        InputError: It is none of these.
    """
    if value is None or isinstance(value, Mask):
        return value
    if isinstance(value, np.ndarray) and value.dtype != object and value.ndim >= 2:
        inside = value.reshape(value.shape[-2:]) if value.shape[0] == 1 else value
        if inside.shape != size[::-1]:
            raise InputError(f"{where}: 'mask' is {value.shape}; expected height and width {size[::-1]}")
        return Mask.from_array(inside.astype(bool))
    if isinstance(value, Sequence) and not isinstance(value, str) and any(not _is_polygon(each) for each in value):
        masks = [read_mask(each, size, where) for each in value]
        known = [mask for mask in masks if mask is not None]
        return Mask.union(known) if known else None
    return read_segmentation(f"{where}: mask", list(value) if isinstance(value, tuple) else value, size)


def _is_polygon(value: Any) -> bool:
    return isinstance(value, Sequence) and all(isinstance(each, (int, float)) for each in value)


def target_of(frame: Frame) -> dict[str, Any]:
    """A frame as HyperPose's dictionary.

    Args:
        frame: One view.

    Returns:
        ``kpt`` (lists of ``[x, y, v]``), ``mask`` (run lengths of what is to be ignored, or None), and boxes ``[x, y,
        w, h]`` as ``bbx`` and ``bbxs``, around the keypoints where none is known.
    """
    people = frame.instances[0]
    if people.crowds is not None:
        people = people[~people.crowds]
    people = people[(people.visible > 0).any(-1)]
    seen = np.where(np.isfinite(people.keypoints).all(-1), people.visible, 0)
    points = np.where((seen > 0)[..., None], people.keypoints, np.nan)
    boxes = np.zeros((0, 4))
    if len(points):
        boxes = np.concatenate([np.nanmin(points, 1), np.nanmax(points, 1)], -1)
        if people.boxes is not None:
            boxes = np.where(np.isfinite(people.boxes), people.boxes, boxes)
    sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).tolist()
    mask = frame.ignore[0] if frame.ignore else None
    return {
        "kpt": np.concatenate([np.nan_to_num(points), seen[..., None]], -1).tolist(),
        "mask": None if mask is None else write_segmentation(mask),
        "bbx": sides,
        "bbxs": sides,
    }


def bare_labels(pairs: Iterable[Any], skeleton: Skeleton, where: str) -> Labels:
    """Images of which nothing is known but a number.

    Args:
        pairs: Path and number of each.
        skeleton: What is to be found in them.
        where: Names the data set.

    Returns:
        The images that are there, with their numbers where they are whole.

    Raises:
        InputError: None is left.
    """
    frames = []
    for element, pair in enumerate(pairs):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(f"{where}: element {element} is {type(pair).__name__}; expected (image path, number)")
        file, number = path_of(pair[0]), pair[1]
        if file.is_file():
            plain = number.numpy() if hasattr(number, "numpy") else number
            plain = plain.decode() if isinstance(plain, bytes) else plain
            whole = str(plain).lstrip("-").isdigit()
            image = ImageRef(file.resolve(), size=image_size(file))
            people = Instances.empty(len(skeleton))
            frame = Frame((image,), people, session=str(plain), id=int(plain) if whole else None)
            frames.append(frame)
    if not frames:
        raise InputError(f"{where}: no image is left; check its paths and Config.set_dataset_filter")
    return Labels(skeleton, tuple(frames), Path(), ("person",), scorer="hyperpose")


def trained_and_watched(labels: Labels, watched: int) -> Labels:
    """The same frames, some of them once more to measure the loss on.

    Args:
        labels: All of the split ``train``.
        watched: How many.

    Returns:
        The frames, and the first of them as ``validation``.
    """
    again = tuple(replace(frame, split="validation") for frame in labels.frames[:watched])
    return replace(labels, frames=(*labels.frames, *again))
