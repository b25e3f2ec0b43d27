"""A prediction in space as a moving picture: a video, or a page that needs no other file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.coordinates_3d import FILE_NAMES, INFO, read_coordinates, read_info
from vitruve.media.video import VideoReader, VideoWriter, is_video
from vitruve.pipeline.bones import skeleton_for
from vitruve.visualize.scene3d import Stage
from vitruve.visualize.viewer_page import ShownFrame, viewer_page

_FPS = 25.0
_AXES = {"x": 0, "y": 1, "z": 2}
# A turn in twelve seconds: slow enough to follow.
_TURN_SECONDS = 12.0
_SIZE = (720, 720)


def animate_3d(
    source: str | Path,
    output: str | Path | None = None,
    *,
    skeleton: str | Path | None = None,
    up: str = "+z",
    fps: float | None = None,
    frames: int | None = None,
    turn: bool = True,
) -> Path:
    """Draw the points of a prediction in space, frame by frame.

    Args:
        source: ``data3D.csv``, or the folder that holds it.
        output: A video (``.mp4`` and so on) or a page (``.html``); ``animation3D.mp4`` beside the source by default.
        skeleton: What says which keypoints are joined: a skeleton YAML, a project's ``config.yaml``, a run, or a label
            set. By default one of the first three that lies beside the source or above it.
        up: Which axis of the world points up: ``+z``, ``-y`` and so on.
        fps: Frames a second, 1/s; None as the recording has them, else 25.
        frames: At most so many from the first one on; None for all.
        turn: In a video, go around the animal slowly.

    Returns:
        The file.

    Raises:
        InputError: The prediction cannot be read or holds no point in space, or a setting is wrong.
    """
    if frames is not None and frames < 1:
        raise InputError(f"--frames {frames}: give 1 or more")
    if fps is not None and not fps > 0:
        raise InputError(f"--fps {fps:g}: give frames a second above 0")
    source = Path(source)
    labels = read_coordinates(source)
    file = source / FILE_NAMES[3] if source.is_dir() else source
    if not labels.frames:
        raise InputError(f"{file}: holds no frame")
    if all(frame.instances_3d is None for frame in labels):
        raise InputError(f"{source}: holds points in the plane, not in space; give {FILE_NAMES[3]}")
    labels = labels[:frames]
    bones = skeleton_for(labels.skeleton.names, file, None if skeleton is None else Path(skeleton))
    upward = _upward(up)
    rate = fps or recording_rate(file)
    points = np.stack([np.asarray(f.instances_3d.keypoints[0], np.float64) for f in labels if f.instances_3d])
    titles = [f"frame {frame.images[0].index}" for frame in labels]
    path = Path(output or file.with_name("animation3D.mp4"))
    if path.suffix.lower() in (".html", ".htm"):
        shown = [ShownFrame(title, points=pose) for title, pose in zip(titles, points, strict=True)]
        about = {"Prediction": f"{file.parent.name}/{file.name}", "Frames": f"{len(shown)}", "Rate": f"{rate:g} / s"}
        atomic_write(path, viewer_page(shown, bones, "Points in space", about, up=upward.tolist(), fps=rate))
        return path
    stage = Stage(points, upward, _SIZE)
    speed = 360 / (_TURN_SECONDS * rate) if turn else 0.0
    with VideoWriter(path, rate, _SIZE) as video:
        for picture in stage.turning(points, bones, titles, degrees_a_frame=speed):
            video.write(picture)
    return path


def _upward(text: str) -> np.ndarray:
    sign, axis = (text[0], text[1:]) if text[:1] in ("+", "-") else ("+", text)
    if axis not in _AXES:
        raise InputError(f"--up {text}: must be an axis of the world, such as +z or -y")
    return np.eye(3)[_AXES[axis]] * (-1 if sign == "-" else 1)


def recording_rate(file: Path) -> float:
    """How many frames a second a predicted recording has.

    Args:
        file: The table of points.

    Returns:
        In 1/s; 25 where the recording is not there any more.
    """
    info = file.with_name(INFO)
    if not info.is_file():
        return _FPS
    place = Path(read_info(info).recording_path)
    videos = [place] if is_video(place) else sorted(filter(is_video, place.iterdir())) if place.is_dir() else []
    if not videos or not videos[0].is_file():
        return _FPS
    with VideoReader(videos[0]) as video:
        return float(video.fps)
