from __future__ import annotations

import math

import numpy as np
import pytest
from random_boxes import boxes, random_set

from vitruve.evaluation.boxes_voc import voc_average_precision


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def slow(pairs, number, threshold):
    """The rules of the challenge's paper, one prediction after the other; plain Python numbers."""
    listed, objects, used = [], 0, set()
    for image, (truth, found) in enumerate(pairs):
        objects += sum(1 for c in truth.categories.tolist() if c == number)
        rows = zip(found.boxes.tolist(), found.categories.tolist(), found.scores.tolist(), strict=True)
        listed += [(score, image, box) for box, c, score in rows if c == number]
    listed.sort(key=lambda row: -row[0])
    hits, points = 0, []
    for place, (_, image, box) in enumerate(listed, 1):
        best, which = -1.0, None
        truth = pairs[image][0]
        for n, other in enumerate(truth.boxes.tolist()):
            if truth.categories[n] == number and iou(box, other) > best:
                best, which = iou(box, other), (image, n)
        if best >= threshold and which not in used:
            used.add(which)
            hits += 1
        points.append((hits / objects if objects else 0, hits / place))
    if not objects:
        return math.nan, math.nan
    area, before = 0.0, 0.0
    for place, (recall, _) in enumerate(points):
        area += (recall - before) * max(p for _, p in points[place:])
        before = recall
    eleven = sum(max((p for r, p in points if r >= t / 10 - 1e-9), default=0.0) for t in range(11)) / 11
    return area, eleven


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_figures_are_those_of_the_slow_reference(threshold):
    pairs = []
    rng = np.random.default_rng(4)
    for truth, found in random_set(rng, 15, 4):
        # Ties between images are nobody's rule.
        scores = rng.random(len(found.boxes))
        truth = boxes(truth.boxes, truth.categories)
        pairs.append((truth, boxes(found.boxes, found.categories, scores=scores)))
    table = voc_average_precision(pairs, 4, threshold).table
    for number, row in table.iterrows():
        np.testing.assert_allclose([row["AP"], row["AP11"]], slow(pairs, number, threshold), atol=1e-12)
    assert 0.05 < table["AP"].mean() < 0.98


def test_a_curve_by_hand():
    """Three objects; right, wrong, right: precision 1 up to a recall of 1/3, 2/3 up to 2/3, nothing beyond."""
    truth = boxes([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])
    found = boxes([[0, 0, 10, 10], [80, 0, 90, 10], [20, 0, 30, 10]], scores=[0.9, 0.8, 0.7])
    figures = voc_average_precision([(truth, found)], 1)
    row = figures.table.iloc[0]
    assert row["AP"] == pytest.approx(1 / 3 + 2 / 9)
    # Recalls of 0, .1, .2, .3 with precision 1; .4, .5, .6 with 2/3; four more with none.
    assert row["AP11"] == pytest.approx((4 + 3 * 2 / 3) / 11)
    assert (row["objects"], row["right"], row["wrong"]) == (3, 2, 1)
    np.testing.assert_allclose(figures.curves[0], [[1 / 3, 1], [1 / 3, 1 / 2], [2 / 3, 2 / 3]])


def test_a_recall_of_three_in_ten_reaches_three_tenths():
    truth = boxes([[20 * n, 0, 20 * n + 10, 10] for n in range(10)])
    found = truth.boxes[:3]
    table = voc_average_precision([(truth, boxes(found, scores=[0.9, 0.8, 0.7]))], 1).table
    assert table["AP11"][0] == pytest.approx(4 / 11) and table["AP"][0] == pytest.approx(0.3)


def test_a_second_prediction_of_an_object_is_wrong_even_where_another_is_near():
    truth = boxes([[0, 0, 10, 10], [0, 0, 10, 13]])
    found = boxes([[0, 0, 10, 10], [0, 0, 10, 9]], scores=[0.9, 0.8])
    row = voc_average_precision([(truth, found)], 1).table.iloc[0]
    assert (row["right"], row["wrong"]) == (1, 1)


def test_within_a_crowd_nothing_is_wrong_and_at_any_threshold_equal_is_enough():
    truth = boxes([[0, 0, 10, 10], [20, 0, 60, 40]], crowds=[False, True])
    found = boxes([[25, 5, 30, 10], [0, 0, 10, 15]], scores=[0.9, 0.8])
    assert voc_average_precision([(truth, found)], 1, 2 / 3).table["AP"][0] == 1
    assert voc_average_precision([(truth, found)], 1, 0.67).table["AP"][0] == 0


def test_nothing_labelled_is_not_a_number_and_nothing_predicted_is_nothing():
    something, nothing = boxes([[0, 0, 10, 10]], scores=[0.5]), boxes([], scores=[])
    table = voc_average_precision([(something, nothing), (nothing, boxes([[0, 0, 5, 5]], [1], scores=[0.5]))], 3).table
    assert table["AP"][0] == table["AP11"][0] == 0 and math.isnan(table["AP"][1]) and math.isnan(table["AP"][2])
    assert table["wrong"].tolist() == [0, 1, 0]
