"""Versions of a data set: COCO files that also say what they are made of, and that a run names.

Beside COCO's keys an image has ``sha256`` and ``task``, and ``info.dataset_version`` holds the name, the tasks with the
dates of their last change, and the hash of all of it. Everything that reads COCO reads such a file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitruve.errors import InputError
from vitruve.formats.json_file import read_json
from vitruve.formats.json_outline import json_outline

KEY = "dataset_version"
FORMAT = 1
"""Of these files; raised when an older program could no longer read one."""


@dataclass(frozen=True)
class DatasetVersion:
    """A version of a data set.

    Attributes:
        name: Its name.
        sha256: The hash of its content.
        content: The whole file.
    """

    name: str
    sha256: str
    content: Mapping[str, Any]

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The tasks it is made of."""
        return list(self.content["info"][KEY]["sources"])

    @property
    def classes(self) -> list[str]:
        """The class map."""
        return [category["name"] for category in self.content["categories"]]


def sealed(content: Mapping[str, Any], name: str, sources: list[dict[str, Any]]) -> DatasetVersion:
    """Content with the hash that makes it a version.

    Args:
        content: COCO's images, annotations and categories.
        name: Name of the version.
        sources: The tasks it is made of.

    Returns:
        The version.
    """
    about: dict[str, Any] = {"format": FORMAT, "name": name, "sources": sources}
    whole = {"info": {"description": f"data set version {name}", KEY: about}, **content}
    about["sha256"] = content_hash(whole)
    return DatasetVersion(name, about["sha256"], whole)


def content_hash(content: Mapping[str, Any]) -> str:
    """The SHA-256 of what a version holds: of everything but its name and this hash.

    Args:
        content: The whole file.

    Returns:
        The hash.
    """
    about = {key: value for key, value in content["info"][KEY].items() if key not in ("name", "sha256")}
    rest = {key: value for key, value in content.items() if key != "info"}
    text = json.dumps([about, rest], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def is_version(file: Path) -> bool:
    """Whether a file is a version of a data set.

    Args:
        file: Any path.

    Returns:
        True where :func:`read_version` is the right reader.
    """
    content = json_outline(file)
    info = content.get("info") if isinstance(content, dict) else None
    return isinstance(info, dict) and isinstance(info.get(KEY), dict)


def read_version(file: Path) -> DatasetVersion:
    """A version of a data set, which is as it was made.

    Args:
        file: The file.

    Returns:
        The version.

    Raises:
        InputError: It is none, was changed after it was made, or is one of a newer program.
    """
    content = read_json(file)
    if not is_version(file):
        raise InputError(f"{file}: is no data set version; make one with vitruve store version")
    about = content["info"][KEY]
    if about.get("format") != FORMAT:
        raise InputError(f"{file}: a data set version of format {about.get('format')}; this program knows {FORMAT}")
    if content_hash(content) != about.get("sha256"):
        raise InputError(f"{file}: was changed after it was made, so it is no version any more; make a new one")
    return DatasetVersion(str(about.get("name")), str(about["sha256"]), content)


def versions_among(files: Iterable[Path]) -> list[dict[str, str]]:
    """Which of some label files are versions.

    Args:
        files: Label files.

    Returns:
        Name and ``sha256`` of each.
    """
    abouts = [json_outline(file)["info"][KEY] for file in files if is_version(file)]
    return [{"name": str(about.get("name")), "sha256": str(about.get("sha256"))} for about in abouts]


@dataclass(frozen=True)
class VersionDifference:
    """How two versions differ.

    Attributes:
        classes: Lines on classes that came, went or have another number.
        images: Lines on images that came, went, have other content or are in another split.
        annotations: For each image that both have, what came (+), went (-) or changed (~).
        sources: Lines on tasks that came, went or were changed in between.
    """

    classes: tuple[str, ...]
    images: tuple[str, ...]
    annotations: tuple[str, ...]
    sources: tuple[str, ...]

    def lines(self) -> list[str]:
        """All of it, a line each."""
        return [*self.sources, *self.classes, *self.images, *self.annotations]


def difference(one: DatasetVersion, other: DatasetVersion) -> VersionDifference:
    """Compare two versions.

    Args:
        one: The earlier one.
        other: The later one.

    Returns:
        The difference.
    """
    classes = [
        f"~ class {name}: number {one.classes.index(name)} -> {other.classes.index(name)}"
        for name in one.classes
        if name in other.classes and one.classes.index(name) != other.classes.index(name)
    ]
    tasks = [{_task(item): item.get("updated", "") for item in each.sources} for each in (one, other)]
    dated = [f"~ {n}: {d} -> {tasks[1][n]}" for n, d in tasks[0].items() if n in tasks[1] and tasks[1][n] != d]
    images = [{_image(item): item for item in each.content["images"]} for each in (one, other)]
    both = [name for name in images[0] if name in images[1]]
    changed = [
        f"~ image {name}: {key} {_short(images[0][name].get(key))} -> {_short(images[1][name].get(key))}"
        for name in both
        for key in ("sha256", "split", "width", "height")
        if images[0][name].get(key) != images[1][name].get(key)
    ]
    drawn = [_by_image(each) for each in (one, other)]
    return VersionDifference(
        (*_gone_and_come(one.classes, other.classes, "class"), *classes),
        (*_gone_and_come(images[0], images[1], "image"), *changed),
        tuple(line for name in both for line in _compared(name, drawn[0].get(name, []), drawn[1].get(name, []))),
        (*_gone_and_come(tasks[0], tasks[1], ""), *dated),
    )


def _gone_and_come(before: Any, after: Any, kind: str) -> list[str]:
    space = " " if kind else ""
    gone = [f"- {kind}{space}{name}" for name in before if name not in after]
    return gone + [f"+ {kind}{space}{name}" for name in after if name not in before]


def _task(source: Mapping[str, Any]) -> str:
    return f"task {source['task']}" + ("" if source.get("id") is None else f" ({source['id']})")


def _image(item: Mapping[str, Any]) -> str:
    return str(item["file_name"]) + (f" frame {item['frame']}" if "frame" in item else "")


def _short(value: Any) -> str:
    return f"{value[:12]}.." if isinstance(value, str) and len(value) == 64 else str(value)


def _by_image(version: DatasetVersion) -> dict[str, list[tuple[int, str, str]]]:
    """For each image the number, class and place of what is drawn on it."""
    names = {item["id"]: _image(item) for item in version.content["images"]}
    classes = {item["id"]: item["name"] for item in version.content["categories"]}
    found: dict[str, list[tuple[int, str, str]]] = {}
    for item in version.content["annotations"]:
        place = {key: value for key, value in item.items() if key not in ("id", "image_id", "category_id", "area")}
        entry = (item["id"], classes[item["category_id"]], json.dumps(place, sort_keys=True))
        found.setdefault(names[item["image_id"]], []).append(entry)
    return found


def _compared(image: str, before: list[tuple[int, str, str]], after: list[tuple[int, str, str]]) -> list[str]:
    """What is not on both sides; of one number, it has changed."""
    left = _without(before, Counter(entry[1:] for entry in after))
    fresh = _without(after, Counter(entry[1:] for entry in before))
    numbers = {entry[0]: entry for entry in fresh}
    lines = []
    for number, name, place in left:
        partner = numbers.pop(number, None)
        if partner is None:
            lines.append(f"- {image}: {name} {_box(place)}")
        else:
            new = f"{partner[1]} {_box(partner[2])}"
            lines.append(f"~ {image}: {name} {_box(place)} -> {new}")
    return lines + [f"+ {image}: {name} {_box(place)}" for number, name, place in fresh if number in numbers]


def _without(entries: list[tuple[int, str, str]], partners: Counter[tuple[str, str]]) -> list[tuple[int, str, str]]:
    left = []
    for entry in entries:
        if partners[entry[1:]]:
            partners[entry[1:]] -= 1
        else:
            left.append(entry)
    return left


def _box(place: str) -> str:
    return "[" + ", ".join(f"{value:g}" for value in json.loads(place)["bbox"]) + "]"
