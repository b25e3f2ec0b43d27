"""Maps of labelled images: which there are, what was picked on one, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitruve.app.composed import composed
from vitruve.app.projects import AppProject
from vitruve.app.settings_file import check, read_settings, save_settings
from vitruve.app.workspace import folders_below
from vitruve.config.yaml_edit import with_values
from vitruve.curation.files import MAP_ATLAS, MAP_TABLE
from vitruve.errors import ConfigError, InputError
from vitruve.formats.cvat_xml_writer import write_task
from vitruve.formats.shapes import task_of
from vitruve.formats.split_file import FILE_NAME, write_split
from vitruve.structures.labels import Labels
from vitruve.visualize.map_page import group_colors

FOLDER = "maps"
"""Of a project: takes the maps that the app makes."""
SPLITS = ("train", "validation", "test", "unused")

_DEPTH = 3
_SKIPPED = ("labeled-data", "videos", "trials")
_NUMBERS = ("x", "y", "x1", "y1", "x2", "y2")
_GROUPS = ("split", "cluster", "class", "session")


@dataclass(frozen=True, eq=False)
class DrawnMap:
    """A map on disk.

    Attributes:
        path: Its folder.
        table: A row for each crop, as :func:`~vitruve.curation.files.write_map` writes it.
        side: Width and height of the picture of a crop, in pixels.
        columns: How many pictures stand in a row of the atlas.
    """

    path: Path
    table: pd.DataFrame
    side: tuple[int, int]
    columns: int

    @property
    def atlas(self) -> Path:
        """All pictures as one."""
        return self.path / MAP_ATLAS

    @property
    def groups(self) -> dict[str, list[str]]:
        """By what crops can be coloured; the group of each."""
        found = {name: [str(value) for value in self.table[name]] for name in _GROUPS}
        return {name: values for name, values in found.items() if name == "cluster" or len(set(values)) > 1}

    def data(self) -> dict[str, Any]:
        """What the component draws, but for the address of the atlas."""
        groups = self.groups
        return {
            "points": self.table[["x", "y"]].to_numpy().round(4).tolist(),
            "names": [_named(row) for row in self.table.rename(columns={"index": "number"}).itertuples(index=False)],
            "tile": [*self.side, self.columns],
            "groups": groups,
            "colors": {name: group_colors(_ordered(values)) for name, values in groups.items()},
        }

    def frames(self, chosen: Collection[int]) -> list[tuple[str, int | None]]:
        """The frames that crops are of.

        Args:
            chosen: Rows of the table.

        Returns:
            Name and number in its video of the first image of each, in the table's order.
        """
        rows = self.table.iloc[sorted(set(chosen))]
        return list(
            dict.fromkeys(_key(name, index) for name, index in zip(rows["frame"], rows["frame_index"], strict=True))
        )


def find_maps(project: AppProject) -> list[Path]:
    """The folders of a project that hold a map.

    Args:
        project: The project.

    Returns:
        The newest first.
    """
    folders = folders_below(project.path, _DEPTH, _SKIPPED)
    found = [path for path in folders if (path / MAP_TABLE).is_file() and project.holds(path)]
    return sorted(found, key=lambda path: (path / MAP_TABLE).stat().st_mtime, reverse=True)


def read_map(path: Path) -> DrawnMap:
    """A map from its folder.

    Args:
        path: The folder.

    Returns:
        The map.

    Raises:
        InputError: A file of it is missing or damaged.
    """
    from vitruve.media.images import image_size

    file = path / MAP_TABLE
    try:
        table = pd.read_csv(file, dtype=dict.fromkeys(("frame", "image", *_GROUPS), str), keep_default_na=False)
        for name in ("frame_index", "index", *_NUMBERS):
            table[name] = pd.to_numeric(table[name], errors="coerce")
        table = table[["frame", "frame_index", "image", "index", *_GROUPS, *_NUMBERS]]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{file}: no table of a map ({error}); make the map again: vitruve split") from error
    if table.empty or not np.isfinite(table[["x", "y"]].to_numpy()).all():
        raise InputError(f"{file}: a crop has no place; make the map again: vitruve split")
    width, height = image_size(path / MAP_ATLAS)
    # Pictures are squares, as many in a row as rows are needed.
    columns = math.ceil(math.sqrt(len(table)))
    side = width // columns
    if side < 1 or height != side * -(-len(table) // columns):
        raise InputError(f"{path / MAP_ATLAS}: has not the pictures of {file.name}; make the map again: vitruve split")
    return DrawnMap(path, table, (side, side), columns)


def frame_numbers(labels: Labels, frames: Collection[tuple[str, int | None]]) -> list[int]:
    """Which frames of labels those of a map are.

    Args:
        labels: That the map was made of.
        frames: As :meth:`DrawnMap.frames` gives them.

    Returns:
        Their numbers, in the labels' order.

    Raises:
        InputError: The labels lack one.
    """
    known = {(f.first_image.path.as_posix(), f.first_image.index): number for number, f in enumerate(labels)}
    lost = next((name for name, index in frames if (name, index) not in known), None)
    if lost is not None:
        raise InputError(f"{lost}: is on the map and not in these labels; choose those that the map was made of")
    return sorted(known[frame] for frame in frames)


def picked_splits(labels: Labels, chosen: Collection[int], split: str, others: str) -> list[str]:
    """The split of each frame after some were picked.

    Args:
        labels: With the splits that they have.
        chosen: Numbers of the picked frames.
        split: Theirs.
        others: That of all others; ``as they are`` to leave them, where those without one train.

    Returns:
        A split a frame.
    """
    picked = set(chosen)
    rest = [frame.split or "train" if others not in SPLITS else others for frame in labels]
    return [split if number in picked else name for number, name in enumerate(rest)]


def parted_sessions(labels: Labels, splits: Sequence[str]) -> list[str]:
    """Sessions of which some frames train and others are for measuring, which then says too much good.

    Args:
        labels: The frames.
        splits: Of each.

    Returns:
        Their names.
    """
    by: dict[str, set[str]] = {}
    for frame, split in zip(labels, splits, strict=True):
        by.setdefault(frame.session, set()).add(split)
    return sorted(name for name, found in by.items() if "train" in found and found & {"validation", "test"})


def write_picked_split(labels: Labels, splits: Sequence[str], folder: Path) -> Path:
    """Write a split as a file for ``training.split.file``.

    Args:
        labels: The frames.
        splits: Of each.
        folder: Takes the file; must not be there.

    Returns:
        The file.

    Raises:
        InputError: The folder is there, or nothing would train or validate.
    """
    for name in ("train", "validation"):
        if name not in splits:
            raise InputError(f"no frame is left for {name}; pick others")
    _made(folder)
    write_split(labels.with_splits(list(splits)), folder / FILE_NAME, [frame.session for frame in labels])
    return folder / FILE_NAME


def use_split(project: AppProject, file: Path) -> None:
    """Let the next trainings of a project take a split.

    Args:
        project: Of kind :data:`~vitruve.app.projects.POSES`.
        file: As :func:`write_picked_split` gives it.

    Raises:
        ConfigError: The settings cannot be used with it. Nothing is written then.
        InputError: Somebody else has changed the settings meanwhile. Nothing is written then.
    """
    now = read_settings(project.config)
    root = composed(project.config).data.data_dir or Path()
    # As the data are named, so that both can be moved together.
    named = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    text = with_values(now.text, {"training.split.method": "file", "training.split.file": named})
    found = check(project.kind, text, project.config)
    if found.error:
        raise ConfigError(found.error)
    save_settings(project.config, text, now.mark)


def uses_split(project: AppProject, file: Path) -> bool:
    """Whether trainings of a project take a split.

    Args:
        project: Of kind :data:`~vitruve.app.projects.POSES`.
        file: The split.

    Returns:
        True if so.

    Raises:
        ConfigError: The settings cannot be read.
    """
    config = composed(project.config)
    named = config.training.split.file
    return named is not None and ((config.data.data_dir or Path()) / named).resolve() == file.resolve()


def write_picked_task(labels: Labels, chosen: Sequence[int], file: Path) -> Path:
    """Write frames with what is labelled as a task for people, in CVAT's XML.

    Args:
        labels: Of one view.
        chosen: Numbers of the frames.
        file: Where to; must not be there. Its stem is the task's name.

    Returns:
        The file.

    Raises:
        InputError: The file is there, or there are several views.
    """
    if len(labels[0].images) > 1:
        raise InputError(f"these labels have {len(labels[0].images)} views, and a task is of one; choose those of one")
    if file.exists():
        raise InputError(f"{file}: is there already; give another name")
    write_task(task_of(labels[list(chosen)], file.stem), file)
    return file


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise InputError(f"{folder}: is there already; give another name") from error


def _named(row: Any) -> str:
    name = row.image if math.isnan(row.number) else f"{row.image}, frame {int(row.number)}"
    return name if math.isnan(row.x1) else f"{name}\n{row.x2 - row.x1:.0f} px at {row.x1:.0f}, {row.y1:.0f}"


def _key(name: str, index: float) -> tuple[str, int | None]:
    return name, None if math.isnan(index) else int(index)


def _ordered(values: Sequence[str]) -> list[str]:
    return sorted(set(values), key=lambda name: (-values.count(name), name))
