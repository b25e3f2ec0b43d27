"""Where the images of a label file lie: beside it, in ``images/``, or where COCO's and CVAT's archives unpack to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_SET = re.compile(r"(?P<set>train|val|test)(?:-dev)?(?P<year>\d{4})?")
_SAMPLE = 20


def split_of(file: Path) -> str | None:
    """The split that COCO's own files name: ``person_keypoints_val2017.json`` is of ``validation``."""
    found = _SET.search(file.stem)
    if found is None or found["year"] is None:
        return None
    return {"train": "train", "val": "validation", "test": "test"}[found["set"]]


def image_folder(file: Path, names: Sequence[str], start: Path) -> Path:
    """The folder that the image names of a file begin at, found by looking.

    Args:
        file: The label file.
        names: Image names in it.
        start: The folder to fall back on.

    Returns:
        Of the folders that hold images of this file, the one that holds most; ``start`` where none holds any.
    """
    found = _SET.search(file.stem)
    # CVAT puts images into a folder named after the subset, as the file is.
    folders = ["", "images", f"images/{file.stem.rpartition('_')[2]}"]
    if found is not None:
        own = [found["set"] + (found["year"] or ""), found["set"]]
        folders += [*own, *(f"images/{each}" for each in own)]
    homes = dict.fromkeys([start, file.parent, file.parent.parent])
    step = max(1, len(names) // _SAMPLE)
    sample = names[::step]
    candidates = dict.fromkeys(home / folder for home in homes for folder in folders)
    held = {place: sum((place / name).is_file() for name in sample) for place in candidates if place.is_dir()}
    best = max(held, key=lambda place: held[place], default=start)
    return best if held.get(best) else start


def name_below(folder: Path, name: str, start: Path) -> Path:
    """An image's path: relative to a folder where it lies below it, else absolute.

    Args:
        folder: What the name begins at.
        name: As in the file; some were written on Windows.
        start: The folder that relative paths of the labels begin at.

    Returns:
        The path.
    """
    path = Path(name.replace("\\", "/"))
    if folder == start:
        return path
    return folder.relative_to(start) / path if folder.is_relative_to(start) else folder.resolve() / path
