"""Drawn videos, looked at where the points must be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ball_rig import BALLS, path_of_balls, write_recording
from calibrated_scene import SIZE, VIEWS, rig
from vitruve import recordings
from vitruve.errors import InputError
from vitruve.formats.calibration import write_cameras
from vitruve.formats.coordinates_3d import PredictionInfo, format_rows, header_lines, read_info, write_info
from vitruve.formats.skeleton_file import write_skeleton
from vitruve.media.video import VideoReader

FRAMES = 6


@pytest.fixture
def prediction(tmp_path: Path) -> Path:
    """As JARVIS leaves it: the exact points of frames 1 to 5; that of frame 3 is missing, one is not sure."""
    points = write_recording(tmp_path / "recording", FRAMES)[1:]
    sure = np.ones(points.shape[:-1])
    points[2] = np.nan
    sure[:, 3] = 0.1
    folder = tmp_path / "Predictions_3D"
    folder.mkdir()
    (folder / "data3D.csv").write_text("\n".join(header_lines(BALLS.names)) + "\n" + format_rows(points, sure))
    write_info(PredictionInfo(str(tmp_path / "recording"), None, 1, -1), folder / "info.yaml")
    return folder


def changed(video: Path, source: Path, index: int, start: int) -> np.ndarray:
    """How much each pixel differs from that of the source, 0 to 255."""
    with VideoReader(video) as drawn, VideoReader(source) as plain:
        images = drawn.read([index])[0].astype(int), plain.read([index + start])[0].astype(int)
    return np.abs(images[0] - images[1]).max(-1)


def test_points_are_drawn_where_each_camera_sees_them(prediction: Path, tmp_path: Path) -> None:
    videos = recordings.create_videos_3d(prediction, skeleton=BALLS, colormap="gray", cameras=["left", "right"])
    assert [video.name for video in videos] == ["left.mp4", "right.mp4"]
    truth = dict(zip(VIEWS, rig(), strict=True))
    for video in videos:
        with VideoReader(video) as reader:
            assert (reader.count(), reader.width, reader.height) == (5, *SIZE)
        source = tmp_path / "recording" / video.name
        for index in (0, 4):
            pixels = truth[video.stem].project(path_of_balls(FRAMES)[index + 1])
            difference = changed(video, source, index, 1)
            x, y = np.rint(pixels).astype(int).T
            # The first three are drawn over the balls, the last is not sure enough; the middle of a limb is drawn.
            assert (difference[y[:3], x[:3]] > 60).all() and difference[y[3], x[3]] < 25
            middle = np.rint(pixels[1:3].mean(0)).astype(int)
            assert difference[middle[1], middle[0]] > 30
        assert changed(video, source, 2, 1).max() < 60  # Nothing but what compressing twice leaves.


def test_a_part_of_a_prediction_can_be_drawn(prediction: Path, tmp_path: Path) -> None:
    (video,) = recordings.create_videos_3d(
        prediction, tmp_path / "videos", cameras=["middle"], frame_start=4, number_frames=2, skeleton=BALLS
    )
    assert video == tmp_path / "videos" / "middle.mp4"
    with VideoReader(video) as reader:
        assert reader.count() == 2
    assert changed(video, tmp_path / "recording" / "middle.mp4", 0, 4).max() > 60
    for start, words in ((0, "begins with frame 1"), (9, "has frames 0 to 5")):
        with pytest.raises(InputError, match=words):
            recordings.create_videos_3d(prediction, frame_start=start)


def test_skeleton_and_calibration_beside_the_table_are_taken(prediction: Path, tmp_path: Path) -> None:
    write_skeleton(BALLS, prediction / "skeleton.yaml")
    write_cameras(dict(zip(VIEWS, rig(), strict=True)), prediction / "calibration.toml")
    (tmp_path / "recording" / "calibration.toml").unlink()
    assert len(recordings.create_videos_3d(prediction)) == 3
    (tmp_path / "recording" / "left.mp4").unlink()
    assert [video.stem for video in recordings.create_videos_3d(prediction)] == ["middle", "right"]
    with pytest.raises(InputError, match="no video of camera left"):
        recordings.create_videos_3d(prediction, cameras=["left"])


def test_keypoints_of_one_video_are_drawn(tmp_path: Path) -> None:
    points = rig()[0].project(write_recording(tmp_path / "recording", FRAMES))
    folder = tmp_path / "Predictions_2D"
    folder.mkdir()
    table = "\n".join(header_lines(BALLS.names, 2)) + "\n" + format_rows(points, np.ones(points.shape[:-1]))
    (folder / "data2D.csv").write_text(table)
    write_info(PredictionInfo(str(tmp_path / "recording" / "left.mp4"), None, 0, -1), folder / "info.yaml")
    video = recordings.create_videos_2d(folder, colormap="gray", number_frames=3)
    assert video == folder / "videos" / "left.mp4"
    x, y = np.rint(points[2]).astype(int).T
    assert (changed(video, tmp_path / "recording" / "left.mp4", 2, 0)[y, x] > 60).sum() >= 3
    with pytest.raises(InputError, match=r"data3D\.csv"):
        recordings.create_videos_3d(folder)


def test_recordings_that_have_moved_are_asked_for(prediction: Path, tmp_path: Path) -> None:
    info = prediction / "info.yaml"
    write_info(replace(read_info(info), recording_path="/nowhere/at_all"), info)
    with pytest.raises(InputError, match=r"/nowhere/at_all: the recording of .*: --recording"):
        recordings.create_videos_3d(prediction, tmp_path / "out")
    assert not (tmp_path / "out").exists()
