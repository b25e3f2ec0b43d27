from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.structures.conversion import convert, sources_of
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import KNOWN

COCO, OPENPOSE, MPII = KNOWN["coco17"], KNOWN["openpose18"], KNOWN["mpii16"]


def labels_of(skeleton: Skeleton, instances: Instances) -> Labels:
    return Labels(skeleton, (Frame((ImageRef(Path("a.png")),), instances),))


def people(skeleton: Skeleton, count: int = 3, seed: int = 0) -> Instances:
    return Instances.from_keypoints(np.random.default_rng(seed).uniform(0, 600, (1, count, len(skeleton), 2)))


def test_the_converter_of_the_reference() -> None:
    # HyperPose's own table from COCO to OpenPose, -1 for the neck.
    table = [0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    found = sources_of(COCO, OPENPOSE)
    assert [parts[0] if len(parts) == 1 else -1 for parts in found] == table
    assert set(found[1]) == {5, 6}
    to_mpii15 = [9, 8, 12, 11, 10, 13, 14, 15, 2, 1, 0, 3, 4, 5]
    found = sources_of(MPII, KNOWN["openpose_mpii15"])
    assert [parts[0] for parts in found[:14]] == to_mpii15
    assert set(found[14]) == {2, 3, 12, 13}
    assert set(sources_of(MPII, KNOWN["pose_proposal_mpii16"])[15]) == {8, 9}
    back = sources_of(KNOWN["openpose_mpii15"], MPII)
    assert [MPII.names[i] for i, parts in enumerate(back) if not parts] == ["pelvis", "thorax"]


def test_a_derived_joint_needs_all_its_parts() -> None:
    given = people(COCO)
    given.keypoints[0, 1, 5], given.visible[0, 1, 5] = np.nan, 0
    given.visible[0, 2, 6] = 1
    found = convert(labels_of(COCO, given), OPENPOSE)[0].instances
    neck = found.keypoints[0, :, 1]
    np.testing.assert_allclose(neck[0], given.keypoints[0, 0, 5:7].mean(0))
    # No ghost between a shoulder and nothing, wherever nothing is written as a number.
    assert np.isnan(neck[1]).all()
    assert found.visible[0, :, 1].tolist() == [2, 0, 1]


def test_people_come_back_from_openpose() -> None:
    given = people(COCO)
    given.keypoints[0, 1, 5], given.visible[0, 1, 5] = np.nan, 0
    labels = labels_of(COCO, replace(given, keypoint_scores=np.full((1, 3, 17), 0.5), scores=np.ones((1, 3))))
    back = convert(convert(labels, OPENPOSE), COCO)
    np.testing.assert_array_equal(back[0].instances.keypoints, given.keypoints)
    np.testing.assert_array_equal(back[0].instances.visible, given.visible)
    assert (back[0].instances.keypoint_scores == 0.5).all() and back.skeleton is COCO


def test_a_derived_joint_is_as_certain_as_its_parts() -> None:
    scores = np.tile(np.linspace(0, 1, 17), (1, 3, 1))
    found = convert(labels_of(COCO, replace(people(COCO), keypoint_scores=scores)), OPENPOSE)[0].instances
    assert found.keypoint_scores is not None
    assert found.keypoint_scores[0, 0, 1] == min(scores[0, 0, 5:7])


def test_spellings_of_one_joint() -> None:
    spelt = Skeleton(("Nose", "RShoulder", "l-sho", "Right Wrist", "paw_L", "MidHip", "尾"))
    wanted = Skeleton(
        ("nose", "right_shoulder", "left_shoulder", "right_wrist", "left_paw", "pelvis", "尾", "left_eye")
    )
    assert sources_of(spelt, wanted) == [(0,), (1,), (2,), (3,), (4,), (5,), (6,), ()]


def test_a_joint_of_its_own_name_comes_before_one_that_means_the_same() -> None:
    assert sources_of(Skeleton(("head", "head_top")), Skeleton(("head_top", "head"))) == [(1,), (0,)]


def test_rules_of_either_skeleton_count() -> None:
    pair = Skeleton(("ear_l", "ear_r"), derived={"crown": ("ear_l", "ear_r")})
    assert sources_of(pair, Skeleton(("crown",))) == [(0, 1)]
    ruled = Skeleton(("crown", "ear_l", "ear_r"), derived={"crown": ("ear_l", "ear_r")})
    assert sources_of(Skeleton(pair.names), ruled) == [(0, 1), (0,), (1,)]


def test_all_arrays_and_points_in_space_go_along() -> None:
    given = replace(people(COCO), boxes=np.zeros((1, 3, 4)), ids=np.array([[7, 8, 9]]))
    space = Instances.from_keypoints(np.ones((3, 17, 3)))
    labels = labels_of(COCO, given)
    labels = replace(labels, frames=(replace(labels[0], instances_3d=space),))
    found = convert(labels, OPENPOSE)[0]
    assert found.instances.ids is not None and found.instances.ids.tolist() == [[7, 8, 9]]
    assert found.instances_3d is not None and found.instances_3d.keypoints.shape == (3, 18, 3)


def test_skeletons_with_nothing_in_common_are_refused() -> None:
    with pytest.raises(InputError, match="no joint of one is in the other"):
        convert(labels_of(COCO, people(COCO)), Skeleton(("tail", "snout")))
