"""Finished predictions of a project, as they lie on disk, whoever began them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import pandas as pd

from vitruve.app.projects import RIG, AppProject, RunEntry
from vitruve.errors import InputError, VitruveError
from vitruve.formats.coordinates_3d import FILE_NAMES, FRAME, INFO, PredictionInfo, read_info
from vitruve.formats.csv_table import looks_like_header
from vitruve.inference.jobs import DRAWN, Job
from vitruve.media.video import is_video

_DATE = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Result:
    """A prediction.

    Attributes:
        table: Its main table.
        source: What was predicted, as its files are named after it.
        made_by: The run, or the folder.
        made: When, in seconds since 1970.
        files: All its files, the main table first.
        dims: 3 for points in space.
    """

    table: Path
    source: str
    made_by: str
    made: float
    files: tuple[Path, ...]
    dims: int = 2

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.source}, {self.made_by}, {datetime.fromtimestamp(self.made):{_DATE}}"

    @property
    def videos(self) -> list[Path]:
        """Those that were drawn."""
        return [path for path in self.files if is_video(path)]


def find_results(project: AppProject) -> list[Result]:
    """All finished predictions of a project.

    Args:
        project: The project.

    Returns:
        The newest first.
    """
    found = [result for run in project.runs() for result in _of_run(run)]
    if project.kind == RIG:
        for parent in (project.path / "predictions" / "predictions3D", project.path / "predictions" / "predictions2D"):
            found += [each for each in _of_folders(parent) if project.holds(each.table.parent)]
    return sorted(found, key=lambda result: result.made, reverse=True)


def read_rows(table: Path, first: int, count: int) -> pd.DataFrame:
    """Some rows of a table of predictions, as people read them: with one header row.

    Args:
        table: The CSV file.
        first: The first row, from 0.
        count: How many at the most.

    Returns:
        The rows.

    Raises:
        InputError: It is no table.
    """
    heads = header_rows(table)
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            titles = list(islice(rows, heads))
            body = list(islice(rows, first, first + count))
        # The first of three header rows is the same everywhere: who made it.
        named = titles[1:] if len(titles) > 2 else titles
        names = [" ".join(dict.fromkeys(part for part in column if part)) for column in zip(*named, strict=True)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{table}: not a table ({error}); predict again") from error
    if not names:
        raise InputError(f"{table}: is empty; predict again")
    if len(titles) > 2:
        names[0] = "frame"
    frame = pd.DataFrame([row[: len(names)] for row in body], columns=_unlike(names))
    numbers = {str(name): pd.to_numeric(frame[name], errors="coerce") for name in frame if _numeric(frame[name])}
    shown = frame.assign(**numbers)
    if table.name in FILE_NAMES.values() and FRAME not in titles[0][:1]:
        # JARVIS' tables have one row a frame, and do not say which.
        start = first + _info(table.with_name(INFO)).frame_start
        shown.insert(0, "frame", range(start, start + len(shown)))
    return shown


def header_rows(table: Path) -> int:
    """How many rows of a table are its header."""
    if table.name in FILE_NAMES.values() or table.parent.joinpath(INFO).is_file():
        return 1 if table.name == "log.csv" else 2
    header = looks_like_header(table)
    return 1 if header is None else header.rows


def row_count(table: Path) -> int:
    """How many rows a table has below its header."""
    with table.open("rb") as stream:
        return max(0, sum(1 for _ in stream) - header_rows(table))


def _of_run(run: RunEntry) -> Iterator[Result]:
    folders = (run.files.video_predictions, run.path / "image_preds", *(run.path / "image_preds").glob("*/"))
    for folder in folders:
        # Beside each finished table is a note that says what it is of.
        for note in folder.glob(".*.json"):
            table = note.with_name(f"{note.stem.removeprefix('.')}.csv")
            if table.is_file() and _is_note(note):
                yield _result(run, table)
    for parent in (run.path / "predictions" / "predictions3D", run.path / "predictions" / "predictions2D"):
        yield from _of_folders(parent, f"{run.name}, ")


def _is_note(note: Path) -> bool:
    """Whether it says that a table is whole; notes of parts and drawings end in further words."""
    if note.stem.endswith((".part", ".drawn")):
        return False
    try:
        return isinstance(json.loads(note.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def _result(run: RunEntry, table: Path) -> Result:
    job = Job(table, table)
    beside = [table.with_suffix(".h5"), job.coco, *sorted(table.parent.glob(f"{_escaped(table.stem)}_*.csv"))]
    # Another table whose name begins alike has a note of its own.
    more = [path for path in beside if path.is_file() and not Job(path, path).finished.is_file()]
    drawn = table.parent / "labeled_videos" / f"{table.stem}{DRAWN}.mp4"
    files = (table, *more, *([drawn] if drawn.is_file() else []))
    source = table.stem if table.stem != "predictions" else table.parent.name
    return Result(table, source, run.name, table.stat().st_mtime, files)


def _of_folders(parent: Path, maker: str = "") -> Iterator[Result]:
    for info in parent.glob(f"[!.]*/{INFO}"):
        folder = info.parent
        dims = 3 if (folder / FILE_NAMES[3]).is_file() else 2
        table = folder / FILE_NAMES[dims]
        if table.is_file():
            files = sorted(path for path in folder.rglob("[!.]*") if path.is_file() and path != table)
            made_by = f"{maker}{folder.name}"
            yield Result(table, _recording(info), made_by, table.stat().st_mtime, (table, *files), dims)


def _recording(info: Path) -> str:
    """The name of what a project's prediction is of; that of its folder where it does not say."""
    return Path(_info(info).recording_path).name or info.parent.name


def _info(file: Path) -> PredictionInfo:
    """What is said of a prediction; nothing where that cannot be read."""
    try:
        return read_info(file)
    except VitruveError:
        return PredictionInfo("")


def _numeric(column: pd.Series) -> bool:
    known = column[(column != "") & (column != "NaN")]
    return bool(pd.to_numeric(known, errors="coerce").notna().all()) and len(known) > 0


def _unlike(names: list[str]) -> list[str]:
    """Names that tell all columns apart."""
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told


def _escaped(stem: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in stem)
