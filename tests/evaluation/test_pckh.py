from __future__ import annotations

import math

import numpy as np
import pytest

from vitruve.evaluation.pckh import head_relative, head_sizes
from vitruve.structures.instances import Instances

NAMES = ("head_top", "r_shoulder", "l_shoulder", "pelvis")
HEAD = (0.0, 0.0, 30.0, 40.0)  # diagonal 50: the head is 30 px, half of it 15 px, a tenth 3 px


def people(points, heads=None, **arrays):
    points = np.array(points, float)
    boxes = np.tile(HEAD if heads is None else heads, (len(points), 1)).astype(float)
    return Instances.from_keypoints(points, head_boxes=boxes, **arrays)


def standing(x):
    return np.array([[x, 0], [x - 20, 40], [x + 20, 40], [x, 120]], float)


def found(points, scores=None):
    points = np.array(points, float)
    scores = np.ones(len(points)) if scores is None else np.array(scores, float)
    return Instances.from_keypoints(points, keypoint_scores=np.tile(scores[:, None], 4))


def test_the_size_of_a_head_is_six_tenths_of_its_diagonal():
    assert head_sizes(people([standing(0)])).tolist() == [30]


def test_a_keypoint_within_half_a_head_is_correct():
    moved = standing(100) + np.array([[14.9, 0], [0, 15.1], [2.9, 0], [0, 80]])
    result = head_relative([(people([standing(100)]), found([moved]))], NAMES).summary
    assert result["Head"] == 1 and result["Shoulder"] == 0.5 and result["Pelvis"] == 0
    assert result["Mean"] == pytest.approx(2 / 3)  # without the pelvis
    assert result["Mean@0.1"] == pytest.approx(1 / 3)  # at a tenth of the head, not a mean over thresholds


def test_the_head_factor_is_applied():
    """Half of the whole diagonal would be 25 px."""
    moved = standing(100) + np.array([20.0, 0.0])
    assert head_relative([(people([standing(100)]), found([moved]))], NAMES).summary["Mean"] == 0


def test_people_in_images_without_predictions_have_no_correct_keypoint():
    one = people([standing(0)])
    nobody = Instances.empty(4, ())
    summary = head_relative([(one, found([standing(0)])), (one, nobody)], NAMES).summary
    assert summary["Mean"] == 0.5 and summary["mAP"] == 0.5


def test_precision_of_several_people_by_hand():
    """Two people, three predictions: the best one wrong, then both right: precision 2/3 up to all of recall."""
    truth = people([standing(0), standing(300)])
    guesses = found([standing(1000), standing(3), standing(300)], [0.9, 0.8, 0.7])
    result = head_relative([(truth, guesses)], NAMES)
    assert result.summary["Mean"] == 1
    np.testing.assert_allclose(result.table["AP"], 2 / 3)


def test_a_second_prediction_of_the_same_person_is_wrong():
    guesses = found([standing(2), standing(0)], [0.5, 0.9])
    result = head_relative([(people([standing(0)]), guesses)], NAMES)
    assert result.summary["mAP"] == pytest.approx(
        0.5
    )  # equally correct: the first keeps the person, the other is wrong


def test_missing_keypoints_are_neither_predicted_nor_labelled():
    lacking, part = standing(0), standing(0)
    lacking[0] = np.nan
    part[1] = np.nan
    result = head_relative([(people([lacking]), found([part]))], NAMES)
    rows = result.table.set_index("keypoint")
    assert rows.loc["Head", "labelled"] == 0 and math.isnan(rows.loc["Head", "PCKh"])
    assert rows.loc["Shoulder", "PCKh"] == 0.5


def test_people_without_a_head_box_are_left_out():
    truth = people([standing(0), standing(300)])
    truth.head_boxes[1] = np.nan
    assert head_relative([(truth, found([standing(0)]))], NAMES).summary["Mean"] == 1
    bare = Instances.from_keypoints(np.array([standing(0)]))
    assert math.isnan(head_relative([(bare, found([standing(0)]))], NAMES).summary["Mean"])
