"""A prediction in space, frame by frame."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.view.conftest import FRAMES
from calibrated_scene import VIEWS, points_in_space, rig, seen
from vitruve.app.place import Place
from vitruve.app.videos.tables import VideoTable, find_tables, read_traces
from vitruve.app.view.playback import played_frames, sure_points, upward
from vitruve.pipeline.predict_3d import CALIBRATION


@pytest.fixture
def table(rat: Place) -> VideoTable:
    """The prediction."""
    assert rat.project is not None
    (found,) = [each for each in find_tables(rat.project) if each.dims == 3]
    return found


def test_frames_have_the_points_and_where_cameras_see_them(rat: Place, table: VideoTable, rig_home: Path) -> None:
    cameras = dict.fromkeys(VIEWS[:2], rig_home / "walk")
    frames = played_frames(rat.workspace, table, read_traces(table), range(1, 4), cameras)
    assert [frame.name for frame in frames] == ["frame 6", "frame 7", "frame 8"]
    truth = points_in_space(FRAMES)
    for number, frame in enumerate(frames, 1):
        assert frame.points is not None and frame.reprojected is not None
        np.testing.assert_allclose(frame.points, truth[number], atol=1e-4)
        np.testing.assert_allclose(frame.reprojected, seen(truth, rig())[number, :2], atol=0.01)
        assert all(f"index={5 + number}&" in str(image) for image in frame.images)
    assert frames[0].note == "confidence 0.75 (lowest 0.30)" and frames[1].note == "confidence 0.90 (lowest 0.90)"


def test_points_of_less_confidence_are_left_out_everywhere(rat: Place, table: VideoTable, rig_home: Path) -> None:
    traces = read_traces(table)
    assert not np.isnan(sure_points(traces, 0.0)).any()
    frames = played_frames(rat.workspace, table, traces, range(2), {"left": rig_home / "walk"}, 0.5)
    for frame, missing in zip(frames, (0, 1), strict=True):
        assert frame.points is not None and frame.reprojected is not None
        assert np.isnan(frame.points).any(-1).sum() == missing == np.isnan(frame.reprojected[0]).any(-1).sum()
    assert not np.isnan(traces.values["x"]).any()


def test_up_is_as_the_cameras_stand(table: VideoTable, tmp_path: Path) -> None:
    np.testing.assert_allclose(upward(table), (0, -1, 0), atol=1e-6)
    alone = shutil.copy(table.path, tmp_path / "data3D.csv")
    assert not (tmp_path / CALIBRATION).exists()
    np.testing.assert_allclose(upward(VideoTable(Path(alone), "", "", None, 3)), (0, 0, 1))
