"""The verb, on small rendered recordings in every layout of folders that is understood."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import vitruve
from vitruve.calibration.recordings import find_sources, first_camera
from vitruve.calibration.solve import camera_centers
from vitruve.cli.main import build
from vitruve.errors import InputError
from vitruve.formats.calibration import read_cameras
from vitruve.geometry.board import Board
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.synthetic.boards import BoardRecording, ring_of_cameras

BOARD = Board(7, 4, 45.0)
INSTANTS = 10


@pytest.fixture(scope="module")
def rendered() -> tuple[tuple[Camera, ...], list[list[np.ndarray]]]:
    """Two cameras of different resolution, and what they see."""
    small, large = ring_of_cameras(2, (320, 240), spread=0.7)
    factor = np.diag([1.25, 1.25, 1])
    cameras = (
        small,
        Camera(factor @ large.intrinsics, large.rotation, large.translation, large.distortion, large.size * 1.25),
    )
    made = BoardRecording.waved(BOARD, cameras, INSTANTS, reach=70.0, seed=1)
    return cameras, [list(made.images(view)) for view in range(2)]


def _video(path: Path, pictures: list[np.ndarray]) -> None:
    with VideoWriter(path, 25, crf=10) as video:
        for picture in pictures:
            video.write(np.repeat(picture[..., None], 3, 2))


def _images(folder: Path, pictures: list[np.ndarray], skip: int = -1) -> None:
    for number, picture in enumerate(pictures):
        if number != skip:
            write_image(folder / f"board{number:03d}.png", np.repeat(picture[..., None], 3, 2))


def test_videos_become_a_calibration_and_a_report(
    rendered: tuple[tuple[Camera, ...], list[list[np.ndarray]]], tmp_path: Path
) -> None:
    cameras, pictures = rendered
    for name, seen in zip(("left", "right"), pictures, strict=True):
        _video(tmp_path / f"{name}.mp4", seen)
    done = CliRunner().invoke(build(), ["calibrate", str(tmp_path), "--squares", "7x4", "--square", "45"])
    assert done.exit_code == 0, done.output
    assert "left: " in done.output and "2 cameras; what they are worth" in done.output
    found = read_cameras(tmp_path / "calibration.toml")
    assert list(found) == ["left", "right"]
    centers = camera_centers(stack_cameras(tuple(found.values())))
    truth = camera_centers(stack_cameras(cameras))
    assert np.linalg.norm(centers - truth, axis=-1).max() < 0.02 * np.linalg.norm(truth[1] - truth[0])
    np.testing.assert_array_equal([camera.size for camera in found.values()], [[320, 240], [400, 300]])
    report = tmp_path / "calibration_report"
    figures = json.loads((report / "figures.json").read_text())
    assert figures["error_px"]["median"] < 0.2
    assert [item["name"] for item in figures["cameras"]] == ["left", "right"]
    page = (report / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4 and "http" not in page
    names = ("rig", "residuals", "coverage_left", "coverage_right")
    assert all((report / f"{name}.png").stat().st_size > 5000 for name in names)
    # The report among the recordings is none of them, and a second time gives the same.
    again = vitruve.calibrate(tmp_path, (7, 4), 45.0, output=tmp_path / "again", primary="right")
    np.testing.assert_array_equal(again.cameras["right"].translation, 0)
    assert set(read_cameras(tmp_path / "again")) == {"left", "right"}


def test_folders_of_jarvis_and_missing_images(
    rendered: tuple[tuple[Camera, ...], list[list[np.ndarray]]], tmp_path: Path
) -> None:
    cameras, pictures = rendered
    for name, seen in zip(("Camera_B", "Camera_A"), pictures, strict=True):
        _video(tmp_path / "Intrinsics" / f"{name}.avi", seen)
        _images(tmp_path / "Extrinsics" / "Camera_B-Camera_A" / name, seen, skip=2 if name == "Camera_A" else -1)
    sources = find_sources(tmp_path)
    assert {(item.camera, item.session) for item in sources} == {
        (name, session) for name in ("Camera_A", "Camera_B") for session in (None, "Camera_B-Camera_A")
    }
    assert first_camera(sources) == "Camera_B"
    made = vitruve.calibrate(tmp_path, (7, 4), 45.0, output=tmp_path / "cameras", format="jarvis")
    assert made.report["primary"] == "Camera_B" and made.path.is_dir()
    size = np.linalg.norm(np.diff(camera_centers(stack_cameras(cameras)), axis=0))
    assert made.report["rig_size_mm"] == pytest.approx(size, rel=0.02)


def test_lengths_that_differ_are_told(
    rendered: tuple[tuple[Camera, ...], list[list[np.ndarray]]], tmp_path: Path
) -> None:
    _, pictures = rendered
    _video(tmp_path / "left.mp4", pictures[0])
    _video(tmp_path / "right.mp4", [*pictures[1], *pictures[1][:3]])
    with pytest.raises(InputError, match=rf"right.mp4: has {INSTANTS + 3} frames, 3 more than .*left.mp4"):
        vitruve.calibrate(tmp_path, (7, 4), 45.0)
    made = vitruve.calibrate(tmp_path, (7, 4), 45.0, shortest=True)
    assert "3 more than" in made.report["notes"][0]


def test_a_board_that_is_not_there_is_told_with_its_reason(
    rendered: tuple[tuple[Camera, ...], list[list[np.ndarray]]], tmp_path: Path
) -> None:
    _, pictures = rendered
    _images(tmp_path / "left", pictures[0][:6])
    _images(tmp_path / "right", [np.full((300, 400), 5, np.uint8)] * 6)
    with pytest.raises(InputError, match=r"camera 'right': no board in 6 images: the images are dark"):
        vitruve.calibrate(tmp_path, (7, 4), 45.0)
    with pytest.raises(InputError, match=r"camera 'left': .*7x4 squares is seen, not one of 6x9"):
        vitruve.calibrate(tmp_path, (6, 9), 45.0)
    assert not list(tmp_path.glob("calibration*"))


def test_names_are_checked_before_boards_are_looked_for(tmp_path: Path) -> None:
    for name in ("left", "right"):
        _images(tmp_path / name, [np.full((60, 80), 5, np.uint8)] * 4)
    with pytest.raises(InputError, match=r"primary 'lefd' \(did you mean 'left'\?\): the cameras are left, right"):
        vitruve.calibrate(tmp_path, (7, 4), 45.0, primary="lefd")
    with pytest.raises(InputError, match=r"cameras\.yaml: no calibration ends in \.yaml"):
        vitruve.calibrate(tmp_path, (7, 4), 45.0, output=tmp_path / "cameras.yaml")


def test_the_first_camera_is_the_one_whose_whole_name_the_folder_begins_with(tmp_path: Path) -> None:
    for name in ("cam", "cam-2", "top"):
        _images(tmp_path / "Extrinsics" / "cam-2-top" / name, [np.zeros((8, 8), np.uint8)])
    assert first_camera(find_sources(tmp_path)) == "cam-2"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--squares", "7by4"], "such as 8x5"),
        (["--squares", "7x4", "--format", "anipos"], "did you mean 'anipose'"),
        (["--squares", "7x4", "--frames", "2"], "at least 4 images"),
        (["--squares", "7x4", "--lens", "fisheye", "--format", "jarvis"], "write anipose"),
        (["--squares", "7x4"], "holds no recording of a board"),
    ],
)
def test_bad_input_is_one_line(more: list[str], says: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(build(), ["calibrate", str(tmp_path), "--square", "45", *more])
    assert done.exit_code != 0
    assert says in f"{done.output}{done.exception}"
