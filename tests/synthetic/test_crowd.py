from __future__ import annotations

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.structures.skeletons import known_skeleton
from vitruve.synthetic.crowd import FIGURES, CrowdScene
from vitruve.synthetic.walker import Walker

BONES = [
    *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in (("hip", "knee"), ("knee", "ankle"))),
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))
    ),
    ("neck", "pelvis"),
    ("left_hip", "right_hip"),
    ("left_eye", "right_eye"),
]


def test_bones_keep_their_length_and_a_foot_stands_on_the_ground():
    walker = Walker(np.random.default_rng(3), 0, 0.0, (4.0, 9.0), 0.5)
    poses = [walker.joints(time) for time in np.linspace(0, walker.end, 40)]
    for a, b in BONES:
        lengths = [np.linalg.norm(pose[a] - pose[b]) for pose in poses]
        np.testing.assert_allclose(lengths, lengths[0], rtol=1e-9)
    for pose in poses:
        assert min(pose["left_ankle"][1], pose["right_ankle"][1]) == pytest.approx(0.08 * walker.look.height / 1.75)
    # Nobody is in view where the way begins and ends; x over z is the tangent of the angle to the middle.
    assert all(abs(pose["pelvis"][0]) > 0.5 * pose["pelvis"][2] for pose in (poses[0], poses[-1]))


def test_the_usual_figure_is_that_of_coco():
    assert FIGURES[17] == known_skeleton("coco17") and FIGURES[14].names == known_skeleton("crowdpose14").names
    with pytest.raises(InputError, match="joints=16; figures have 3, 14, 17, 21"):
        CrowdScene(joints=16)


@pytest.mark.parametrize("joints", FIGURES)
def test_people_lie_in_their_boxes(joints):
    for seed in range(3):
        people = CrowdScene(seed, 6, joints, (200, 160)).look(30.0).people[0]
        inner = ((people.keypoints > 3) & (people.keypoints < [196, 156])).all(-1)
        seen = ((people.visible == 2) & inner)[..., None] & np.ones(2, bool)
        low, high = people.boxes[:, None, :2] - 2, people.boxes[:, None, 2:] + 2
        assert (((people.keypoints > low) & (people.keypoints < high)) | ~seen).all() and seen.any()
        assert (people.boxes[:, :2] >= -0.5).all() and (people.boxes[:, 2:] <= [199.5, 159.5]).all()
        sides = people.boxes[:, 2:] - people.boxes[:, :2]
        assert ((people.areas > 0.05 * sides.prod(-1)) & (people.areas <= sides.prod(-1))).all()
        assert len(set(people.tracks.tolist())) == len(people.tracks)


def test_where_a_joint_is_seen_there_is_a_figure():
    """The image differs there from the square without people."""
    bare = CrowdScene(4, 1, 17, (320, 256), objects=0)
    times = [time for time in np.arange(5, 60, 2.5) if bare.look(time).people.keypoints.shape[1]]
    empty = np.median([bare.look(time).image for time in np.arange(5, 60, 5.5)], 0)
    changed = []
    for time in times:
        seen = bare.look(time)
        points = seen.people.keypoints[0, 0][seen.people.visible[0, 0] == 2].round().astype(int)
        changed += (np.abs(seen.image - empty).max(-1) > 15)[
            points[:, 1].clip(0, 255), points[:, 0].clip(0, 319)
        ].tolist()
    assert len(changed) > 60 and np.mean(changed) > 0.9


def test_objects_hide_people():
    free, full = (CrowdScene(7, 5, 17, (240, 192), objects=count) for count in (0, 30))
    counts = [sum(int((scene.look(t).people.visible == 1).sum()) for t in (10.0, 20.0, 30.0)) for scene in (free, full)]
    assert counts[1] > counts[0]


def test_somebody_who_faces_the_camera_has_the_left_on_the_right_of_the_image():
    facing = []
    for seed in range(4):
        people = CrowdScene(seed, 5, 17, (240, 192), objects=0).look(25.0).people[0]
        both = (people.visible[:, 1:3] == 2).all(-1)
        facing += (people.keypoints[both, 1, 0] > people.keypoints[both, 2, 0]).tolist()
    assert len(facing) > 3 and all(facing)


def test_people_walk_smoothly_cross_and_leave():
    scene = CrowdScene(2, 4, 17, (240, 192))
    tracks, previous = set(), {}
    counts = []
    for time in np.arange(20, 32, 0.2):
        people = scene.look(float(time)).people[0]
        counts.append(len(people.tracks))
        now = dict(zip(people.tracks.tolist(), people.keypoints, strict=True))
        for track in now.keys() & previous.keys():
            moved = np.linalg.norm(now[track] - previous[track], axis=-1)
            known = moved[np.isfinite(moved)]
            assert not len(known) or (known.max() < 80 and np.median(known) < 25)
        tracks |= now.keys()
        previous = now
    assert max(counts) <= 4 and len(tracks) > max(counts)


def test_of_whom_hardly_anything_is_seen_is_ignored():
    hidden = [CrowdScene(seed, 50, 17, (320, 256)).look(20.0) for seed in range(2)]
    assert all(25 < seen.people.keypoints.shape[1] <= 50 for seen in hidden)
    masks = [seen.hidden for seen in hidden if seen.hidden is not None]
    for seen in hidden:
        bare = (seen.people.visible[0] == 0).all(-1)
        assert bare.any() == (seen.hidden is not None) and np.isnan(seen.people.keypoints[0, bare]).all()
        assert seen.hidden is None or seen.hidden.array().sum() == seen.people.areas[0, bare].sum()
    assert masks and all(mask.size == (320, 256) and mask.array().any() for mask in masks)
