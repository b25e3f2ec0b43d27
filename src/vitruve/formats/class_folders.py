"""Images in one folder a class, as ImageNet has them: classes and no keypoints, to pretrain backbones on.

``<class>/*.jpg``, or ``train/<class>/*.jpg`` beside ``val/`` or ``validation/`` and ``test/`` with the same classes. It
is read where it is named, but never recognised: folders of labelled frames look the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.errors import InputError
from vitruve.media.images import IMAGE_SUFFIXES
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAME = "class_folders"
DESCRIPTION = "one folder of images a class, as ImageNet has them; only where it is named"
SUFFIXES: tuple[str, ...] = ()
KEEPS: frozenset[str] = frozenset()

_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


def sniff(path: Path) -> bool:
    """Never: see above."""
    del path
    return False


def read(path: Path, *, root: Path | None = None) -> Labels:
    """Read classes.

    Args:
        path: The folder, or a file in it, which need not be there: what ``data.csv_file`` names without being told.
        root: The folder that image names start from; by default the folder itself.

    Returns:
        One frame an image, with one instance without keypoints whose category is the class; classes in the order of
        their names.

    Raises:
        InputError: There are not two classes, or splits have different ones.
    """
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of the classes' folders as data.data_dir")
    parts = {_SPLITS[each.name]: each for each in sorted(folder.iterdir()) if each.is_dir() and each.name in _SPLITS}
    places: dict[str | None, Path] = dict(parts.items()) if "train" in parts else {None: folder}
    files = {split: _classes(place) for split, place in places.items()}
    names = sorted({name for classes in files.values() for name in classes})
    if len(names) < 2:
        raise InputError(
            f"{folder}: {len(names)} folders with images; give a folder with one subfolder of images a class, two at "
            "least"
        )
    if "train" in parts:
        for split, classes in files.items():
            strange = next((name for name in classes if name not in files["train"]), None)
            if strange is not None:
                raise InputError(
                    f"{places[split] / strange}: a class that train/ does not have; add it there, or remove it"
                )
    start = folder if root is None else root
    frames = [
        Frame((ImageRef(_relative(file, start)),), _of_class(names.index(name)), split=split)
        for split, classes in files.items()
        for name, images in classes.items()
        for file in images
    ]
    return Labels(Skeleton(()), tuple(frames), start, categories=tuple(names))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images of each class that has any, below its folder."""
    found = {
        each.name: sorted(file for file in each.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        for each in sorted(folder.iterdir())
        if each.is_dir() and not each.name.startswith(".")
    }
    return {name: files for name, files in found.items() if files}


def _relative(file: Path, start: Path) -> Path:
    return file.relative_to(start) if file.is_relative_to(start) else file


def _of_class(number: int) -> Instances:
    return Instances(
        np.zeros((1, 1, 0, 2), np.float32), np.zeros((1, 1, 0), np.int8), categories=np.full((1, 1), number, np.int64)
    )
