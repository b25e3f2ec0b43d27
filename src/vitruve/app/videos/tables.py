"""Tables of predictions of videos: which a project has, of which video each is, and what they say frame by frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vitruve.app.projects import RIG, AppProject, RunEntry
from vitruve.app.sources import Kind, find_sources
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError, VitruveError
from vitruve.evaluation.diagnostics import TEMPORAL_NORM, temporal_norm
from vitruve.formats.calibration import read_cameras
from vitruve.formats.coordinates_3d import FILE_NAMES, INFO, read_info, read_table
from vitruve.formats.csv_table import looks_like_header, read_csv_table
from vitruve.inference.jobs import stamp_of_source
from vitruve.media.recordings import videos_of_cameras
from vitruve.media.sources import natural_key
from vitruve.pipeline.after_prediction_3d import SMOOTHED
from vitruve.pipeline.predict_3d import CALIBRATION

LIKELIHOOD = "likelihood"

# See vitruve.inference.jobs.part_of.
_PART = re.compile(r"_frames_(\d+)_(\d+)$")


@dataclass(frozen=True)
class Trace:
    """Something that a table says of each keypoint in each frame.

    Attributes:
        name: Key of :attr:`Traces.values`.
        title: For people.
        unit: ``px``, ``mm``, or empty for numbers from 0 to 1.
        error: Whether more of it is worse.
    """

    name: str
    title: str
    unit: str
    error: bool = False

    @property
    def axis(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


_ERRORS = {
    TEMPORAL_NORM: "Motion since the frame before",
    "pca_singleview_error": "Pose PCA error",
    "pca_multiview_error": "Multi-view PCA error",
}


@dataclass(frozen=True)
class VideoTable:
    """A table of predictions of a video, or of a recording of several cameras.

    Attributes:
        path: The CSV file.
        made_by: The run, or the folder of the prediction, as people know it.
        video: Name of the video, without suffix, or of the recording.
        run: The run that made it, where that is known.
        dims: 2 where it holds pixels, 3 where it holds points in space.
    """

    path: Path
    made_by: str
    video: str
    run: Path | None = None
    dims: int = 2

    @property
    def changed(self) -> float:
        """When it, or a table of errors beside it, was written last, in seconds since 1970."""
        beside = (self.path.with_name(f"{self.path.stem}_{error}.csv") for error in _ERRORS)
        return max(path.stat().st_mtime for path in (self.path, *beside) if path.is_file())


@dataclass(frozen=True, eq=False)
class Traces:
    """What a table says, frame by frame, as plain arrays.

    Attributes:
        names: The K keypoints; those of several individuals have their names in front.
        start: Number of the first of the T frames in the video.
        values: ``(T, K)`` by name: ``x``, ``y``, in space ``z``, ``likelihood`` where there is one, and what lies
            beside the table; NaN where missing.
        unit: ``px`` or ``mm``.
    """

    names: tuple[str, ...]
    start: int
    values: Mapping[str, Float[np.ndarray, "T K"]]
    unit: str = "px"

    @property
    def count(self) -> int:
        """How many frames."""
        return len(self.values["x"])

    @cached_property
    def kinds(self) -> tuple[Trace, ...]:
        """What there is, in the order in which it is shown."""
        return tuple(trace for name in self.values for trace in [trace_of(name, self.unit)])


def trace_of(name: str, unit: str = "px") -> Trace:
    """What people call a value.

    Args:
        name: Key of :attr:`Traces.values`.
        unit: ``px`` or ``mm``.

    Returns:
        Its description.
    """
    if name == LIKELIHOOD:
        return Trace(name, "Confidence", "")
    if name in _ERRORS:
        return Trace(name, _ERRORS[name], unit, error=True)
    return Trace(name, name, unit)


def find_tables(project: AppProject) -> list[VideoTable]:
    """The tables of predictions of videos that a project's networks have made.

    Args:
        project: The project.

    Returns:
        The tables, those of the newest run first.
    """
    found = [table for run in project.runs() for table in _of_run(run)]
    if project.kind != RIG:
        return found
    return [each for each in _of_folders(project.path / "predictions") if project.holds(each.path.parent)] + found


def by_video(tables: Sequence[VideoTable]) -> dict[tuple[str, int], list[VideoTable]]:
    """Tables of one video together, whichever run made them.

    Args:
        tables: The tables.

    Returns:
        By name of the video and dimensions, in natural order of the names.
    """
    groups: dict[tuple[str, int], list[VideoTable]] = {}
    for table in tables:
        groups.setdefault((table.video, table.dims), []).append(table)
    return {key: groups[key] for key in sorted(groups, key=lambda key: (natural_key(Path(key[0])), key[1]))}


def labelled(tables: Sequence[VideoTable]) -> dict[str, VideoTable]:
    """Tables by names that tell them apart.

    Args:
        tables: Those of one video.

    Returns:
        By who made them, with the file where that alone does not tell.
    """
    makers = [table.made_by for table in tables]
    return {
        table.made_by
        if makers.count(table.made_by) == 1
        else f"{table.made_by}: {table.path.parent.name}/{table.path.name}": table
        for table in tables
    }


def read_traces(table: VideoTable) -> Traces:
    """Everything that a table, and the tables of errors beside it, say.

    Args:
        table: The table.

    Returns:
        The traces. Motion is computed where no table of it lies beside one of a single animal.

    Raises:
        InputError: A file is not as it should be.
    """
    if table.path.name in FILE_NAMES.values() or table.dims == 3:
        found = read_table(table.path)
        numbers, names, points, likelihood = found.numbers, found.names, found.points, found.confidence
        single = True
    else:
        read = read_csv_table(table.path)
        if not all(isinstance(name, int) for name in read.index):
            raise InputError(f"{table.path}: its rows are images, not the frames of a video")
        numbers = np.array(read.index, np.int64)
        single = read.individuals == ("",)
        names = tuple(f"{who} {name}".strip() for who in read.individuals for name in read.names)
        points = read.keypoints.reshape(len(numbers), len(names), 2)
        likelihood = np.full(points.shape[:2], np.nan)
        if read.scores is not None:
            likelihood = read.scores.reshape(likelihood.shape)
    if not len(numbers):
        raise InputError(f"{table.path}: holds no frame; predict again")
    values = {axis: points[..., n] for n, axis in enumerate("xyz"[: points.shape[-1]])}
    if np.isfinite(likelihood).any():
        values[LIKELIHOOD] = likelihood
    for name in _ERRORS:
        file = table.path.with_name(f"{table.path.stem}_{name}.csv")
        if file.is_file():
            values[name] = _errors(file, names, len(numbers))
        elif name == TEMPORAL_NORM and single:
            values[name] = temporal_norm(points[:, None])[:, 0]
    start, dense = _dense(numbers, values)
    return Traces(names, start, dense, "mm" if table.dims == 3 else "px")


def videos_for(workspace: Workspace, project: AppProject, table: VideoTable) -> dict[str, Path]:
    """The videos that a table can be shown with.

    Args:
        workspace: Nothing outside it is given.
        project: Where videos are looked for.
        table: The table.

    Returns:
        By name: those of the cameras, for points in space; otherwise those that have the name of the table's video,
        and first the very file that was predicted, where it is known. None where they are gone.
    """
    info = table.path.parent / INFO
    if info.is_file() and table.path.suffix == ".csv" and (table.dims == 3 or table.path.name in FILE_NAMES.values()):
        place = Path(read_info(info).recording_path)
        if not workspace.holds(place):
            return {}
        if table.dims == 3:
            return dict(videos_of_cameras(place)) if place.is_dir() else {}
        return {place.stem: place} if place.is_file() else {}
    named = [s.path for s in find_sources(workspace, project, (Kind.VIDEO,)) if s.path.stem == table.video]
    stamp = _stamp(table)
    # The sort is stable: the one that was predicted comes first.
    ordered = sorted(named, key=lambda path: stamp is None or stamp_of_source(path) != stamp)
    return {workspace.name(path): path for path in ordered}


def points_in_video(table: VideoTable, traces: Traces, camera: str) -> Float[np.ndarray, "T K 2"] | None:
    """Where the keypoints are in the frames of a video.

    Args:
        table: The table.
        traces: What it says.
        camera: Name of the video in :func:`videos_for`.

    Returns:
        Pixels; for points in space, where the camera sees them, and None where it is not known how.

    Raises:
        InputError: The calibration beside the table is damaged.
    """
    if table.dims == 2:
        return np.stack([traces.values[axis] for axis in "xy"], -1)
    file = table.path.with_name(CALIBRATION)
    if not file.is_file() or camera not in (cameras := read_cameras(file)):
        return None
    return cameras[camera].project(np.stack([traces.values[axis] for axis in "xyz"], -1))


def _of_run(run: RunEntry) -> Iterator[VideoTable]:
    folder = run.files.video_predictions
    for path in sorted(folder.rglob("*.csv"), key=natural_key):
        inner = path.parent.relative_to(folder).as_posix()
        if not path.name.startswith(".") and _holds_keypoints(path):
            # The networks of an ensemble have subfolders of their own.
            made_by = run.name if inner == "." else f"{run.name}/{inner}"
            part = _PART.search(path.stem)
            if part is not None:
                made_by += f" (frames {part[1]} to {part[2]})"
            yield VideoTable(path, made_by, _PART.sub("", path.stem), run.path)
    yield from _of_folders(run.path / "predictions", run.path)


def _of_folders(parent: Path, run: Path | None = None) -> Iterator[VideoTable]:
    """What ``vitruve project predict2d`` and ``predict3d`` leave: folders with a table and ``info.yaml``."""
    for info in sorted(parent.glob(f"*/*/{INFO}"), reverse=True):
        try:
            recording = Path(read_info(info).recording_path)
        except VitruveError:
            continue
        for name, dims, more in ((FILE_NAMES[2], 2, ""), (FILE_NAMES[3], 3, ""), (SMOOTHED, 3, " (smoothed)")):
            if (path := info.parent / name).is_file():
                video = recording.stem if dims == 2 else recording.name
                yield VideoTable(path, f"{info.parent.name}{more}", video, run, dims)


def _holds_keypoints(path: Path) -> bool:
    header = looks_like_header(path)
    return header is not None and not header.has_split and any(c.coord == LIKELIHOOD for c in header.columns)


def _errors(file: Path, names: Sequence[str], count: int) -> Float[np.ndarray, "T K"]:
    try:
        table = pd.read_csv(file, index_col=0)
        found = table.reindex(columns=list(names)).to_numpy(np.float64)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a table of errors ({error}); predict again") from error
    if len(found) != count:
        raise InputError(f"{file}: {len(found)} rows, but the predictions have {count}; predict again")
    return found


def _dense(
    numbers: Int[np.ndarray, " T"], values: Mapping[str, Float[np.ndarray, "T K"]]
) -> tuple[int, dict[str, Float[np.ndarray, "_ K"]]]:
    """One row a frame from the first to the last, also for frames that the table leaves out."""
    first, last = int(numbers.min()), int(numbers.max())
    if last - first + 1 == len(numbers) and (np.diff(numbers) == 1).all():
        return first, dict(values)
    dense = {}
    for name, rows in values.items():
        dense[name] = np.full((last - first + 1, rows.shape[1]), np.nan)
        dense[name][numbers - first] = rows
    return first, dense


def _stamp(table: VideoTable) -> str | None:
    """What the note beside a table says of its video."""
    note = table.path.with_name(f".{table.path.stem}.json")
    try:
        said = json.loads(note.read_text(encoding="utf-8"))["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, str) else None
