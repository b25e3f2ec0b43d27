from __future__ import annotations

import json

import numpy as np
import pytest
from random_boxes import boxes, random_set

from vitruve.evaluation.boxes_grid import CONFIDENCES, IOUS, confusion, score_grid
from vitruve.evaluation.verdicts import Kind, judge_boxes

TRUTH = boxes([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], [0, 0, 1])
FOUND = boxes(
    [[0, 0, 10, 10], [20, 0, 30, 6.5], [20, 0, 30, 10], [40, 0, 50, 10], [80, 0, 90, 10]],
    [0, 0, 1, 0, 1],
    scores=[0.95, 0.85, 0.7, 0.65, 0.5],
)


def test_counts_by_hand():
    grid = score_grid([(TRUTH, FOUND)], 2)
    assert (grid.confidences, grid.ious) == (CONFIDENCES, IOUS)
    at = dict(zip(IOUS, range(5), strict=True))
    # Class 0, IoU .5: the first two are right, the one on an object of the other class is wrong from .65 down.
    assert grid.right[0, :, at[0.5]].tolist() == [2, 2, 2, 2, 1]
    assert grid.wrong[0, :, at[0.5]].tolist() == [1, 1, 0, 0, 0]
    assert grid.missing[0, :, at[0.5]].tolist() == [0, 0, 0, 0, 1]
    # At .7 the second is no longer right.
    assert grid.right[0, :, at[0.7]].tolist() == [1, 1, 1, 1, 1]
    assert grid.wrong[0, :, at[0.7]].tolist() == [2, 2, 1, 1, 0]
    assert grid.right[1].sum() == 0 and grid.wrong[1, :, 0].tolist() == [2, 1, 1, 0, 0]
    assert (grid.missing[1] == 1).all()
    assert grid.precision[0, 0, 0] == pytest.approx(2 / 3) and grid.recall[0, 4, 0] == 0.5
    assert grid.f1[0, 0, 0] == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert np.isnan(grid.precision[1, 4]).all() and (grid.f1[1] == 0).all()


def test_no_count_is_negative_however_many_predictions_an_object_has():
    """Counting an object once for each prediction of it gave negative numbers of wrong predictions."""
    truth = boxes([[0, 0, 10, 10]])
    found = boxes([[0, 0, 10, 10]] * 5, scores=[0.9] * 5)
    grid = score_grid([(truth, found)], 1)
    assert (grid.right == 1).all() and (grid.missing == 0).all()
    assert grid.wrong[0, 0, 0] == 4 and grid.precision[0, 0, 0] == 0.2


def test_the_grid_is_what_judging_at_each_threshold_gives():
    pairs = random_set(np.random.default_rng(6), 12, 3)
    grid = score_grid(pairs, 3, (0.2, 0.6), (0.3, 0.7))
    for s, confidence in enumerate(grid.confidences):
        for i, iou in enumerate(grid.ious):
            counts = np.zeros((3, 3), int)
            for truth, found in pairs:
                kept = found[found.scores >= confidence]
                verdicts = judge_boxes(truth, kept, iou, 0.1)
                for kind, number in zip(verdicts.kinds, kept.categories, strict=True):
                    counts[0, number] += kind == Kind.CORRECT
                    counts[1, number] += kind not in (Kind.CORRECT, Kind.IGNORED)
                for number in truth.categories[verdicts.missing]:
                    counts[2, number] += 1
            np.testing.assert_array_equal(counts, [grid.right[:, s, i], grid.wrong[:, s, i], grid.missing[:, s, i]])


def test_the_json_is_nested_as_that_of_obdb():
    content = score_grid([(TRUTH, FOUND)], 3).content(["dock", "thistle", "beet"])
    again = json.loads(json.dumps(content, allow_nan=False))
    assert list(again) == ["dock", "thistle", "beet"]
    assert list(again["dock"]) == ["TP", "FP", "FN", "precision", "recall", "f1"]
    assert list(again["dock"]["TP"]) == list(again["dock"]["f1"]["0.5"]) == ["0.5", "0.6", "0.7", "0.8", "0.9"]
    assert again["dock"]["TP"]["0.9"]["0.5"] == 1 and again["dock"]["recall"]["0.5"]["0.5"] == 1
    assert again["beet"]["recall"]["0.5"]["0.5"] is None


def test_confusion_by_hand():
    table = confusion([(TRUTH, FOUND)], ["dock", "thistle"])
    assert list(table.index) == ["dock", "thistle", "(nothing)"]
    assert list(table.columns) == ["dock", "thistle", "(missed)"]
    # The third prediction is on an object that was found: it is of nothing else. The fourth takes the thistle for dock.
    assert table.to_numpy().tolist() == [[2, 0, 0], [1, 0, 0], [0, 2, 0]]
    surer = confusion([(TRUTH, FOUND)], ["dock", "thistle"], confidence=0.9)
    assert surer.to_numpy().tolist() == [[1, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_in_a_confusion_table_every_object_and_every_prediction_stands_once():
    pairs = random_set(np.random.default_rng(9), 15, 4)
    table = confusion(pairs, list("abcd"), confidence=0.3).to_numpy()
    objects = np.zeros(4, int)
    predicted = np.zeros(4, int)
    for truth, found in pairs:
        np.add.at(objects, truth.categories[~truth.crowds], 1)
        kept = found[found.scores >= 0.3]
        counts = judge_boxes(truth, kept).kinds != Kind.IGNORED
        np.add.at(predicted, kept.categories[counts], 1)
    np.testing.assert_array_equal(table[:4].sum(1), objects)
    np.testing.assert_array_equal(table[:, :4].sum(0), predicted)
    assert table[4, 4] == 0 and np.trace(table) > 10 and table[:4, :4].sum() > np.trace(table)
