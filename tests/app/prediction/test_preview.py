"""What an unfinished prediction has found last."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.app.prediction.preview import LastRow, drawn, last_row, part_of_folder, part_of_table
from vitruve.media.video import VideoReader, VideoWriter
from vitruve.structures.camera import Camera
from vitruve.structures.skeleton import Skeleton

ONE = "scorer,net,net,net,net,net,net\nbodyparts,a,a,a,b,b,b\ncoords,x,y,likelihood,x,y,likelihood\n"
TWO = Skeleton.from_names(["a", "b"], [(0, 1)])


def test_of_one_animal(tmp_path: Path) -> None:
    table = tmp_path / "v.csv.part"
    table.write_text(ONE + "7,1,2,0.5,3,4,0.9\n8,1.5,2.5,0.6,,,\n9,1,2")
    row = last_row(table, 2)
    assert row is not None and row.frame == 8
    np.testing.assert_array_equal(row.points, [[[1.5, 2.5, 0.6], [np.nan] * 3]])
    assert row.likelihood == 0.6


def test_of_several_animals_while_the_table_grows(tmp_path: Path) -> None:
    table = tmp_path / "v.csv.part"
    head = "net,score,a x,a y,a likelihood,b x,b y,b likelihood\n"
    table.write_text(head + "0,,,,,,,\n3,0.8,1,2,0.5,3,4,0.9,0.7,5,6,0.1,7,8,0.2\n")
    row = last_row(table, 2)
    assert row is not None and row.frame == 3
    np.testing.assert_array_equal(row.points[:, :, 0], [[1, 3], [5, 7]])


def test_in_space_the_log_has_the_number(tmp_path: Path) -> None:
    folder = tmp_path / ".Predictions_3D_unfinished_12ab"
    folder.mkdir()
    (folder / "data3D.csv").write_text("a,a,a,a\nx,y,z,confidence\n1,2,3,0.5\nNaN,NaN,NaN,NaN\n4,5,6,0.7\n")
    (folder / "log.csv").write_text("frame,reason,A,B\n100,,0.9,0.9\n101,too dark,0.1,0.1\n102,,0.8,0.8\n")
    assert part_of_folder(tmp_path, 3) == folder / "data3D.csv"
    assert part_of_folder(tmp_path, 2) is None
    row = last_row(folder / "data3D.csv", 1, dims=3)
    assert row is not None and row.frame == 102
    np.testing.assert_array_equal(row.points, [[[4, 5, 6, 0.7]]])


def test_with_a_column_of_numbers_the_log_is_not_needed(tmp_path: Path) -> None:
    table = tmp_path / "data2D.csv"
    table.write_text("frame,a,a,a\nframe,x,y,confidence\n41,1,2,0.5\n")
    row = last_row(table, 1)
    assert row is not None and row.frame == 41


def test_nothing_yet_and_no_keypoints(tmp_path: Path) -> None:
    table = tmp_path / "v.csv"
    assert last_row(table, 2) is None
    table.write_text(ONE)
    assert last_row(table, 2) is None
    table.write_text(ONE + "folder/img.png,1,2,0.5,3,4,0.9\n")
    assert last_row(table, 2) is None
    table.write_text(ONE + "1,1,2,0.5\n")
    assert last_row(table, 2) is None


def test_the_growing_table_comes_before_the_old_one(tmp_path: Path) -> None:
    table = tmp_path / "v.csv"
    table.touch()
    assert part_of_table(table) == table
    (tmp_path / ".v.csv.part").touch()
    assert part_of_table(table) == tmp_path / ".v.csv.part"


def _video(path: Path) -> Path:
    with VideoWriter(path, 25) as writer:
        for value in (0, 60, 120):
            writer.write(np.full((64, 96, 3), value, np.uint8))
    return path


def test_the_very_frame_is_drawn(tmp_path: Path) -> None:
    video = _video(tmp_path / "v.mp4")
    picture = drawn(video, LastRow(1, np.array([[[20.0, 30.0, 0.9], [70.0, 30.0, 0.9]]])), TWO)
    with VideoReader(video) as reader:
        plain = reader.read([1])[0]
    assert picture.shape == plain.shape
    np.testing.assert_array_equal(picture[50:], plain[50:])
    assert np.abs(picture[30, 20].astype(int) - plain[30, 20]).max() > 40


def test_points_in_space_are_drawn_where_the_camera_sees_them(tmp_path: Path) -> None:
    lens = np.array([[100.0, 0, 48], [0, 100, 32], [0, 0, 1]])
    camera = Camera(lens, np.eye(3), np.zeros(3), np.zeros(8), np.array([96.0, 64.0]))
    points = np.array([[[0.0, 0.0, 100.0, 0.9], [np.nan] * 4]])
    picture = drawn(_video(tmp_path / "v.mp4"), LastRow(0, points), TWO, camera=camera).astype(int)
    assert picture[32, 48].max() > 60
    assert picture[32, 10].max() < 20 and picture[5, 48].max() < 20
