from __future__ import annotations

import numpy as np
import pytest
from random_boxes import boxes, random_set

from vitruve.evaluation.boxes import box_average_precision
from vitruve.evaluation.verdicts import Kind, judge_boxes, judge_keypoints
from vitruve.geometry.boxes import overlaps
from vitruve.structures.instances import Instances


def kinds(verdicts):
    return [Kind(kind).text for kind in verdicts.kinds.tolist()]


def test_every_kind_by_hand():
    truth = boxes(
        [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 90, 30], [100, 0, 110, 10]],
        [0, 1, 0, 1, 2],
        crowds=[False, False, False, True, False],
    )
    found = boxes(
        [
            [0, 0, 10, 10],  # the first, and the best of it
            [0, 0, 10, 9],  # the first again
            [20, 0, 30, 10],  # the second, as another class
            [44, 0, 54, 10],  # the third, 60 of 140 pixels in common
            [65, 5, 75, 15],  # within the crowd of its class
            [65, 5, 75, 15],  # within the crowd of another class
            [200, 0, 210, 10],  # nothing
            [103, 0, 113, 10],  # half of the fifth, as another class: too far off to be mistaken for it
        ],
        [0, 0, 0, 0, 1, 0, 2, 0],
        scores=[0.5, 0.4, 0.9, 0.8, 0.7, 0.6, 0.3, 0.2],
    )
    verdicts = judge_boxes(truth, found, alike=0.6)
    assert kinds(verdicts) == [
        *("correct", "duplicate", "wrong class", "mislocalised", "ignored", "spurious", "spurious", "spurious"),
    ]
    assert verdicts.nearest.tolist() == [0, 0, 1, 2, 3, -1, -1, 4]
    np.testing.assert_allclose(verdicts.similar, [1, 0.9, 1, 60 / 140, 1, 0, 0, 70 / 130])
    assert verdicts.found.tolist() == [0, -1, -1, -1, -1]
    assert verdicts.mistaken.tolist() == [-1, 2, -1, -1, -1]
    assert verdicts.missing.tolist() == [False, True, True, False, True]
    assert verdicts.counted.tolist() == [True, True, True, False, True]


def test_the_better_score_finds_and_the_order_given_does_not_matter():
    truth = boxes([[0, 0, 10, 10]])
    found = boxes([[0, 0, 10, 10], [0, 0, 10, 8]], scores=[0.3, 0.6])
    assert kinds(judge_boxes(truth, found)) == ["duplicate", "correct"]
    assert kinds(judge_boxes(truth, found[[1, 0]])) == ["correct", "duplicate"]
    assert judge_boxes(truth, found).found.tolist() == [1]


def test_two_predictions_that_are_like_two_objects_find_both():
    """Matching each prediction with the object that it is most like would lose one."""
    truth = boxes([[0, 0, 10, 10], [0, 0, 10, 13]])
    found = boxes([[0, 0, 10, 10], [0, 0, 10, 9]], scores=[0.9, 0.8])
    verdicts = judge_boxes(truth, found)
    assert kinds(verdicts) == ["correct", "correct"] and verdicts.found.tolist() == [0, 1]


def test_one_object_is_mistaken_once():
    truth = boxes([[0, 0, 10, 10]], [0])
    found = boxes([[0, 0, 10, 10], [0, 0, 10, 9]], [1, 2], scores=[0.5, 0.9])
    verdicts = judge_boxes(truth, found)
    assert kinds(verdicts) == ["wrong class", "wrong class"]
    assert verdicts.mistaken.tolist() == [1] and verdicts.missing.tolist() == [True]
    # An object that was found is not mistaken as well.
    found = boxes([[0, 0, 10, 10], [0, 0, 10, 9]], [0, 2], scores=[0.5, 0.9])
    assert judge_boxes(truth, found).mistaken.tolist() == [-1]


def test_nothing_predicted_nothing_labelled_and_places_that_fill_up():
    nothing = boxes([], scores=[])
    something = boxes([[0, 0, 10, 10]], scores=[0.4])
    assert judge_boxes(nothing, nothing).kinds.shape == (0,)
    assert judge_boxes(something, nothing).missing.tolist() == [True]
    assert kinds(judge_boxes(nothing, something)) == ["spurious"]
    filled = boxes([[np.nan] * 4, [0, 0, 10, 10]], [-1, 0], scores=[np.nan, 0.4])
    verdicts = judge_boxes(filled, filled)
    assert kinds(verdicts) == ["absent", "correct"]
    assert verdicts.found.tolist() == [-1, 1] and verdicts.counted.tolist() == [False, True]


def slow(truth, found, alike, near):
    """One prediction after the other, the best first."""
    order = sorted(range(len(found.boxes)), key=lambda m: -found.scores[m])
    taken, result = set(), {}
    alikeness = overlaps(found.boxes, truth.boxes, truth.crowds)
    for m in order:
        mine = [
            n for n in range(len(truth.boxes)) if truth.categories[n] == found.categories[m] and not truth.crowds[n]
        ]
        crowds = [n for n in range(len(truth.boxes)) if truth.categories[n] == found.categories[m] and truth.crowds[n]]
        others = [
            n for n in range(len(truth.boxes)) if truth.categories[n] != found.categories[m] and not truth.crowds[n]
        ]
        free = [n for n in mine if n not in taken and alikeness[m, n] >= alike]
        if free:
            taken.add(max(free, key=lambda n: alikeness[m, n]))
            result[m] = Kind.CORRECT
        elif any(alikeness[m, n] >= alike for n in crowds):
            result[m] = Kind.IGNORED
        elif any(alikeness[m, n] >= alike for n in mine):
            result[m] = Kind.DUPLICATE
        elif any(alikeness[m, n] >= alike for n in others):
            result[m] = Kind.WRONG_CLASS
        elif any(alikeness[m, n] >= near for n in mine):
            result[m] = Kind.MISLOCALISED
        else:
            result[m] = Kind.SPURIOUS
    return [result[m] for m in range(len(order))], taken


@pytest.mark.parametrize("alike", [0.3, 0.5, 0.75])
def test_verdicts_are_those_of_the_slow_reference(alike):
    rng = np.random.default_rng(8)
    counted = np.zeros(6, int)
    for truth, found in random_set(rng, 30, 3):
        scores = rng.permutation(len(found.scores)) / 1000
        found = Instances(found.keypoints, found.visible, boxes=found.boxes, categories=found.categories, scores=scores)
        wanted, taken = slow(truth, found, alike, 0.1)
        verdicts = judge_boxes(truth, found, alike)
        assert verdicts.kinds.tolist() == wanted
        assert set(np.flatnonzero(verdicts.found >= 0).tolist()) == taken
        assert (verdicts.mistaken[verdicts.found >= 0] == -1).all()
        taking = verdicts.mistaken[verdicts.mistaken >= 0]
        assert len(set(taking.tolist())) == len(taking) and (verdicts.kinds[taking] == Kind.WRONG_CLASS).all()
        counted += np.bincount(verdicts.kinds, minlength=6)
    assert (counted > 5).all()


def test_what_is_correct_is_what_average_precision_counts():
    pairs = random_set(np.random.default_rng(2), 10, 4)
    recall = box_average_precision(pairs, 4, (0.5,), (1000,)).table
    recall = recall[recall["area"] == "all"]
    found = sum(int((judge_boxes(*pair).found >= 0).sum()) for pair in pairs)
    assert found == round(float((recall["recall"] * recall["objects"]).sum())) > 20


def test_poses_are_judged_by_their_keypoints():
    points = np.array([[[0.0, 0.0], [10.0, 10.0]], [[100.0, 0.0], [110.0, 10.0]]])
    truth = Instances.from_keypoints(points, areas=np.full(2, 100.0))
    found = Instances.from_keypoints(points[[1, 1]] + np.array([[[0.0]], [[30.0]]]), scores=np.array([0.9, 0.8]))
    verdicts = judge_keypoints(truth, found, np.full(2, 0.1))
    assert kinds(verdicts) == ["correct", "spurious"] and verdicts.missing.tolist() == [True, False]
