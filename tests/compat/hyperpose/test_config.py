"""``Config``: values that do not change, settings that belong to who makes them, spellings of all generations."""

from __future__ import annotations

import dataclasses
import threading
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from vitruve.compat.hyperpose import Config
from vitruve.compat.hyperpose.translate import core_config, input_size
from vitruve.errors import ConfigError, InputError


def test_a_configuration_does_not_change_and_has_no_effects(tmp_path: Path) -> None:
    Config.set_model_name("first")
    Config.set_batch_size(3)
    first = Config.get_config()
    Config.set_model_name("second")
    Config.set_model_type(Config.MODEL.Pifpaf)
    Config.set_core({"training.device": "cpu"})
    second = Config.get_config()
    assert (first.model.model_name, second.model.model_name) == ("first", "second")
    assert (first.model.model_type, second.model.model_type) == (Config.MODEL.Openpose, Config.MODEL.Pifpaf)
    assert dict(first.core) == {} and dict(second.core) == {"training.device": "cpu"}
    assert second.train.batch_size == 3, "what was set before stays set"
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.model.model_name = "other"  # type: ignore[misc]
    assert list(tmp_path.iterdir()) == [], "no folder and no log file is made"
    assert "model_arch" in first.model and "nothing" not in first.model


def test_folders_follow_the_name() -> None:
    Config.set_model_name("mine")
    config = Config.get_config()
    home = Path("save_dir/mine")
    found = (
        config.model.model_dir,
        config.train.vis_dir,
        config.eval.vis_dir,
        config.test.vis_dir,
        config.data.vis_dir,
    )
    assert found == tuple(
        home / name for name in ("model_dir", "train_vis_dir", "eval_vis_dir", "test_vis_dir", "data_vis_dir")
    )
    assert config.log.log_path == home / "log.txt"


def test_each_thread_and_each_scope_has_settings_of_its_own() -> None:
    Config.set_model_name("outside")
    seen: list[str] = []

    def other() -> None:
        seen.append(Config.get_config().model.model_name)
        Config.set_model_name("of the thread")

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == ["default_name"]
    with Config.scope():
        Config.set_model_name("inside")
        assert Config.get_config().model.model_name == "inside"
    assert Config.get_config().model.model_name == "outside"
    Config.reset()
    assert Config.get_config().model.model_name == "default_name"


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        ("MODEL", ("OpenPose", "Openpose")),
        ("MODEL", ("LightweightOPenpose", "LightweightOpenpose", "LightweightOpenPose")),
        ("MODEL", ("MobilnetThinOpenpose", "MobilenetThinOpenpose")),
        ("MODEL", ("Poseproposal", "PoseProposal")),
        ("MODEL", ("Pifpaf", "PifPaf")),
        ("DATA", ("COCO", "MSCOCO")),
    ],
)
def test_spellings_of_all_generations(kind: str, spellings: tuple[str, ...]) -> None:
    assert len({getattr(getattr(Config, kind), name) for name in spellings}) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Config.MODEL.LightweightOpnepose, "did you mean 'LightweightOpenpose'"),
        (lambda: Config.BACKBONE.Resnet51, "did you mean 'Resnet50'"),
        (lambda: Config.set_model_type("Opnepose"), "did you mean 'Openpose'"),
        (lambda: Config.set_train_type(Config.KUNGFU.Sync_sgd), "give one of Single_train, Parallel_train"),
        (lambda: Config.set_batch_size(0), "whole number of at least 1"),
        (lambda: Config.set_learning_rate(-1), "above 0"),
        (lambda: Config.set_input_size(100, 128), "hin=100 must be a multiple of 8"),
        (lambda: Config.set_model_name("a/b"), "name that a folder can have"),
        (lambda: Config.set_dataset_version("2015"), "'2014' or '2017'"),
        (lambda: Config.set_dataset_filter(3), "function of a meta object"),
        (lambda: Config.set_multiple_dataset([]), "at least one"),
    ],
)
def test_wrong_values_are_told_at_once(call: Any, message: str) -> None:
    with pytest.raises((ConfigError, AttributeError), match=message):
        call()


def test_added_data_must_fit() -> None:
    with pytest.raises(InputError, match="2 images but 1 targets"):
        Config.set_useradd_data(["a", "b"], [{"kpt": []}])
    with pytest.raises(InputError, match="has no 'kpt'; it has keypoints"):
        Config.set_useradd_data(["a"], [{"keypoints": []}])


def test_every_setting_reaches_the_core() -> None:
    Config.set_model_type(Config.MODEL.LightweightOpenpose)
    Config.set_model_backbone(Config.BACKBONE.Resnet18)
    Config.set_learning_rate(0.02)
    Config.set_learning_rate_decay([4, 8], 0.1)
    Config.set_weight_decay(0.03)
    Config.set_optim_type(Config.OPTIM.RMSprop)
    Config.set_kungfu_option(Config.KUNGFU.Pair_avg)
    Config.set_n_step(12)
    Config.set_batch_size(5)
    Config.set_core({"training.precision": "32", "model.peak_threshold": 0.3})
    core = core_config(Config.get_config(), processes=2)
    training = core.training
    assert core.model.model_type == "lightweight_openpose" and core.model.backbone == "resnet18"
    assert (training.optimizer, training.optimizer_params.learning_rate, training.weight_decay) == (
        "RMSprop",
        0.02,
        0.03,
    )
    assert training.lr_scheduler_params.multisteplr.milestone_steps == (2, 4), (
        "each process does its share of the steps"
    )
    assert (training.max_steps, training.train_batch_size, training.precision) == (6, 5, "32")
    assert training.parallel.strategy == "pair_avg" and core.model.model_dump()["peak_threshold"] == 0.3


def test_what_is_not_set_is_as_in_hyperpose() -> None:
    sizes = {}
    for kind in Config.MODEL:
        Config.set_model_type(kind)
        sizes[kind.name] = (input_size(Config.get_config()), core_config(Config.get_config()).training.train_batch_size)
    assert sizes == {
        "Openpose": ((432, 368), 4),
        "LightweightOpenpose": ((432, 368), 8),
        "MobilenetThinOpenpose": ((432, 368), 8),
        "PoseProposal": ((384, 384), 22),
        "Pifpaf": ((432, 368), 4),
    }


def test_parts_of_ones_own_must_count_from_zero() -> None:
    from vitruve.compat.hyperpose.anatomy import learned_skeleton

    Config.set_custom_parts(Enum("Parts", "Nose Tail"))
    with pytest.raises(ConfigError, match="values count from 0"):
        learned_skeleton(Config.get_config())
    Config.set_custom_parts(Enum("Parts", "Nose Tail Background", start=0))
    Config.set_custom_limbs([(0, 1)])
    skeleton = learned_skeleton(Config.get_config())
    assert skeleton.names == ("Nose", "Tail") and skeleton.edges == ((0, 1),)


def test_limbs_are_pairs_of_numbers_or_of_parts() -> None:
    parts = Enum("Parts", "Nose Neck Tail", start=0)
    Config.set_custom_limbs([(parts["Nose"], parts["Neck"]), (1, 2)])
    assert Config.get_config().model.custom_limbs == ((0, 1), (1, 2))
    for limb in ((0, 1, 2), 3, ("Nose", "Neck")):
        with pytest.raises(ConfigError, match=r"set_custom_limbs: .* is no pair of keypoints"):
            Config.set_custom_limbs([limb])
