from __future__ import annotations

import numpy as np
import pytest

from vitruve.synthetic.walk import Walk, normal


@pytest.fixture(scope="module")
def walk() -> Walk:
    return Walk(np.random.default_rng(3), 120.0, (27.0, 27.0), (197.0, 165.0), 70.0)


def test_the_walk_is_smooth_and_never_goes_back(walk: Walk) -> None:
    times = np.arange(0, 120, 0.1)
    travelled = np.array([walk.travelled(t) for t in times])
    assert (np.diff(travelled) >= 0).all()
    # At most one and a half times the speed, and it pauses now and then.
    assert 90 < np.diff(travelled).max() / 0.1 <= 105 + 1e-6
    assert (np.diff(travelled) == 0).any()


def test_distances_along_the_path_are_distances_in_the_plane(walk: Walk) -> None:
    end = walk.travelled(120.0)
    places = np.arange(0, end, 3.0)
    steps = np.linalg.norm(np.diff(walk.point(places), axis=0), axis=-1)
    np.testing.assert_allclose(steps, 3.0, rtol=0.01)
    directions = walk.direction(places[1:-1])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1)
    turns = (directions[:-1] * normal(directions[1:])).sum(-1)
    assert np.abs(turns).max() < 3.0 / 36


def test_the_path_stays_near_its_rectangle_and_fills_it(walk: Walk) -> None:
    points = walk.point(np.arange(0, walk.travelled(120.0), 5.0))
    assert (points > 0).all() and (points < (224, 192)).all()
    inside = ((points >= 27) & (points <= (197, 165))).all(-1)
    assert inside.mean() > 0.9
    assert (np.ptp(points, axis=0) > (120, 90)).all()


def test_normal_points_to_the_right_in_the_image() -> None:
    # Heading up in the image, right is where x grows; heading right, it is down.
    np.testing.assert_array_equal(normal(np.array([0.0, -1.0])), [1, 0])
    np.testing.assert_array_equal(normal(np.array([1.0, 0.0])), [0, 1])
