"""A checked table of keypoints as Lightning Pose and DeepLabCut keep it, whatever file it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, Int64

from vitruve.errors import InputError, nearest
from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE, Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

COORDS = ("x", "y", "likelihood", "visible")
# What ensemble Kalman smoothers write beside the prediction itself; passed over.
_SMOOTHED = {f"{axis}_{kind}" for axis in "xyz" for kind in ("ens_median", "ens_var", "posterior_var")}
SPLITS = ("train", "validation", "test", "unused")
LABELED_DATA = "labeled-data"


class Column(NamedTuple):
    """The header of one column; ``individual`` is empty in a table of single animals."""

    scorer: str
    individual: str
    keypoint: str
    coord: str


@dataclass(frozen=True, eq=False)
class KeypointTable:
    """The content of a table of keypoints.

    Attributes:
        source: The file, for messages.
        scorer: Who labelled, or which network predicted.
        names: The K keypoints.
        individuals: The N instances; one empty name in a table of single animals.
        index: The image names, or the frame numbers of a video.
        places: Where each row stands in the file, for messages.
        keypoints: ``(F, N, K, 2)`` in pixels, NaN where missing.
        visible: ``(F, N, K)`` 0 unlabelled, 1 occluded, 2 visible.
        scores: ``(F, N, K)``, or None where the file has no likelihood.
        splits: One split a row, or None where the file has none.
    """

    source: str
    scorer: str
    names: tuple[str, ...]
    individuals: tuple[str, ...]
    index: tuple[str, ...] | tuple[int, ...]
    places: tuple[str, ...]
    keypoints: Float[np.ndarray, "F N K 2"]
    visible: Int8[np.ndarray, "F N K"]
    scores: Float[np.ndarray, "F N K"] | None
    splits: tuple[str | None, ...] | None


def build_table(
    source: str,
    columns: Sequence[Column],
    index: Sequence[str],
    places: Sequence[str],
    values: Float[np.ndarray, "F C"],
    splits: Sequence[str] | None = None,
) -> KeypointTable:
    """Sort the columns of a file into arrays and check what they say.

    Args:
        source: The file, for messages.
        columns: The C headers.
        index: One name a row; when all are whole numbers they count the frames of a video.
        places: Where each row stands in the file (``row 4``).
        values: ``(F, C)`` numbers, NaN where a cell is empty.
        splits: The cells of the column ``set``, where there is one.

    Returns:
        The table.

    Raises:
        InputError: No row, an image or column twice, a coordinate without its partner, an infinite number, or
            a visibility other than 0, 1 and 2.
    """
    if not len(index):
        raise InputError(f"{source}: no row below the header; at least one labelled image is needed")
    places_of = _columns_of(source, columns)
    individuals = tuple(dict.fromkeys(individual for individual, _ in places_of))
    names = tuple(dict.fromkeys(keypoint for _, keypoint in places_of))
    _check_infinite(source, columns, places, values)
    shape = (len(index), len(individuals), len(names))
    keypoints = np.full((*shape, 2), np.nan)
    scores = np.full(shape, np.nan)
    flags = np.full(shape, np.nan)
    for (individual, name), found in places_of.items():
        n, k = individuals.index(individual), names.index(name)
        keypoints[:, n, k] = values[:, [found["x"], found["y"]]]
        if "likelihood" in found:
            scores[:, n, k] = values[:, found["likelihood"]]
        if "visible" in found:
            flags[:, n, k] = values[:, found["visible"]]
    _check_pairs(source, names, places, keypoints)
    visible = _visibility(source, names, places, keypoints, flags)
    keypoints[visible == UNLABELLED] = np.nan
    return KeypointTable(
        source,
        columns[0].scorer,
        names,
        individuals,
        _index(source, index, places),
        tuple(places),
        keypoints,
        visible,
        scores if any(column.coord == "likelihood" for column in columns) else None,
        None if splits is None else tuple(_split(source, s, p) for s, p in zip(splits, places, strict=True)),
    )


def _columns_of(source: str, columns: Sequence[Column]) -> dict[tuple[str, str], dict[str, int]]:
    places: dict[tuple[str, str], dict[str, int]] = {}
    for number, column in enumerate(columns):
        where = f"{source}: keypoint '{column.keypoint}'"
        if column.scorer != columns[0].scorer:
            raise InputError(f"{source}: columns of two scorers, '{columns[0].scorer}' and '{column.scorer}'; keep one")
        if not column.keypoint:
            raise InputError(f"{source}: value column {number + 1} has no keypoint name in its header; give it one")
        if column.coord in _SMOOTHED:
            continue
        if column.coord not in COORDS:
            raise InputError(
                f"{where} has a column '{column.coord}'{nearest(column.coord, COORDS)}; columns are {', '.join(COORDS)}"
            )
        found = places.setdefault((column.individual, column.keypoint), {})
        if column.coord in found:
            raise InputError(
                f"{where} has two columns '{column.coord}' (value columns {found[column.coord] + 1} and "
                f"{number + 1}); names must differ"
            )
        found[column.coord] = number
    for (_, name), found in places.items():
        for coord in ("x", "y"):
            if coord not in found:
                raise InputError(f"{source}: keypoint '{name}' has no column '{coord}'; every keypoint needs x and y")
    return places


def _check_infinite(source: str, columns: Sequence[Column], places: Sequence[str], values: np.ndarray) -> None:
    bad = np.argwhere(np.isinf(values))
    if len(bad):
        row, number = bad[0]
        column = columns[number]
        raise InputError(
            f"{source}: {places[row]}: {column.coord} of keypoint '{column.keypoint}' is infinite; "
            "give a finite number or leave it empty"
        )


def _check_pairs(source: str, names: tuple[str, ...], places: Sequence[str], keypoints: np.ndarray) -> None:
    missing = np.isnan(keypoints)
    bad = np.argwhere(missing[..., 0] != missing[..., 1])
    if len(bad):
        row, n, k = bad[0]
        has, lacks = ("y", "x") if missing[row, n, k, 0] else ("x", "y")
        raise InputError(
            f"{source}: {places[row]}: keypoint '{names[k]}' has {has} but no {lacks}; give both or neither"
        )


def _visibility(
    source: str, names: tuple[str, ...], places: Sequence[str], keypoints: np.ndarray, flags: np.ndarray
) -> Int8[np.ndarray, "F N K"]:
    missing = np.isnan(keypoints[..., 0])
    unknown = np.argwhere(~np.isnan(flags) & ~np.isin(flags, (UNLABELLED, OCCLUDED, VISIBLE)))
    if len(unknown):
        row, n, k = unknown[0]
        raise InputError(
            f"{source}: {places[row]}: visible of keypoint '{names[k]}' is {flags[row, n, k]:g}; "
            "it must be 0 (unlabelled), 1 (occluded) or 2 (visible)"
        )
    empty = np.argwhere(missing & (flags == VISIBLE))
    if len(empty):
        row, _, k = empty[0]
        raise InputError(
            f"{source}: {places[row]}: keypoint '{names[k]}' is marked visible (2) but has no coordinates; "
            "give x and y, or mark it 0 (unlabelled) or 1 (occluded)"
        )
    guessed = np.where(missing, UNLABELLED, VISIBLE)
    return np.where(np.isnan(flags), guessed, np.nan_to_num(flags)).astype(np.int8)


def _index(source: str, index: Sequence[str], places: Sequence[str]) -> tuple[str, ...] | tuple[int, ...]:
    seen: dict[str, str] = {}
    for name, place in zip(index, places, strict=True):
        if not name:
            raise InputError(f"{source}: {place}: the image name is empty; name the image or delete the row")
        if name in seen:
            raise InputError(f"{source}: image '{name}' is in {seen[name]} and in {place}; keep one of the two rows")
        seen[name] = place
    if all(name.isascii() and name.isdigit() for name in index):
        return tuple(int(name) for name in index)
    return tuple(index)


def _split(source: str, name: str, place: str) -> str | None:
    name = {"val": "validation"}.get(name, name)
    if name and name not in SPLITS:
        raise InputError(f"{source}: {place}: set is '{name}'{nearest(name, SPLITS)}; use one of {', '.join(SPLITS)}")
    return name or None


def table_labels(
    tables: Sequence[KeypointTable],
    root: Path,
    view_names: tuple[str, ...] = (),
    video: Path | None = None,
) -> Labels:
    """The labels of a table, or of one table a view.

    Args:
        tables: V tables with the same keypoints and number of rows; row i of each shows the same instant.
        root: The folder that relative image names start from.
        view_names: V names, or none for a single view.
        video: The video whose frames an index of whole numbers counts.

    Returns:
        One frame a row.

    Raises:
        InputError: The tables do not belong together.
    """
    first = tables[0]
    for other in tables[1:]:
        _check_same(first, other)
    several = first.individuals != ("",)
    frames = []
    for row in range(len(first.index)):
        images = tuple(_image(table.index[row], video) for table in tables)
        _check_sessions(tables, row, images, view_names)
        instances = [_instances(table, row, several) for table in tables]
        fields = ("keypoints", "visible", "keypoint_scores", "tracks")
        stacked = {
            name: None if getattr(instances[0], name) is None else np.stack([getattr(i, name) for i in instances])
            for name in fields
        }
        split = first.splits[row] if first.splits else None
        view = view_names[0] if view_names else ""
        frames.append(Frame(images, Instances(**stacked), _session(images[0], view), split))
    return Labels(
        Skeleton.from_names(first.names),
        tuple(frames),
        root,
        scorer=first.scorer or "unknown",
        view_names=view_names,
    )


def _check_same(first: KeypointTable, other: KeypointTable) -> None:
    for label, here, there in (
        ("keypoints", first.names, other.names),
        ("individuals", first.individuals, other.individuals),
    ):
        if here != there:
            raise InputError(
                f"{other.source}: its {label} are {', '.join(there)}, but {first.source} has "
                f"{', '.join(here)}; all views need the same, in the same order"
            )
    if len(first.index) != len(other.index):
        raise InputError(
            f"{other.source}: {len(other.index)} rows, but {first.source} has {len(first.index)}; "
            "row i of every view must show the same instant"
        )
    for a, b, place in zip(first.index, other.index, other.places, strict=True):
        if Path(str(a)).name != Path(str(b)).name:
            raise InputError(
                f"{other.source}: {place}: image '{b}' stands beside '{a}' of {first.source}; "
                "rows of all views must name images with the same file name"
            )
    if (first.scores is None) != (other.scores is None):
        raise InputError(f"{other.source}: likelihood is in some views only; give it in all views or in none")


def _check_sessions(
    tables: Sequence[KeypointTable], row: int, images: Sequence[ImageRef], view_names: Sequence[str]
) -> None:
    """Frames of two recordings may have one file name: where folders are named SESSION_VIEW, sessions must agree."""
    folders = [image.path.parent.name for image in images if image.index is None]
    if len(folders) < 2 or not all(f.endswith(f"_{v}") for f, v in zip(folders, view_names, strict=False)):
        return
    sessions = [_session(image, view) for image, view in zip(images, view_names, strict=True)]
    other = next((number for number, session in enumerate(sessions) if session != sessions[0]), None)
    if other is not None:
        raise InputError(
            f"{tables[other].source}: {tables[other].places[row]}: image '{images[other].name}' is of session "
            f"'{sessions[other]}', but '{images[0].name}' of {tables[0].source} is of '{sessions[0]}'; rows of all "
            "views must show the same instant"
        )


def _image(name: str | int, video: Path | None) -> ImageRef:
    if isinstance(name, int):
        return ImageRef(Path() if video is None else video, name)
    return ImageRef(Path(name.replace("\\", "/")))


def _instances(table: KeypointTable, row: int, several: bool) -> Instances:
    instances = Instances(table.keypoints[row], table.visible[row], None if table.scores is None else table.scores[row])
    if not several:
        return instances
    return replace(instances, tracks=np.where(instances.present, identities(table.individuals), -1))


def identities(names: Sequence[str]) -> Int64[np.ndarray, " N"]:
    """Numbers for named individuals or tracks: those that the names end in, or else their order.

    Names that this package writes (:func:`identity_name`) give the number back that they were made from.

    Args:
        names: The names.

    Returns:
        One number a name, none of them twice.
    """
    numbers = [re.fullmatch(r"(?:individual|track)(\d+)", name) for name in names]
    found = [int(match[1]) - 1 for match in numbers if match and int(match[1])]
    numbered = len(set(found)) == len(names)
    return np.array(found if numbered else range(len(names)), dtype=np.int64)


def identity_name(kind: str, number: int) -> str:
    """What an identity is called in files that want names.

    Args:
        kind: ``individual`` or ``track``.
        number: The identity, from 0 on.

    Returns:
        ``individual1`` for 0, and so on.
    """
    return f"{kind}{number + 1}"


def _session(image: ImageRef, view: str) -> str:
    if image.index is not None:
        return image.path.stem
    folder = image.path.parent.name
    return "" if folder == LABELED_DATA else folder.removesuffix(f"_{view}") if view else folder
