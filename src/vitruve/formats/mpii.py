"""MPII Human Pose's own file, ``mpii_human_pose_v1_u12_1.mat`` (Andriluka et al. 2014).

Its structs differ from image to image: fields are absent or empty, visibility is a number, a text or nothing, and
coordinates count from 1. Test images have people without joints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from vitruve.errors import InputError
from vitruve.formats.image_layout import image_folder, name_below
from vitruve.formats.mat_file import is_matlab, read_mat, variable_names
from vitruve.formats.text_file import read_text
from vitruve.geometry.polygon import box_mask
from vitruve.media.images import image_size
from vitruve.structures.instances import OCCLUDED, VISIBLE, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.mask import Mask
from vitruve.structures.skeletons import known_skeleton

NAME = "mpii"
DESCRIPTION = "MPII Human Pose .mat: several people, head boxes, split; read only"
SUFFIXES = (".mat",)
KEEPS: frozenset[str] = frozenset()
RELEASE = "RELEASE"
"""The variable that MPII's file holds."""
SKELETON = known_skeleton("mpii16")
VALIDATION_IMAGES = 3000
"""HyperPose validates on so many, the first ones with joints; of a small part of the data set, on the first fifth."""
VALIDATION_LISTS = ("split_val.json", "valid.json", "validation.txt")
"""Files beside it that name the validation images instead."""
FIRST_PIXEL = 1.0
"""The number of the first pixel."""
SCALE = 200.0
"""A person's height in pixels is its scale times this."""


@dataclass(frozen=True, eq=False)
class Person:
    """One person of MPII.

    Attributes:
        joints: ``(16, 2)`` in pixels counted from 0, NaN where missing.
        visible: ``(16,)`` 0 unlabelled, 1 occluded, 2 visible.
        head: Edges ``x1 y1 x2 y2`` of the head's rectangle, or None.
        scale: Height of the person in units of 200 pixels, or None.
        center: Roughly the middle of the person, or None.
        separated: It is one of those that stand apart from all others.
    """

    joints: Float[np.ndarray, "16 2"]
    visible: Int[np.ndarray, " 16"]
    head: Float[np.ndarray, " 4"] | None
    scale: float | None
    center: Float[np.ndarray, " 2"] | None
    separated: bool

    @property
    def box(self) -> Float[np.ndarray, " 4"]:
        """Around joints and head; without joints the square that MPII's scale means, NaN where that is not known."""
        points = self.joints[self.visible > 0]
        if len(points):
            corners = points if self.head is None else np.concatenate([points, self.head.reshape(2, 2)])
            return np.concatenate([corners.min(0), corners.max(0)])
        if self.center is not None and self.scale is not None:
            half = self.scale * SCALE / 2
            return np.concatenate([self.center - half, self.center + half])
        return np.full(4, np.nan) if self.head is None else self.head


@dataclass(frozen=True, eq=False)
class Image:
    """One image of MPII.

    Attributes:
        name: Its file name.
        number: Its place in the file, from 0.
        train: It is one of those whose people have joints.
        people: The people in it.
    """

    name: str
    number: int
    train: bool
    people: tuple[Person, ...]


def sniff(path: Path) -> bool:
    """Whether a file is MPII's.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    return is_matlab(path) and RELEASE in variable_names(path)


def read(path: Path, *, root: Path | None = None, single_person: bool = False) -> Labels:
    """The images whose people have joints.

    A person without joints is an instance whose keypoints are missing; its box is the frame's ``ignore`` where the
    image is there. Validation images are those that ``split_val.json``, ``valid.json`` or ``validation.txt`` beside the
    file names (Tompson's list, say), else the first 3000, or the first fifth of fewer than 15000.

    Args:
        path: The file.
        root: The folder that image names start from; that of the file by default. Images are looked for there and in
            ``images/``.
        single_person: Only the people who stand apart from all others; the others are ignored like those without
            joints.

    Returns:
        The labels; boxes are around joints and head.

    Raises:
        InputError: The file is not as it should be; the message names image and person.
    """
    images = [image for image in read_images(path) if image.train and any(p.visible.any() for p in image.people)]
    if not images:
        raise InputError(f"{path}: none of its images has a person with joints; give MPII's file of the training set")
    start = path.parent if root is None else root
    names = [image.name for image in images]
    folder = image_folder(path, names, start)
    validates = _validation(path, names)
    frames = []
    for image in images:
        reference = ImageRef(name_below(folder, image.name, start))
        frame = _frame(image, reference, start, single_person)
        if (frame.instances.visible > 0).any():
            frames.append(replace(frame, split="validation" if image.name in validates else "train"))
    if not frames:
        raise InputError(f"{path}: RELEASE.single_person names nobody with joints; read all people")
    return Labels(SKELETON, tuple(frames), start, ("person",), scorer=NAME)


def read_images(path: Path) -> list[Image]:
    """All images of the file, those for testing too.

    Args:
        path: The file.

    Returns:
        The images in the order of the file.

    Raises:
        InputError: The file is not as it should be; the message names image and person.
    """
    content = read_mat(path, [RELEASE], "MPII's mpii_human_pose_v1_u12_1.mat", records=False)
    release = np.ravel(content.get(RELEASE, ()))
    if not len(release) or any(_field(release[0], name) is None for name in ("annolist", "img_train")):
        raise InputError(f"{path}: holds no RELEASE.annolist; give MPII's mpii_human_pose_v1_u12_1.mat")
    entries, trains = _items(_field(release[0], "annolist")), np.ravel(_field(release[0], "img_train"))
    if len(trains) != len(entries):
        raise InputError(f"{path}: RELEASE.img_train has {len(trains)} entries for {len(entries)} images of annolist")
    lists = [np.ravel(each) for each in np.ravel(getattr(release[0], "single_person", ()))]
    images = []
    for number, (entry, train) in enumerate(zip(entries, trains, strict=True)):
        where = f"{path}: annolist({number + 1})"
        name = _field(_first(_field(entry, "image")), "name")
        if name is None:
            raise InputError(f"{where}.image.name: is missing")
        apart = {int(i) for i in lists[number]} if number < len(lists) else set()
        people = tuple(
            _person(f"{where} ({_text(name)}).annorect({place})", rect, place in apart)
            for place, rect in enumerate(_items(_field(entry, "annorect")), 1)
        )
        images.append(Image(_text(name), number, bool(train), people))
    return images


def _person(where: str, rect: Any, separated: bool) -> Person:
    joints = np.full((len(SKELETON), 2), np.nan)
    visible = np.zeros(len(SKELETON), np.int8)
    for point in _items(_field(_first(_field(rect, "annopoints")), "point")):
        number, x, y = (_number(where, point, name) for name in ("id", "x", "y"))
        if number is None or x is None or y is None:
            continue
        if number not in range(len(SKELETON)):
            raise InputError(f"{where}: joint {number:g}; joints are numbered from 0 to {len(SKELETON) - 1}")
        joints[int(number)] = x - FIRST_PIXEL, y - FIRST_PIXEL
        seen = _number(where, point, "is_visible")
        visible[int(number)] = OCCLUDED if seen == 0 else VISIBLE
    corners = [_number(where, rect, name) for name in ("x1", "y1", "x2", "y2")]
    middle = _first(_field(rect, "objpos"))
    center = [_number(where, middle, name) for name in ("x", "y")]
    return Person(
        joints,
        visible,
        None if None in corners else np.array(corners, np.float64) - FIRST_PIXEL,
        _number(where, rect, "scale"),
        None if None in center else np.array(center, np.float64) - FIRST_PIXEL,
        separated,
    )


def _frame(image: Image, reference: ImageRef, start: Path, single_person: bool) -> Frame:
    people = image.people
    learned = np.array([(p.separated or not single_person) and bool(p.visible.any()) for p in people])
    keypoints = np.array([p.joints for p in people])
    visible = np.array([p.visible for p in people])
    heads = np.array([np.full(4, np.nan) if p.head is None else p.head for p in people])
    boxes = np.array([p.box for p in people])
    instances = Instances(
        np.where(learned[:, None, None], keypoints, np.nan)[None],
        np.where(learned[:, None], visible, 0)[None],
        boxes=boxes[None],
        head_boxes=heads[None],
    )
    ignored = boxes[~learned & np.isfinite(boxes).all(-1)]
    ignore: tuple[Mask, ...] = ()
    if len(ignored) and (start / reference.path).is_file():
        size = image_size(start / reference.path)
        reference = ImageRef(reference.path, size=size)
        ignore = (box_mask(ignored, size),)
    return Frame((reference,), instances, ignore=ignore, id=image.number)


def _validation(path: Path, names: Sequence[str]) -> set[str]:
    listed = next((file for name in VALIDATION_LISTS if (file := path.parent / name).is_file()), None)
    if listed is None:
        return set(names[: min(VALIDATION_IMAGES, -(-len(names) // 5))])
    text = read_text(listed, "a list of image names")
    try:
        entries: Iterable[Any] = json.loads(text) if listed.suffix == ".json" else text.split()
        found = {Path(str(each["image"] if isinstance(each, dict) else each)).name for each in entries}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{listed}: must be a list of image names, or of entries with image ({error})") from error
    if not found & set(names):
        raise InputError(f"{listed}: names no image of {path.name} that has joints; list names such as {names[0]}")
    return found


def _field(struct: Any, name: str) -> Any:
    """A field of a struct; None where there is no struct, no field, or nothing in it."""
    value = getattr(struct, name, None)
    return None if value is None or np.size(value) == 0 else value


def _items(value: Any) -> list[Any]:
    return [] if value is None else [each for each in np.ravel(value) if hasattr(each, "_fieldnames")]


def _first(value: Any) -> Any:
    return next(iter(_items(value)), None)


def _text(value: Any) -> str:
    return str(np.ravel(value)[0])


def _number(where: str, struct: Any, name: str) -> float | None:
    """A number that may be written as one, as text, or not at all."""
    value = _field(struct, name)
    if value is None:
        return None
    try:
        number = float(np.ravel(value)[0])
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(f"{where}.{name}: {_text(value)}; must be a finite number")
    return number
