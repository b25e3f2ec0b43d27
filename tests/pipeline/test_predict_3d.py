"""Recordings of several cameras, from videos to points in space, against exact truth."""

from __future__ import annotations

import csv
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ball_rig import BALLS, BallsInImages, BallsInSpace, opened, write_recording
from calibrated_scene import VIEWS
from vitruve.errors import InputError
from vitruve.formats.calibration import read_cameras
from vitruve.formats.coordinates_3d import PredictionInfo, read_coordinates, read_info
from vitruve.formats.skeleton_file import read_skeleton
from vitruve.pipeline.after_prediction_3d import finish_3d
from vitruve.pipeline.predict_2d import predict_video
from vitruve.pipeline.predict_3d import Predicted, predict_recording
from vitruve.pipeline.prediction_folder import is_unfinished
from vitruve.pipeline.rig_recording import open_recording

FRAMES = 22
# Millimetres; a pixel is 1.6 of them.
NEAR = 0.8


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Frame 5 is seen by one camera, frames 9 and 10 by none."""
    folder = tmp_path_factory.mktemp("balls")
    empty = {5: VIEWS[:2], 9: VIEWS, 10: VIEWS}
    return folder, write_recording(folder, FRAMES, empty=empty)


def predicted(folder: Path, output: Path, algorithm: BallsInSpace | None = None, **options: int) -> Predicted:
    recording = open_recording(folder, read_cameras(folder), **options)  # type: ignore[arg-type]
    info = PredictionInfo(str(folder), None, recording.start, -1)
    return predict_recording(opened(algorithm or BallsInSpace()), recording, info, output)


def points_of(table: Path) -> np.ndarray:
    return np.stack([frame.instances_3d.keypoints[0] for frame in read_coordinates(table)])  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def made(balls: tuple[Path, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Predicted:
    return predicted(balls[0], tmp_path_factory.mktemp("out"))


def test_points_are_where_the_balls_are_and_nan_where_they_are_not_seen(
    balls: tuple[Path, np.ndarray], made: Predicted
) -> None:
    truth, unseen = balls[1], [5, 9, 10]
    assert (made.frames, made.located) == (FRAMES, FRAMES - len(unseen))
    for name in ("data3D.csv", "data3D_triangulated.csv"):
        found = points_of(made.folder / name)
        assert np.isnan(found[unseen]).all()
        seen = np.delete(np.arange(FRAMES), unseen)
        np.testing.assert_allclose(found[seen], truth[seen], atol=NEAR)
    lines = (made.folder / "data3D.csv").read_text().splitlines()
    assert lines[0].split(",") == [name for name in BALLS.names for _ in range(4)]
    assert lines[1].split(",") == ["x", "y", "z", "confidence"] * 4
    assert lines[2 + 9] == ",".join(["NaN"] * 16) and len(lines) == 2 + FRAMES


def test_the_log_says_why_there_are_no_points(made: Predicted) -> None:
    with (made.folder / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["frame"] for row in rows] == [str(number) for number in range(FRAMES)]
    assert [number for number, row in enumerate(rows) if row["reason"]] == [5, 9, 10]
    assert "found by 1 of 3 cameras" in rows[5]["reason"] and "found by 0 of 3" in rows[9]["reason"]
    assert float(rows[5][VIEWS[2]]) > 0.9 > 0.3 > float(rows[5][VIEWS[0]])


def test_what_speaks_for_the_points_is_beside_them(balls: tuple[Path, np.ndarray], made: Predicted) -> None:
    apart = pd.read_csv(made.folder / "difference3D.csv", header=[0, 1], index_col=0)
    assert list(apart.columns) == [(n, c) for n in BALLS.names for c in ("distance_mm", "deviation_mm")]
    both = np.linalg.norm(
        points_of(made.folder / "data3D.csv") - points_of(made.folder / "data3D_triangulated.csv"), axis=-1
    )
    np.testing.assert_allclose(apart.xs("distance_mm", axis=1, level=1), both, atol=2e-4)
    errors = pd.read_csv(made.folder / "reprojection3D.csv", header=[0, 1], index_col=0)
    assert list(errors.columns) == [(view, name) for view in VIEWS for name in BALLS.names]
    assert errors.isna().all(axis=1).to_numpy().nonzero()[0].tolist() == [5, 9, 10]
    assert 0 < float(errors.median().max()) < 0.6
    report = json.loads((made.folder / "report.json").read_text())
    median = float(np.nanmedian(errors[VIEWS[1]].to_numpy()))
    assert report["reprojection_px"]["cameras"][VIEWS[1]] == pytest.approx(median, rel=0.1)
    assert report["best_confidence"][VIEWS[0]] == pytest.approx(0.95, abs=1e-3)
    assert set(report["frames_per_second"]) == {"read", "locate", "network", "volume", "write", "end_to_end"}
    assert all(rate > 0 for rate in report["frames_per_second"].values())


def test_the_folder_says_what_was_predicted(balls: tuple[Path, np.ndarray], made: Predicted) -> None:
    assert made.folder.name.startswith("Predictions_3D_2") and len(made.folder.name) == len("Predictions_3D_") + 15
    assert read_info(made.folder / "info.yaml") == PredictionInfo(str(balls[0]), None, 0, FRAMES)
    assert read_skeleton(made.folder / "skeleton.yaml").edges == BALLS.edges
    assert list(read_cameras(made.folder / "calibration.toml")) == list(VIEWS)


def test_a_part_of_a_recording_has_the_same_points(
    balls: tuple[Path, np.ndarray], made: Predicted, tmp_path: Path
) -> None:
    part = predicted(balls[0], tmp_path, frame_start=3, number_frames=10)
    assert part.frames == 10 and read_info(part.folder / "info.yaml").number_frames == 10
    np.testing.assert_allclose(
        points_of(part.folder / "data3D.csv"), points_of(made.folder / "data3D.csv")[3:13], atol=1e-3
    )
    assert read_coordinates(part.folder)[0].images[0].index == 3


def test_an_interrupted_prediction_goes_on(balls: tuple[Path, np.ndarray], made: Predicted, tmp_path: Path) -> None:
    broken, whole = BallsInSpace(), BallsInSpace()
    broken.fails_at = 4
    with pytest.raises(KeyboardInterrupt):
        predicted(balls[0], tmp_path, broken)
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    # The last table was not written to its end.
    table = next(tmp_path.glob(".*/log.csv"))
    table.write_text(table.read_text()[:-7])
    again = predicted(balls[0], tmp_path, whole)
    assert list(tmp_path.iterdir()) == [again.folder]
    assert whole.calls == 4  # 22 frames are 6 batches of 4, of which 2 were whole in all tables.
    for name in ("data3D.csv", "data3D_triangulated.csv", "log.csv", "difference3D.csv", "reprojection3D.csv"):
        assert (again.folder / name).read_text() == (made.folder / name).read_text()
    assert again.located == made.located


def test_another_part_does_not_go_on_with_what_was_interrupted(balls: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    broken = BallsInSpace()
    broken.fails_at = 3
    with pytest.raises(KeyboardInterrupt):
        predicted(balls[0], tmp_path, broken)
    part = predicted(balls[0], tmp_path, frame_start=1, number_frames=4)
    assert part.frames == 4 and len(points_of(part.folder / "data3D.csv")) == 4
    (hidden,) = (path for path in tmp_path.iterdir() if path.name.startswith("."))
    assert is_unfinished(hidden) and not is_unfinished(part.folder)
    # After a week nobody is going to go on with it.
    for path in (hidden, *hidden.iterdir()):
        os.utime(path, (0, 0))
    again = predicted(balls[0], tmp_path, frame_start=1, number_frames=4)
    assert sorted(tmp_path.iterdir()) == [part.folder, again.folder]


def test_nothing_is_left_running(made: Predicted) -> None:
    assert [thread.name for thread in threading.enumerate() if "overlap" in thread.name or "work" in thread.name] == []


def test_an_animal_that_is_nowhere_is_said_with_each_cameras_confidence(tmp_path: Path) -> None:
    write_recording(tmp_path / "empty", 5, empty=dict.fromkeys(range(5), VIEWS))
    words = r"in none of 5 frames; the best confidence of each camera was left 0.*; the usual reason: found by 0 of 3 "
    with pytest.raises(InputError, match=words):
        predicted(tmp_path / "empty", tmp_path / "out")
    (folder,) = (tmp_path / "out").iterdir()
    assert np.isnan(points_of(folder / "data3D.csv")).all()


def test_without_a_locator_points_that_no_two_cameras_see_have_a_reason(
    balls: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    recording = open_recording(balls[0], read_cameras(balls[0]))
    found = predict_recording(
        opened(BallsInSpace(), locator=False), recording, PredictionInfo(str(balls[0])), tmp_path, frame_column=True
    )
    assert found.located == FRAMES - 3 and found.frames_per_second["locate"] is None
    log = pd.read_csv(found.folder / "log.csv")
    assert log["reason"].dropna().tolist() == ["no keypoint is seen by two cameras"] * 3
    assert (found.folder / "data3D.csv").read_text().splitlines()[2].startswith("0,")
    np.testing.assert_allclose(points_of(found.folder / "data3D.csv")[0], balls[1][0], atol=NEAR)


def test_bones_keep_their_length_and_smoothing_fills_gaps(
    balls: tuple[Path, np.ndarray], made: Predicted, tmp_path: Path
) -> None:
    bones = pd.read_csv(made.folder / "bones.csv")
    assert list(zip(bones["from"], bones["to"], strict=True)) == [
        (BALLS.names[a], BALLS.names[b]) for a, b in BALLS.edges
    ]
    ends = balls[1][0][list(BALLS.edges)]
    np.testing.assert_allclose(bones["median_mm"], np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1), atol=NEAR)
    assert (bones["spread_mm"] < NEAR).all() and (bones["frames_off"] == 0).all()
    finish_3d(made.folder, smooth=True)
    smoothed = read_coordinates(made.folder / "data3D_smoothed.csv")
    points = np.stack([frame.instances_3d.keypoints[0] for frame in smoothed])  # type: ignore[union-attr]
    np.testing.assert_allclose(points, balls[1], atol=3)
    scores = np.stack([frame.instances_3d.keypoint_scores[0] for frame in smoothed])  # type: ignore
    assert (scores[[5, 9, 10]] == 0).all() and (np.delete(scores, [5, 9, 10], 0) > 0.5).all()


def test_single_videos_in_pixels(balls: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, truth = balls
    info = PredictionInfo(str(folder / "left.mp4"), None, 2, 8)
    found = predict_video(opened(BallsInImages()), folder / "left.mp4", info, tmp_path)
    assert (found.frames, found.located) == (8, 6)
    labels = read_coordinates(found.folder)
    points = np.stack([frame.instances.keypoints[0, 0] for frame in labels])
    wanted = read_cameras(folder)["left"].project(truth[2:10])
    assert np.isnan(points[[3, 7]]).all()
    np.testing.assert_allclose(np.delete(points, [3, 7], 0), np.delete(wanted, [3, 7], 0), atol=0.5)
    assert (found.folder / "data2D.csv").read_text().splitlines()[1].split(",")[:4] == ["x", "y", "confidence", "x"]
    assert "0.3 is needed" in (found.folder / "log.csv").read_text()
    assert read_info(found.folder / "info.yaml") == replace(info, number_frames=8)
