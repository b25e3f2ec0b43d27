from __future__ import annotations

import numpy as np
import pytest

from smoothing.walks import members, walk
from vitruve.smoothing.ensemble import combine, least_noise, moderate


def test_median_and_variance_of_the_members_with_missing_ones() -> None:
    keypoints = members(walk(50, 3))
    keypoints[0, :10] = np.nan
    keypoints[1:, 20, 1] = np.nan
    keypoints[:, 30, 2] = np.nan
    scores = np.random.default_rng(0).uniform(0.5, 1, keypoints.shape[:-1])
    found = combine(keypoints, scores)
    plain = combine(keypoints, scores, "plain")
    np.testing.assert_allclose(found.median[:10], np.median(keypoints[1:, :10], 0))
    expected = keypoints[:, 40].var(0)
    np.testing.assert_allclose(plain.variance[40], expected)
    np.testing.assert_allclose(found.variance[40], expected / scores[:, 40].mean(0)[:, None])
    assert np.isnan(found.median[30, 2]).all() and np.isnan(found.noise[30, 2]).all()
    assert np.isnan(found.noise[20, 1]).all()  # one member alone says nothing of its variance
    assert np.isfinite(found.noise[:20]).all()


def test_a_single_member_has_the_variance_of_its_confidence() -> None:
    keypoints = members(walk(10, 2), 1)
    scores = np.full((1, 10, 2), 0.25)
    np.testing.assert_array_equal(combine(keypoints, scores).noise, 4)
    np.testing.assert_array_equal(combine(keypoints, None).noise, 1)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 10, 11])
def test_the_variance_of_a_median(count: int) -> None:
    drawn = np.median(np.random.default_rng(0).normal(size=(count, 200_000)), 0).var()
    assert least_noise(count) == pytest.approx(drawn, rel=0.03)


def test_variances_that_scatter_by_chance_become_equal_and_others_stay() -> None:
    rng = np.random.default_rng(0)
    steady = 4 * rng.chisquare(4, (3000, 1, 2)) / 4
    told = moderate(steady, np.full((3000, 1, 1), 4))
    np.testing.assert_allclose(told, 4, rtol=0.15)
    uneven = steady * np.exp(rng.normal(size=steady.shape) * 2)
    kept = moderate(uneven, np.full((3000, 1, 1), 4))
    assert np.corrcoef(np.log(kept).ravel(), np.log(uneven).ravel())[0, 1] > 0.95
    assert np.log(kept).std() < np.log(uneven).std()


def test_members_that_agree_exactly_are_not_exact() -> None:
    keypoints = np.repeat(walk(20, 2)[None], 3, 0)
    assert (combine(keypoints, None).noise > 0).all()


def test_half_a_keypoint_is_none_and_one_member_alone_has_no_variance() -> None:
    keypoints = members(walk(30, 2), 3)
    keypoints[0, 5, 0, 1] = np.nan
    keypoints[1:, 7, 1] = np.nan
    found = combine(keypoints, None)
    np.testing.assert_allclose(found.median[5, 0], np.median(keypoints[1:, 5, 0], 0))
    np.testing.assert_allclose(found.variance[5, 0], keypoints[1:, 5, 0].var(0))
    np.testing.assert_allclose(found.median[7, 1], keypoints[0, 7, 1])
    assert np.isnan(found.variance[7, 1]).all()
