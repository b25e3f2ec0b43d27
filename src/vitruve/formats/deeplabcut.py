"""DeepLabCut: CSV and HDF5 tables of one or several animals, and its project folders."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vitruve.atomic import atomic_path, atomic_write
from vitruve.errors import InputError
from vitruve.formats.csv_table import looks_like_header, read_csv_table
from vitruve.formats.hdf5_table import KEY, holds_pandas_table, is_hdf5, read_hdf5_table
from vitruve.formats.keypoint_table import LABELED_DATA, KeypointTable, identity_name, table_labels
from vitruve.formats.notes import LabelsWarning
from vitruve.formats.skeleton_file import read_yaml
from vitruve.structures.instances import UNLABELLED
from vitruve.structures.labels import Frame, Labels

NAME = "deeplabcut"
DESCRIPTION = "DeepLabCut CSV and HDF5, one or several animals; a file or a project folder"
SUFFIXES = (".h5", ".csv")
KEEPS = frozenset({"fractions", "keypoint scores", "instances", "tracks"})
_FILES = "CollectedData*"


def sniff(path: Path) -> bool:
    """Whether a path is a project folder, a pandas table in HDF5, or a CSV file as only DeepLabCut writes it.

    A CSV file of single animals with one column of image names is taken for Lightning Pose's, which is the
    same, unless it lies in ``labeled-data/``.

    Args:
        path: Any path.

    Returns:
        True where :func:`read` is the right reader.
    """
    if path.is_dir():
        return not any(path.glob("CollectedData*.csv")) and bool(_label_files(path))
    header = looks_like_header(path)
    if header is None:
        return holds_pandas_table(path)
    return header.rows == 4 or header.index_width > 1 or _project_of(path) != path.parent


def read(path: Path, *, root: Path | None = None, video: Path | None = None) -> Labels:
    """Labels or predictions from a file, or all labels of a project folder.

    Each individual of a multi-animal file is an instance with a place of its own; keypoints of the individual
    ``single`` come last. HDF5 is read without loading pickles. Where a folder has both, CSV is preferred.

    Args:
        path: A CSV or HDF5 file, or the project folder (``config.yaml``, ``labeled-data/``).
        root: The folder that image names start from; the project folder by default.
        video: The video that an index of whole numbers counts.

    Returns:
        The labels; of a project, with the skeleton edges of ``config.yaml``.

    Raises:
        InputError: A file is not as it should be, or holds pickled objects.
    """
    if path.is_dir():
        return _read_project(path, path if root is None else root)
    home = _project_of(path) if root is None else root
    table = _read_file(path, home)
    _warn_of_names(path, table.individuals)
    return table_labels([table], home, video=video)


def write(labels: Labels, path: Path) -> None:
    """Write one CSV or HDF5 file, or a project folder with CSV, HDF5 and ``config.yaml``.

    Instances with an identity get one individual each; the others are numbered within each image. Occluded
    keypoints are written as any others: the format has no place for visibility.

    Args:
        labels: At least one frame, one view. For a folder, images must be named
            ``labeled-data/<session>/<image>``.
        path: ``*.csv``, ``*.h5`` or a folder.

    Raises:
        InputError: There are several views or no frame, or an image is named otherwise.
    """
    if len(labels.view_names) > 1:
        raise InputError(f"{path}: deeplabcut holds one view, not {len(labels.view_names)}; write one file a view")
    if path.suffix.lower() in SUFFIXES:
        _write_file(labels, path)
        return
    folders: dict[str, list[Frame]] = {}
    for frame in labels.frames:
        parts = PurePosixPath(frame.name).parts
        if len(parts) != 3 or parts[0] != LABELED_DATA:
            raise InputError(
                f"image '{frame.name}': must be named {LABELED_DATA}/<session>/<image> in a project folder"
            )
        folders.setdefault(parts[1], []).append(frame)
    scorer = re.sub(r"[^\w-]", "_", labels.scorer)
    for folder, frames in folders.items():
        part = replace(labels, frames=tuple(frames), scorer=scorer)
        for suffix in SUFFIXES:
            _write_file(part, path / LABELED_DATA / folder / f"CollectedData_{scorer}{suffix}")
    atomic_write(path / "config.yaml", _config(labels, scorer))


def _write_file(labels: Labels, path: Path) -> None:
    import pandas as pd

    from vitruve.formats.table import labels_table, table_frame

    table = labels_table(_by_identity(labels))
    numbers = _numbers(labels)
    if len(table.individuals) > 1 and numbers:
        table = replace(table, individuals=tuple(identity_name("individual", n) for n in numbers))
    frame = table_frame(table, likelihood=table.scores is not None)
    parts = [PurePosixPath(str(name)).parts for name in table.index]
    if all(len(names) == 3 and names[0] == LABELED_DATA for names in parts):
        frame.index = pd.MultiIndex.from_tuples(parts)
    if path.suffix.lower() == ".csv":
        atomic_write(path, frame.to_csv(lineterminator="\n"))
        return
    with atomic_path(path) as temporary:
        frame.to_hdf(str(temporary), key=KEY, mode="w")


def _tracks(frame: Frame) -> list[int]:
    tracks = frame.instances.tracks
    return [-1] * frame.instances.keypoints.shape[1] if tracks is None else [int(track) for track in tracks[0]]


def _labelled(frame: Frame) -> np.ndarray:
    """Which instances a table can hold: a box alone it cannot."""
    return np.asarray((frame.instances.visible[0] > UNLABELLED).any(-1))


def _numbers(labels: Labels) -> list[int]:
    """All identities, or none of them where an instance has none or an image has one twice."""
    found: set[int] = set()
    for frame in labels.frames:
        there = [track for track, is_there in zip(_tracks(frame), _labelled(frame), strict=True) if is_there]
        if -1 in there or len(set(there)) < len(there):
            return []
        found.update(there)
    return sorted(found)


def _by_identity(labels: Labels) -> Labels:
    numbers = _numbers(labels)
    if len(numbers) < 2:
        return labels
    frames = []
    for frame in labels.frames:
        whole = frame.instances
        keypoints = np.full((1, len(numbers), *whole.keypoints.shape[2:]), np.nan, whole.keypoints.dtype)
        visible = np.zeros(keypoints.shape[:-1], np.int8)
        scores = None if whole.keypoint_scores is None else np.full(visible.shape, np.nan)
        for n in np.flatnonzero(_labelled(frame)):
            place = numbers.index(_tracks(frame)[n])
            keypoints[0, place], visible[0, place] = whole.keypoints[0, n], whole.visible[0, n]
            if scores is not None and whole.keypoint_scores is not None:
                scores[0, place] = whole.keypoint_scores[0, n]
        frames.append(replace(frame, instances=type(whole)(keypoints, visible, scores)))
    return replace(labels, frames=tuple(frames))


def _config(labels: Labels, scorer: str) -> str:
    import yaml

    names = labels.skeleton.names
    several = max(int(frame.instances.present.sum(-1).max(initial=0)) for frame in labels.frames) > 1
    numbers = _numbers(labels) or range(max(frame.instances.keypoints.shape[1] for frame in labels.frames))
    content: dict[str, Any] = {"scorer": scorer, "multianimalproject": several, "bodyparts": list(names)}
    if several:
        content["bodyparts"] = "MULTI!"
        content["multianimalbodyparts"] = list(names)
        content["uniquebodyparts"] = []
        content["individuals"] = [identity_name("individual", number) for number in numbers]
    content["skeleton"] = [[names[a], names[b]] for a, b in labels.skeleton.edges]
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _read_file(path: Path, root: Path) -> KeypointTable:
    table = read_hdf5_table(path) if is_hdf5(path) else read_csv_table(path)
    names = table.index
    if isinstance(names[0], str):
        names = tuple(_image_name(str(name), path, root) for name in names)
    return replace(table, index=names)


def _image_name(name: str, path: Path, root: Path) -> str:
    whole = PurePosixPath(name.replace("\\", "/"))
    parts = whole.parts
    if LABELED_DATA in parts:
        inside = "/".join(parts[parts.index(LABELED_DATA) :])
        # Older files hold the absolute path on the machine they were labelled on; others point at images elsewhere.
        elsewhere = (root / whole).is_file() and (root / whole).resolve() != (root / inside).resolve()
        return str(whole) if elsewhere else inside
    if len(parts) == 1 and _project_of(path) != path.parent:
        return f"{LABELED_DATA}/{path.resolve().parent.name}/{name}"
    return name


def _project_of(path: Path) -> Path:
    folder = path.parent
    return folder.parent.parent if folder.resolve().parent.name == LABELED_DATA else folder


def _label_files(project: Path) -> dict[str, list[Path]]:
    folders: dict[str, list[Path]] = {}
    for file in sorted(project.glob(f"{LABELED_DATA}/*/{_FILES}")):
        if file.suffix.lower() in SUFFIXES:
            folders.setdefault(file.parent.name, []).append(file)
    return folders


def _read_project(project: Path, root: Path) -> Labels:
    config = read_yaml(project / "config.yaml") if (project / "config.yaml").is_file() else {}
    folders = _label_files(project)
    if not folders:
        raise InputError(f"{project}: no {LABELED_DATA}/<session>/CollectedData*.csv or .h5; give a labelled project")
    tables = [_read_file(_chosen(files, config.get("scorer")), root) for files in folders.values()]
    names = tuple(dict.fromkeys(name for table in tables for name in table.names))
    individuals = tuple(dict.fromkeys(name for table in tables for name in table.individuals))
    if "" in individuals and len(individuals) > 1:
        single = next(table for table in tables if table.individuals == ("",))
        raise InputError(f"{single.source}: has no individuals, but other folders of {project} have; convert it first")
    for table in tables:
        lacking = [name for name in names if name not in table.names]
        if lacking:
            _warn(f"{table.source}: has no keypoints {', '.join(lacking)}; they count as unlabelled there")
    bare = sorted(p.name for p in (project / LABELED_DATA).iterdir() if p.is_dir() and p.name not in folders)
    bare = [name for name in bare if not name.endswith("_labeled")]
    if bare:
        _warn(f"{project}: folders without labels were skipped: {', '.join(bare)}")
    _warn_of_names(project, individuals)
    labels = Labels.merge(table_labels([_spread(table, individuals, names)], root) for table in tables)
    return replace(labels, skeleton=replace(labels.skeleton, edges=_edges(project, config, names)))


def _chosen(files: Sequence[Path], scorer: str | None) -> Path:
    stems = sorted({file.stem for file in files})
    wanted = f"CollectedData_{scorer}" if f"CollectedData_{scorer}" in stems else stems[0]
    if len(stems) > 1 and wanted != f"CollectedData_{scorer}":
        raise InputError(
            f"{files[0].parent}: labels of several scorers ({', '.join(stems)}); "
            "name one as 'scorer' in config.yaml or remove the others"
        )
    skipped = [stem for stem in stems if stem != wanted]
    if skipped:
        _warn(f"{files[0].parent}: only {wanted} was read, not {', '.join(skipped)}")
    return min((file for file in files if file.stem == wanted), key=lambda file: file.suffix.lower() != ".csv")


def _spread(table: KeypointTable, individuals: tuple[str, ...], names: tuple[str, ...]) -> KeypointTable:
    rows = [individuals.index(name) for name in table.individuals]
    columns = [names.index(name) for name in table.names]
    shape = (len(table.index), len(individuals), len(names))
    place = np.ix_(range(shape[0]), rows, columns)
    keypoints, visible = np.full((*shape, 2), np.nan), np.zeros(shape, np.int8)
    keypoints[place], visible[place] = table.keypoints, table.visible
    scores = None
    if table.scores is not None:
        scores = np.full(shape, np.nan)
        scores[place] = table.scores
    return replace(table, names=names, individuals=individuals, keypoints=keypoints, visible=visible, scores=scores)


def _edges(project: Path, config: dict[str, Any], names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    edges = []
    for pair in config.get("skeleton") or ():
        if not isinstance(pair, list) or len(pair) != 2 or not all(end in names for end in pair):
            _warn(f"{project / 'config.yaml'}: skeleton edge {pair} does not name two keypoints; it was skipped")
            continue
        edges.append((names.index(pair[0]), names.index(pair[1])))
    return tuple(edges)


def _warn_of_names(path: Path, individuals: tuple[str, ...]) -> None:
    if individuals != ("",) and any(not re.fullmatch(r"individual\d+", name) for name in individuals):
        _warn(f"{path}: individuals {', '.join(individuals)} are kept as identities 0 to {len(individuals) - 1}")


def _warn(text: str) -> None:
    warnings.warn(text, LabelsWarning, stacklevel=3)
