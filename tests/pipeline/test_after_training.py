"""What lies in a run when training is over, beyond its network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tiny_project import settings, write_project, write_video
from vitruve import api
from vitruve.errors import InputError
from vitruve.evaluation.subspace import Subspace
from vitruve.media.recordings import Recording
from vitruve.pipeline.diagnostics import write_for_video
from vitruve.pipeline.heatmaps import write_heatmaps
from vitruve.pipeline.plan import PredictOptions
from vitruve.pipeline.predict import predict_sources
from vitruve.pipeline.report import outcome
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


def test_calibration_is_of_the_window_in_original_pixels_and_needs_no_images(run: RunFiles) -> None:
    windows = pd.read_csv(run.windows)
    # 14 pixels of an input of 64 x 64, in images of 80 x 64.
    assert set(windows["x_px"]) == {17.5} and set(windows["y_px"]) == {14.0} and len(windows) == 16
    predictions = pd.read_csv(run.predictions, header=[0, 1, 2], index_col=0).iloc[:, :-1].to_numpy(float)
    truth = pd.read_csv(run.path / "CollectedData.csv", header=[0, 1, 2], index_col=0).iloc[:, :4].to_numpy(float)
    offset = np.abs(predictions.reshape(-1, 2, 3)[..., :2] - truth.reshape(-1, 2, 2))
    report = api.evaluate(run.path, output=run.path / "again").report
    inside = (offset <= (17.5, 14)).all(-1)
    np.testing.assert_array_equal(report.errors["inside"], inside.ravel())
    assert inside.any() and "calibration_error_window_percent" in report.summary
    trained = pd.read_csv(run.evaluation / "calibration.csv")
    pd.testing.assert_frame_equal(trained, report.calibration, check_dtype=False, atol=1e-3)
    labels = api.evaluate(run.path, run.path / "CollectedData.csv", run.path / "new").report
    assert labels.near == "within 17.5 px in x and 14 px in y of the label"


def test_outcome_says_the_errors_and_where_to_look(run: RunFiles) -> None:
    summary = pd.read_csv(run.evaluation / "summary.csv").set_index("split")
    errors, report, predictions = outcome(run.path)
    validation = summary.loc["validation"]
    said = f"validation {validation['mean_error_px']:.2f} px (median {validation['median_error_px']:.2f}), train "
    assert errors.startswith("mean error: ") and said in errors
    assert report == f"report: {run.evaluation / 'report.html'}"
    assert predictions == f"predictions: {run.predictions}"
    assert outcome(run.path / "nothing") == []


def test_a_run_in_use_says_its_runtime_in_one_line(run: RunFiles, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="vitruve")
    api.load_run(run.path, runtime="torch")
    (said,) = caplog.messages
    assert said.startswith(f"{run.path.name}: runtime torch (float32)") and f"vitruve bench {run.path}" in said
    caplog.clear()
    api.load_run(run.path, runtime="auto", frames_expected=3)
    assert caplog.messages == [f"{run.path.name}: runtime torch (float32); for few frames, no faster one is looked for"]


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


def test_heatmaps_of_an_earlier_prediction_are_made_again(run: RunFiles, tmp_path: Path) -> None:
    options = PredictOptions(output=tmp_path, heatmaps=True)
    (done,) = predict_sources(run.path, [run.path.parent / "videos"], options)
    file = tmp_path / "clip_heatmaps.npy"
    assert file in done.outputs
    wanted = np.load(file)
    np.save(file, wanted[:3])
    assert len(np.load(file)) == 3
    predict_sources(run.path, [run.path.parent / "videos"], replace(options, overwrite=True))
    np.testing.assert_array_equal(np.load(file), wanted)
    lines = done.table.read_text().splitlines(keepends=True)
    done.table.write_text("".join(lines[:-2]))
    predictor = api.load_run(run.path).predictor
    with pytest.raises(InputError, match=r"clip\.csv: 5 rows, but .*clip\.mp4 has another number of frames"):
        write_heatmaps(predictor, Recording([run.path.parent / "videos" / "clip.mp4"]), [done.table])


def test_views_of_different_lengths_are_named(run: RunFiles, tmp_path: Path) -> None:
    lines = (run.video_predictions / "clip.csv").read_text().splitlines()
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("\n".join(lines) + "\n")
    two.write_text("\n".join(lines[:-2]) + "\n")
    with pytest.raises(InputError, match=r"b\.csv: different numbers of rows"):
        write_for_video([one, two], {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"], "nothing is half-written"


def test_one_broken_video_does_not_keep_the_others_from_being_predicted(run: RunFiles, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    write_video(folder / "b.mp4", 3)
    write_video(folder / "c.mp4", 3)
    (folder / "a.mp4").write_bytes(b"0123456789")
    with pytest.raises(InputError, match=r"1 of 3 could not be predicted \(the other 2 are predicted\): .*a\.mp4"):
        api.predict(run.path, folder, output=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("?.csv")} == {"b.csv", "c.csv"}


def test_two_label_files_are_not_written_to_one_table(run: RunFiles, tmp_path: Path) -> None:
    files = [run.path.parent / name for name in ("CollectedData.csv", "CollectedData_new.csv")]
    with pytest.raises(InputError, match=r"would both be written to .*predictions\.csv"):
        api.predict(run.path, files, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(api.predict(run.path, [files[1], files[1]], output=tmp_path / "out")) == 1


def test_python_takes_what_the_command_line_takes(run: RunFiles, tmp_path: Path) -> None:
    loaded = api.load_run(run.path)
    project = run.path.parent
    found = loaded.predict(project / "CollectedData_new.csv")
    assert len(found) == 5 and found[0].name.endswith("img000.png")
    grey = np.zeros((4, 48, 60), np.uint8)
    assert len(loaded.predict(grey)) == 4 and len(loaded.predict(grey[0])) == 1
    with pytest.raises(InputError, match="give one video at a time"):
        loaded.predict([project / "videos" / "clip.mp4"])
    nameless = tmp_path / "noext"
    nameless.write_bytes(b"x")
    with pytest.raises(InputError, match="its name has no suffix"):
        api.predict(run.path, nameless)
