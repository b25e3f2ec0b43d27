"""By what trials are compared."""

from __future__ import annotations

import pytest

from tuning.searches import config
from vitruve.errors import ConfigError
from vitruve.tuning.objective import best_of, objective_of, values_by_epoch

ROWS = [
    {"epoch": "0", "train_supervised_loss": "3", "val_pixel_error": ""},
    {"epoch": "1", "train_supervised_loss": "2", "val_pixel_error": "5.5"},
    {"epoch": "2", "train_supervised_loss": "1", "val_pixel_error": "nan"},
    {"epoch": "3", "train_supervised_loss": "1", "val_pixel_error": "5.5"},
]


@pytest.mark.parametrize(
    ("algorithm", "column", "direction"),
    [
        ("heatmap", "val_pixel_error", "minimize"),
        ("classifier", "val_top1", "maximize"),
        ("openpose", "val_supervised_loss", "minimize"),
        ("faster_rcnn", "val_AP", "maximize"),
    ],
)
def test_each_algorithm_has_its_objective(algorithm: str, column: str, direction: str) -> None:
    assert objective_of(config(model={"model_type": algorithm})) == (column, direction)


def test_a_direction_that_the_name_does_not_tell_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"tune\.direction=minimize\|maximize"):
        objective_of(config(objective="images_per_second"))
    assert objective_of(config(objective="images_per_second", direction="maximize"))[1] == "maximize"


def test_the_best_epoch_is_the_first_of_equals_and_finite() -> None:
    values = values_by_epoch(ROWS, "val_pixel_error")
    assert values == {1: 5.5, 3: 5.5}
    assert best_of(values, "minimize") == (1, 5.5)
    assert best_of({0: 1.0, 1: 2.0}, "maximize") == (1, 2.0)
    assert best_of({}, "minimize") is None


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'val_pixel_error'"):
        values_by_epoch(ROWS, "val_pixl_error")
    assert values_by_epoch(ROWS[:1], "val_other") == {}
