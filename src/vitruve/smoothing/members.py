"""The prediction files of an ensemble: which of them belong to one recording and one camera, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.formats.csv_table import looks_like_header, read_csv_table
from vitruve.formats.hdf5_table import holds_pandas_table, read_hdf5_table
from vitruve.formats.keypoint_table import KeypointTable
from vitruve.structures.instances import UNLABELLED, VISIBLE

SCORER = "ensemble-kalman_tracker"
_SUFFIXES = (".csv", ".h5", ".slp")
_SEPARATORS = " ._-=+,"
# What DeepLabCut adds to the name of the copy that its median filter makes of a table.
_FILTERED = "_filtered"
# A camera and its number or letter, or the side that it looks from.
_CAMERA = re.compile(
    r"(?<![a-z])(?:(?:cam(?:era)?|view)[-_ ]?(?:\d+|[a-z])(?![a-z0-9])"
    r"|(?:left|right|top|bot|bottom|side|front|back)(?![a-z]))",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Members:
    """The predictions of one camera by all members of the ensemble.

    Attributes:
        name: What the files' names have in common.
        files: One a member.
        names: The K keypoints.
        index: T frame numbers or image names.
        keypoints: ``(N, T, K, 2)`` in pixels, NaN where missing.
        scores: ``(N, T, K)``, or None where the files have none.
    """

    name: str
    files: tuple[Path, ...]
    names: tuple[str, ...]
    index: tuple[str, ...] | tuple[int, ...]
    keypoints: Float[np.ndarray, "N T K 2"]
    scores: Float[np.ndarray, "N T K"] | None


def find_recordings(sources: Sequence[Path]) -> list[list[Path]]:
    """The prediction files of each recording.

    Files, and all files of one folder, are members of one ensemble on one recording. Of several folders each holds the
    predictions of one member: files of the same name belong together. Of one table in several formats, as DeepLabCut
    writes them, a folder counts the CSV file alone, and none of its filtered copies.

    Args:
        sources: Files, one folder, or several folders.

    Returns:
        One list of files a recording.

    Raises:
        InputError: A path is missing, a folder is empty, or folders hold different files.
    """
    if not sources:
        raise InputError("no prediction file given; give files, or a folder of them")
    for source in sources:
        if not source.exists():
            raise InputError(f"{source}: no such file or folder; give prediction files, or a folder of them")
    folders = [source for source in sources if source.is_dir()]
    if len(folders) < 2 or len(folders) < len(sources):
        return [[file for source in sources for file in (_predictions(source) if source.is_dir() else [source])]]
    found = {folder: {file.stem: file for file in _predictions(folder)} for folder in folders}
    wanted = sorted({name for files in found.values() for name in files})
    for folder, files in found.items():
        missing = [name for name in wanted if name not in files]
        if missing:
            raise InputError(
                f"{folder}: holds no predictions named {missing[0]}, which another folder has; every folder must hold "
                "one member's predictions of the same videos"
            )
    return [[files[name] for files in found.values()] for name in wanted]


def group_by_camera(files: Sequence[Path], cameras: Sequence[str]) -> dict[str, list[Path]]:
    """The files of each camera, by the camera's name in the file's.

    Args:
        files: Of one recording.
        cameras: Names of cameras; of several in one file name the longest counts.

    Returns:
        Files by camera, in the order of the cameras.

    Raises:
        InputError: A file names no camera or two, or a camera has no file.
    """
    groups: dict[str, list[Path]] = {name: [] for name in cameras}
    for file in files:
        named = [name for name in cameras if name in file.stem]
        longest = max(map(len, named), default=0)
        named = [name for name in named if len(name) == longest]
        if len(named) != 1:
            what = f"names the cameras {' and '.join(named)}" if named else "names none of the cameras"
            raise InputError(f"{file}: its name {what}; it must hold exactly one of {', '.join(cameras)}")
        groups[named[0]].append(file)
    for name, members in groups.items():
        if not members:
            raise InputError(
                f"{files[0].parent}: no file of camera '{name}' among {len(files)} files; every camera needs one"
            )
    return groups


def read_members(files: Sequence[Path]) -> Members:
    """The predictions of one camera.

    Args:
        files: One a member, of one animal each.

    Returns:
        All members; keypoints in the order of the first file.

    Raises:
        InputError: A file cannot be read or holds several animals, or the members have other keypoints or frames.
    """
    twice = [file for number, file in enumerate(files) if file.resolve() in {f.resolve() for f in files[:number]}]
    if twice:
        raise InputError(f"{twice[0]}: is given twice; every member of an ensemble is another network's prediction")
    tables = [_read(file) for file in files]
    longest = max(len(table.index) for table in tables)
    tables = [_lengthened(t, longest) if _lists_frames(f) else t for t, f in zip(tables, files, strict=True)]
    first = tables[0]
    orders = []
    for table in tables:
        if set(table.names) != set(first.names):
            other = sorted(set(table.names) ^ set(first.names))
            raise InputError(
                f"{table.source}: keypoint '{other[0]}' is not in both this file and {first.source}; "
                "all members need the same keypoints"
            )
        if len(table.index) != len(first.index):
            raise InputError(
                f"{table.source}: {len(table.index)} frames, but {first.source} has {len(first.index)}; "
                "all members must be predictions of the same video"
            )
        if table.index != first.index:
            row = next(n for n, (a, b) in enumerate(zip(table.index, first.index, strict=True)) if a != b)
            raise InputError(
                f"{table.source}: {table.places[row]} is frame '{table.index[row]}', but '{first.index[row]}' in "
                f"{first.source}; all members must be predictions of the same video"
            )
        orders.append([table.names.index(name) for name in first.names])
    keypoints = np.stack([t.keypoints[:, 0][:, order] for t, order in zip(tables, orders, strict=True)])
    scores = None
    if any(table.scores is not None for table in tables):
        empty = np.full(keypoints.shape[1:-1], np.nan)
        parts = zip(tables, orders, strict=True)
        scores = np.stack([empty if t.scores is None else t.scores[:, 0][:, order] for t, order in parts])
    return Members(common_name(files), tuple(files), first.names, first.index, keypoints, scores)


def common_name(files: Sequence[Path]) -> str:
    """What file names start with alike, without the signs that separate words.

    Args:
        files: At least one.

    Returns:
        The stem if there is but one, otherwise the common beginning, or ``smoothed`` where there is none.
    """
    stems = sorted({file.name.removesuffix(file.suffix) for file in files})
    return _common_beginning(stems)


def recording_name(groups: Mapping[str, Sequence[Path]]) -> str:
    """What file names of several cameras have in common but for the cameras' names.

    Args:
        groups: The files of each camera, as :func:`group_by_camera` gives them.

    Returns:
        The common beginning of the stems without the camera's name and one sign that separates it.
    """
    return _common_beginning(
        sorted(
            {_without(file.name.removesuffix(file.suffix), name) for name, files in groups.items() for file in files}
        )
    )


def camera_words(files: Sequence[Path]) -> tuple[str, ...]:
    """Words of file names that look like those of several cameras, such as ``Cam-A`` and ``Cam-B``.

    Args:
        files: Which are taken for members of one camera.

    Returns:
        One word a camera, sorted; none unless every name holds exactly one word that not all have.
    """
    found = [set(_CAMERA.findall(file.stem)) for file in files]
    own = [words - set.intersection(*found) for words in found]
    return tuple(sorted(set.union(*own))) if all(len(words) == 1 for words in own) else ()


def _without(stem: str, camera: str) -> str:
    before, found, after = stem.partition(camera)
    if not found:
        return stem
    if before[-1:] and before[-1] in _SEPARATORS:
        return before[:-1] + after
    return before + (after[1:] if after[:1] and after[0] in _SEPARATORS else after)


def _common_beginning(stems: Sequence[str]) -> str:
    """Of sorted names, without separating signs at its end."""
    first, last = stems[0], stems[-1]
    length = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(map(len, stems)))
    return (first if len(stems) == 1 else first[:length].rstrip(_SEPARATORS)) or "smoothed"


def _predictions(folder: Path) -> list[Path]:
    """The files of keypoints in a folder, but for those that this smoother wrote."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in _SUFFIXES and _is_prediction(file)]
    if not files:
        raise InputError(f"{folder}: holds no predictions ({', '.join(_SUFFIXES)}); name their folder")
    stems = {file.stem for file in files}
    copies = {stem for stem in stems if stem.endswith(_FILTERED) and stem.removesuffix(_FILTERED) in stems}
    ranked = sorted(files, key=lambda file: _SUFFIXES.index(file.suffix.lower()))
    chosen = {stem: next(file for file in ranked if file.stem == stem) for stem in stems - copies}
    return [chosen[stem] for stem in sorted(chosen)]


def _is_prediction(file: Path) -> bool:
    if file.suffix.lower() != ".csv":
        return file.is_file()
    header = looks_like_header(file)
    return header is not None and header.columns[0].scorer != SCORER


def _read(file: Path) -> KeypointTable:
    suffix = file.suffix.lower()
    if suffix == ".csv":
        table = read_csv_table(file)
    elif holds_pandas_table(file):
        table = read_hdf5_table(file)
    else:
        table = _dense(file)
    if len(table.individuals) > 1:
        raise InputError(
            f"{file}: holds {len(table.individuals)} animals ({', '.join(table.individuals)}); smoothing takes "
            "predictions of one animal"
        )
    if len(table.index) < 2:
        raise InputError(f"{file}: holds one frame; smoothing over time needs at least two")
    numbers = [name for name in table.index if isinstance(name, int)]
    for row in range(1, len(numbers)):
        if numbers[row] != numbers[row - 1] + 1:
            raise InputError(
                f"{file}: {table.places[row]} is frame {numbers[row]}, but the one before is frame {numbers[row - 1]}; "
                "smoothing over time needs every frame of a video, in order"
            )
    return table


def _lists_frames(file: Path) -> bool:
    """Whether a file names the frames that have a prediction, in place of one row for every frame."""
    return file.suffix.lower() == ".slp"


def _dense(file: Path) -> KeypointTable:
    """Predictions of any other format; frames of a video without a prediction are missing, not left out."""
    from vitruve.formats.hub import read_labels
    from vitruve.formats.table import labels_table

    table = replace(labels_table(read_labels(file)), source=str(file))
    numbers = [name for name in table.index if isinstance(name, int)]
    if len(numbers) < len(table.index):
        return table
    rows = np.array(numbers)
    frames = int(rows.max()) + 1
    return _spread(table, rows, frames)


def _lengthened(table: KeypointTable, frames: int) -> KeypointTable:
    """The same predictions and, behind them, frames without one: a list of frames ends with the last that has one."""
    numbers = [name for name in table.index if isinstance(name, int)]
    return table if len(numbers) in (0, frames) else _spread(table, np.array(numbers), frames)


def _spread(table: KeypointTable, rows: np.ndarray, frames: int) -> KeypointTable:
    keypoints = np.full((frames, *table.keypoints.shape[1:]), np.nan)
    scores = np.full(keypoints.shape[:-1], np.nan)
    keypoints[rows] = table.keypoints
    if table.scores is not None:
        scores[rows] = table.scores
    return replace(
        table,
        index=tuple(range(frames)),
        places=tuple(f"frame {number}" for number in range(frames)),
        keypoints=keypoints,
        visible=np.where(np.isfinite(keypoints).all(-1), VISIBLE, UNLABELLED).astype(np.int8),
        scores=None if table.scores is None else scores,
        splits=None,
    )
