"""Augmentation written as imgaug operators becomes this package's own, and what cannot is said."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from vitruve.config.imgaug import from_imgaug, is_imgaug
from vitruve.config.schema import Config
from vitruve.data.augment import PRESETS, augmentation
from vitruve.errors import ConfigError

DLC: dict[str, Any] = {
    "Affine": {"p": 0.4, "kwargs": {"rotate": [-25, 25]}},
    "MotionBlur": {"p": 0.5, "kwargs": {"k": 5, "angle": [-90, 90]}},
    "CoarseDropout": {"p": 0.5, "kwargs": {"p": 0.02, "size_percent": 0.3, "per_channel": 0.5}},
    "CoarseSalt": {"p": 0.5, "kwargs": {"p": 0.01, "size_percent": [0.05, 0.1]}},
    "CoarsePepper": {"p": 0.5, "kwargs": {"p": 0.01, "size_percent": [0.05, 0.1]}},
    "ElasticTransformation": {"p": 0.5, "kwargs": {"alpha": [0, 10], "sigma": 5}},
    "AllChannelsHistogramEqualization": {"p": 0.1},
    "AllChannelsCLAHE": {"p": 0.1},
    "Emboss": {"p": 0.1, "kwargs": {"alpha": [0, 0.5], "strength": [0.5, 1.5]}},
    "CropAndPad": {"p": 0.4, "kwargs": {"percent": [-0.15, 0.15], "keep_size": False}},
}


def test_the_dlc_pipeline_as_operators_is_the_preset() -> None:
    values, idle, notes = from_imgaug(DLC)
    assert asdict(augmentation(values)) == asdict(PRESETS["dlc"])
    assert notes == []
    assert all(line.endswith("(fixed here)") for line in idle)
    turned, _, _ = from_imgaug({"Rot90": {"kwargs": {"k": [0, 1, 2, 3]}}, **DLC})
    assert asdict(augmentation(turned)) == asdict(PRESETS["dlc-top-down"])
    half, _, _ = from_imgaug({"Rot90": {"args": [[0, 2]]}, **DLC})
    assert asdict(augmentation(half)) == asdict(PRESETS["dlc-lr"])


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ({"Affine": {"p": 0.3, "kwargs": {"rotate": 10}}}, {"rotate": 0.3, "rotate_degrees": 10}),
        ({"Rotate": {"args": [[-5, 30]]}}, {"rotate": 1.0, "rotate_degrees": 30}),
        ({"Rot90": {"p": 0.5, "kwargs": {"k": 1}}}, {"quarter_turns": [0, 90]}),
        ({"Rot90": {"p": 0.0, "kwargs": {"k": 1}}}, {}),
        ({"Fliplr": {"p": 1.0, "args": [0.5]}}, {"hflip": 0.5}),
        ({"Fliplr": {"p": 0.5, "kwargs": {"p": 1.0}}}, {"hflip": 0.5}),
        ({"MotionBlur": {"p": 0.2, "kwargs": {"k": [3, 8]}}}, {"motion_blur": 0.2, "blur_size": 9}),
        ({"CoarseDropout": {"args": [[0.02, 0.06]]}}, {"dropout": 1.0, "dropout_share": 0.04}),
        ({"CLAHE": {"p": 0.3}, "HistogramEqualization": None}, {"clahe": 0.3, "equalize": 1.0}),
        ({"CropAndPad": {"p": 0.4, "kwargs": {"percent": 0.1}}}, {"crop_pad": 0.4, "crop_pad_share": 0.1}),
    ],
)
def test_strengths_and_probabilities(operators: dict[str, Any], expected: dict[str, Any]) -> None:
    values, _, _ = from_imgaug(operators)
    assert values == {key: pytest.approx(value) for key, value in expected.items()}
    augmentation(values)


def test_what_has_no_counterpart_is_listed() -> None:
    operators = {
        "GaussianBlur": {"p": 0.5, "kwargs": {"sigma": 2}},
        "Affine": {"kwargs": {"rotate": [-5, 5], "scale": [0.5, 1.5]}},
        "CropAndPad": {"kwargs": {"px": 10}},
    }
    values, idle, _ = from_imgaug(operators)
    assert values == {"rotate": 1.0, "rotate_degrees": 5}
    assert idle == [
        "training.imgaug.GaussianBlur (no counterpart here)",
        "training.imgaug.Affine.scale (fixed here)",
        "training.imgaug.CropAndPad.px (fixed here)",
    ]


def test_what_is_only_nearly_met_is_said() -> None:
    _, _, notes = from_imgaug({"Affine": {"kwargs": {"rotate": [0, 90]}}, "Fliplr": {"args": [0.5]}})
    assert [note.split(":")[0] for note in notes] == ["training.imgaug", "training.imgaug.Fliplr"]
    values, _, notes = from_imgaug({"CoarseSalt": {"args": [0.01]}, "CoarsePepper": {"args": [0.03]}})
    assert values["salt_share"] == pytest.approx(0.02)
    assert notes == ["training.imgaug: salt and pepper have one share, 0.02"]


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        ({"Affine": {"prob": 1}}, "must be a mapping of p, args and kwargs"),
        ({"Affine": 3}, "must be a mapping of p, args and kwargs"),
        ({"Affine": {"p": 2}}, r"Affine\.p=2: must lie between 0 and 1"),
        ({"Affine": {"args": 3}}, "args must be a list"),
        ({"Fliplr": {"args": [0.5, 1]}}, "at most 1"),
        ({"Affine": {"kwargs": {"rotate": float("inf")}}}, "must be finite"),
    ],
)
def test_broken_operators_are_named(operators: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_imgaug(operators)


def test_in_a_whole_configuration() -> None:
    config, remarks = Config.examine({"training": {"imgaug": {**DLC, "Superpixels": {"p": 0.1}}}})
    assert asdict(augmentation(config.training.imgaug)) == asdict(PRESETS["dlc"])
    assert remarks.changed[0].startswith("training.imgaug: imgaug operators become rotate=0.4")
    assert "training.imgaug.Superpixels (no counterpart here)" in remarks.idle
    # This package's own attributes are none of imgaug's.
    assert not is_imgaug({"preset": "dlc", "rotate": 0.5})
    assert not is_imgaug("dlc")
