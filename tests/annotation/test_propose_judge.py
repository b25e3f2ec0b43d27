"""What labels lack or have wrong: exact scenes, box by box and keypoint by keypoint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotation.looking import POSE, boxes, poses, seen
from vitruve.annotation.proposals.judge import (
    MISLOCALISED,
    MISPLACED,
    MISSING,
    MISSING_KEYPOINT,
    SPURIOUS,
    SWAPPED,
    WRONG_CLASS,
    Finding,
    Limits,
    judge_labels,
)
from vitruve.structures.instances import Instances

STANDING = np.array([(20, 10), (10, 30), (30, 30), (20, 60)], float)
NOTHING = (np.nan, np.nan)


def judged(truth: Instances, found: Instances, limits: Limits | None = None) -> list[Finding]:
    skeleton = (POSE, ("animal",)) if truth.num_keypoints else ()
    return judge_labels(seen(truth, *skeleton), seen(found, *skeleton), limits or Limits())


def kinds(found: list[Finding]) -> list[str]:
    return [item.kind for item in found]


def test_each_kind_of_error_of_boxes() -> None:
    truth = boxes((0, 0, 20, 20), (30, 0, 50, 20), (60, 0, 80, 20), (0, 50, 20, 70), classes=[0, 0, 1, 1])
    found = boxes(
        (0, 0, 20, 20),  # right
        (38, 0, 58, 20),  # beside the second: 12 of 28
        (60, 0, 80, 20),  # another class than the third
        (90, 60, 110, 80),  # no label
        classes=[0, 0, 0, 1],
        scores=[0.9, 0.8, 0.7, 0.6],
    )
    result = judged(truth, found)
    assert kinds(result) == [SPURIOUS, MISLOCALISED, WRONG_CLASS, MISSING]
    assert [item.labelled for item in result] == [3, 1, 2, -1]
    np.testing.assert_allclose([item.similar for item in result], [0, 12 / 28, 1, 0])
    assert [item.score for item in result] == [1.0, 0.8, 0.7, 0.6]
    np.testing.assert_array_equal(result[-1].instance.boxes, [[90, 60, 110, 80]])


def test_touching_and_nested_objects_are_missing_though_they_overlap_a_label() -> None:
    truth = boxes((0, 0, 40, 40))
    found = boxes((0, 0, 40, 40), (30, 0, 70, 40), (10, 10, 20, 20), scores=[0.9, 0.8, 0.7])
    assert kinds(judged(truth, found)) == [MISSING, MISSING]
    # OBDB's rule hides the one that touches: 10 of 70 overlap.
    gated = judged(truth, found, Limits(gate=0.1))
    assert [item.instance.boxes[0].tolist() for item in gated] == [[10, 10, 20, 20]]


def test_obdbs_rule_is_of_any_class_and_its_score_is_greater() -> None:
    truth = boxes((0, 0, 20, 20), classes=[1])
    found = boxes((0, 0, 20, 20), (40, 0, 60, 20), (70, 0, 90, 20), scores=[0.9, 0.5, 0.51])
    gated = judged(truth, found, Limits(gate=0.1))
    assert [item.instance.boxes[0].tolist() for item in gated] == [[70, 0, 90, 20]]
    # Ten of a hundred is at most .1, and is proposed; a label that covers more is not.
    edge = judged(boxes((0, 0, 10, 10)), boxes((0, 9, 10, 10), (0, 8, 10, 10), scores=[0.9, 0.8]), Limits(gate=0.1))
    assert len(edge) == 1


def test_one_object_is_proposed_once_whatever_its_classes() -> None:
    found = boxes((0, 0, 20, 20), (1, 0, 21, 20), classes=[1, 0], scores=[0.6, 0.9])
    result = judged(boxes(), found)
    assert kinds(result) == [MISSING]
    assert result[0].instance.categories.tolist() == [0]


def test_a_second_class_for_a_label_that_is_found_says_nothing() -> None:
    found = boxes((0, 0, 20, 20), (1, 0, 21, 20), classes=[0, 1], scores=[0.9, 0.8])
    assert judged(boxes((0, 0, 20, 20)), found) == []


def test_unsure_predictions_propose_nothing_but_confirm_labels() -> None:
    found = boxes((0, 0, 20, 20), (50, 0, 70, 20), scores=[0.2, 0.2])
    assert judged(boxes((0, 0, 20, 20)), found) == []


def test_crowds_are_neither_missed_nor_proposed() -> None:
    truth = replace(boxes((0, 0, 60, 60)), crowds=np.array([[True]]))
    assert judged(truth, boxes((10, 10, 20, 20), scores=[0.9])) == []
    assert judged(truth, boxes(scores=[])) == []


def test_a_pose_that_is_right_says_nothing_and_one_that_lacks_is_proposed() -> None:
    assert judged(poses(STANDING), poses(STANDING, scores=[0.9])) == []
    result = judged(poses(STANDING), poses(STANDING, STANDING + np.array((50, 0)), scores=[0.9, 0.8]))
    assert kinds(result) == [MISSING]
    np.testing.assert_array_equal(result[0].instance.keypoints[0], STANDING + np.array((50, 0)))


def test_a_keypoint_that_lacks_is_filled_in() -> None:
    label = STANDING.copy()
    label[3] = NOTHING
    result = judged(poses(label), poses(STANDING, scores=[0.9]))
    assert [(item.kind, item.keypoints) for item in result] == [(MISSING_KEYPOINT, (3,))]
    np.testing.assert_array_equal(result[0].instance.keypoints[0], STANDING)
    assert result[0].instance.visible[0].tolist() == [2, 2, 2, 2]
    unsure = poses(STANDING, scores=[0.9])
    assert unsure.keypoint_scores is not None
    unsure.keypoint_scores[..., 3] = 0.2
    assert judged(poses(label), unsure) == []


def test_a_keypoint_that_lies_elsewhere_is_moved() -> None:
    label = STANDING.copy()
    label[0] += (40, 0)
    result = judged(poses(label), poses(STANDING, scores=[0.9]))
    assert [(item.kind, item.keypoints) for item in result] == [(MISPLACED, (0,))]
    np.testing.assert_array_equal(result[0].instance.keypoints[0], STANDING)


def test_left_and_right_that_are_exchanged_are_put_back_as_they_were_drawn() -> None:
    drawn = STANDING + np.array([[0.5, 0], [0, 0.5], [0.25, 0], [0, 0]])
    label = drawn[[0, 2, 1, 3]]
    result = judged(poses(label), poses(STANDING, scores=[0.9]))
    assert [(item.kind, item.keypoints) for item in result] == [(SWAPPED, (1, 2))]
    np.testing.assert_array_equal(result[0].instance.keypoints[0], drawn)


def test_a_pose_whose_sides_are_all_exchanged_is_no_missing_one() -> None:
    # Only the two sides are labelled: nothing is alike before they are put back.
    label = np.array([NOTHING, (30, 30), (10, 30), NOTHING])
    found = poses(STANDING, scores=[0.9])
    result = judged(replace(poses(label), boxes=np.array([[[8.0, 8, 32, 62]]])), found)
    assert sorted(kinds(result)) == [MISSING_KEYPOINT, SWAPPED]


def test_two_predictions_of_one_missing_pose_are_one() -> None:
    result = judged(poses(), poses(STANDING, STANDING + 1, scores=[0.7, 0.9]))
    assert kinds(result) == [MISSING]
    assert result[0].score == 0.9


def test_labels_that_nothing_confirms() -> None:
    assert kinds(judged(poses(STANDING), poses(scores=[]))) == [SPURIOUS]
