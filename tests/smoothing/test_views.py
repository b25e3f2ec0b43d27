from __future__ import annotations

import numpy as np

from vitruve.smoothing.views import fuse

FRAMES, POINTS, VIEWS = 400, 2, 3


def _scene(views: int = VIEWS, seed: int = 0, noise: float = 0.5) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    states = np.cumsum(rng.normal(size=(FRAMES, POINTS, 3)), 0)
    slopes = np.broadcast_to(rng.normal(size=(POINTS, 2 * views, 3)), (FRAMES, POINTS, 2 * views, 3))
    exact = (slopes @ states[..., None])[..., 0]
    errors = rng.normal(size=exact.shape) * noise
    return states, slopes, exact, errors, np.full(exact.shape, noise**2)


def test_states_and_their_covariance_are_those_of_weighted_least_squares() -> None:
    states, slopes, exact, errors, variances = _scene()
    found = fuse(exact + errors, slopes, variances, np.zeros_like(states), inflate=False)
    seen = np.linalg.lstsq(slopes[7, 1], (exact + errors)[7, 1], rcond=None)[0]
    np.testing.assert_allclose(found.seen.states[7, 1], seen, atol=1e-9)
    away = (found.seen.states - states)[:, 0]
    told = 0.25 * np.linalg.inv(slopes[0, 0].T @ slopes[0, 0])
    np.testing.assert_allclose(np.cov(away.T), told, rtol=0.35, atol=0.05 * np.abs(told).max())
    np.testing.assert_allclose(found.disagreement, 1, rtol=0.15)
    np.testing.assert_allclose(found.seen.residual / found.seen.spare, 1, rtol=0.15)
    np.testing.assert_allclose(found.seen.spare, 3 * (FRAMES - 1), rtol=0.01)


def test_disagreement_for_good_is_not_noise_and_stays_in_the_variance() -> None:
    states, slopes, exact, errors, variances = _scene()
    lasting = np.zeros_like(exact)
    lasting[..., 0], lasting[..., 3] = 3.0, -2.0
    found = fuse(exact + errors + lasting, slopes, variances, np.zeros_like(states))
    assert (found.disagreement > 4).all()
    assert (found.seen.residual / found.seen.spare < found.disagreement / 3).all()
    added = found.covariances(np.ones(POINTS))
    np.testing.assert_allclose(found.covariances(np.full(POINTS, 3.0)), 3 * added)


def test_a_view_that_the_others_contradict_counts_little() -> None:
    states, slopes, exact, errors, variances = _scene(6)
    wrong = exact + errors
    wrong[50:60, 0, :2] += 60
    plain = fuse(wrong, slopes, variances, np.zeros_like(states), inflate=False).seen.states
    robust = fuse(wrong, slopes, variances, np.zeros_like(states)).seen.states
    away = [np.linalg.norm((found - states)[50:60, 0], axis=-1).mean() for found in (plain, robust)]
    assert away[1] < away[0] / 5


def test_missing_views_leave_directions_unknown() -> None:
    states, slopes, exact, errors, variances = _scene()
    some = exact + errors
    some[10, 0, 2:] = np.nan
    variances[11, 0] = np.nan
    some[12, 0, :2] = np.nan
    seen = fuse(some, slopes, variances, np.zeros_like(states)).seen
    assert np.isinf(seen.variances[10, :, 0]).sum() == 1  # two numbers of one view, three dimensions
    assert np.isinf(seen.variances[11, :, 0]).all()
    assert np.isfinite(seen.states[12, 0]).all() and np.isnan(seen.states[10:12, 0]).all()
    np.testing.assert_allclose(seen.states[13:], states[13:], atol=6)
