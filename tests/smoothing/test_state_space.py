from __future__ import annotations

import numpy as np
import pytest

from smoothing.reference import loop_smoother
from vitruve.smoothing.state_space import Evidence, Observations, evidence, observations, returning, smooth_states, walk

FRAMES, SIZE, POINTS = 12, 3, 2


def _problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    states = np.cumsum(rng.normal(size=(FRAMES, POINTS, SIZE)), 0)
    root = rng.normal(size=(FRAMES, POINTS, SIZE, SIZE))
    noise = root @ root.swapaxes(-1, -2) + 0.1 * np.eye(SIZE)
    spread = rng.normal(size=(POINTS, SIZE, SIZE))
    return states + rng.normal(size=states.shape), noise, spread @ spread.swapaxes(-1, -2) + 0.2 * np.eye(SIZE)


def _dense(
    seen: np.ndarray, noise: np.ndarray, step: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """All frames of a keypoint as one normal distribution: posterior mean, covariance, minus twice the log density."""
    prior = np.zeros((FRAMES * SIZE, FRAMES * SIZE))
    for i in range(FRAMES):
        for j in range(FRAMES):
            block = spread + (min(i, j) + 1) * step
            prior[i * SIZE : (i + 1) * SIZE, j * SIZE : (j + 1) * SIZE] = block
    known = np.flatnonzero(np.isfinite(seen).all(-1))
    rows = (known[:, None] * SIZE + np.arange(SIZE)).ravel()
    total = prior[np.ix_(rows, rows)]
    for n, t in enumerate(known):
        total[n * SIZE : (n + 1) * SIZE, n * SIZE : (n + 1) * SIZE] += noise[t]
    away = (seen[known] - mean).ravel()
    gain = prior[:, rows] @ np.linalg.inv(total)
    posterior = prior - gain @ prior[rows]
    cost = float(np.linalg.slogdet(total)[1] + away @ np.linalg.solve(total, away))
    return np.tile(mean, FRAMES) + gain @ away, posterior, cost


@pytest.mark.parametrize("missing", [(), (0,), (3, 4, 5), (FRAMES - 1,)])
def test_posterior_and_likelihood_are_those_of_one_large_normal_distribution(missing: tuple[int, ...]) -> None:
    values, noise, motion = _problem()
    values[list(missing), 0] = np.nan
    seen = observations(values, noise)
    scale, factor = np.array([0.7, 2.0]), np.array([1.5, 0.4])
    found = smooth_states(seen, walk(motion, scale[None]), factor)
    sums = evidence(seen, walk(motion, np.stack([scale / factor, scale])), np.zeros(1, int))
    mean, spread = _start(seen)
    for k in range(POINTS):
        args = (values[:, k], noise[:, k] * factor[k], motion[k] * scale[k], mean[:, k])
        means, covariance, _ = _dense(*args, spread[:, :, k])
        np.testing.assert_allclose(found.means[:, k].ravel(), means, atol=1e-8)
        for t in range(FRAMES):
            block = covariance[t * SIZE : (t + 1) * SIZE, t * SIZE : (t + 1) * SIZE]
            np.testing.assert_allclose(found.covariances[t, k], block, atol=1e-8)
        # The first guess is multiplied by the scale of the noise as everything else is.
        cost = _dense(*args, spread[:, :, k] * factor[k])[2]
        assert _cost(sums, 0, k, factor[k]) == pytest.approx(cost, rel=1e-9)


def _cost(sums: Evidence, row: int, k: int, noise: float) -> float:
    return float(sums.count[k] * np.log(noise) + sums.log_variance[row, k] + sums.squares[row, k] / noise)


def _start(seen: Observations) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = walk(np.ones((POINTS, SIZE, SIZE)), np.ones((1, POINTS))).beginning(seen)
    return mean[:, 0], spread[:, :, 0]


def test_an_unknown_direction_is_no_observation() -> None:
    values, noise, motion = _problem()
    blind = np.zeros_like(noise)
    blind[5, 0, 2, 2] = 1
    noise[5, 0] = np.diag([0.5, 0.5, 0.0])
    wild = values.copy()
    wild[5, 0, 2] = 1e6
    ones = np.ones(POINTS)
    seen = observations(values, noise, blind)
    a = smooth_states(seen, walk(motion, ones[None]), ones)
    b = smooth_states(observations(wild, noise, blind), walk(motion, ones[None]), ones)
    np.testing.assert_allclose(a.means, b.means, atol=1e-6)
    assert np.isnan(seen.states[5, 0]).all() and np.isfinite(seen.states[4, 0]).all()
    noise[5, 0, 2, 2] = 0.5
    known = smooth_states(observations(values, noise), walk(motion, ones[None]), ones)
    assert a.covariances[5, 0, 2, 2] > 1.2 * known.covariances[5, 0, 2, 2]


def test_stretches_do_not_know_of_one_another() -> None:
    values, noise, motion = _problem()
    seen = observations(values, noise)
    walks = walk(motion, np.ones((1, POINTS)))
    whole = evidence(seen, walks, np.array([0, 6]))
    apart = values.copy()
    apart[6:] += 1e4
    far = evidence(observations(apart, noise), walks, np.array([0, 6]))
    torn = evidence(observations(apart, noise), walks, np.zeros(1, int))
    assert torn.squares.min() > 1e5
    assert far.squares.max() < whole.squares.max() + 50


def test_states_that_return_and_frames_at_uneven_times_are_those_of_the_slow_smoother() -> None:
    values, noise, covariance = _problem()
    noise = np.where(np.eye(SIZE), noise, 0)
    values[3:5, 0] = np.nan
    elapsed = np.random.default_rng(1).uniform(0.2, 3, FRAMES)
    elapsed[0] = 1
    seen = observations(values, noise, elapsed=elapsed)
    left = np.array([[0.9, 0.5], [0.0, 0.99], [0.3, 0.7]])
    variance = np.array([[1.0, 2.0, 3.0], [4.0, 0.5, 6.0]])
    scale = np.array([0.7, 2.0])
    for motion in (walk(covariance, scale[None]), returning(variance, left[:, None])):
        found = smooth_states(seen, motion, np.ones(POINTS))
        sums = evidence(seen, motion, np.zeros(1, int))
        mean, spread = motion.beginning(seen)
        for k in range(POINTS):
            if motion.decay is None:
                decay = [np.eye(SIZE)] * FRAMES
                steps = [covariance[k] * scale[k] * time for time in elapsed]
            else:
                decay = [np.diag(left[:, k] ** time) for time in elapsed]
                steps = [np.diag(variance[k]) @ (np.eye(SIZE) - matrix @ matrix) for matrix in decay]
            variances = np.diagonal(noise[:, k], axis1=-2, axis2=-1)
            start = mean[:, 0, k], spread[:, :, 0, k]
            means, covariances, cost = loop_smoother(values[:, k], np.eye(SIZE), variances, decay, steps, *start)
            np.testing.assert_allclose(found.means[:, k], means, atol=1e-9)
            np.testing.assert_allclose(found.covariances[:, k], covariances, atol=1e-9)
            told = sums.log_variance[0, k] + sums.squares[0, k] + sums.count[k] * np.log(2 * np.pi)
            assert told == pytest.approx(cost, rel=1e-10)


def test_whereabouts_are_known_although_no_frame_fixes_a_state() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(2000, 1, 2)) + np.array([5.0, -3.0])
    noise = np.tile(np.eye(2) * 0.01, (2000, 1, 1, 1))
    blind = np.zeros_like(noise)
    blind[::2, 0, 0, 0], blind[1::2, 0, 1, 1] = 1, 1
    seen = observations(states, noise * (1 - blind), blind)
    mean, around, variance = seen.whereabouts()
    assert np.isnan(seen.states).all()
    np.testing.assert_allclose(mean[:, 0], [5, -3], atol=0.1)
    assert around[0] == pytest.approx(2, rel=0.1) and variance[0] == pytest.approx(0.01)
