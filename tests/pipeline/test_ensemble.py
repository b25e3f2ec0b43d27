"""Two small networks as one run: trained, interrupted, gone on with, predicted and measured together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vitruve
from tiny_project import SKELETON, settings, write_project, write_video
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, Interrupted, RunError
from vitruve.evaluation import page
from vitruve.formats.csv_table import read_csv_table
from vitruve.formats.table import read_predictions
from vitruve.pipeline.heatmaps import write_mean_heatmaps
from vitruve.run import RunFiles

COUNT = 2


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(tmp_path_factory.mktemp("project"), frames=12)
    write_video(folder / "videos" / "dots.mp4", 12)
    rows = (folder / "CollectedData.csv").read_text().splitlines()
    (folder / "CollectedData_new.csv").write_text("\n".join(rows[:8]) + "\n")
    return folder


def values(project: Path, **training: object) -> dict[str, object]:
    made = settings(project, **{"max_epochs": 2, "rng_seed_model_pt": 5, **training})
    after = {
        "test_videos_directory": str(project / "videos"),
        "predict_vids_after_training": True,
        "predict_vids_after_training_save_heatmaps": True,
    }
    return {**made, "ensemble": COUNT, "eval": after}


@pytest.fixture(scope="module", autouse=True)
def _no_plots() -> Iterator[None]:
    """Reports without their plots, which would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vitruve.evaluation.page.plots_of", lambda report: dict.fromkeys(page._PLOTS, b"png"))
        patch.setattr("vitruve.evaluation.page.worst_frames", lambda *report: {})
        yield


@pytest.fixture(scope="module")
def run(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (made,) = vitruve.train(values(project), run_dir=tmp_path_factory.mktemp("runs") / "run", quiet=True)
    return made


def xy(path: Path) -> np.ndarray:
    return read_csv_table(path).keypoints[:, 0]


def test_members_are_ordinary_runs_of_their_own_seed(run: Path) -> None:
    members = RunFiles(run).members()
    assert [member.path.name for member in members] == [f"member_{i}" for i in range(COUNT)]
    for index, member in enumerate(members):
        config = Config.load(member.config)
        assert (config.ensemble, config.training.rng_seed_model_pt) == (1, 5 + index)
        assert json.loads(member.status.read_text())["status"] == "COMPLETED"
        assert vitruve.load_run(member.path, runtime="torch").skeleton.names == SKELETON.names
    weights = {member.weights.read_bytes() for member in members}
    assert len(weights) == COUNT


def test_beside_them_lie_the_files_of_one_run(run: Path, project: Path) -> None:
    files = RunFiles(run)
    assert Config.load(files.config) == Config.from_mapping(values(project))
    assert json.loads(files.status.read_text())["status"] == "COMPLETED"
    members = [read_csv_table(member.predictions) for member in files.members()]
    table = read_csv_table(files.predictions)
    assert table.keypoints == pytest.approx(np.median([m.keypoints for m in members], 0), abs=1e-4, nan_ok=True)
    assert table.scores == pytest.approx(np.mean([m.scores for m in members], 0), abs=1e-4, nan_ok=True)
    assert table.splits == members[0].splits
    truth = read_csv_table(project / "CollectedData.csv")
    errors = pd.read_csv(files.pixel_error, index_col=0)
    expected = np.linalg.norm(table.keypoints - truth.keypoints, axis=-1)[:, 0]
    assert errors[list(SKELETON.names)].to_numpy() == pytest.approx(expected, abs=1e-3)
    assert (files.evaluation / "report.html").is_file()


def test_labels_that_training_never_saw_have_their_errors(run: Path, project: Path) -> None:
    table = read_csv_table(run / "predictions_new.csv")
    truth = read_csv_table(project / "CollectedData_new.csv")
    errors = pd.read_csv(run / "predictions_new_pixel_error.csv", index_col=0)
    expected = np.linalg.norm(table.keypoints - truth.keypoints, axis=-1)[:, 0]
    assert len(errors) == 5 and list(errors.columns) == list(SKELETON.names)
    assert errors.to_numpy() == pytest.approx(expected, abs=1e-3)


def test_heatmaps_are_the_mean_of_the_networks(run: Path, project: Path) -> None:
    folder = RunFiles(run).video_predictions
    each = [np.load(folder / f"member_{i}" / "dots_heatmaps.npy") for i in range(COUNT)]
    mean = np.load(folder / "dots_heatmaps.npy")
    assert mean.shape == (12, 2, 16, 16) and mean.dtype == np.float32
    np.testing.assert_allclose(mean, (each[0] + each[1]) / 2, atol=1e-6)
    assert np.abs(each[0] - each[1]).max() > 1e-3
    tables = [folder / f"member_{i}" / "dots.csv" for i in range(COUNT)]
    before = (folder / "dots_heatmaps.npy").stat().st_mtime_ns
    write_mean_heatmaps(tables, folder / "dots.csv")
    assert (folder / "dots_heatmaps.npy").stat().st_mtime_ns == before, "what is there stays"
    np.save(folder / "member_1" / "dots_heatmaps.npy", each[1][:6])
    with pytest.raises(InputError, match=r"member_1/dots_heatmaps\.npy: has the shape \(6, 2, 16, 16\), but"):
        write_mean_heatmaps(tables, folder / "dots.csv")
    np.save(folder / "member_1" / "dots_heatmaps.npy", each[1])


def test_one_broken_video_does_not_keep_the_others_from_being_predicted(run: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "many" / "b.mp4", 3)
    write_video(tmp_path / "many" / "c.mp4", 3)
    (tmp_path / "many" / "a.mp4").write_bytes(b"0123456789")
    with pytest.raises(InputError, match=r"1 of 3 could not be predicted \(the other 2 are predicted\): .*a\.mp4"):
        vitruve.predict(run, tmp_path / "many", output=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("?.csv")} == {"b.csv", "c.csv"}
    assert {path.name for path in (tmp_path / "out" / "member_1").glob("?.csv")} == {"b.csv", "c.csv"}


def test_videos_are_predicted_by_all_after_training(run: Path) -> None:
    folder = RunFiles(run).video_predictions
    each = [xy(folder / f"member_{i}" / "dots.csv") for i in range(COUNT)]
    assert xy(folder / "dots.csv") == pytest.approx(np.median(each, 0), abs=1e-4)
    assert (folder / "dots_temporal_norm.csv").is_file()
    assert not any((member.path / "video_preds").exists() for member in RunFiles(run).members())


def test_what_is_there_is_not_predicted_again(run: Path, project: Path, tmp_path: Path) -> None:
    video = project / "videos" / "dots.mp4"
    (first,) = vitruve.predict(run, video, output=tmp_path, formats=("csv", "h5"), labeled_video=True)
    assert (first.frames, first.skipped) == (12, False)
    assert first.table == tmp_path / "dots.csv"
    assert all(path.is_file() for path in first.outputs)
    assert np.allclose(read_predictions(tmp_path / "dots.h5"), read_predictions(first.table))
    (second,) = vitruve.predict(run, video, output=tmp_path, formats=("csv", "h5"), labeled_video=True)
    assert second.skipped
    # A network's table that is made again makes the medians again.
    shutil.rmtree(tmp_path / "member_1")
    first.table.write_text("lost")
    (tmp_path / ".dots.json").write_text(json.dumps({"median_of": []}))
    (third,) = vitruve.predict(run, video, output=tmp_path)
    assert not third.skipped
    assert len(xy(third.table)) == 12


def test_a_table_of_somebody_else_is_not_replaced(run: Path, project: Path, tmp_path: Path) -> None:
    (tmp_path / "dots.csv").write_text("mine")
    with pytest.raises(InputError, match="was not written by this ensemble"):
        vitruve.predict(run, project / "videos", output=tmp_path)
    assert (tmp_path / "dots.csv").read_text() == "mine"
    vitruve.predict(run, project / "videos", output=tmp_path, overwrite=True)
    assert len(xy(tmp_path / "dots.csv")) == 12


def test_predictions_of_a_video_can_be_smoothed(run: Path, project: Path, tmp_path: Path) -> None:
    (plain,) = vitruve.predict(run, project / "videos", output=tmp_path)
    before = xy(plain.table)
    (smoothed,) = vitruve.predict(run, project / "videos", output=tmp_path, smooth=True)
    assert not smoothed.skipped
    assert vitruve.predict(run, project / "videos", output=tmp_path, smooth=True)[0].skipped
    whole = pd.read_csv(tmp_path / "smoothed" / "dots.csv", header=[0, 1, 2], index_col=0)
    expected = whole.xs("x", level=2, axis=1).to_numpy()
    assert read_csv_table(smoothed.table).scorer == read_csv_table(RunFiles(run).predictions).scorer
    assert xy(smoothed.table)[..., 0] == pytest.approx(expected, abs=1e-4)
    assert whole.xs("x_ens_median", level=2, axis=1).to_numpy() == pytest.approx(before[..., 0], abs=1e-3)
    with pytest.raises(InputError, match="needs an ensemble"):
        vitruve.predict(RunFiles(run).member(0).path, project / "videos", output=tmp_path, smooth=True)


def test_images_and_label_files_are_predicted(run: Path, project: Path, tmp_path: Path) -> None:
    done = vitruve.predict(run, [project / "labeled-data" / "dots", project / "CollectedData.csv"], output=tmp_path)
    assert [each.table.name for each in done] == ["dots.csv", "predictions.csv"]
    both = vitruve.predict(run, project / "CollectedData.csv", output=tmp_path / "both", formats=("csv", "h5"))[0]
    assert np.allclose(read_predictions(tmp_path / "both" / "predictions.h5"), read_predictions(both.table))
    assert not vitruve.predict(RunFiles(run).member(0).path, project / "CollectedData.csv", formats=("h5",))[0].skipped
    assert (RunFiles(run).member(0).path / "image_preds" / "CollectedData" / "predictions.h5").is_file()
    assert xy(done[1].table) == pytest.approx(xy(RunFiles(run).predictions), abs=0.02)


def test_an_ensemble_is_evaluated(run: Path, project: Path) -> None:
    own = vitruve.evaluate(run)
    other = vitruve.evaluate(run, project / "CollectedData.csv")
    assert not (run / "image_preds").exists(), "an evaluation leaves a report, no predictions"
    assert own.report.near == other.report.near and "calibration_error_window_percent" in own.summary
    assert other.files["report"].parent == run / "evaluation" / "CollectedData"
    mine, its = (each.report.errors["error"].to_numpy(float) for each in (own, other))
    assert np.allclose(np.sort(mine), np.sort(its), atol=0.05)


def test_it_is_no_run_of_one_network(run: Path) -> None:
    with pytest.raises(RunError, match=f"an ensemble of {COUNT} runs; name one of them"):
        vitruve.load_run(run)
    with pytest.raises(RunError, match="this run is finished"):
        vitruve.train(overrides=[f"resume={run}"])


def test_wrong_settings_leave_nothing_behind(project: Path, tmp_path: Path) -> None:
    settings = values(project)
    settings["model"]["model_type"] = "regression"  # type: ignore[index]
    with pytest.raises(ConfigError, match="save_heatmaps: regression has no heatmaps; set it to false"):
        vitruve.train(settings, run_dir=tmp_path / "run", quiet=True)
    broken = {**values(project), "data": {"data_dir": str(project), "csv_file": "no.csv"}}
    with pytest.raises(InputError, match=r"no\.csv"):
        vitruve.train(broken, run_dir=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="ensemble=0: must be an integer, at least 1"):
        Config.from_mapping({"ensemble": 0})


def test_a_run_is_not_overwritten(run: Path, project: Path) -> None:
    with pytest.raises(RunError, match="holds a run already"):
        vitruve.train(values(project), run_dir=run, quiet=True)


@pytest.mark.parametrize("when", ["between two networks", "in the second network", "before the medians"])
def test_what_was_broken_off_goes_on_to_the_same_end(when: str, run: Path, project: Path, tmp_path: Path) -> None:
    broken, second = RunFiles(tmp_path / "run"), RunFiles(tmp_path / "run").member(1)
    shutil.copytree(run, broken.path)
    # What a kill leaves: files are written whole and one after the other.
    for path in (broken.predictions, broken.pixel_error):
        path.unlink()
    shutil.rmtree(broken.video_predictions)
    broken.write_status("TRAINING", 2, 4)
    if when == "in the second network":
        for path in second.path.iterdir():
            if path not in (second.config, second.status):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        second.write_status("TRAINING", 0, 2)
    elif when == "between two networks":
        shutil.rmtree(second.path)
    if when != "before the medians":
        with pytest.raises(RunError, match=f"1 of {COUNT} networks are trained; go on with: vitruve train resume="):
            vitruve.predict(broken.path, project / "videos")
    first = broken.member(0).weights.stat().st_mtime_ns
    assert vitruve.train(overrides=[f"resume={broken.path}"], quiet=True) == [broken.path]
    # What was trained is not trained again, and the result is that of an undisturbed training.
    assert broken.member(0).weights.stat().st_mtime_ns == first
    assert broken.predictions.read_text() == RunFiles(run).predictions.read_text()
    assert len(xy(broken.video_predictions / "dots.csv")) == 12
    assert json.loads(broken.status.read_text())["status"] == "COMPLETED"


def test_an_interruption_names_the_whole_run(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(config: Config, directory: Path, *, quiet: bool) -> Path:
        RunFiles(directory).write_status("INTERRUPTED", 1, 2)
        RunFiles(directory).config.write_text(config.to_yaml())
        raise Interrupted("stopped")

    def stop_early(config: Config, directory: Path, *, quiet: bool) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("vitruve.pipeline.ensemble.train_run", stop_early)
    with pytest.raises(Interrupted, match=r"before the first network$"):
        vitruve.train(values(project), run_dir=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()

    monkeypatch.setattr("vitruve.pipeline.ensemble.train_run", stop)
    with pytest.raises(Interrupted, match=f"vitruve train resume={tmp_path / 'run'}$"):
        vitruve.train(values(project), run_dir=tmp_path / "run", quiet=True)
    assert json.loads(RunFiles(tmp_path / "run").status.read_text())["status"] == "INTERRUPTED"
