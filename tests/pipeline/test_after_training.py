"""What lies in a run when training is over, beyond its network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tiny_project import settings, write_project, write_video
from vitruve import api
from vitruve.errors import InputError
from vitruve.evaluation.subspace import Subspace
from vitruve.pipeline.diagnostics import write_for_video
from vitruve.run import RunFiles


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
    folder = write_project(tmp_path_factory.mktemp("after"))
    write_video(folder / "videos" / "clip.mp4", 7)
    rows = (folder / "CollectedData.csv").read_text().splitlines()
    (folder / "CollectedData_new.csv").write_text("\n".join(rows[:8]) + "\n")
    values = settings(folder, max_epochs=1)
    values["data"] |= {"video_dir": str(folder / "videos"), "columns_for_singleview_pca": [0, 1]}
    values["losses"] = {"pca_singleview": {"components_to_keep": 2}}
    values["eval"] = {
        "predict_vids_after_training": True,
        "predict_vids_after_training_save_heatmaps": True,
        "test_videos_directory": str(folder / "videos"),
    }
    return RunFiles(api.train(values, run_dir=folder / "run", quiet=True)[0])


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, index_col=0)


def test_labelled_frames_have_their_errors_and_their_split(run: RunFiles) -> None:
    subspace = Subspace.from_dict(run.read_model()["subspaces"]["pca_singleview"])
    predictions = pd.read_csv(run.predictions, header=[0, 1, 2], index_col=0)
    points = predictions.iloc[:, :-1].to_numpy(float).reshape(-1, 1, 2, 3)[..., :2]
    errors = _table(run.path / "predictions_pca_singleview_error.csv")
    assert list(errors.columns) == ["red", "green", "set"] and list(errors["set"]) == list(predictions.iloc[:, -1])
    np.testing.assert_allclose(errors[["red", "green"]], subspace.errors(points)[:, 0], atol=2e-3)


def test_labels_that_training_never_saw_are_predicted_too(run: RunFiles) -> None:
    new = pd.read_csv(run.path / "predictions_new.csv", header=[0, 1, 2], index_col=0)
    assert len(new) == 5 and not any(column[0] == "set" for column in new.columns)
    assert list(_table(run.path / "predictions_new_pixel_error.csv").columns) == ["red", "green"]
    assert (run.path / "predictions_new_pca_singleview_error.csv").is_file()


def test_videos_have_motion_and_pose_errors_and_heatmaps(run: RunFiles) -> None:
    folder = run.video_predictions
    table = pd.read_csv(folder / "clip.csv", header=[0, 1, 2], index_col=0)
    points = table.to_numpy(float).reshape(7, 2, 3)
    moved = _table(folder / "clip_temporal_norm.csv")
    assert moved.iloc[0].isna().all() and list(moved.index) == list(range(7))
    np.testing.assert_allclose(moved.iloc[1:], np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1), atol=1e-3)
    assert _table(folder / "clip_pca_singleview_error.csv").shape == (7, 2)
    maps = np.load(folder / "clip_heatmaps.npy", mmap_mode="r")
    assert maps.shape == (7, 2, 16, 16) and maps.dtype == np.float32
    np.testing.assert_allclose(maps.sum((-1, -2)), 1, atol=1e-3)
    peaks = maps.reshape(7, 2, -1).argmax(-1)
    places = np.stack([(peaks % 16 + 0.5) * 80 / 16 - 0.5, (peaks // 16 + 0.5) * 64 / 16 - 0.5], -1)
    assert np.abs(places - points[..., :2]).max() < 6


def test_views_of_different_lengths_are_named(run: RunFiles, tmp_path: Path) -> None:
    lines = (run.video_predictions / "clip.csv").read_text().splitlines()
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("\n".join(lines) + "\n")
    two.write_text("\n".join(lines[:-2]) + "\n")
    with pytest.raises(InputError, match=r"b\.csv: different numbers of rows"):
        write_for_video([one, two], {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"], "nothing is half-written"
