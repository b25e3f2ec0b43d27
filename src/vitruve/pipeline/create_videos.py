"""Predictions drawn into copies of their videos, from the tables in a folder of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.formats.calibration import read_cameras
from vitruve.formats.coordinates_3d import FILE_NAMES, INFO, PredictionInfo, read_coordinates, read_info
from vitruve.formats.skeleton_file import FILE_NAME as SKELETON
from vitruve.formats.skeleton_file import read_skeleton
from vitruve.inference.drawing import Look, draw_points
from vitruve.media.recordings import videos_of_cameras
from vitruve.pipeline.predict_3d import CALIBRATION
from vitruve.pipeline.rig_recording import find_cameras, frames_of, open_recording
from vitruve.structures.skeleton import Skeleton


@dataclass(frozen=True)
class Drawing:
    """What is drawn, and how.

    Attributes:
        look: Threshold and colours.
        skeleton: Edges and colours of the keypoints; None for what lies beside the table, or no edges.
        frame_start: The first frame; None for that of the prediction.
        number_frames: How many; -1 for all of the prediction.
    """

    look: Look
    skeleton: Skeleton | None = None
    frame_start: int | None = None
    number_frames: int = -1


@dataclass(frozen=True)
class _Table:
    """Points to be drawn: ``(T, K, D + 1)`` with their confidence, the number of the first frame, and the skeleton."""

    path: Path
    info: PredictionInfo
    points: Float[np.ndarray, "T K D"]
    start: int
    skeleton: Skeleton


def draw_videos_3d(
    prediction: Path,
    output: Path | None,
    drawing: Drawing,
    *,
    cameras: Sequence[str] | None = None,
    recording: Path | None = None,
    calibration: str | Path | None = None,
    training_set: Path | None = None,
) -> list[Path]:
    """Draw points in space into the videos of chosen cameras, where these see them.

    Args:
        prediction: A folder with ``data3D.csv`` and ``info.yaml``, or another table of such points in it.
        output: Folder of the videos ``<camera>.mp4``; None for ``videos`` beside the table.
        drawing: What is drawn.
        cameras: Their names; None for all that have a video.
        recording: Folder of videos; None for that of the prediction.
        calibration: As for :func:`vitruve.pipeline.rig_recording.find_cameras`; None for that of the prediction.
        training_set: The same.

    Returns:
        The videos.

    Raises:
        InputError: A file is missing or not as it should be, or there is no such camera or frame.
    """
    table = _opened(prediction, 3, drawing)
    folder = recording or Path(table.info.recording_path)
    if recording is None and not folder.is_dir():
        raise InputError(f"{folder}: the recording of {prediction} is not there any more; say where it is: --recording")
    kept = table.path.parent / CALIBRATION
    if calibration is None and kept.is_file():
        rig = read_cameras(kept)
    else:
        rig, _ = find_cameras(calibration or table.info.dataset_name, folder, training_set)
    videos = videos_of_cameras(folder)
    names = [name for name in rig if name in videos] if cameras is None else cameras
    count = len(table.points)
    opened = open_recording(folder, rig, names, frame_start=table.start, number_frames=count, shortest=True, fewest=1)
    targets = []
    for path, (name, camera) in zip(opened.source.videos, opened.cameras.items(), strict=True):
        seen = np.concatenate([camera.project(table.points[..., :3]), table.points[..., 3:]], -1)
        targets.append((output or table.path.parent / "videos") / f"{name}.mp4")
        draw_points(path, seen, targets[-1], table.skeleton, drawing.look, table.start)
    return targets


def draw_video_2d(prediction: Path, output: Path | None, drawing: Drawing, *, video: Path | None = None) -> Path:
    """Draw the keypoints of a table into a copy of their video.

    Args:
        prediction: A folder with ``data2D.csv`` and ``info.yaml``, or that table.
        output: Folder of the video; None for ``videos`` beside the table.
        drawing: What is drawn.
        video: The video; None for that of the prediction.

    Returns:
        The drawn video.

    Raises:
        InputError: A file is missing or not as it should be, or there is no such frame.
    """
    table = _opened(prediction, 2, drawing)
    source = video or Path(table.info.recording_path)
    if video is None and not source.is_file():
        raise InputError(f"{source}: the video of {prediction} is not there any more; say where it is: --video")
    target = (output or table.path.parent / "videos") / f"{source.stem}.mp4"
    draw_points(source, table.points, target, table.skeleton, drawing.look, table.start)
    return target


def _opened(prediction: Path, dims: int, drawing: Drawing) -> _Table:
    path = prediction / FILE_NAMES[dims] if prediction.is_dir() else prediction
    info = read_info(path.parent / INFO)
    labels = read_coordinates(path)
    if not labels.frames:
        raise InputError(f"{path}: holds no frame; predict again")
    rows = []
    for frame in labels:
        found = frame.instances_3d if dims == 3 else frame.instances[0]
        if found is None or found.keypoints.shape[-1] != dims or found.keypoint_scores is None:
            raise InputError(f"{path}: holds no points of {dims} dimensions; give a table such as {FILE_NAMES[dims]}")
        rows.append(np.concatenate([found.keypoints[0], found.keypoint_scores[0, :, None]], -1))
    beside = path.parent / SKELETON
    skeleton = drawing.skeleton or (read_skeleton(beside) if beside.is_file() else labels.skeleton)
    if len(skeleton) != len(labels.skeleton):
        raise InputError(f"{path}: has {len(labels.skeleton)} keypoints, but the skeleton has {len(skeleton)}")
    first = int(labels[0].images[0].index or 0)
    start = first if drawing.frame_start is None else drawing.frame_start
    if start < first:
        raise InputError(f"--frame-start {start}: {path} begins with frame {first}")
    count = frames_of(path, first + len(rows), start, drawing.number_frames)
    return _Table(path, info, np.stack(rows[start - first :][:count]), start, skeleton)
