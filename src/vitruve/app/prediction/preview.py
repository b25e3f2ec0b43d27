"""What an unfinished prediction has found last, as a picture."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from vitruve.formats.coordinates_3d import FILE_NAMES, FRAME
from vitruve.inference.jobs import Job
from vitruve.media.images import shrunk
from vitruve.media.video import VideoReader
from vitruve.pipeline.prediction_folder import is_unfinished
from vitruve.pipeline.tables_3d import LOG
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.draw import draw_instances

_TAIL = 1 << 18
_SCORER = "scorer"
_WIDTH = 1280
_reading = threading.Lock()


@dataclass(frozen=True, eq=False)
class LastRow:
    """The last whole row of a table that grows.

    Attributes:
        frame: Number of the row's frame.
        points: Coordinates and likelihood of K keypoints of N animals, NaN where missing.
    """

    frame: int
    points: Float[np.ndarray, "N K D"]

    @property
    def likelihood(self) -> float:
        """Mean of all keypoints that were found; NaN where there are none."""
        values = self.points[..., -1]
        return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")


def part_of_table(table: Path) -> Path:
    """Where a table of ``vitruve predict`` grows; the table itself once it is whole."""
    growing = Job(table, table).part
    return growing if growing.is_file() else table


def part_of_folder(parent: Path, dims: int) -> Path | None:
    """Where the table of a project's prediction grows: in the unfinished folder that was written to last.

    Args:
        parent: Folder of predictions.
        dims: 2 or 3.

    Returns:
        The table; None where nothing is unfinished.
    """
    tables = [path / FILE_NAMES[dims] for path in parent.glob(".*") if is_unfinished(path)]
    there = [table for table in tables if table.is_file()]
    return max(there, key=lambda table: table.stat().st_mtime, default=None)


def last_row(table: Path, keypoints: int, *, dims: int = 2) -> LastRow | None:
    """The last whole row of a table of predictions that grows.

    Args:
        table: With one row a frame. Where the rows have no number, ``log.csv`` beside the table has it.
        keypoints: K.
        dims: Coordinates of a keypoint: 2 or 3.

    Returns:
        The row; None while there is none, or it is not of keypoints.
    """
    row, width = _last_cells(table), dims + 1
    if row is None:
        return None
    head, cells = row
    several = head[1:2] == ["score"]
    try:
        if several or head[0] in (_SCORER, FRAME):
            frame, cells = int(cells[0]), cells[1:]
        else:
            log = _last_cells(table.with_name(LOG))
            if log is None:
                return None
            frame = int(log[1][0])
        values = np.array([float(cell or "nan") for cell in cells]).reshape(-1, keypoints * width + several)
    except ValueError:
        return None
    return LastRow(frame, values[:, int(several) :].reshape(-1, keypoints, width))


def drawn(
    video: Path, row: LastRow, skeleton: Skeleton, *, threshold: float = 0.0, camera: Camera | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """A frame with what was found in it.

    Args:
        video: The video.
        row: What was found.
        skeleton: Edges and colours.
        threshold: Likelihood from which keypoints are drawn.
        camera: Sees the points, where they are in space.

    Returns:
        The picture, no wider than a page.

    Raises:
        InputError: The frame cannot be read.
    """
    places = row.points[..., :-1]
    if camera is not None:
        places = camera.project(places)
    people = Instances.from_keypoints(places, keypoint_scores=row.points[..., -1])
    with _reading:
        image = _reader(video, video.stat().st_mtime_ns).read([row.frame])[0]
    return shrunk(draw_instances(image, people, skeleton, threshold=threshold), _WIDTH)


def skeleton_of(model: Mapping[str, object]) -> Skeleton | None:
    """The keypoints of a run; None where it finds none.

    Args:
        model: Its ``model.json``.

    Returns:
        The skeleton.
    """
    task = model.get("task")
    found = task["skeleton"] if isinstance(task, dict) else {}
    # One of a detector has no names, which a skeleton that is drawn must have.
    return Skeleton.from_dict(found) if found.get("names") else None


def _last_cells(table: Path) -> tuple[list[str], list[str]] | None:
    """The first header row and the last row that is whole; None where there is no row."""
    if not table.is_file():
        return None
    with table.open("rb") as stream:
        head = stream.readline().decode(errors="replace").rstrip("\n").split(",")
        start = stream.tell()
        stream.seek(max(start, table.stat().st_size - _TAIL))
        lines = stream.read().split(b"\n")[:-1]
    return (head, lines[-1].decode(errors="replace").split(",")) if lines else None


@lru_cache(maxsize=4)
def _reader(video: Path, changed: int) -> VideoReader:
    """Stays open: the next frame to be shown follows soon."""
    return VideoReader(video)
