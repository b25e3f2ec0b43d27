"""Lists of images that wait to be labelled: empty rows of a label file, or a queue as Lightning Pose's app keeps it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.csv_table import read_csv_header, read_csv_parts

QUEUE_SUFFIX = ".jsonl"


def add_to_labels(lists: Mapping[Path, Sequence[str]], names: Sequence[str] = ()) -> list[int]:
    """Add images to lists of images that wait to be labelled; what the files hold already stays as it is.

    Args:
        lists: For each list the image names to add, as it has them: relative to the project. A list is a label file
            (``.csv`` with three header rows), which gets a row without coordinates for each image; or a queue
            (``.jsonl``), which gets a line ``{"frame_path": ..., "predictions": null}``. Without images, a list is
            looked at and left as it is.
        names: Keypoint names, for the header of a label file that is not there yet.

    Returns:
        How many were added to each: those that it does not name yet.

    Raises:
        InputError: A file is of another kind or damaged, or a new label file is asked for without keypoint names.
            Then nothing is written.
    """
    made = {path: _longer(path, images, names) for path, images in lists.items()}
    for path, (text, count) in made.items():
        if count:
            atomic_write(path, text)
    return [count for _, count in made.values()]


def list_of_view(path: Path, view: str) -> Path:
    """The list of one view: ``CollectedData_<view>.csv`` of ``CollectedData.csv``, and so with queues.

    Args:
        path: The list as it is called without views.
        view: The view's name; empty where there is one nameless view.

    Returns:
        The file.
    """
    stem, dot, ending = path.name.partition(".")
    return path.with_name(f"{stem}_{view}{dot}{ending}") if view else path


def _longer(path: Path, images: Sequence[str], names: Sequence[str]) -> tuple[str, int]:
    """The text of a list with images added, and how many."""
    if path.suffix.lower() == QUEUE_SUFFIX:
        return _longer_queue(path, images)
    if path.suffix.lower() != ".csv":
        raise InputError(f"{path}: images to label are added to a label file (.csv) or a queue ({QUEUE_SUFFIX})")
    if not path.exists():
        if not names:
            raise InputError(
                f"{path}: no such label file, and no keypoint names to begin one with; name the project's label file, "
                f"a queue ({QUEUE_SUFFIX}), or give --run"
            )
        text = _header(names)
        width, known = 2 * len(names), set[str]()
    else:
        header = read_csv_header(path)
        if header.index_width != 1:
            raise InputError(f"{path}: names images in {header.index_width} columns; rows are added where it is one")
        text = path.read_text(encoding="utf-8-sig")
        width = len(header.columns) + header.has_split
        known = {name for part in read_csv_parts(path) for name in part.names}
    fresh = [name for name in dict.fromkeys(images) if name not in known]
    end = "" if text.endswith("\n") else "\n"
    return text + end + _rows([[name, *[""] * width] for name in fresh]), len(fresh)


def _header(names: Sequence[str]) -> str:
    pairs = [name for name in names for _ in "xy"]
    return _rows([["scorer", *["vitruve"] * len(pairs)], ["bodyparts", *pairs], ["coords", *["x", "y"] * len(names)]])


def _rows(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _longer_queue(path: Path, images: Sequence[str]) -> tuple[str, int]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    known = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            known.add(json.loads(line)["frame_path"])
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f'{path}: row {number}: no JSON object with "frame_path"; mend or remove the line'
            ) from None
    fresh = [name for name in dict.fromkeys(images) if name not in known]
    end = "" if not text or text.endswith("\n") else "\n"
    lines = (json.dumps({"frame_path": name, "predictions": None}) + "\n" for name in fresh)
    return text + end + "".join(lines), len(fresh)
