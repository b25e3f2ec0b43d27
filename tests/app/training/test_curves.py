"""Metrics as curves, and curves as figures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from vitruve.app.figures.training import compared_figure, error_figure, loss_figure
from vitruve.app.training.curves import LOSS, Curves, column_name, columns_among, curves_of, read_curves
from vitruve.run import RunFiles

ROWS = [
    {"epoch": "0", "train_supervised_loss": "4", "val_supervised_loss": "3", "val_pixel_error": "12.5"},
    {"epoch": "1", "train_supervised_loss": "2", "val_supervised_loss": "", "val_pixel_error": None},
    {"epoch": "2", "train_supervised_loss": "1", "val_supervised_loss": "nan", "val_pixel_error": "8"},
    {"epoch": "", "train_supervised_loss": "9"},
    {"epoch": "3", "train_supervised_loss": "broken", "val_supervised_loss": "2.5", "val_pixel_error": "9"},
]


def test_rows_become_columns_and_what_is_missing_has_no_point() -> None:
    curves = curves_of(ROWS, "a")
    assert curves.epochs == (1, 2, 3, 4)
    assert curves.points("train_supervised_loss") == ([1, 2, 3], [4.0, 2.0, 1.0])
    assert curves.points(LOSS) == ([1, 4], [3.0, 2.5])
    assert curves.points("nothing") == ([], [])
    assert math.isnan(curves.columns[LOSS][1])
    assert curves.best("val_pixel_error") == (3, 8.0) and curves.best("nothing") is None


def test_precision_is_best_at_its_highest() -> None:
    curves = curves_of(
        [{"epoch": "0", "val_AP": "30"}, {"epoch": "1", "val_AP": "40"}, {"epoch": "2", "val_AP": "35"}], "a"
    )
    assert curves.error == "val_AP" and curves.best("val_AP") == (2, 40.0)


def test_columns_that_matter_come_first_and_those_without_values_not_at_all() -> None:
    rows = [{"epoch": "0", "step": "3", "b_loss": "1", "val_AP": "", "learning_rate": "1", "val_supervised_loss": "1"}]
    assert columns_among([curves_of(rows, "a")]) == ["val_supervised_loss", "learning_rate", "b_loss"]
    assert column_name("val_pixel_error", "mm") == "validation error (mm)"
    assert column_name("val_supervised_loss", "mm") == "loss on validation images"
    assert column_name("train_temporal_loss") == "train temporal loss"


def test_an_ensemble_has_the_curves_of_each_network(tmp_path: Path) -> None:
    run = RunFiles(tmp_path)
    assert read_curves(tmp_path, "e") == []
    for index in (0, 1, 2):
        run.member(index).path.mkdir()
        run.member(index).config.write_text("{}")
    for index in (0, 1):
        run.member(index).write_metrics([{"epoch": 0, "val_pixel_error": 3 + index}])
    found = read_curves(tmp_path, "e", "mm")
    assert [each.name for each in found] == ["e/member_0", "e/member_1"]
    assert [each.points("val_pixel_error") for each in found] == [([1], [3.0]), ([1], [4.0])]
    assert found[0].unit == "mm"


def test_figures_show_each_point_once_and_name_their_axes() -> None:
    curves = curves_of(ROWS, "a", "mm")
    losses = loss_figure(curves, log=True)
    assert [(line.name, list(line.x), list(line.y)) for line in losses.data] == [
        ("training", [1, 2, 3], [4.0, 2.0, 1.0]),
        ("validation", [1, 4], [3.0, 2.5]),
    ]
    assert losses.layout.yaxis.type == "log" and losses.layout.xaxis.title.text == "epochs done"
    errors = error_figure(curves)
    assert errors.layout.yaxis.title.text == "validation error (mm)"
    best = errors.data[1]
    assert (list(best.x), list(best.y), best.name) == ([3], [8.0], "best: 8 mm in epoch 3")


def test_figures_of_nothing_are_empty() -> None:
    empty = Curves("a", (), {})
    assert not loss_figure(empty).data and not error_figure(empty).data and not compared_figure([empty], LOSS).data


@pytest.mark.parametrize("share", [False, True])
def test_runs_are_compared_in_one_figure_of_one_colour_each(share: bool) -> None:
    long, short = curves_of(ROWS, "long"), curves_of(ROWS[:1], "short")
    figure = compared_figure([long, short], "val_pixel_error", share=share)
    assert [line.name for line in figure.data] == ["long", "short"]
    assert list(figure.data[0].x) == ([25.0, 75.0, 100.0] if share else [1, 3, 4])
    assert list(figure.data[1].x) == ([100.0] if share else [1])
    assert figure.data[0].line.color != figure.data[1].line.color
    both = compared_figure([long], LOSS)
    assert [line.name for line in both.data] == ["long (training)", "long"]
    assert both.data[0].line.color == both.data[1].line.color and both.data[0].line.dash == "dot"


def test_curves_are_read_anew_when_there_are_more(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    for epochs in (1, 2, 3):
        files.write_metrics([{"epoch": n, "train_supervised_loss": 1.0 / (n + 1)} for n in range(epochs)])
        found = [read_curves(tmp_path, "run") for _ in range(2)]
        assert [each.epochs for (each,) in found] == [tuple(range(1, epochs + 1))] * 2
        assert found[0][0] is found[1][0]
