"""MPII as a list of people in JSON, as HRNet and its successors have it (``train.json``, ``valid.json``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vitruve.errors import InputError
from vitruve.formats.image_layout import image_folder, name_below
from vitruve.formats.json_file import read_json_rows
from vitruve.formats.json_outline import json_outline
from vitruve.formats.mpii import FIRST_PIXEL, SCALE, SKELETON
from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels

NAME = "mpii_json"
DESCRIPTION = "MPII as HRNet's json list: one entry a person; read only"
SUFFIXES = (".json",)
KEEPS: frozenset[str] = frozenset()
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def sniff(path: Path) -> bool:
    """Whether a file is such a list.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    content = json_outline(path)
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and "joints_vis" in content[0]


def read(path: Path, *, root: Path | None = None) -> Labels:
    """The images of the list with their people.

    Coordinates count from 1 there. A joint with ``joints_vis`` 0 is missing where it has no place, else occluded.

    Args:
        path: The file.
        root: The folder that image names start from; that of the file by default. Images are looked for there and in
            ``images/``.

    Returns:
        The labels; the box of a person is the square that its center and scale mean.

    Raises:
        InputError: An entry is not as it should be.
    """
    wanted = "a list of people with image, joints, joints_vis, center and scale"
    entries = read_json_rows(path, wanted)
    if not entries:
        raise InputError(f"{path}: must be {wanted}")
    people: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for number, entry in enumerate(entries):
        where = f"{path}: entry {number}"
        if not isinstance(entry.get("image"), str):
            raise InputError(f"{where}: must have image, joints, joints_vis, center and scale")
        where = f"{where} ({entry['image']})"
        people.setdefault(entry["image"], []).append(_person(where, entry))
    start = path.parent if root is None else root
    folder = image_folder(path, list(people), start)
    split = _SPLITS.get(path.stem)
    frames = []
    for name, found in people.items():
        joints, visible, boxes = (np.array(values)[None] for values in zip(*found, strict=True))
        instances = Instances(joints, visible, boxes=boxes)
        frames.append(Frame((ImageRef(name_below(folder, name, start)),), instances, split=split))
    return Labels(SKELETON, tuple(frames), start, ("person",), scorer="mpii")


def _person(where: str, entry: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(SKELETON)
    joints, seen = _array(where, entry, "joints", (count, 2)), _array(where, entry, "joints_vis", (count,))
    there = (joints > 0).all(-1) | (seen > 0)
    visible = np.where(there, np.where(seen > 0, VISIBLE, OCCLUDED), UNLABELLED).astype(np.int8)
    box = np.full(4, np.nan)
    if "center" in entry and "scale" in entry:
        center, scale = _array(where, entry, "center", (2,)), _array(where, entry, "scale", ())
        half = scale * SCALE / 2
        box = np.concatenate([center - half, center + half]) - FIRST_PIXEL
    return np.where(there[:, None], joints - FIRST_PIXEL, np.nan), visible, box


def _array(where: str, entry: dict[str, Any], key: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        values = np.array(entry.get(key), np.float64)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != shape or not np.isfinite(values).all():
        wanted = " x ".join(map(str, shape)) or "one"
        raise InputError(f"{where}.{key}: must be {wanted} finite numbers, not of shape {values.shape}")
    return values
