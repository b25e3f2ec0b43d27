from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from vitruve.config.schema import Config
from vitruve.config.yaml_file import read_yaml
from vitruve.errors import ConfigError
from vitruve.settings import Section

ALL_KEYS = Path(__file__).parent / "lightning_pose.yaml"

# Where the default is ours, not that of Lightning Pose.
OWN_DEFAULTS = {
    "data.data_dir",
    "data.video_dir",
    "eval.test_videos_directory",
    "training.num_workers",
    "training.unfreezing_epoch",
    "training.min_epochs",
    "training.optimizer",
    "training.lr_scheduler",
    "training.uniform_heatmaps_for_nan_keypoints",
    "model.backbone",
    "model.heatmap_loss_type",
    "model.do_context",
}


def lightning_pose() -> dict[str, Any]:
    return read_yaml(ALL_KEYS)


def leaves(values: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {key: values}
    found = {}
    for name, value in values.items():
        found |= leaves(value, f"{key}.{name}" if key else name)
    return found


def nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def fails(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.from_mapping(values, "config.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_lightning_pose_key_is_taken_and_kept() -> None:
    kept = leaves(Config.from_mapping(lightning_pose()).model_dump(mode="json"))
    for key, value in leaves(lightning_pose()).items():
        if key.startswith("hydra") or key in ("creation_datetime", "model.lightning_pose_version"):
            assert key not in kept
        else:
            assert kept[key] == value, key


def test_defaults_are_those_of_lightning_pose_but_for_a_few() -> None:
    defaults = leaves(Config.from_mapping({}).model_dump(mode="json"))
    documented = leaves(lightning_pose())
    for key in documented.keys() & defaults.keys():
        assert (defaults[key] == documented[key]) == (key not in OWN_DEFAULTS), key


def test_every_field_is_described() -> None:
    def check(section: type[Section], key: str) -> None:
        assert section.__doc__, key
        for name, field in section.model_fields.items():
            assert field.description and field.description.endswith("."), f"{key}.{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                check(field.annotation, f"{key}.{name}")

    check(Config, "")


def test_yaml_and_json_round_trips(tmp_path: Path) -> None:
    config = Config.from_mapping(lightning_pose() | {"resume": "run"})
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert Config.load(path) == config
    assert Config.from_mapping(json.loads(config.model_dump_json())) == config
    assert type(config.model).__name__ == "HeatmapSettings"


def test_numbers_without_a_point_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("training: {optimizer_params: {learning_rate: 5e-5}}")
    assert Config.load(path).training.optimizer_params.learning_rate == 5e-5


def test_unknown_key_names_the_nearest() -> None:
    assert fails({"training": {"max_epoch": 3}}) == (
        "config.yaml: training.max_epoch: unknown key (did you mean 'max_epochs'?)"
    )
    assert "did you mean 'training'" in fails({"trainin": {}})
    assert "did you mean 'heatmap_loss_type'" in fails({"model": {"heatmap_loss_typ": "kl"}})
    nothing_near = fails({"data": {"image_resize_dims": {"zzz": 1}}})
    assert nothing_near.endswith("data.image_resize_dims.zzz: unknown key; known are height, width")


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("training.max_epochs", "abc", "training.max_epochs='abc': must be an integer, at least 1, or null"),
        ("training.max_epochs", 2.5, "training.max_epochs=2.5: must be an integer"),
        ("training.train_batch_size", True, "training.train_batch_size=True: must be an integer, at least 1"),
        ("training.train_batch_size", 0, "training.train_batch_size=0: must be an integer, at least 1"),
        ("training.train_prob", "0.5", "training.train_prob='0.5': must be a number, more than 0, at most 1"),
        ("training.train_prob", float("nan"), "training.train_prob=nan: must be a finite number"),
        ("training.early_stopping", "yes", "training.early_stopping='yes': must be true or false"),
        ("training.optimizer", "adamw", "training.optimizer='adamw': must be one of Adam, AdamW, RMSprop, SGD"),
        ("training.lr_scheduler_params.cosine.final_factor", 2, "must be a number, at least 0, at most 1"),
        ("data.tiles", {"size": 32}, "data.tiles.size=32: must be an integer, at least 64"),
        ("data.tiles", 5, "data.tiles=5: must be a mapping of settings"),
        ("training.imgaug", 3, "training.imgaug=3: must be text or a mapping"),
        ("training.limit_train_batches", "all", "must be a number, more than 0, or null"),
        ("training", 3, "training=3: must be a mapping of settings"),
        ("model", [1], "model=[1]: must be a mapping of settings"),
        ("data.image_resize_dims", {"height": 250, "width": 256}, "at least 32, a multiple of 32, or null"),
        (
            "data.image_resize_dims",
            {"height": 256},
            "height is given but width is null: give both, or neither",
        ),
        ("data.downsample_factor", 4, "data.downsample_factor=4: must be one of 1, 2, 3"),
        ("data.keypoint_names", "nose", "data.keypoint_names='nose': must be a list of text"),
        (
            "data.columns_for_singleview_pca",
            [0, -1],
            "columns_for_singleview_pca=[0, -1]: must be a list of integers",
        ),
        ("data.data_dir", "???", "data.data_dir: has no value yet ('???')"),
        ("inference.tolerance_px", 0, "inference.tolerance_px=0: must be a number, more than 0"),
        ("inference.runtime", "onx", "inference.runtime='onx': must be one of auto, torch,"),
        ("losses.temporal.epsilon", [1.0, -2.0], "losses.temporal.epsilon=[1.0, -2.0]: must be"),
        ("eval.confidence_thresh_for_vid", 1.5, "must be a number, at least 0, at most 1"),
        ("model.heatmap_loss_type", "l1", "model.heatmap_loss_type='l1': must be one of mse, kl, js"),
        ("model.model_type", "heatmapp", "no such algorithm (did you mean 'heatmap'?)"),
    ],
)
def test_wrong_values_are_named_with_what_would_be_right(key: str, value: Any, wanted: str) -> None:
    message = fails(nested(key, value))
    assert message.startswith("config.yaml: ")
    assert wanted in message


def test_settings_that_contradict_one_another() -> None:
    training = {"train_prob": 0.9, "val_prob": 0.2}
    assert "train_prob=0.9 and val_prob=0.2 add up to 1.1" in fails({"training": training})
    assert "min_epochs=20 is more than max_epochs=10" in fails({"training": {"min_epochs": 20, "max_epochs": 10}})
    assert "max_epochs and max_steps are both null" in fails({"training": {"max_epochs": None}})
    data = {"num_keypoints": 3, "keypoint_names": ["a", "b"]}
    assert "num_keypoints=3 but keypoint_names lists 2" in fails({"data": data})
    assert "'a' stands there twice" in fails({"data": {"keypoint_names": ["a", "a"]}})
    matches = {"num_keypoints": 3, "mirrored_column_matches": [[0, 1], [2, 3]]}
    assert "mirrored_column_matches: index 3 for 3 keypoints" in fails({"data": matches})
    assert "have 2, 1 entries" in fails({"data": {"mirrored_column_matches": [[0, 1], [2]]}})


@pytest.mark.parametrize(("train", "validation"), [(0.9, 0.1), (0.58, 0.42), (0.7, 0.3), (0.55, 0.45)])
def test_shares_that_fill_up_one_are_taken_whatever_their_float_sum(train: float, validation: float) -> None:
    Config.from_mapping({"training": {"train_prob": train, "val_prob": validation}})


def test_several_mistakes_are_told_at_once_but_not_all() -> None:
    message = fails({"training": {"a": 1, "b": 2, "c": 3, "d": 4}})
    assert message.count("unknown key") == 3
    assert message.endswith("; and 1 more")


def test_only_steps_means_no_bound_by_epochs() -> None:
    assert Config.from_mapping({"training": {"max_steps": 100}}).training.max_epochs is None
    assert Config.from_mapping({"training": {"max_steps": 100, "max_epochs": 5}}).training.max_epochs == 5


def test_losses_that_are_not_there() -> None:
    assert "is no loss (did you mean 'temporal'?)" in fails({"model": {"losses_to_use": ["temporl"]}})
    assert Config.from_mapping({"model": {"losses_to_use": None}}).model.losses_to_use == ()


def test_empty_sections_are_the_defaults() -> None:
    empty = yaml.safe_load("training:\ndata:\n  image_resize_dims:\nmodel:\n")
    assert Config.from_mapping(empty) == Config.from_mapping({})


def test_settings_of_another_algorithm_are_dropped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    config = Config.from_mapping({"model": {"model_type": "regression", "heatmap_loss_type": "mse"}})
    assert not hasattr(config.model, "heatmap_loss_type")
    assert "model.heatmap_loss_type (not a setting of model_type regression)" in caplog.text


def test_one_warning_names_all_settings_without_effect(caplog: pytest.LogCaptureFixture) -> None:
    values = {
        "training": {"optimizer_params": {"momentum": 0.5}, "early_stop_patience": 9},
        "dali": {"base": {"train": {"sequence_length": 8}}},
        "losses": {"temporal": {"epsilon": 5.0}},
        "eval": {"fiftyone": {"port": 5000}, "hydra_paths": ["outputs/a"]},
    }
    Config.from_mapping(values)
    (record,) = caplog.records
    message = record.getMessage()
    assert record.levelno == logging.WARNING
    for key in (
        "optimizer_params.momentum (with AdamW)",
        "early_stop_patience",
        "dali",
        "losses.temporal",
        "eval.fiftyone (training makes no data set",
        "eval.hydra_paths",
    ):
        assert key in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("model_type", "used", "unused"), [("heatmap", "base", "context"), ("heatmap_mhcrnn", "context", "base")]
)
def test_of_windows_of_video_only_those_of_the_algorithm_count(
    model_type: str, used: str, unused: str, caplog: pytest.LogCaptureFixture
) -> None:
    lengths = {"base": {"train": {"sequence_length": 8}}, "context": {"train": {"batch_size": 8}}}
    predict = {"predict": {"sequence_length": 8}}
    values = {"model": {"model_type": model_type, "losses_to_use": ["temporal"]}, "data": {"video_dir": "v"}}
    Config.from_mapping({**values, "dali": {unused: lengths[unused], used: lengths[used] | predict}})
    (record,) = caplog.records
    assert f"dali.{unused} ({model_type} reads dali.{used}); dali.{used}.predict (" in record.getMessage()


def test_defaults_and_settings_in_use_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Config.from_mapping({"training": {"optimizer_params": {"momentum": 0.9}}})
    Config.from_mapping({"training": {"optimizer": "SGD", "optimizer_params": {"momentum": 0.5}}})
    Config.from_mapping(
        {"training": {"lr_scheduler": "cosine", "lr_scheduler_params": {"cosine": {"warmup_epochs": 1}}}}
    )
    assert not caplog.records


def test_loading_a_run_does_not_warn_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("training: {early_stop_patience: 9}")
    Config.load(path)
    assert not caplog.records


def test_settings_that_moved_or_went() -> None:
    config, remarks = Config.examine({"model": {"backbone_pretrained": False}, "training": {"gpu_id": 1}})
    assert not config.training.backbone_pretrained
    assert any("training.gpu_id" in key for key in remarks.idle)
    both = {"model": {"backbone_pretrained": False}, "training": {"backbone_pretrained": True}}
    assert "are one setting; keep training.backbone_pretrained" in fails(both)


def test_test_videos_are_the_project_s_unless_null() -> None:
    data = {"video_dir": "videos"}
    assert Config.from_mapping({"data": data}).eval.test_videos_directory == Path("videos")
    off = Config.from_mapping({"data": data, "eval": {"test_videos_directory": None}})
    assert off.eval.test_videos_directory is None


def test_blank_paths_are_no_paths() -> None:
    assert Config.from_mapping({"eval": {"hydra_paths": [" "]}}).eval.hydra_paths == ()
    assert "eval.hydra_paths=[3]: must be a list of text" in fails({"eval": {"hydra_paths": [3]}})


def test_weight_decay_follows_the_optimiser() -> None:
    assert Config.from_mapping({}).training.weight_decay == 0.01
    assert Config.from_mapping({"training": {"optimizer": "Adam"}}).training.weight_decay == 0.0
    given = {"optimizer": "SGD", "optimizer_params": {"weight_decay": 0.1}}
    assert Config.from_mapping({"training": given}).training.weight_decay == 0.1


def test_label_files_lie_in_the_data_folder() -> None:
    one = Config.from_mapping({"data": {"data_dir": "/d", "csv_file": "a.csv"}})
    assert one.data.label_files() == (Path("/d/a.csv"),)
    two = Config.from_mapping({"data": {"data_dir": "/d", "csv_file": ["a.csv", "/e/b.csv"]}})
    assert two.data.label_files() == (Path("/d/a.csv"), Path("/e/b.csv"))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"a: 1\nb: [1\nc: 2\n", ":3: not valid YAML"),
        (b"- 1\n", "holds a list"),
        (b"a: \xff\n", "not a text file (byte 3"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, wanted: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert str(caught.value).startswith(str(path))
    assert wanted in str(caught.value)


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"did you mean 'config\.yaml'"):
        Config.load(tmp_path / "confg.yaml")


def test_do_context_of_older_files_is_a_model_type(caplog: pytest.LogCaptureFixture) -> None:
    config = Config.from_mapping({"model": {"model_type": "heatmap", "do_context": True}})
    assert config.model.model_type == "heatmap_mhcrnn" and type(config.model).__name__ == "HeatmapMHCRNNSettings"
    assert [r.getMessage() for r in caplog.records] == [
        "model.do_context=true: model.model_type=heatmap becomes heatmap_mhcrnn"
    ]
    caplog.clear()
    # What a run keeps says the same without a word.
    assert Config.from_mapping(yaml.safe_load(config.to_yaml())) == config and not caplog.records
    assert Config.from_mapping({"model": {"do_context": True}}).model.model_type == "heatmap_mhcrnn"
    for values in ({"do_context": False}, {"do_context": None}, {"do_context": True, "model_type": "regression"}):
        assert Config.from_mapping({"model": values}).model.model_type == values.get("model_type", "heatmap")


def test_a_context_model_without_context_is_a_contradiction() -> None:
    message = fails({"model": {"model_type": "heatmap_mhcrnn", "do_context": False}})
    assert message.startswith("config.yaml: model.do_context=false: heatmap_mhcrnn looks at neighbouring frames")
