"""Projects of several views, of context frames, with unsupervised losses, of older versions: refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import calibrated_scene
import tiny_project
from vitruve.cli.main import main
from vitruve.formats.anipose import write_calibration
from vitruve.run import RunFiles

Refused = Callable[..., str]
Change = Callable[[Path, dict[str, Any]], object]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "project"


def train(place: Path, values: dict[str, Any], *more: str) -> list[str]:
    (place / "config.yaml").write_text(yaml.safe_dump(values))
    return ["train", str(place / "config.yaml"), *more]


def _two_lengths(place: Path, values: dict[str, Any]) -> None:
    videos = calibrated_scene.write_videos(place / "videos", "walk", 6)
    calibrated_scene.write_videos(place / "short", "walk", 4)[1].replace(videos[1])


def _unlabelled_of_two_lengths(place: Path, values: dict[str, Any]) -> None:
    _two_lengths(place, values)
    values["data"]["video_dir"] = str(place / "videos")
    values["model"]["losses_to_use"] = ["temporal"]


def _predicted_of_two_lengths(place: Path, values: dict[str, Any]) -> None:
    _two_lengths(place, values)
    values["eval"] = {"predict_vids_after_training": True, "test_videos_directory": str(place / "videos")}


def _without_a_label_file(place: Path, values: dict[str, Any]) -> None:
    (place / "CollectedData_middle.csv").unlink()


def _of_other_cameras(place: Path, values: dict[str, Any]) -> None:
    cameras = dict(zip(("left", "middle", "top"), calibrated_scene.rig(), strict=True))
    write_calibration(cameras, place / "calibration.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unlabelled_of_two_lengths, r"walk_middle\.mp4: 4 frames, but .*walk_left\.mp4 has 6"),
        (_predicted_of_two_lengths, r"walk_middle\.mp4: 4 frames, but .*walk_left\.mp4 has 6"),
        (
            lambda place, values: (place / "CollectedData_middle.csv").unlink(),
            r"CollectedData_middle\.csv: no such file",
        ),
        (lambda place, values: values["data"]["csv_file"].pop(), r"3 view names \(left, middle, right\) for 2 files"),
        (
            _of_other_cameras,
            r"calibration\.toml: has the cameras left, middle, top, but the views are left, middle, right; name the",
        ),
    ],
)
@pytest.mark.parametrize("members", ["1", "2"])
def test_several_views(place: Path, refused: Refused, change: Change, message: str, members: str) -> None:
    values = calibrated_scene.write_project(place, 8)
    values["callbacks"] = {"anneal_weight": {"freeze_until_epoch": 0, "increase_factor": 1.0}}
    change(place, values)
    refused(train(place, values, f"ensemble={members}"), message)


def _columns(columns: object) -> Change:
    def change(place: Path, values: dict[str, Any]) -> None:
        values["data"]["columns_for_singleview_pca"] = columns
        values["model"]["losses_to_use"] = ["pca_singleview"]

    return change


def _matches(matches: object) -> Change:
    def change(place: Path, values: dict[str, Any]) -> None:
        values["data"]["mirrored_column_matches"] = matches
        values["model"]["losses_to_use"] = ["pca_multiview"]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_columns([0, 5]), r"data\.columns_for_singleview_pca: index 5 for 2 keypoints; indices go to 1"),
        (_columns(["red", "blue"]), r"data\.columns_for_singleview_pca.*blue"),
        (_columns([-1, 0]), r"data\.columns_for_singleview_pca"),
        (_matches(None), r"needs data\.mirrored_column_matches"),
        (_matches([[0], [7]]), r"data\.mirrored_column_matches: index 7 for 2 keypoints; indices go to 1"),
        (_matches([[0, 1], [1]]), r"mirrored_column_matches: its lists have 2, 1 entries"),
        (
            lambda place, values: values["model"].update(losses_to_use=["pca_single_view"]),
            r"model\.losses_to_use.*pca_single_view.*did you mean 'pca_singleview'",
        ),
        (
            lambda place, values: values.update(losses={"temporal": {"log_wieght": 3.0}}),
            r"losses\.temporal\.log_wieght.*did you mean '(losses\.temporal\.)?log_weight'",
        ),
    ],
)
def test_losses_of_columns_that_do_not_exist(place: Path, refused: Refused, change: Change, message: str) -> None:
    tiny_project.write_project(place, frames=12)
    tiny_project.write_video(place / "videos" / "clip.mp4", 12)
    values = tiny_project.settings(place)
    values["data"]["video_dir"] = str(place / "videos")
    change(place, values)
    refused(train(place, values), message)


def test_context_frames_that_are_missing(place: Path, refused: Refused) -> None:
    tiny_project.write_project(place, frames=12)
    table = place / "CollectedData.csv"
    text = table.read_text()
    for index in range(12):
        old, new = f"labeled-data/dots/img{index:03d}.png", f"labeled-data/dots/img{9 * index + 100:03d}.png"
        (place / old).rename(place / new)
        text = text.replace(old, new)
    table.write_text(text)
    values = tiny_project.settings(place, {"model_type": "heatmap_mhcrnn"})
    refused(train(place, values), r"img100\.png: has no context frames, nor has any other of the 12 labelled images")


def test_settings_of_an_older_version_are_converted_and_each_change_is_said(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny_project.write_project(place, frames=12)
    tiny_project.write_video(place / "videos" / "clip.mp4", 12)
    values = tiny_project.settings(place, {"losses_to_use": ["temporal"]}, max_epochs=1)
    values["data"]["video_dir"] = str(place / "videos")
    # Settings that only this package has would say that the file is a present one.
    del values["inference"], values["training"]["device"], values["training"]["precision"]
    values["training"] |= {"gpu_id": 0, "imgaug": "dlc-light"}
    values["losses"] = {"temporal": {"log_weight": 5.0, "epsilon": 20.0}}
    values["dali"] = {"base": {"train": {"sequence_length": 8}}, "general": {"seed": 123456}}
    run = RunFiles(place.parent / "run")
    monkeypatch.setattr("sys.argv", ["vitruve", *train(place, values, f"hydra.run.dir={run.path}")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    lines = capfd.readouterr().err.splitlines()
    said = {
        "losses.temporal.log_weight: 5 becomes 10.6931": "converted",
        "training.imgaug": "converted",
        "training.gpu_id": "without effect",
    }
    for words, kind in said.items():
        assert len([line for line in lines if words in line]) == 1, (kind, words, lines)
    written = yaml.safe_load(run.config.read_text())
    assert written["losses"]["temporal"]["log_weight"] == pytest.approx(10.6931, abs=1e-4)
    assert written["training"]["imgaug"] == "dlc" and "gpu_id" not in written["training"]
    assert run.weights.is_file()
