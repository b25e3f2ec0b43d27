from __future__ import annotations

import numpy as np
import pytest
from solids import inside

from vitruve.synthetic.body import BONES, RODENT, Joint, Pose, Rodent


@pytest.fixture(scope="module")
def rodent() -> Rodent:
    return Rodent(np.random.default_rng(2), 120.0, 90.0)


@pytest.fixture(scope="module")
def poses(rodent: Rodent) -> list[Pose]:
    return [rodent.pose(time) for time in np.linspace(0, 120, 150).tolist()]


def test_bones_keep_their_lengths(poses: list[Pose]) -> None:
    points = np.stack([pose.keypoints for pose in poses])
    a, b = np.array(BONES).T
    lengths = np.linalg.norm(points[:, a] - points[:, b], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-9)
    assert len(BONES) == len(RODENT.edges) - 4 and lengths[0].min() > 20
    # Left and right are alike.
    names = {(RODENT.names[x], RODENT.names[y]): length for (x, y), length in zip(BONES, lengths[0], strict=True)}
    for limb in (("elbow", "fore_paw"), ("knee", "hind_paw")):
        left, right = (names[f"{limb[0]}_{side}", f"{limb[1]}_{side}"] for side in ("left", "right"))
        assert left == pytest.approx(right)
    # Shoulder and hip lie on rigid parts of the trunk, so that the joints turn about them.
    assert {(RODENT.names[a], RODENT.names[b]) for a, b in RODENT.swaps} == {
        (f"{name}_left", f"{name}_right") for name in ("ear", "elbow", "fore_paw", "knee", "hind_paw")
    }


def test_the_body_stands_on_the_floor_and_its_parts_hold_its_keypoints(poses: list[Pose]) -> None:
    for pose in poses:
        assert min(part.solid.lowest for part in pose.parts) == pytest.approx(0, abs=1e-9)
        for point in pose.keypoints:
            assert any(inside(part.solid, point) for part in pose.parts)


def test_it_moves_smoothly_goes_everywhere_turns_and_rears(rodent: Rodent, poses: list[Pose]) -> None:
    fine = np.stack([rodent.pose(time).keypoints for time in np.arange(30, 32, 0.01).tolist()])
    steps = np.linalg.norm(np.diff(fine, axis=0), axis=-1) / 0.01
    assert steps.max() < 900 and np.median(steps) > 20
    points = np.stack([pose.keypoints for pose in poses])
    base = points[:, RODENT.index("tail_base")]
    assert (np.ptp(base, axis=0)[:2] > 120).all() and np.abs(base[:, :2]).max() < 140
    forward = points[:, RODENT.index("neck")] - base
    turns = np.histogram(np.arctan2(forward[:, 1], forward[:, 0]), bins=6, range=(-np.pi, np.pi))[0]
    assert turns.min() > 5
    pitch = np.arcsin(forward[:, 2] / np.linalg.norm(forward, axis=-1))
    assert pitch.max() > 0.7 and np.median(pitch) < 0.4 and pitch.min() > -0.6


def test_joints_stay_within_their_limits_and_use_them() -> None:
    joint = Joint(np.random.default_rng(0), 0.7, 1.5)
    angles = np.array([joint(time) for time in np.arange(0, 400, 0.5).tolist()])
    assert np.abs(angles).max() <= 0.7 and angles.max() > 0.6 and angles.min() < -0.6


def test_the_same_numbers_give_the_same_motion() -> None:
    one, two = (Rodent(np.random.default_rng(5), 20.0, 60.0).pose(7.7) for _ in range(2))
    np.testing.assert_array_equal(one.keypoints, two.keypoints)
    assert not np.allclose(one.keypoints, Rodent(np.random.default_rng(6), 20.0, 60.0).pose(7.7).keypoints, atol=5)
