"""Settings of a project: checked as training reads them, saved only over what was read, shown in fields that fit."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from vitruve.app.controls import Control, Look, control_of, from_field, to_field
from vitruve.app.place import Place
from vitruve.app.projects import POSES, RIG
from vitruve.app.settings_file import (
    check,
    create_settings,
    diff,
    differing,
    problem,
    read_settings,
    save_settings,
    schema,
)
from vitruve.atomic import LOCK
from vitruve.config.compose import compose, examine_text
from vitruve.config.table import fields_of
from vitruve.errors import ConfigError, InputError
from vitruve.project.config_file import ProjectConfig

FIELDS = dict(fields_of(schema(POSES, {"model": {"model_type": "heatmap"}})))


def test_a_file_that_has_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    create_settings(path, "a: 1\n")
    with pytest.raises(InputError, match="is there already"):
        create_settings(path, "a: 2\n")
    read = read_settings(path)
    kept = save_settings(path, "a: 2\n", read.mark)
    assert path.read_text() == "a: 2\n" and kept == read_settings(path)
    with pytest.raises(InputError, match="somebody has changed it"):
        save_settings(path, "a: 3\n", read.mark)
    assert path.read_text() == "a: 2\n" and sorted(tmp_path.iterdir()) == [tmp_path / LOCK, path]
    path.unlink()
    with pytest.raises(InputError, match="somebody has changed it"):
        save_settings(path, "a: 3\n", kept.mark)
    assert not path.exists()


def test_of_many_that_save_at_once_one_is_first(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 0\n")
    mark = read_settings(path).mark
    refused: list[int] = []
    ready = threading.Barrier(8)

    def save(number: int) -> None:
        ready.wait()
        try:
            save_settings(path, f"a: {number}\n", mark)
        except InputError:
            refused.append(number)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert path.read_text() == f"a: {({*range(1, 9)} - {*refused}).pop()}\n"


def test_files_that_are_no_settings(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(path)
    path.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not a text file"):
        read_settings(path)
    path.write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(ConfigError, match="larger than"):
        read_settings(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_epochs: 44", "max_epochs: 0", r"training\.max_epochs=0: must be an integer, at least 1"),
        ("max_epochs:", "max_epoch:", r"did you mean 'max_epochs'"),
        ("data_dir: .", "data_dir: nowhere", r"no such folder"),
        ("model_type: heatmap", "model_type: heatmaps", r"did you mean 'heatmap'"),
        ("imgaug: dlc", "imgaug: [", r"config\.yaml:\d+: not valid YAML"),
        ("max_epochs: 44", "max_epochs: ${nothing.there}", r"nothing"),
        ("data:", "defaults: [other]\ndata:", r"other"),
    ],
)
def test_what_is_wrong_is_said_as_training_says_it(place: Place, old: str, new: str, said: str) -> None:
    import re

    assert place.project is not None
    text = place.project.config.read_text()
    assert check(POSES, text, place.project.config).error == ""
    found = check(POSES, text.replace(old, new, 1), place.project.config).error
    assert re.search(said, found) and "\n" not in found


def test_a_text_is_checked_as_the_file_is_read(place: Place) -> None:
    assert place.project is not None
    from vitruve.config.compose import examine_text

    path = place.project.config
    text = path.read_text() + "ensemble: ${training.val_batch_size}\ncrop: {jitter: 0.3}\n"
    path.write_text(text)
    checked, remarks = examine_text(text, path)
    assert checked == compose(str(path), quiet=True).config and checked.ensemble == 16
    assert any("crop" in line for line in remarks.idle)
    assert any("no effect: crop" in line for line in check(POSES, text, path).remarks)


def test_paths_of_a_file_whose_folder_is_yet_to_be_made(place: Place) -> None:
    assert place.project is not None
    text = "data: {data_dir: ../mouse, csv_file: CollectedData.csv}\n"
    assert check(POSES, text, place.workspace.home / "later" / "config.yaml").error == ""
    lost = check(POSES, text.replace("Collected", "Lost"), place.workspace.home / "later" / "config.yaml").error
    assert "data.csv_file" in lost and "LostData.csv: no such file" in lost


def test_settings_in_several_files_are_read_as_training_reads_them(place: Place) -> None:
    assert place.project is not None
    config = place.project.config
    moved = Path(shutil.copytree(config.parent, config.parent.parent / "it's here")) / config.name
    (moved.parent / "model").mkdir()
    (moved.parent / "model" / "small.yaml").write_text("backbone: resnet34\n")
    text = "defaults: [_self_, model: small]\n" + moved.read_text()
    made, _ = examine_text(text, moved)
    assert made.model.backbone == "resnet34" and check(POSES, text, moved).error == ""
    moved.write_text(text)
    assert compose(str(moved), quiet=True).config == made
    (moved.parent / "model" / "small.yaml").write_text("backbone: 3\n")
    assert "backbone" in check(POSES, text, moved).error
    assert "huge" in check(POSES, text.replace("model: small", "model: huge"), moved).error


def test_settings_of_a_rig(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    text = "DATASET: {DATASET_3D: set}\nKEYPOINTDETECT: {BOUNDING_BOX_SIZE: 200}\n"
    assert "multiple of 64, such as 192" in check(RIG, text, path).error
    assert check(RIG, text.replace("200", "192"), path).error == ""
    assert schema(RIG, {}) is ProjectConfig
    assert differing(RIG, {"DATASET": {"DATASET_3D": "set"}, "CENTERDETECT": {"BATCH_SIZE": 8, "NUM_EPOCHS": 3}}) == {
        "DATASET.DATASET_3D": ("set", None),
        "CENTERDETECT.NUM_EPOCHS": (3, 50),
    }


def test_what_differs_and_the_keys_of_the_algorithm() -> None:
    values = {"model": {"model_type": "heatmap", "heatmap_loss_type": "kl"}, "training": {"max_epochs": 300}}
    found = differing(POSES, {**values, "data": {"image_resize_dims": {"height": 64}}})
    assert found.pop("data.image_resize_dims.height") == (64, None)
    assert all(key.startswith("model.") for key in found)
    assert "model.heatmap_loss_type" in FIELDS
    assert "model.heatmap_loss_type" not in dict(fields_of(schema(POSES, {"model": {"model_type": "faster_rcnn"}})))
    assert "model.backbone" in dict(fields_of(schema(POSES, {"model": {"model_type": "no such"}})))


@pytest.mark.parametrize(
    ("key", "value", "control"),
    [
        ("training.max_epochs", 44, Control(Look.INTEGER, True, least=1)),
        ("training.max_epochs", 0, Control(Look.YAML, True)),
        ("training.max_epochs", "many", Control(Look.YAML, True)),
        ("training.train_batch_size", 8, Control(Look.INTEGER, least=1)),
        ("data.image_resize_dims.height", None, Control(Look.INTEGER, True, least=32, step=32)),
        ("training.optimizer_params.learning_rate", 5e-5, Control(Look.NUMBER)),
        ("training.optimizer_params.weight_decay", None, Control(Look.NUMBER, True)),
        ("training.optimizer", "SGD", Control(Look.CHOICE, False, ("Adam", "AdamW", "RMSprop", "SGD"))),
        ("training.optimizer", "sgd", Control(Look.YAML)),
        ("data.downsample_factor", 2, Control(Look.CHOICE, False, (1, 2, 3))),
        ("training.early_stopping", True, Control(Look.SWITCH)),
        ("training.channels_last", None, Control(Look.CHOICE, True, (True, False))),
        ("model.model_name", "a", Control(Look.TEXT)),
        ("data.data_dir", None, Control(Look.TEXT, True)),
        ("data.csv_file", ["a", "b"], Control(Look.YAML)),
        ("data.keypoint_names", None, Control(Look.YAML, True)),
    ],
)
def test_fields_fit_their_settings(key: str, value: Any, control: Control) -> None:
    found = control_of(FIELDS[key], value)
    assert found == control
    assert from_field(found, to_field(found, value)) == value


def test_names_that_are_offered() -> None:
    known = ("temporal", "pca_singleview")
    several = control_of(FIELDS["model.losses_to_use"], ["temporal"], known)
    assert several == Control(Look.SEVERAL, False, known) and to_field(several, None) == []
    one = control_of(FIELDS["model.backbone"], "vits_dino", ("resnet18",))
    assert one == Control(Look.CHOICE, False, ("resnet18",), other=True)
    assert from_field(one, "5") == "5"


def test_what_is_typed_is_read_as_yaml_is() -> None:
    number, text = Control(Look.NUMBER, True), Control(Look.TEXT)
    assert [from_field(number, shown) for shown in ("1e-3", "2", "", " ", "fast", "[1")] == [
        *(1e-3, 2, None, None),
        *("fast", "[1"),
    ]
    assert from_field(text, " 5 ") == "5" and from_field(text, "") == ""
    assert from_field(Control(Look.YAML), "[a, 2]") == ["a", 2] and from_field(Control(Look.YAML), "''") == ""
    # What lacks an end can be given one.
    broken = from_field(Control(Look.YAML), "[a, 2")
    assert from_field(Control(Look.YAML), to_field(Control(Look.YAML), broken) + "]") == ["a", 2]


def test_what_is_wrong_with_a_value_alone() -> None:
    assert problem(FIELDS["training.max_epochs"], 0) == "must be an integer, at least 1, or null"
    assert problem(FIELDS["data.image_resize_dims.height"], 33).endswith("a multiple of 32, or null")
    assert problem(FIELDS["training.optimizer"], "sgd") == "must be one of Adam, AdamW, RMSprop, SGD"
    assert problem(FIELDS["training.max_epochs"], None) == "" and problem(FIELDS["data.csv_file"], ["a"]) == ""


def test_the_lines_that_differ() -> None:
    assert diff("a\nb\n", "a\nc\n").splitlines()[-2:] == ["-b", "+c"] and diff("a", "a") == ""
