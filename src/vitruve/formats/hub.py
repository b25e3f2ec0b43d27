"""The one way to labels on disk: which formats there are, reading, writing, converting."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol, cast

import vitruve.formats
from vitruve.errors import InputError, nearest
from vitruve.formats.skeleton_file import FILE_NAME, read_skeleton
from vitruve.structures.labels import Labels


class Format(Protocol):
    """What a module of this package must have to be a format.

    Attributes:
        NAME: Its name, that of the module.
        DESCRIPTION: One line for lists.
        SUFFIXES: Of its files; the first is the one that is its own. None for folders.
        KEEPS: The :func:`vitruve.formats.notes.features` that it can write.
    """

    NAME: str
    DESCRIPTION: str
    SUFFIXES: tuple[str, ...]
    KEEPS: frozenset[str]

    def sniff(self, path: Path) -> bool:
        """Whether the content of a path is of this format."""
        ...

    def read(self, path: Path, *, root: Path | None = None) -> Labels:
        """The labels in a file or folder."""
        ...

    def write(self, labels: Labels, path: Path) -> None:
        """Write labels to a file or folder; a module without it can only be read."""
        ...


@cache
def available() -> dict[str, Format]:
    """All formats by name: every module of this package that is one."""
    modules = [
        importlib.import_module(f"{vitruve.formats.__name__}.{item.name}")
        for item in pkgutil.iter_modules(vitruve.formats.__path__)
        if item.name != __name__.rpartition(".")[2]
    ]
    return {module.NAME: cast(Format, module) for module in modules if hasattr(module, "NAME")}


def writable() -> dict[str, Format]:
    """The formats that can be written, by name."""
    return {name: item for name, item in available().items() if hasattr(item, "write")}


def get_format(name: str) -> Format:
    """A format by its name.

    Args:
        name: One of :func:`available`.

    Returns:
        The module.

    Raises:
        InputError: There is no such format.
    """
    known = available()
    if name not in known:
        raise InputError(f"no label format '{name}'{nearest(name, known)}; known are {', '.join(known)}")
    return known[name]


def recognise(path: Path) -> Format:
    """The format of a file or folder, by what is inside.

    Args:
        path: The file or folder.

    Returns:
        The format. For a file that is none of them but has the suffix of one, that one: its reader can say
        what is wrong with the file.

    Raises:
        InputError: The path does not exist or is of no known format.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a label file or a folder of labels")
    formats = available().values()
    found = [item for item in formats if item.sniff(path)]
    if not found and path.is_file():
        found = [item for item in formats if item.SUFFIXES[:1] == (path.suffix.lower(),)]
    if not found:
        known = "; ".join(f"{item.NAME} ({item.DESCRIPTION})" for item in formats)
        raise InputError(f"{path}: no known label format; known are {known}")
    return found[0]


def read_labels(
    path: str | Path | Sequence[str | Path],
    format: str | None = None,
    root: str | Path | None = None,
    view_names: Sequence[str] = (),
) -> Labels:
    """Read labels of any known format.

    A ``skeleton.yaml`` beside the file (or in the folder) gives edges, left-right pairs and so on.

    Args:
        path: A file or folder; or one Lightning Pose file a view.
        format: The format; found by looking inside by default.
        root: The folder that relative image names start from; each format has a default.
        view_names: Names of the views, for one file a view.

    Returns:
        The labels.

    Raises:
        InputError: The path, or something in it, is not as it should be.
    """
    start = None if root is None else Path(root)
    if not isinstance(path, (str, Path)):
        from vitruve.formats import lightning_pose

        if format not in (None, lightning_pose.NAME):
            raise InputError(f"format {format} takes one path; only {lightning_pose.NAME} has one file a view")
        paths = [Path(item) for item in path]
        return _with_skeleton(lightning_pose.read(paths, root=start, view_names=view_names), paths[0])
    place = Path(path)
    chosen = recognise(place) if format is None else get_format(format)
    labels = chosen.read(place, root=start)
    if view_names:
        if len(view_names) != max(1, len(labels.view_names)):
            raise InputError(f"{place}: {len(view_names)} view names for {max(1, len(labels.view_names))} views")
        labels = replace(labels, view_names=tuple(view_names))
    return _with_skeleton(labels, place)


def format_for(path: Path) -> Format:
    """The format to write where only the path is given.

    Args:
        path: A file, or a folder, which is one without a suffix.

    Returns:
        The format whose files have that suffix; ``lightning_pose`` where it is one of several, and for folders.

    Raises:
        InputError: No format, or several others, have it.
    """
    suffix = path.suffix.lower()
    usual = get_format("lightning_pose")
    fitting = [item for item in writable().values() if suffix in item.SUFFIXES]
    if path.is_dir() or not suffix or usual in fitting:
        return usual
    if not fitting:
        known = ", ".join(dict.fromkeys(end for item in writable().values() for end in item.SUFFIXES))
        raise InputError(f"{path}: no label format has files that end in {suffix}; known are {known}, or give a folder")
    if len(fitting) > 1:
        raise InputError(f"{path}: may be {' or '.join(item.NAME for item in fitting)}; say which with --to")
    return fitting[0]


def write_labels(labels: Labels, path: str | Path, format: str = "lightning_pose") -> None:
    """Write labels in a format; image names are written as they are.

    Args:
        labels: The labels.
        path: A file with one of the format's suffixes, or a folder.
        format: The format.

    Raises:
        InputError: The format is unknown, cannot hold these labels, or the path cannot be written.
    """
    chosen = get_format(format)
    place = Path(path)
    if format not in writable():
        raise InputError(f"{place}: {format} can only be read; write {', '.join(writable())}")
    if place.suffix and not place.is_dir() and place.suffix.lower() not in chosen.SUFFIXES:
        raise InputError(
            f"{place}: {format} files end in {' or '.join(chosen.SUFFIXES)}, not in {place.suffix}; "
            "name another format (--to) or file"
        )
    chosen.write(labels, place)


def _with_skeleton(labels: Labels, path: Path) -> Labels:
    file = (path if path.is_dir() else path.parent) / FILE_NAME
    if not file.is_file():
        return labels
    skeleton = read_skeleton(file)
    if skeleton.names != labels.skeleton.names:
        raise InputError(
            f"{file}: names {', '.join(skeleton.names)}, but {path} has {', '.join(labels.skeleton.names)}; "
            "list the same keypoints in the same order, or remove the file"
        )
    return replace(labels, skeleton=skeleton)
