"""Older Lightning Pose files: what is converted keeps its meaning, is said, and is all that differs."""

from __future__ import annotations

import logging
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from vitruve.config.compose import compose
from vitruve.config.schema import Config
from vitruve.config.yaml_file import read_yaml
from vitruve.errors import ConfigError

FILES = Path(__file__).parent / "lightning_pose_files"
TEN = round(10 + math.log(2), 4)
ANNEAL = {"anneal_weight": {"freeze_until_epoch": 0}}


def whole(**losses: Any) -> dict[str, Any]:
    """All sections of a Lightning Pose file, nearly empty."""
    return {
        "data": {"csv_file": "a.csv"},
        "training": {"imgaug": "dlc"},
        "model": {"losses_to_use": ["temporal"]},
        "dali": {"general": {"seed": 1}},
        "losses": losses or {"temporal": {"log_weight": 5.0}},
        "eval": {"colormap": "cool"},
        "callbacks": ANNEAL,
    }


def leaves(values: Any, key: str = "") -> dict[str, Any]:
    if isinstance(values, dict):
        return {k: v for name, inner in values.items() for k, v in leaves(inner, f"{key}.{name}".strip(".")).items()}
    return {key: values}


CONVERTED = {
    "y2022": {
        "model.backbone": "resnet50_animal_apose",
        "model.model_type": "heatmap_mhcrnn",
        "training.imgaug": "dlc",
        "losses.pca_multiview.log_weight": TEN,
        "losses.pca_multiview.empirical_epsilon_percentile": 100.0,
        "losses.pca_singleview.log_weight": TEN,
        "losses.pca_singleview.empirical_epsilon_percentile": 99.0,
        "losses.temporal.log_weight": TEN,
        "losses.unimodal_mse.log_weight": round(13 + math.log(2), 4),
        "losses.unimodal_kl.log_weight": round(13 + math.log(2), 4),
        "losses.unimodal_js.log_weight": round(13 + math.log(2), 4),
    },
    "y2024": {f"losses.{name}.log_weight": TEN for name in ("pca_multiview", "pca_singleview", "temporal")},
    "multiview2025": {f"losses.{name}.log_weight": TEN for name in ("pca_multiview", "pca_singleview", "temporal")},
}
GONE = {
    "y2022": [
        "data.image_orig_dims", "data.header_rows", "training.gpu_id", "training.dropout_rate",
        "training.multiple_trainloader_mode", "dali.general.num_threads", "dali.general.device_id",
        "dali.general.device", "dali.context.train.consecutive_sequences", "dali.context.predict.batch_size",
        "eval.create_labeled_video", "eval.video_file_to_plot", "eval.pred_csv_files_to_plot",
        "eval.fiftyone.build_speed",
    ],
    "y2024": ["training.gpu_id"],
    "multiview2025": [],
}  # fmt: skip
SILENT = {"model.learn_weights", "eval.video_file_to_plot", "eval.pred_csv_files_to_plot"}
"""Retired settings that some of the files only switch off or leave blank."""


@pytest.mark.parametrize("name", CONVERTED)
def test_whole_files_load_and_only_what_is_said_differs(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(FILES / f"{name}.yaml", tmp_path)
    (tmp_path / "labels" / "videos").mkdir(parents=True)
    config = compose(str(tmp_path), name).config
    *changed, idle = [record.getMessage() for record in caplog.records]
    assert {line.split(": ")[1].split("=")[0].replace("do_context", "model_type") for line in changed} == set(
        CONVERTED[name]
    )
    assert all(f"{key} (" in idle for key in GONE[name])
    written = leaves(read_yaml(FILES / f"{name}.yaml"))
    kept = leaves(config.model_dump(mode="json"))
    for key, value in written.items():
        if key in CONVERTED[name]:
            assert kept[key] == CONVERTED[name][key], key
        elif any(key == gone or key.startswith(f"{gone}.") for gone in [*GONE[name], *SILENT, "data.image_orig_dims"]):
            assert key not in kept, key
        elif not key.startswith("hydra.") and key != "eval.hydra_paths" and not str(value).startswith(("labels", "$")):
            assert kept[key] == value or kept[key] == pytest.approx(float(value)), key
    # A run keeps the new values, and they are not converted again.
    caplog.clear()
    again, remarks = Config.examine(yaml.safe_load(config.to_yaml()))
    assert again == config
    assert remarks.changed == ()


def test_a_present_file_is_left_alone() -> None:
    present = read_yaml(FILES.parent / "lightning_pose.yaml")
    present["model"]["do_context"] = None
    assert Config.examine(present)[1].changed == ()


def test_the_weight_stays_what_it_was() -> None:
    config, _ = Config.examine(whole(temporal={"log_weight": 4.7}))
    before = (1 / (2 * math.exp(4.7))) ** 2
    assert 1 / (2 * math.exp(config.losses.temporal.log_weight)) == pytest.approx(before, rel=1e-4)


def weight(values: dict[str, Any], overridden: tuple[str, ...] = ()) -> float | None:
    return Config.examine(values, overridden=overridden)[0].losses.temporal.log_weight


@pytest.mark.parametrize("made", ["2025-11-30T10:00:00", "2024-01-01"])
def test_old_by_its_stamp(made: str) -> None:
    values = {"creation_datetime": made, "losses": {"temporal": {"log_weight": 2.0}}}
    assert weight(values) == round(4 + math.log(2), 4)
    values = {"model": {"lightning_pose_version": "1.9.2"}, "losses": {"temporal": {"log_weight": 5.0}}}
    assert weight(values) == TEN


def test_new_by_its_stamp() -> None:
    values = {**whole(), "creation_datetime": "2026-05-01T00:00:00"}
    assert weight(values) == 5.0
    assert weight({**whole(), "model": {"lightning_pose_version": "2.4.3"}}) == 5.0


def test_old_by_its_settings_or_values() -> None:
    term = {"temporal": {"log_weight": 3.0}}
    assert weight({"training": {"gpu_id": 0}, "losses": term}) == round(6 + math.log(2), 4)
    share = {**term, "pca_singleview": {"empirical_epsilon_percentile": 0.99}}
    config, remarks = Config.examine({"losses": share})
    assert config.losses.temporal.log_weight == round(6 + math.log(2), 4)
    assert config.losses.pca_singleview.empirical_epsilon_percentile == 99.0
    assert config.losses.pca_singleview.log_weight == 11.0
    assert len(remarks.changed) == 2


def test_a_whole_file_without_age_is_judged_by_its_weights() -> None:
    assert weight(whole()) == TEN
    for today in (2.0, 9.0, 10.7, 11.0):
        assert weight(whole(temporal={"log_weight": today})) == today
    assert weight(whole(temporal={"log_weight": None})) is None


def test_what_is_written_for_this_package_is_left_alone() -> None:
    assert weight({"model": {"losses_to_use": ["temporal"]}, "losses": {"temporal": {"log_weight": 5.0}}}) == 5.0
    assert weight({**whole(), "inference": {"runtime": "torch"}}) == 5.0
    assert weight({**whole(), "training": {"precision": "32"}}) == 5.0


def test_what_is_typed_means_what_it_means_today() -> None:
    assert weight(whole(), ("losses.temporal.log_weight",)) == 5.0
    # A setting of this package that is typed beside an old file does not make the file new.
    assert weight({**whole(), "inference": {"runtime": "torch"}}, ("inference.runtime",)) == TEN


def test_losses_on_labels_keep_their_weight() -> None:
    values = whole(temporal={"log_weight": 5.0}, supervised_reprojection_heatmap_mse={"log_weight": 5.0})
    assert Config.examine(values)[0].losses.supervised_reprojection_heatmap_mse.log_weight == 5.0


def test_each_change_is_one_line_on_screen(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Config.from_mapping(whole(), "config.yaml")
    first = caplog.records[0].getMessage()
    assert first == (
        "config.yaml: losses.temporal.log_weight: 5 becomes 10.6931, the same weight as before: until 2026 it was "
        "applied twice"
    )


def test_boxes_that_are_not_used_are_no_boxes() -> None:
    data = {"bbox_file": "boxes.csv", "use_bboxes": False, "label_file_key": "labels"}
    config, remarks = Config.examine({"data": data})
    assert config.data.bbox_file is None
    assert remarks.changed == ("data.bbox_file becomes null: data.use_bboxes is false",)
    assert any(line.startswith("data.label_file_key (") for line in remarks.idle)
    assert Config.examine({"data": {**data, "use_bboxes": True}})[0].data.bbox_file == "boxes.csv"


def test_settings_of_2022_go_to_their_present_places() -> None:
    values = {
        "data": {"num_targets": 8, "num_keypoints": 4},
        "training": {"rng_seed_data_dali": 43, "unlabeled_sequence_length": 64},
        "model": {"resnet_version": 18},
        "losses": {"pca_singleview": {"min_variance_explained": 0.95, "kept_eigenvectors": None}},
        "dali": None,
    }
    config, remarks = Config.examine(values)
    assert config.dali.general.seed == 43
    assert config.dali.base.train.sequence_length == 64
    assert config.model.backbone == "resnet18"
    assert config.losses.pca_singleview.components_to_keep == 0.95
    assert remarks.changed == (
        "training.rng_seed_data_dali: 43 becomes dali.general.seed=43",
        "training.unlabeled_sequence_length: 64 becomes dali.base.train.sequence_length=64",
        "losses.pca_singleview.min_variance_explained: 0.95 becomes losses.pca_singleview.components_to_keep=0.95",
        "model.resnet_version: 18 becomes model.backbone=resnet18",
    )
    assert "data.num_targets (two for each of data.num_keypoints)" in remarks.idle
    # They tell that the file is old.
    assert weight({**values, "losses": {"temporal": {"log_weight": 5.0}}}) == TEN


def test_a_place_that_is_taken_too() -> None:
    values = {"model": {"resnet_version": 18, "backbone": "resnet50"}}
    with pytest.raises(ConfigError, match=r"^model\.resnet_version=18 and model\.backbone=resnet50 are one setting"):
        Config.examine(values)
    # What is typed wins.
    assert Config.examine(values, overridden=["model.backbone"])[0].model.backbone == "resnet50"
    same = {"model": {"resnet_version": 50, "backbone": "resnet50"}}
    assert Config.examine(same)[0].model.backbone == "resnet50"


@pytest.mark.parametrize(
    ("data", "right"),
    [
        ({"num_keypoints": 4}, 8),
        ({"keypoint_names": ["a", "b"]}, 4),
        ({"num_keypoints": 2, "view_names": ["left", "right"]}, 8),
    ],
)
def test_numbers_of_coordinates_that_contradict_the_keypoints(data: dict[str, Any], right: int) -> None:
    Config.examine({"data": {**data, "num_targets": right}})
    with pytest.raises(ConfigError, match=rf"^data\.num_targets=10: \d keypoints.* are {right} coordinates"):
        Config.examine({"data": {**data, "num_targets": 10}})
    Config.examine({"data": {"num_targets": 10}})


@pytest.mark.parametrize(("length", "windows"), [(2, 1), (5, 2), (7, 3), (8, 4), (64, 4)])
def test_as_many_windows_as_fit_where_none_are_asked_for(length: int, windows: int) -> None:
    train: dict[str, Any] = {"sequence_length": length}
    config = Config.examine({"dali": {"base": {"train": train}}})[0]
    assert config.dali.base.train.windows == windows
    assert Config.examine(yaml.safe_load(config.to_yaml()))[0] == config
    if length < 8:
        with pytest.raises(ConfigError, match="windows=4 need two frames each"):
            Config.examine({"dali": {"base": {"train": {**train, "windows": 4}}}})


def test_a_section_that_is_none_is_still_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^dali"):
        Config.examine({"training": {"rng_seed_data_dali": 43}, "dali": "gpu"})
