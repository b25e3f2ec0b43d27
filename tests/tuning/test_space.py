"""What may be searched, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from tuning.searches import RATE, config
from vitruve.errors import ConfigError
from vitruve.tuning.space import read_space, value_at, with_values

WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "tune.space: is empty"),
    ({"learning_rate": {"low": 1, "high": 2}}, f"did you mean '{RATE}'"),
    ({"training.optimizer_params.learning_rat": {"low": 1, "high": 2}}, f"did you mean '{RATE}'"),
    ({"training.optimizer_params": {"low": 1, "high": 2}}, "is a section"),
    ({"model.proposals": {"low": 1, "high": 2}}, "is not a setting of heatmap, but of faster_rcnn"),
    ({"tune.seed": {"low": 1, "high": 2}}, "cannot be searched"),
    ({RATE: 3}, "must be a mapping"),
    ({RATE: {"low": 1, "hihg": 2}}, "did you mean 'high'"),
    ({RATE: {"low": 0.1}}, "high=None must be a number"),
    ({RATE: {"low": 0.1, "high": 0.01}}, "low=0.1 is more than high=0.01"),
    ({RATE: {"low": 0.1, "high": 0.1}}, "low=0.1 is the same as high=0.1"),
    ({RATE: {"low": 0, "high": 0.1, "log": True}}, "low=0 has no logarithm"),
    ({RATE: {"low": -1, "high": 0.1}}, "low=-1.0 cannot be; the setting must be a number, more than 0"),
    ({RATE: {"low": 0.1, "high": 1, "choices": [1]}}, "needs low and high, or choices"),
    ({RATE: {"choices": []}}, "must be a list of values"),
    ({RATE: {"choices": ["fast"]}}, "'fast' cannot be; the setting must be a number"),
    ({RATE: {"choices": [0.1], "log": True}}, "log goes with low and high"),
    ({"training.train_batch_size": {"low": 1.5, "high": 4}}, "must be integers"),
    ({"training.train_batch_size": {"low": 0, "high": 4}}, "low=0 cannot be"),
    ({"training.optimizer": {"low": 1, "high": 2}}, "is no number but one of Adam"),
    ({"training.optimizer": {"choices": ["SDG"]}}, "'SDG' cannot be; the setting must be one of"),
    ({"model.model_type": {"choices": ["heatmpa"]}}, "did you mean 'heatmap'"),
    (
        {RATE: {"low": 0.1, "high": 1, "when": {"training.optimizer": "SGD"}}},
        "only what is searched can be a condition",
    ),
]


@pytest.mark.parametrize(("space", "said"), WRONG)
def test_what_cannot_be_searched_is_said_in_one_line(space: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_space(config(space))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_may_be_nested_or_dotted() -> None:
    one = read_space(config({"training": {"optimizer_params": {"learning_rate": {"low": 0.1, "high": 1}}}}))
    assert one == read_space(config({RATE: {"low": 0.1, "high": 1}}))


def test_integers_are_those_of_the_setting_or_asked_for() -> None:
    space = read_space(
        config({"training.train_batch_size": {"low": 2, "high": 8}, RATE: {"low": 1, "high": 3, "int": True}})
    )
    assert [each.whole for each in space.dimensions] == [True, True]


def test_every_value_lies_in_the_space_and_makes_settings() -> None:
    made = config(
        {
            RATE: {"low": 1e-4, "high": 1e-1, "log": True},
            "training.train_batch_size": {"low": 2, "high": 8},
            "training.optimizer": {"choices": ["SGD", "Adam"]},
            "training.optimizer_params.momentum": {"low": 0, "high": 0.9, "when": {"training.optimizer": "SGD"}},
            "training.lr_scheduler_params.multisteplr.milestones": {"choices": [[1, 2], [2]]},
        }
    )
    space = read_space(made)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(30):
        values = space.suggest(study.ask())
        assert all(each.holds(values[each.key]) for each in space.dimensions if each.key in values)
        with_momentum = "training.optimizer_params.momentum" in values
        assert with_momentum == (values["training.optimizer"] == "SGD")
        plain = with_values(made, values).model_dump(mode="json")
        assert {key: value_at(plain, key) for key in values} == values
        assert plain["tune"]["space"] == {}
        seen.add((values["training.optimizer"], len(values["training.lr_scheduler_params.multisteplr.milestones"])))
    assert len(seen) == 4


def test_settings_of_one_algorithm_count_with_that_one() -> None:
    made = config(
        {
            "model.model_type": {"choices": ["heatmap", "regression"]},
            "model.heatmap_loss_type": {"choices": ["mse", "kl"]},
        }
    )
    space = read_space(made)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(10):
        values = space.suggest(study.ask())
        assert ("model.heatmap_loss_type" in values) == (values["model.model_type"] == "heatmap")
        assert with_values(made, values).model.model_type == values["model.model_type"]
    assert not space.fixed


def test_the_settings_as_they_are_come_first_then_known_ones() -> None:
    made = config({RATE: {"low": 1e-3, "high": 1e-1}}, known=[{RATE: 0.05}])
    assert read_space(made).known(made) == [{RATE: 0.01}, {RATE: 0.05}]
    outside = config({RATE: {"low": 0.02, "high": 0.1}})
    assert read_space(outside).known(outside) == []


@pytest.mark.parametrize(("known", "said"), [({RATE: 5.0}, "does not lie in"), ({"training.optimizr": 1}, "is not in")])
def test_known_settings_outside_the_space_are_refused(known: dict[str, Any], said: str) -> None:
    made = config(known=[known])
    with pytest.raises(ConfigError, match=said):
        read_space(made).known(made)
