from __future__ import annotations

import numpy as np
import pytest

from vitruve.geometry.affine import area, resize
from vitruve.geometry.boxes import (
    BoxRule,
    boxes_around,
    centred,
    edges,
    fill_gaps,
    known_median,
    overlaps,
    smooth_boxes,
    whole_image,
    window_box,
)

NAN = float("nan")


def slow_box(points: np.ndarray, rule: BoxRule) -> np.ndarray:
    """One frame, one keypoint after the other."""
    known = [(float(x), float(y)) for x, y in points if x == x and y == y]
    middle = [NAN, NAN]
    if known:
        xs, ys = zip(*known, strict=True)
        middle = [(min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2]
    if rule.size is not None:
        width, height = rule.size * min(1.0, rule.aspect), rule.size / max(1.0, rule.aspect)
    elif len(known) < 2:
        return np.array([*middle, NAN, NAN])
    else:
        width, height = rule.ratio * (max(xs) - min(xs)), rule.ratio * (max(ys) - min(ys))
        if width < height * rule.aspect:
            width = height * rule.aspect
        else:
            height = width / rule.aspect
    grow = max(1.0, rule.min_size / min(width, height)) if min(width, height) > 0 else None
    if grow is None:
        short = rule.min_size
        width, height = (short * rule.aspect, short) if rule.aspect > 1 else (short, short / rule.aspect)
    else:
        width, height = width * grow, height * grow
    return np.array([*middle, width, height])


@pytest.mark.parametrize("aspect", [0.5, 1.0, 1.75])
@pytest.mark.parametrize("size", [None, 50.0])
def test_boxes_are_those_of_a_slow_reference(aspect: float, size: float | None) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 300, (60, 5, 2))
    points[rng.random((60, 5)) < 0.4] = np.nan
    points[7] = 120.0  # all in one place
    points[8] = np.nan
    rule = BoxRule(1.5, size, aspect=aspect)
    wanted = np.stack([slow_box(each, rule) for each in points])
    np.testing.assert_allclose(boxes_around(points, None, rule), wanted)


def test_only_likely_keypoints_count() -> None:
    points = np.array([[[0.0, 0.0], [10.0, 20.0], [500.0, 500.0]]])
    box = boxes_around(points, np.array([[0.9, 0.5, 0.2]]), BoxRule(2.0, threshold=0.5, min_size=8))
    np.testing.assert_allclose(box, [[5, 10, 40, 40]])


def test_a_box_does_not_collapse_when_its_keypoints_coincide() -> None:
    points = np.full((1, 2, 2), 70.0)
    for aspect in (0.5, 1.0, 2.0):
        width, height = boxes_around(points, None, BoxRule(2.0, min_size=40, aspect=aspect))[0, 2:]
        assert min(width, height) == pytest.approx(40)
        assert width / height == pytest.approx(aspect)


def test_one_keypoint_gives_a_place_but_no_size() -> None:
    points = np.array([[[30.0, 40.0], [np.nan, np.nan]]])
    np.testing.assert_array_equal(boxes_around(points, None, BoxRule()), [[30, 40, NAN, NAN]])
    np.testing.assert_array_equal(boxes_around(points, None, BoxRule(size=64.0)), [[30, 40, 64, 64]])


def test_edges_and_centres_are_inverse() -> None:
    boxes = np.random.default_rng(1).uniform(1, 90, (4, 3, 4))
    np.testing.assert_allclose(centred(edges(boxes)), boxes)


@pytest.mark.parametrize("aspect", [0.5, 1.0, 3.0])
def test_the_whole_image_is_in_its_box_and_touches_it(aspect: float) -> None:
    x1, y1, x2, y2 = edges(whole_image((120, 80), aspect))
    assert (x2 - x1) / (y2 - y1) == pytest.approx(aspect)
    slack = np.array([-0.5 - x1, -0.5 - y1, x2 - 119.5, y2 - 79.5])
    assert (slack >= -1e-9).all() and min(slack) == pytest.approx(0)
    if aspect == 1.5:
        np.testing.assert_allclose(area((120, 80), (64, 48), (x1, y1, x2, y2)), resize((120, 80), (64, 48)))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_median_of_what_is_known(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(count, 40, 4))
    values[np.random.default_rng(9).random(values.shape) < 0.4] = NAN
    wanted = np.full((40, 4), NAN)
    for place in np.ndindex(40, 4):
        known = values[(slice(None), *place)]
        if not np.isnan(known).all():
            wanted[place] = np.median(known[~np.isnan(known)])
    np.testing.assert_allclose(known_median(values), wanted)


def test_gaps_are_filled_by_straight_lines_each_number_on_its_own() -> None:
    boxes = np.array([[NAN, 1, 9, 9], [2, 1, NAN, NAN], [NAN, NAN, NAN, NAN], [6, 4, 3, 3], [NAN, 4, 3, 3]])
    wanted = np.array([[2, 1, 9, 9], [2, 1, 7, 7], [4, 2.5, 5, 5], [6, 4, 3, 3], [6, 4, 3, 3]], float)
    np.testing.assert_allclose(fill_gaps(boxes), wanted)
    assert np.isnan(fill_gaps(np.full((3, 4), NAN))).all()


@pytest.mark.parametrize(("method", "function"), [("median", np.median), ("mean", np.mean)])
@pytest.mark.parametrize("count", [1, 2, 30])
def test_windows_are_cut_off_at_the_ends(method: str, function: object, count: int) -> None:
    boxes = np.random.default_rng(2).uniform(0, 100, (count, 4))
    wanted = [function(boxes[max(0, t - 3) : t + 4], axis=0) for t in range(count)]  # type: ignore[operator]
    np.testing.assert_allclose(smooth_boxes(boxes, method, 7), wanted)  # type: ignore[arg-type]


def test_a_parabola_passes_through_and_an_outlier_does_not() -> None:
    time = np.arange(25.0)
    curve = np.stack([time**2, 3 * time - 5, np.full(25, 60.0), np.full(25, 40.0)], -1)
    np.testing.assert_allclose(smooth_boxes(curve, "savgol", 7), curve, atol=1e-9)
    np.testing.assert_allclose(smooth_boxes(curve[:2], "savgol", 7), curve[:2])
    jump = curve.copy()
    jump[12] += 500
    np.testing.assert_allclose(smooth_boxes(jump, "median", 5)[12, 1:], curve[12, 1:], atol=3)


def test_sizes_can_be_made_the_same() -> None:
    boxes = np.random.default_rng(3).uniform(20, 90, (15, 4))
    smooth = smooth_boxes(boxes, "mean", 3, one_size=True)
    np.testing.assert_allclose(smooth[:, 2:], np.broadcast_to(np.median(boxes[:, 2:], 0), (15, 2)))
    np.testing.assert_allclose(smooth[:, :2], smooth_boxes(boxes, "mean", 3)[:, :2])


@pytest.mark.parametrize("window", [0, 4])
def test_a_window_must_be_odd(window: int) -> None:
    with pytest.raises(ValueError, match=f"window={window}"):
        smooth_boxes(np.ones((5, 4)), "median", window)


def test_a_window_of_video_shows_an_animal_that_fills_half_of_each_box() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        count = int(rng.integers(1, 9))
        boxes = np.concatenate([rng.uniform(0, 60, (count, 2)), np.tile([90.0, 60.0], (count, 1))], -1)
        box = window_box(boxes)
        assert box[2] / box[3] == pytest.approx(1.5)
        low, high = edges(box)[:2], edges(box)[2:]
        assert (boxes[:, :2] - boxes[:, 2:] / 4 >= low - 1e-9).all()
        assert (boxes[:, :2] + boxes[:, 2:] / 4 <= high + 1e-9).all()
    still = np.tile([[50.0, 40.0, 30.0, 20.0]], (5, 1))
    np.testing.assert_allclose(window_box(still), still[0])


def test_overlaps_by_hand():
    some = np.array([[0.0, 0, 10, 10], [0, 0, 0, 0], [np.nan] * 4])
    others = np.array([[0.0, 0, 10, 5], [5, 5, 15, 15], [20, 20, 30, 30], [0, 0, 0, 0], [-10, -10, 30, 30]])
    np.testing.assert_allclose(
        overlaps(some, others), [[0.5, 25 / 175, 0, 0, 100 / 1600], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    )
    within = np.array([True, True, False, False, True])
    np.testing.assert_allclose(overlaps(some[:1], others, within), [[0.5, 0.25, 0, 0, 1]])
