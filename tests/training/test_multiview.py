"""Several views from label files to predictions, with and without calibration."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from calibrated_scene import VIEWS, rig, write_project, write_videos
from vitruve import api
from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, RunError, VitruveError
from vitruve.formats.anipose import write_calibration
from vitruve.pipeline.plan import PredictOptions
from vitruve.pipeline.predict import predict_sources
from vitruve.run import RunFiles
from vitruve.training.assemble import assemble
from vitruve.training.fit import fit
from vitruve.training.prepare import draw_split, prepare

REPROJECTION = "supervised_reprojection_heatmap_mse_weighted"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A project whose calibration nobody names, and its run; two short videos a view."""
    folder = tmp_path_factory.mktemp("views")
    values = write_project(folder, 12, max_epochs=3, imgaug="dlc", patch_mask={"init_epoch": 1, "final_epoch": 2})
    write_videos(folder / "videos", "walk", 9)
    values["eval"] = {"predict_vids_after_training": True, "test_videos_directory": str(folder / "videos")}
    values["callbacks"] = {"anneal_weight": {"freeze_until_epoch": 0, "increase_factor": 0.5}}
    return folder, api.train(values, run_dir=folder / "run", quiet=True)[0]


def _config(folder: Path, **changes: Any) -> Config:
    values = write_project(folder, 8, **changes.pop("project", {}))
    for key, value in changes.items():
        section, _, name = key.partition("__")
        values.setdefault(section, {})[name] = value
    return Config.from_mapping(values)


def _prepared(config: Config, folder: Path) -> Any:
    return prepare(config, RunFiles(folder / "run"))


def test_a_calibration_that_is_found_is_used(trained: tuple[Path, Path]) -> None:
    """Lightning Pose finds it, but leaves augmentation and loss off unless camera_params_file names it."""
    folder, run = trained
    config = Config.load(run / "config.yaml")
    assert config.data.camera_params_file is None
    metrics = pd.read_csv(run / "metrics.csv")
    column = metrics[f"train_{REPROJECTION}_loss"].dropna()
    assert len(column) and (column > 0).all()
    parts = assemble(config, _prepared(config, folder))
    batch = next(iter(parts.train_loader())).labelled
    assert batch.cameras is not None and batch.truth_3d is not None
    scale = np.linalg.det(batch.to_image[..., :2, :2].numpy())
    plain = 96 * 80 / 64**2
    assert (np.abs(scale / plain - 1) > 1e-3).mean() > 0.9  # the scenes are moved
    validation = next(iter(parts.validation_loader()))
    np.testing.assert_allclose(np.linalg.det(validation.to_image[..., :2, :2].numpy()), plain, rtol=1e-4)


def test_the_run_holds_the_documented_files_of_each_view(trained: tuple[Path, Path]) -> None:
    run = trained[1]
    for view in VIEWS:
        table = pd.read_csv(run / f"predictions_{view}.csv", header=[0, 1, 2], index_col=0)
        assert table.columns[0] == ("heatmap_multiview_transformer_tracker", "red", "x")
        assert table.columns[-1][0] == "set" and len(table) == 12
        assert all(f"_{view}/" in name for name in table.index)
        assert (run / f"predictions_{view}_pixel_error.csv").is_file()
        assert (run / f"CollectedData_{view}.csv").is_file()
        video = pd.read_csv(run / "video_preds" / f"walk_{view}.csv", header=[0, 1, 2], index_col=0)
        assert video.shape == (9, 12) and list(video.index) == list(range(9))
    record = json.loads((run / "model.json").read_text())
    assert record["view_names"] == list(VIEWS) and record["task"]["views"] == 3


def test_videos_are_predicted_together_and_go_on_where_they_stopped(trained: tuple[Path, Path], tmp_path: Path) -> None:
    folder, run = trained
    videos = [folder / "videos" / f"walk_{view}.mp4" for view in VIEWS]
    whole = api.predict(run, list(reversed(videos)), output=tmp_path / "a", batch_size=4, formats=("csv", "h5"))
    assert [done.table.name for done in whole] == [f"walk_{view}.csv" for view in VIEWS]
    assert all(done.frames == 9 and done.table.with_suffix(".h5").is_file() for done in whole)
    texts = [done.table.read_text() for done in whole]
    again = api.predict(run, videos, output=tmp_path / "a", batch_size=4, formats=("csv", "h5"))
    assert all(done.skipped for done in again)
    # As if it had been killed: one view is a batch further than the others, and a row is half written.
    for number, (done, text) in enumerate(zip(whole, texts, strict=True)):
        lines = text.splitlines(keepends=True)
        note = done.table.with_name(f".{done.table.stem}.json")
        done.table.with_name(f".{done.table.stem}.csv.part").write_text(
            "".join(lines[: 3 + 4 * (1 + (number == 0))]) + "x"
        )
        note.replace(done.table.with_name(f".{done.table.stem}.part.json"))
        done.table.unlink()
    resumed = api.predict(run, videos, output=tmp_path / "a", batch_size=4)
    assert all(done.frames == 5 for done in resumed)
    assert [done.table.read_text() for done in resumed] == texts


def test_heatmaps_of_each_view(trained: tuple[Path, Path], tmp_path: Path) -> None:
    folder, run = trained
    options = PredictOptions(output=tmp_path, heatmaps=True, batch_size=4)
    done = predict_sources(run, [folder / "videos"], options)
    for each in done:
        maps = np.load(each.table.with_name(f"{each.table.stem}_heatmaps.npy"))
        assert maps.shape == (9, 4, 16, 16)
        np.testing.assert_allclose(maps.sum((-2, -1)), 1, atol=1e-4)
        # The highest pixel is where the table has the keypoint.
        x = (maps.reshape(9, 4, -1).argmax(-1) % 16 + 0.5) * 96 / 16 - 0.5
        table = pd.read_csv(each.table, header=[0, 1, 2], index_col=0).to_numpy(float).reshape(9, 4, 3)
        assert np.abs(table[..., 0] - x).max() < 2 * 96 / 16


def test_a_view_that_is_replaced_makes_all_tables_stale(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run = trained[1]
    videos = write_videos(tmp_path, "walk", 3, seed=5)
    api.predict(run, videos, output=tmp_path / "a")
    write_videos(tmp_path / "other", "walk", 3, seed=6)[2].replace(videos[2])
    with pytest.raises(InputError, match=r"walk_left\.csv: holds predictions of another file"):
        api.predict(run, videos, output=tmp_path / "a")


def test_label_files_of_all_views_are_predicted_together(trained: tuple[Path, Path], tmp_path: Path) -> None:
    folder, run = trained
    tables = [folder / f"CollectedData_{view}.csv" for view in (VIEWS[1], VIEWS[2], VIEWS[0])]
    done = api.predict(run, tables)
    assert [each.table.relative_to(run).as_posix() for each in done] == [
        f"image_preds/CollectedData_{view}/predictions.csv" for view in VIEWS
    ]
    for view, each in zip(VIEWS, done, strict=True):
        found = pd.read_csv(each.table, header=[0, 1, 2], index_col=0)
        after = pd.read_csv(run / f"predictions_{view}.csv", header=[0, 1, 2], index_col=0)
        np.testing.assert_allclose(found.to_numpy(float), after.iloc[:, :-1].to_numpy(float), atol=2e-3)
    assert all(each.skipped for each in api.predict(run, tables))
    elsewhere = api.predict(run, tables, output=tmp_path)
    assert [each.table.name for each in elsewhere] == [f"predictions_{view}.csv" for view in VIEWS]


def test_folders_of_images_one_a_view_are_predicted_together(trained: tuple[Path, Path], tmp_path: Path) -> None:
    folder, run = trained
    for view in VIEWS:
        shutil.copytree(folder / "labeled-data" / f"walk_{view}", tmp_path / "shots" / view)
    done = api.predict(run, tmp_path / "shots", output=tmp_path / "out")
    assert [each.table.name for each in done] == [f"shots_{view}.csv" for view in VIEWS]
    for view, each in zip(VIEWS, done, strict=True):
        found = pd.read_csv(each.table, header=[0, 1, 2], index_col=0)
        after = pd.read_csv(run / f"predictions_{view}.csv", header=[0, 1, 2], index_col=0)
        assert [Path(name).name for name in found.index] == [Path(name).name for name in after.index]
        np.testing.assert_allclose(found.to_numpy(float), after.iloc[:, :-1].to_numpy(float), atol=2e-3)
    assert all(each.skipped for each in api.predict(run, tmp_path / "shots", output=tmp_path / "out"))
    (tmp_path / "shots" / "right" / "img003.png").unlink()
    with pytest.raises(InputError, match=r"shots/right: lacks img003\.png, which .*shots/left has; images of one name"):
        api.predict(run, tmp_path / "shots", output=tmp_path / "other")
    (tmp_path / "shots" / "left" / "img003.png").unlink()
    with pytest.raises(InputError, match=r"shots/left: lacks img003\.png, which .*shots/middle has"):
        api.predict(run, tmp_path / "shots", output=tmp_path / "other")
    shutil.rmtree(tmp_path / "shots" / "middle")
    with pytest.raises(
        InputError, match=r"shots/middle: no such folder; .*shots must hold one folder of images a view"
    ):
        api.predict(run, tmp_path / "shots", output=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_finished_run_is_not_gone_on_with(trained: tuple[Path, Path]) -> None:
    with pytest.raises(RunError, match="this run is finished"):
        api.train(overrides=[f"resume={trained[1]}"], quiet=True)


def test_evaluation_reads_all_views(trained: tuple[Path, Path]) -> None:
    folder, run = trained
    report = api.evaluate(run, folder).report
    for view in VIEWS:
        found = report.pixel_error_table(view).iloc[:, :4].to_numpy(float)
        wanted = pd.read_csv(run / f"predictions_{view}_pixel_error.csv", index_col=0).iloc[:, :4].to_numpy(float)
        assert found.shape == (12, 4)
        np.testing.assert_allclose(found, wanted, atol=2e-3)


@pytest.mark.parametrize("method", ["lightning_pose", "random", "every_nth", "group"])
def test_views_of_one_instant_stay_together_in_every_split(method: str, tmp_path: Path) -> None:
    split = {"method": method, "every_nth": {"validation": 4}}
    config = _config(tmp_path, project={"sessions": ("a", "b", "c", "d")}, training__split=split)
    ready = _prepared(config, tmp_path)
    assert len(draw_split(ready.labels, config.training)) == 8
    seen: dict[tuple[str, str], set[str]] = {}
    for frame in ready.labels:
        assert len(frame.images) == 3 and {image.path.name for image in frame.images} == {frame.images[0].path.name}
        for view, image in zip(VIEWS, frame.images, strict=True):
            assert image.path.parent.name == f"{frame.session}_{view}"
            seen.setdefault((frame.session, image.path.name), set()).add(str(frame.split))
    assert all(len(splits) == 1 for splits in seen.values())
    assert {frame.split for frame in ready.labels} >= {"train", "validation"}
    if method == "group":
        sessions = {frame.session: {other.split for other in ready.labels if other.session == frame.session}
                    for frame in ready.labels}  # fmt: skip
        assert all(len(splits) == 1 for splits in sessions.values())


def test_single_view_networks_train_on_several_views_one_by_one(tmp_path: Path) -> None:
    values = write_project(tmp_path, 6, calibrated=True, max_epochs=1, model={"model_type": "heatmap"})
    values["model"]["backbone"] = "test_resnet"
    config, run = Config.from_mapping(values), RunFiles(tmp_path / "run")
    fit(config, prepare(config, run), run, quiet=True)
    atomic_write(run.config, config.to_yaml())
    done = api.predict(run.path, [tmp_path / "CollectedData_left.csv"])
    assert len(done) == 1 and done[0].frames == 6


def test_it_also_learns_from_unlabelled_recordings(tmp_path: Path) -> None:
    """Lightning Pose has no unsupervised losses for this algorithm."""
    write_videos(tmp_path / "videos", "walk", 6)
    config = _config(
        tmp_path,
        project={"max_epochs": 1, "limit_train_batches": 2},
        data__video_dir=str(tmp_path / "videos"),
        data__mirrored_column_matches=[0, 1, 2, 3],
        model__losses_to_use=["temporal", "pca_multiview"],
        dali__base={"train": {"sequence_length": 8}},
        callbacks__anneal_weight={"init_val": 1.0},
    )
    run = RunFiles(tmp_path / "run")
    fit(config, prepare(config, run), run, quiet=True)
    metrics = pd.read_csv(run.metrics)
    for term in ("temporal", "pca_multiview"):
        assert np.isfinite(metrics[f"train_{term}_loss"]).all() and (metrics[f"train_{term}_loss"] > 0).all()


def _drop_row(folder: Path) -> None:
    path = folder / "CollectedData_right.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _change(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


BAD: list[tuple[Callable[[Path], object], dict[str, Any], str]] = [
    (lambda f: (f / "CollectedData_middle.csv").unlink(), {}, r"CollectedData_middle\.csv.*no such file"),
    (_drop_row, {}, r"CollectedData_right\.csv: 7 rows, but .*CollectedData_left\.csv has 8"),
    (
        _change("CollectedData_right.csv", "white", "black"),
        {},
        r"right\.csv: its keypoints are red, green, blue, black",
    ),
    (
        _change("CollectedData_right.csv", "img003", "img333"),
        {},
        r"right\.csv: row 7: image '.*img333\.png' stands beside '.*img003\.png'",
    ),
    (
        _change("CollectedData_right.csv", "walk_right", "run_right"),
        {},
        r"right\.csv: row 4: image '.*' is of session 'run', but .* is of 'walk'",
    ),
    (lambda f: None, {"data__view_names": ["left", "right"]}, r"2 view names \(left, right\) for 3 files"),
    (
        lambda f: write_calibration(dict(zip(("left", "right", "top"), rig(), strict=True)), f / "calibration.toml"),
        {},
        r"calibration\.toml: has the cameras left, right, top, but the views are left, middle, right",
    ),
    (lambda f: None, {"data__camera_params_file": "rig.toml"}, r"rig\.toml: no such file"),
    (lambda f: None, {"training__imgaug_hflip": True}, r"training\.imgaug_hflip: .* no view of the same scene"),
    (
        lambda f: (f / "calibration.toml").unlink(),
        {"losses__supervised_pairwise_projections": {"log_weight": 1.0}},
        r"supervised_pairwise_projections\.log_weight: needs calibrated cameras, and no calibration was found",
    ),
    (
        lambda f: None,
        {"data__csv_file": "CollectedData_left.csv", "data__view_names": None},
        r"works on several views of one instant, but the labels have one",
    ),
    (lambda f: None, {"model__losses_to_use": ["temporal"]}, r"set data\.video_dir to the folder of the videos"),
]


@pytest.mark.parametrize(("damage", "changes", "message"), BAD)
def test_what_does_not_fit_is_said_before_anything_is_written(
    damage: Callable[[Path], object], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    config = _config(tmp_path, **changes)
    damage(tmp_path)
    with pytest.raises(VitruveError, match=message) as caught:
        api.train(config, run_dir=tmp_path / "run", quiet=True)
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_unlabelled_videos_need_the_names_of_the_views(tmp_path: Path) -> None:
    write_videos(tmp_path, "walk", 6)
    changes = {"data__view_names": None, "data__video_dir": str(tmp_path), "model__losses_to_use": ["temporal"]}
    with pytest.raises(ConfigError, match=r"data\.view_names: unlabelled videos of several views are found by them"):
        _prepared(_config(tmp_path, **changes), tmp_path)


@pytest.mark.parametrize("case", ["short", "missing", "stranger"])
def test_videos_to_be_predicted_after_training_are_looked_at_before_it(case: str, tmp_path: Path) -> None:
    config = _config(
        tmp_path, eval__predict_vids_after_training=True, eval__test_videos_directory=str(tmp_path / "videos")
    )
    videos = write_videos(tmp_path / "videos", "walk", 5)
    if case == "short":
        write_videos(tmp_path / "other", "walk", 3)[1].replace(videos[1])
        message = r"walk_middle\.mp4: 3 frames, but .*walk_left\.mp4 has 5"
    elif case == "missing":
        videos[1].unlink()
        message = r"session 'walk' has no video of view 'middle'; add walk_middle\.mp4"
    else:
        videos[1].replace(videos[1].with_name("walk_top.mp4"))
        message = r"walk_top\.mp4: is of no view"
    with pytest.raises(InputError, match=message):
        api.train(config, run_dir=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_prediction_asks_for_whole_recordings(trained: tuple[Path, Path], tmp_path: Path) -> None:
    folder, run = trained
    videos = write_videos(tmp_path, "walk", 4)
    with pytest.raises(InputError, match="session 'walk' has no video of view 'right'"):
        api.predict(run, videos[:2])
    write_videos(tmp_path / "other", "walk", 2)[0].replace(videos[0])
    with pytest.raises(InputError, match=r"walk_middle\.mp4: 4 frames, but .*walk_left\.mp4 has 2"):
        api.predict(run, videos, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"CollectedData_left\.csv: the label file of view 'middle' is not given"):
        api.predict(run, [folder / "CollectedData_left.csv"])
    with pytest.raises(InputError, match=r"has one view, but this run sees left, middle, right together"):
        api.evaluate(run, folder / "CollectedData_left.csv")
    image = next((folder / "labeled-data" / "walk_left").glob("*.png"))
    with pytest.raises(InputError, match="this run sees 3 views together"):
        api.predict(run, [image])


def test_what_has_no_effect_without_calibration_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = _config(tmp_path, project={"calibrated": False})
    with caplog.at_level(logging.WARNING):
        _prepared(config, tmp_path)
    said = [record.getMessage() for record in caplog.records if "no calibration was found" in record.getMessage()]
    assert len(said) == 1
    assert "losses.supervised_reprojection_heatmap_mse" in said[0] and "training.imgaug_3d" in said[0]


def test_some_sessions_without_calibration_are_refused(tmp_path: Path) -> None:
    config = _config(tmp_path, project={"sessions": ("a", "b"), "calibrated": False})
    cameras = dict(zip(VIEWS, rig(), strict=True))
    (tmp_path / "calibrations").mkdir()
    write_calibration(cameras, tmp_path / "calibrations" / "a.toml")
    with pytest.raises(ConfigError, match=r"calibrations/b\.toml: no such calibration"):
        _prepared(config, tmp_path)


def test_weights_grow_as_annealing_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    growth = {"freeze_until_epoch": 2, "increase_factor": 0.25}
    config = _config(
        tmp_path,
        callbacks__anneal_weight=growth,
        losses__supervised_reprojection_heatmap_mse={"log_weight": 1.0},
        training__max_epochs=20,
    )
    module = assemble(config, _prepared(config, tmp_path)).module
    found = [module._term_weights(epoch) for epoch in (0, 2, 3, 4, 6, 19)]
    assert [list(each) for each in found] == [["supervised_reprojection_heatmap_mse"]] * 6
    wanted = np.array([0, 0, 0.25, 0.5, 1, 1]) / (2 * np.e)
    assert [next(iter(each.values())) for each in found] == pytest.approx(wanted)
    with caplog.at_level(logging.WARNING):
        _prepared(_config(tmp_path, training__max_epochs=20), tmp_path)
    assert any("never counts within 20 epochs" in record.getMessage() for record in caplog.records)


def test_masking_grows_with_the_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import vitruve.training.module as module

    shares: list[float] = []

    def record(images: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
        shares.append(share)
        return images

    monkeypatch.setattr(module, "mask_patches", record)
    values = write_project(tmp_path, 6, max_epochs=4, patch_mask={"init_epoch": 1, "final_epoch": 3})
    config, run = Config.from_mapping(values), RunFiles(tmp_path / "run")
    fit(config, prepare(config, run), run, quiet=True)
    assert sorted(set(shares)) == [0, 0.25, 0.5] and shares == sorted(shares)
