"""Which keypoints of a table are joined: as somebody says, or as its run or its project has it."""

from __future__ import annotations

from pathlib import Path

from vitruve.errors import InputError
from vitruve.formats.hub import read_labels
from vitruve.formats.skeleton_file import FILE_NAME as SKELETON_FILE
from vitruve.formats.skeleton_file import read_skeleton, read_yaml
from vitruve.run import RunFiles, read_json
from vitruve.structures.skeleton import Skeleton

_CONFIG, _BONES = "config.yaml", "SKELETON"


def skeleton_for(names: tuple[str, ...], table: Path, given: Path | None = None) -> Skeleton:
    """The keypoints of a table with the bones that are known of them.

    Args:
        names: The keypoints, in the order of the table.
        table: The file, for messages, and beside and above which a skeleton is looked for.
        given: What says which are joined: a skeleton YAML, a project's ``config.yaml``, a run, or a label set. By
            default the nearest of the first three.

    Returns:
        The skeleton; one without edges where nothing is known.

    Raises:
        InputError: What is given cannot be read, or joins other keypoints.
    """
    if given is not None:
        pairs = _pairs(given)
        strange = next((name for pair in pairs for name in pair if name not in names), None)
        if strange is not None:
            raise InputError(f"{given}: joins '{strange}', but {table} has {', '.join(names)}")
        return _joined(names, pairs)
    for folder in table.resolve().parents:
        if (folder / SKELETON_FILE).is_file():
            return _joined(names, _pairs(folder / SKELETON_FILE))
        if RunFiles(folder).model.is_file():
            return _joined(names, _pairs(folder))
        config = folder / _CONFIG
        if config.is_file() and _BONES in read_yaml(config):
            return _joined(names, _pairs(config))
    return Skeleton.from_names(names)


def _pairs(place: Path) -> list[tuple[str, str]]:
    if RunFiles(place).model.is_file():
        return _edges(Skeleton.from_dict(read_json(RunFiles(place).model)["task"]["skeleton"]))
    if place.suffix.lower() not in (".yaml", ".yml"):
        return _edges(read_labels(place).skeleton)
    content = read_yaml(place)
    if _BONES not in content:
        return _edges(read_skeleton(place))
    listed = content[_BONES]
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in listed or ()):
        raise InputError(f"{place}: {_BONES}: must list pairs of keypoints, such as [nose, neck]")
    return [(str(a), str(b)) for a, b in listed or ()]


def _edges(skeleton: Skeleton) -> list[tuple[str, str]]:
    return [(skeleton.names[a], skeleton.names[b]) for a, b in skeleton.edges]


def _joined(names: tuple[str, ...], pairs: list[tuple[str, str]]) -> Skeleton:
    edges = [(names.index(a), names.index(b)) for a, b in pairs if a in names and b in names]
    return Skeleton.from_names(names, edges)
