"""Versions of a data set made from an annotation store: which never change, can be compared, and are named by runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vitruve.annotation.store.store import Store
from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.coco_writer import coco_content
from vitruve.formats.dataset_version import DatasetVersion, read_version, sealed
from vitruve.formats.hub import read_labels
from vitruve.formats.split_file import splits_of_file
from vitruve.structures.annotation import AnnotationTask
from vitruve.structures.labels import Labels

_SPLIT_FILES = (".csv", ".txt", ".npy")


def make_version(
    store: Store,
    file: Path,
    image_root: Path,
    tasks: Sequence[str | int] = (),
    split: Path | None = None,
    skip_missing: bool = False,
) -> DatasetVersion:
    """Write down a data set as it is now: images by their hashes, what is drawn, classes, split and sources.

    Args:
        store: The store.
        file: Where to; its name is that of the version. One that is there and holds the same is left as it is.
        image_root: The folder that names of images start from.
        tasks: Names or numbers of tasks; all by default.
        split: Which image is in which split: ``split.csv`` of ``vitruve split``, a list of those that validate (text or
            ``.npy``), or a label file; by default tasks' own subsets say it.
        skip_missing: Leave out images that are not there.

    Returns:
        The version.

    Raises:
        InputError: Images are missing, or another version has this name.
    """
    labels, origins = _there(*store.sourced(tasks, image_root), skip_missing)
    if split is not None:
        labels = _split_as(labels, split)
    content = coco_content(labels, file)
    digest = cache(_digest)
    for image, frame, task in zip(content["images"], labels, origins, strict=True):
        image["sha256"] = digest(labels.path(frame.first_image))
        image["task"] = task.name if task.id is None else task.id
    sources = {(task.name, task.id): _source(task) for task in origins}
    version = sealed(content, file.stem, list(sources.values()))
    if file.exists():
        if read_version(file).sha256 != version.sha256:
            raise InputError(
                f"{file}: holds another version, and versions do not change; give the new one another name"
            )
        return version
    atomic_write(file, _as_text(version.content))
    return version


def _there(labels: Labels, origins: Sequence[AnnotationTask], skip: bool) -> tuple[Labels, Sequence[AnnotationTask]]:
    lost = [frame.name for frame in labels if not labels.path(frame.first_image).is_file()]
    if lost and (not skip or len(lost) == len(labels)):
        more = "" if len(lost) == len(labels) else ", or leave them out with --skip-missing"
        raise InputError(
            f"{labels.root}: {len(lost)} of {len(labels)} images are missing (first: {lost[0]}); name the folder that "
            f"holds them{more}"
        )
    if not lost:
        return labels, origins
    kept = [number for number, frame in enumerate(labels) if labels.path(frame.first_image).is_file()]
    return labels[np.array(kept)], [origins[number] for number in kept]


def _split_as(labels: Labels, file: Path) -> Labels:
    if file.suffix.lower() in _SPLIT_FILES:
        return labels.with_splits(splits_of_file(labels, file))
    given = read_labels(file, root=labels.root)
    splits = {(f.first_image.path.as_posix(), f.first_image.index): f.split for f in given}
    names = [(f.first_image.path.as_posix(), f.first_image.index) for f in labels]
    lost = [name[0] for name in names if splits.get(name) is None]
    if lost:
        raise InputError(f"{file}: says of {len(lost)} of {len(labels)} images no split (first: {lost[0]})")
    return labels.with_splits([splits[name] for name in names])


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _source(task: AnnotationTask) -> dict[str, Any]:
    return {"task": task.name, "id": task.id, "updated": task.updated}


def _as_text(content: Mapping[str, Any]) -> str:
    """JSON with a line for each image and shape, which other programs compare well, too."""
    parts = []
    for key, value in content.items():
        if isinstance(value, list):
            rows = ",\n".join(_compact(item) for item in value)
            parts.append(f"{_compact(key)}: [\n{rows}\n]")
        else:
            parts.append(f"{_compact(key)}: {_compact(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
