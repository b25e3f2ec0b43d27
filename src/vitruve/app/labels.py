"""Labels of a project: which files there are, and what they hold."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vitruve.app.composed import composed
from vitruve.app.place import Place
from vitruve.app.projects import POSES
from vitruve.errors import InputError, VitruveError
from vitruve.formats.hub import read_labels, recognise
from vitruve.structures.labels import Labels


@dataclass(frozen=True)
class LabelFile:
    """Labels on disk.

    Attributes:
        path: A file or folder.
        root: The folder that names of images start from; None as the format has it.
        format: Of the file; None to recognise it.
    """

    path: Path
    root: Path | None = None
    format: str | None = None

    @property
    def arguments(self) -> list[str]:
        """As verbs take it."""
        root = [] if self.root is None else ["--root", str(self.root)]
        return [str(self.path), *([] if self.format is None else ["--from", self.format]), *root]

    @property
    def age(self) -> int:
        """Changes when the file does."""
        return self.path.stat().st_mtime_ns

    def read(self) -> Labels:
        """What it holds.

        Raises:
            InputError: It is not as it should be.
        """
        return read_labels(self.path, self.format, self.root)


def label_files(place: Place) -> dict[str, LabelFile]:
    """The labels that the open project names, as far as they lie in the workspace.

    Args:
        place: Where; a project must be open.

    Returns:
        By what they are called.

    Raises:
        ConfigError: The settings of the project cannot be read.
    """
    project = place.project
    assert project is not None
    if project.kind == POSES:
        data = composed(project.config).data
        files = [LabelFile(path, data.data_dir, data.label_format) for path in data.label_files()]
    else:
        files = [LabelFile(path) for path in _rig_sets(place)]
    there = [file for file in files if file.path.exists() and place.workspace.holds(file.path)]
    return {place.name(file.path): file for file in there}


def named_labels(place: Place, text: str) -> LabelFile:
    """A label file or folder that somebody names.

    Args:
        place: Where.
        text: A path, relative to the first folder of the workspace.

    Returns:
        The file.

    Raises:
        InputError: It is not in the workspace, not there, or of no known format.
    """
    path = place.workspace.resolve(text)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; name a label file or a folder with one")
    return LabelFile(path, format=recognise(path).NAME)


def image_paths(place: Place, labels: Labels) -> list[Path | None]:
    """The first image of each frame.

    Args:
        place: Where.
        labels: The labels.

    Returns:
        The files; None for those outside the workspace, which the app does not show.
    """
    paths = [labels.path(frame.first_image) for frame in labels]
    return [path if path.is_file() and place.workspace.holds(path) else None for path in paths]


def _rig_sets(place: Place) -> list[Path]:
    assert place.project is not None
    found: list[Path] = []
    kinds: tuple[Literal["2D", "3D"], ...] = ("2D", "3D")
    for dimensions in kinds:
        # One of the two may not be set, or not be there any more.
        with suppress(VitruveError):
            found.append(place.project.rig.dataset(dimensions))
    return list(dict.fromkeys(found))
