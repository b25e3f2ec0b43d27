"""Predictions in space as moving pictures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.coordinates_3d import PredictionInfo, format_rows, header_lines, write_info
from vitruve.media.video import VideoReader, VideoWriter
from vitruve.pipeline.animate_3d import animate_3d
from vitruve.structures.camera import missing_camera
from vitruve.visualize.scene3d import Stage, upright

NAMES = ("nose", "neck", "tail")


@pytest.fixture
def prediction(tmp_path: Path) -> Path:
    """Five frames from frame 7 on, the second one without anything found."""
    folder = tmp_path / "project" / "predictions" / "one"
    folder.mkdir(parents=True)
    points = np.random.default_rng(0).uniform(-40, 40, (5, 3, 3))
    points[1] = np.nan
    text = "\n".join(header_lines(NAMES)) + "\n" + format_rows(points, np.ones((5, 3)))
    (folder / "data3D.csv").write_text(text)
    write_info(PredictionInfo(str(tmp_path / "recording"), None, 7), folder / "info.yaml")
    return folder


def data_of(page: Path) -> dict:  # type: ignore[type-arg]
    found = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_page_has_the_points_the_bones_of_the_project_and_the_recording_s_rate(prediction: Path) -> None:
    project = prediction.parents[1]
    (project / "config.yaml").write_text("SKELETON:\n- [nose, neck]\n- [neck, tail]\n")
    recording = project.parent / "recording"
    recording.mkdir()
    with VideoWriter(recording / "A.mp4", 40) as video:
        for _ in range(2):
            video.write(np.zeros((32, 32, 3), np.uint8))
    data = data_of(animate_3d(prediction, prediction / "a.html", up="-y"))
    assert data["edges"] == [[0, 1], [1, 2]] and data["fps"] == pytest.approx(40) and data["up"] == [0, -1, 0]
    assert [frame["name"] for frame in data["frames"]] == [f"frame {number}" for number in range(7, 12)]
    assert data["frames"][1]["points"] == [None] * 3
    rows = np.genfromtxt(prediction / "data3D.csv", delimiter=",", skip_header=2).reshape(5, 3, 4)
    np.testing.assert_allclose(data["frames"][4]["points"], rows[4, :, :3], atol=0.006)


def test_a_video_has_a_picture_a_frame(prediction: Path) -> None:
    made = animate_3d(prediction / "data3D.csv", frames=3)
    assert made == prediction / "animation3D.mp4"
    with VideoReader(made) as video:
        pictures = list(video.frames())
        assert len(pictures) == 3 and video.fps == pytest.approx(25)
    # Nothing is drawn where nothing was found, and the others differ from one another.
    drawn = [int((np.ptp(picture.astype(int), axis=-1) > 60).sum()) for picture in pictures]
    assert drawn[1] < 20 < drawn[0] and np.abs(pictures[0].astype(int) - pictures[2]).max() > 60


def test_what_cannot_be_drawn_is_said(prediction: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--up w"):
        animate_3d(prediction, up="w")
    odd = tmp_path / "odd.yaml"
    odd.write_text("SKELETON:\n- [nose, ear]\n")
    with pytest.raises(InputError, match=r"joins 'ear', but .* has nose, neck, tail"):
        animate_3d(prediction, skeleton=odd)
    flat = tmp_path / "data2D.csv"
    flat.write_text("\n".join(header_lines(NAMES, 2)) + "\n" + format_rows(np.zeros((2, 3, 2)), np.ones((2, 3))))
    with pytest.raises(InputError, match="points in the plane"):
        animate_3d(flat)
    for frames in (0, -2):
        with pytest.raises(InputError, match=rf"--frames {frames}: give 1 or more"):
            animate_3d(prediction, frames=frames)
    with pytest.raises(InputError, match="--fps 0: give frames a second above 0"):
        animate_3d(prediction, fps=0)
    empty = tmp_path / "data3D.csv"
    empty.write_text("\n".join(header_lines(NAMES)) + "\n")
    with pytest.raises(InputError, match=r"data3D\.csv: holds no frame"):
        animate_3d(empty)
    assert not (prediction / "animation3D.mp4").exists()


def test_the_eye_looks_at_the_middle_with_up_above() -> None:
    points = np.random.default_rng(1).uniform(-50, 50, (30, 4, 3)) + np.array([300.0, -200, 90])
    points[0, 0] = np.nan
    for up in (np.array([0.0, 0, 1]), np.array([0.0, -1, 0]), np.array([0.6, 0, 0.8])):
        stage = Stage(points, up, (400, 300))
        for azimuth, elevation in ((0, 0), (130, 40), (250, -60)):
            eye = stage.eye(azimuth, elevation)
            np.testing.assert_allclose(eye.rotation @ eye.rotation.T, np.eye(3), atol=1e-9)
            assert np.linalg.det(eye.rotation) == pytest.approx(1)
            ends = eye.project(np.stack([stage.middle, stage.middle + 10 * up]))
            np.testing.assert_allclose(ends[0], [199.5, 149.5], atol=1e-6)
            # Rows are counted downwards.
            assert ends[1, 1] < ends[0, 1] and abs(ends[1, 0] - ends[0, 0]) < 1e-6
            seen = eye.project(points[1:].reshape(-1, 3))
            assert ((seen > -1) & (seen < [400, 300])).all(-1).mean() > 0.97


def test_cameras_tell_which_way_is_up() -> None:
    camera = Stage(np.zeros((1, 1, 3)), np.array([0.0, 0.8, 0.6])).eye
    cameras = [camera(azimuth, 20) for azimuth in (0, 90, 180, 270)]
    np.testing.assert_allclose(upright([*cameras, missing_camera()]), [0, 0.8, 0.6], atol=1e-9)
    np.testing.assert_allclose(upright([missing_camera()]), [0, 0, 1])
    contrary = [cameras[0], replace(cameras[0], rotation=cameras[0].rotation * [[-1], [-1], [1]])]
    np.testing.assert_allclose(upright(contrary), [0, 0, 1])
