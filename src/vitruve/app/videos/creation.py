"""Which verb draws predictions into copies of their videos, and which videos have been drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitruve.app.projects import RIG, AppProject
from vitruve.app.videos.tables import VideoTable
from vitruve.errors import InputError
from vitruve.formats.coordinates_3d import FILE_NAMES
from vitruve.media.video import is_video
from vitruve.project.folder import timestamp

FOLDER = "visualization"
"""Folder of a project for drawn videos."""

ALL = -1


@dataclass(frozen=True)
class Drawing:
    """How predictions are drawn.

    Attributes:
        threshold: Confidence, 0 to 1, from which keypoints are drawn.
        colormap: Name of a matplotlib colormap.
        frame_start: The first frame; None for that of the prediction.
        number_frames: How many; -1 for all.
    """

    threshold: float = 0.3
    colormap: str = "jet"
    frame_start: int | None = None
    number_frames: int = ALL

    def arguments(self) -> list[str]:
        """As options of a verb."""
        first = [] if self.frame_start is None else ["--frame-start", str(self.frame_start)]
        count = [] if self.number_frames == ALL else ["--number-frames", str(self.number_frames)]
        return ["--threshold", f"{self.threshold:g}", "--colormap", self.colormap, *first, *count]


def new_folder(project: AppProject, dims: int) -> Path:
    """A folder for the next videos, which is not there yet.

    Args:
        project: The project.
        dims: 2, or 3 for points in space.

    Returns:
        ``visualization/Videos_2D_<time>``, with a number if that is taken.
    """
    name = f"Videos_{dims}D_{timestamp()}"
    path, number = project.path / FOLDER / name, 2
    while path.exists():
        path, number = project.path / FOLDER / f"{name}_{number}", number + 1
    return path


def of_cameras(
    project: AppProject, table: VideoTable, cameras: Sequence[str], drawing: Drawing, output: Path
) -> tuple[str, ...]:
    """The verb that draws points in space into the videos of cameras.

    Args:
        project: One of kind ``rig``.
        table: The points.
        cameras: Names of the cameras.
        drawing: How.
        output: Folder of the videos.

    Returns:
        Verb and arguments.

    Raises:
        InputError: No camera is named, or the project is none of several cameras.
    """
    if project.kind != RIG:
        raise InputError(f"{table.path}: points in space are drawn in projects of several cameras; open one")
    if not cameras:
        raise InputError("no camera: choose at least one")
    named = [] if table.path.name == FILE_NAMES[3] else ["--data-csv", table.path.name]
    return (
        *("project", "create-videos3d", str(project.path), str(table.path.parent), *named),
        *("--cameras", ",".join(cameras), *drawing.arguments(), "--output", str(output)),
    )


def of_videos(
    project: AppProject, videos: Mapping[VideoTable, Path], drawing: Drawing, output: Path
) -> tuple[str, ...]:
    """The verb that draws keypoints into videos.

    Args:
        project: The project.
        videos: The video of each table.
        drawing: How.
        output: Folder of the drawn videos.

    Returns:
        Verb and arguments.

    Raises:
        InputError: No video is named.
    """
    if not videos:
        raise InputError("no video: choose at least one")
    first = next(iter(videos))
    if first.path.name == FILE_NAMES[2] and project.kind == RIG:
        place = (str(project.path), str(first.path.parent))
        return (
            *("project", "create-videos2d", *place, "--video", str(videos[first])),
            *(*drawing.arguments(), "--output", str(output)),
        )
    return (
        *("visualize", "videos", *(str(table.path) for table in videos)),
        *(word for video in videos.values() for word in ("--video", str(video))),
        *(*drawing.arguments(), "--output", str(output)),
    )


def drawn_videos(project: AppProject) -> list[Path]:
    """Videos with predictions in them that a project has.

    Args:
        project: The project.

    Returns:
        Those in ``visualization`` and those that predictions have drawn, the newest first.
    """
    found = [path for path in (project.path / FOLDER).glob("*/*") if is_video(path)]
    for run in project.runs():
        found += [path for path in run.files.video_predictions.glob("**/labeled_videos/*") if is_video(path)]
    found += [path for path in project.path.glob("predictions/*/*/videos/*") if is_video(path)]
    return sorted(
        (path for path in found if path.is_file() and project.holds(path)),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
