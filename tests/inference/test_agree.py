"""Views that are brought together in space, from exact truth."""

from __future__ import annotations

import numpy as np
import pytest

from vitruve.inference.agree import agreed
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances

VIEWS = 5
POINT = np.array([[12.0, -30.0, 7.0]])


def _cameras() -> tuple[Camera, ...]:
    found = []
    for view in range(VIEWS):
        c, s = np.cos(1.1 * view), np.sin(1.1 * view)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        lens = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
        found.append(Camera(lens, turn, np.array([0, 0, 900.0]), np.zeros(8), np.array([640.0, 480])))
    return tuple(found)


def _seen(scores: list[float]) -> tuple[Instances, np.ndarray]:
    truth = np.stack([camera.project(POINT) for camera in _cameras()])
    values = np.array(scores, np.float32)[:, None, None]
    return Instances.from_keypoints(truth[:, None].copy(), keypoint_scores=values), truth


def test_a_view_that_sees_something_else_is_shown_where_the_animal_is() -> None:
    instances, truth = _seen([0.9, 0.8, 0.95, 0.9, 0.7])
    instances.keypoints[2] += 150
    found, note = agreed(instances, _cameras(), 0.3)
    assert note == ""
    assert found.keypoint_scores is not None
    np.testing.assert_allclose(found.keypoints[:, 0], truth, atol=1.0)
    # The views that were believed say how likely it is; that which was not does not.
    np.testing.assert_allclose(found.keypoint_scores, 0.9, atol=1e-6)


def test_views_that_are_not_sure_do_not_count() -> None:
    instances, truth = _seen([0.9, 0.1, 0.1, 0.8, 0.1])
    instances.keypoints[[1, 2, 4]] = 0
    found, _ = agreed(instances, _cameras(), 0.3)
    np.testing.assert_allclose(found.keypoints[:, 0], truth, atol=0.01)


@pytest.mark.parametrize(
    ("scores", "words"), [([0.9, 0.1, 0.2, 0.1, 0.0], "found by 1 of 5"), ([0.1] * 5, "found by 0 of 5")]
)
def test_one_view_alone_says_nothing_of_space(scores: list[float], words: str) -> None:
    found, note = agreed(_seen(scores)[0], _cameras(), 0.3)
    assert np.isnan(found.keypoints).all() and found.keypoints.shape == (VIEWS, 1, 1, 2)
    assert words in note and f"{max(scores):.2f}" in note


def test_views_that_contradict_each_other_say_so() -> None:
    instances, _ = _seen([0.9, 0.9, 0.0, 0.0, 0.0])
    instances.keypoints[1, ..., 1] += 200
    found, note = agreed(instances, _cameras(), 0.3)
    assert np.isnan(found.keypoints).all()
    assert "no two at the same place" in note
