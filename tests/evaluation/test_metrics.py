from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitruve.evaluation import metrics

LENGTH = st.floats(0, 500) | st.just(math.nan)
SHARE = st.floats(0, 1) | st.just(math.nan)
POINT = st.floats(-1e4, 1e4) | st.just(math.nan)
EDGES = [0.0, 0.25, 0.5, 0.9, 1.0]
FEW = settings(max_examples=40, deadline=None)


def paired(lengths: int = 30) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    return st.integers(0, lengths).flatmap(
        lambda n: st.tuples(arrays(np.float64, n, elements=LENGTH), arrays(np.float64, n, elements=SHARE))
    )


def test_pixel_error_of_a_right_triangle() -> None:
    truth = np.array([[[0.0, 0.0], [10.0, 10.0], [math.nan, 3.0]]])
    predicted = np.array([[[3.0, 4.0], [10.0, 10.0], [1.0, 3.0]]])
    np.testing.assert_array_equal(metrics.pixel_error(predicted, truth), [[5.0, 0.0, math.nan]])


@FEW
@given(arrays(np.float64, (2, 3, 4, 2), elements=POINT), arrays(np.float64, (2, 3, 4, 2), elements=POINT))
def test_pixel_error_equals_a_loop(predicted: np.ndarray, truth: np.ndarray) -> None:
    result = metrics.pixel_error(predicted, truth)
    for place in np.ndindex(2, 3, 4):
        (x, y), (u, v) = predicted[place].tolist(), truth[place].tolist()
        assert result[place] == pytest.approx(math.sqrt((x - u) ** 2 + (y - v) ** 2), nan_ok=True)


def test_pixel_error_keeps_float32_input_exact() -> None:
    predicted, truth = np.float32([[16777216.0, 0.0]]), np.float32([[1.0, 0.0]])
    assert metrics.pixel_error(predicted, truth)[0] == 16777215.0


@FEW
@given(arrays(np.float64, (3, 4, 2), elements=POINT))
def test_instance_size_equals_a_loop(keypoints: np.ndarray) -> None:
    for size, instance in zip(metrics.instance_size(keypoints), keypoints.tolist(), strict=True):
        known = [(x, y) for x, y in instance if not math.isnan(x) and not math.isnan(y)]
        xs, ys = [x for x, _ in known], [y for _, y in known]
        diagonal = math.hypot(max(xs) - min(xs), max(ys) - min(ys)) if known else 0.0
        assert size == pytest.approx(diagonal if diagonal > 0 else math.nan, nan_ok=True)


def test_pck_counts_the_boundary_as_correct() -> None:
    errors = np.array([[5.0, 5.000001, 0.0, math.nan]])
    assert metrics.pck(errors, 5.0) == 2 / 3


def test_pck_counts_a_missed_keypoint_as_wrong() -> None:
    errors = np.array([[1.0, math.nan, math.nan]])
    assert metrics.pck(errors, 5.0, labelled=np.array([[True, True, False]])) == 0.5


def test_pck_relative_to_the_instance() -> None:
    errors = np.array([[9.0, 11.0], [9.0, 11.0], [0.0, 0.0]])
    assert metrics.pck(errors, 0.1, np.array([100.0, 10.0, math.nan])) == 0.25


def test_pck_of_nothing_is_not_a_number() -> None:
    assert math.isnan(metrics.pck(np.full((2, 3), math.nan), 5.0))
    assert math.isnan(metrics.pck(np.zeros((0, 3)), 5.0))


@FEW
@given(
    arrays(np.float64, (4, 3), elements=LENGTH),
    arrays(np.float64, 4, elements=st.floats(1, 300) | st.just(math.nan)),
    arrays(np.bool_, (4, 3)),
    st.sampled_from((0.05, 0.1, 0.2)),
)
def test_pck_equals_a_loop(errors: np.ndarray, sizes: np.ndarray, labelled: np.ndarray, alpha: float) -> None:
    right = counted = 0
    for row, size, flags in zip(errors.tolist(), sizes.tolist(), labelled.tolist(), strict=True):
        for error, flag in zip(row, flags, strict=True):
            if flag and not math.isnan(size):
                counted += 1
                right += error <= alpha * size
    wanted = right / counted if counted else math.nan
    assert metrics.pck(errors, alpha, sizes, labelled) == pytest.approx(wanted, nan_ok=True)


@FEW
@given(arrays(np.float64, st.tuples(st.integers(0, 6), st.just(2), st.just(2)), elements=POINT))
def test_temporal_norm_equals_a_loop(keypoints: np.ndarray) -> None:
    result = metrics.temporal_norm(keypoints)
    assert result.shape == keypoints.shape[:2]
    for t, k in np.ndindex(result.shape):
        step = math.nan
        if t:
            (x, y), (u, v) = keypoints[t, k].tolist(), keypoints[t - 1, k].tolist()
            step = math.sqrt((x - u) ** 2 + (y - v) ** 2)
        assert result[t, k] == pytest.approx(step, nan_ok=True)


def slow_bins(errors: np.ndarray, scores: np.ndarray, edges: list[float]) -> list[list[tuple[float, float]]]:
    bins: list[list[tuple[float, float]]] = [[] for _ in edges[1:]]
    for error, score in zip(errors.tolist(), scores.tolist(), strict=True):
        if math.isnan(error) or math.isnan(score):
            continue
        place = sum(score >= edge for edge in edges[1:-1])
        bins[place].append((error, score))
    return bins


@FEW
@given(paired())
def test_error_by_confidence_equals_a_loop(pair: tuple[np.ndarray, np.ndarray]) -> None:
    table = metrics.error_by_confidence(*pair, bins=EDGES)
    for row, held in zip(table.itertuples(), slow_bins(*pair, EDGES), strict=True):
        values = sorted(error for error, _ in held)
        half = len(values) // 2
        middle = math.nan if not values else (values[half] + values[~half]) / 2
        assert row.count == len(values)
        assert row.mean_error_px == pytest.approx(sum(values) / len(values) if values else math.nan, nan_ok=True)
        assert row.median_error_px == pytest.approx(middle, nan_ok=True)


def test_error_by_confidence_keeps_scores_at_and_beyond_the_ends() -> None:
    table = metrics.error_by_confidence(np.arange(4.0), np.array([-0.1, 0.0, 1.0, 1.1]), bins=2)
    assert table["count"].tolist() == [2, 2]
    assert table[["low", "high"]].to_numpy().tolist() == [[0, 0.5], [0.5, 1]]


def test_a_score_on_an_edge_belongs_to_the_bin_above() -> None:
    table = metrics.error_by_confidence(np.array([1.0, 2.0, 3.0]), np.array([0.25, 0.5, 0.75]), bins=EDGES)
    assert table["count"].tolist() == [0, 1, 2, 0]


def test_edges_and_thresholds_are_the_numbers_they_are_meant_to_be() -> None:
    one = np.array([0.5])
    assert metrics.calibration(one, one)["low"].tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert metrics.error_by_confidence(one, one)["high"].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert metrics.error_vs_threshold(one, one)["threshold"].tolist()[:4] == [0, 0.05, 0.1, 0.15]


@FEW
@given(paired())
def test_error_vs_threshold_equals_a_loop(pair: tuple[np.ndarray, np.ndarray]) -> None:
    known = [(e, s) for e, s in zip(*map(np.ndarray.tolist, pair), strict=True) if e == e and s == s]
    for row in metrics.error_vs_threshold(*pair, thresholds=[0.0, 0.3, 1.0]).itertuples():
        kept = [error for error, score in known if score >= row.threshold]
        assert row.count == len(kept)
        assert row.kept_share == pytest.approx(len(kept) / len(known) if known else math.nan, nan_ok=True)
        assert row.mean_error_px == pytest.approx(sum(kept) / len(kept) if kept else math.nan, nan_ok=True)


@FEW
@given(paired())
def test_calibration_equals_a_loop(pair: tuple[np.ndarray, np.ndarray]) -> None:
    errors, scores = pair
    table = metrics.calibration(np.where(np.isnan(errors), np.nan, errors <= 20), scores, bins=EDGES)
    held = slow_bins(*pair, EDGES)
    gap, total = 0.0, sum(map(len, held))
    for row, entries in zip(table.itertuples(), held, strict=True):
        if not entries:
            assert row.count == 0 and math.isnan(row.share_within) and math.isnan(row.interval_low)
            continue
        share = sum(error <= 20 for error, _ in entries) / len(entries)
        confidence = sum(score for _, score in entries) / len(entries)
        assert row.share_within == pytest.approx(share)
        assert row.mean_score == pytest.approx(confidence)
        assert row.interval_low <= row.share_within <= row.interval_high
        gap += len(entries) / total * abs(share - confidence)
    wanted = gap if total else math.nan
    assert metrics.expected_calibration_error(table) == pytest.approx(wanted, nan_ok=True)


def test_perfect_confidence_has_no_calibration_error() -> None:
    scores = np.repeat([0.25, 0.75], 100)
    inside = np.concatenate([np.repeat([1.0, 0.0], [25, 75]), np.repeat([1.0, 0.0], [75, 25])])
    table = metrics.calibration(inside, scores)
    assert metrics.expected_calibration_error(table) == pytest.approx(0)
    assert metrics.expected_calibration_error(metrics.calibration(inside, 1 - scores)) == pytest.approx(0.5)


@FEW
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_solves_its_equation(case: tuple[int, int]) -> None:
    successes, trials = case
    observed = successes / trials
    low, high = metrics.wilson_interval(successes, trials)
    assert 0 <= low <= observed <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            deviation = abs(observed - end) / math.sqrt(end * (1 - end) / trials)
            assert deviation == pytest.approx(1.959964, rel=1e-5)


def test_wilson_interval_of_known_counts() -> None:
    assert metrics.wilson_interval(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert metrics.wilson_interval(0, 10) == pytest.approx((0, 0.277533), abs=1e-6)
    assert all(map(math.isnan, metrics.wilson_interval(0, 0)))
