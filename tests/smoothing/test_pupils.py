from __future__ import annotations

import numpy as np
import pytest

from smoothing.reference import loop_smoother
from smoothing.walks import members, rmse
from vitruve.errors import InputError
from vitruve.smoothing.decay import find_decay
from vitruve.smoothing.ensemble import Ensemble, combine
from vitruve.smoothing.pupils import Pupils, smooth_pupils
from vitruve.smoothing.scale import NoiseRange
from vitruve.smoothing.state_space import observations

MEAN = np.array([40.0, 60.0, 50.0])
VARIANCE = np.array([25.0, 9.0, 16.0])
START = np.zeros(1, int)


def pupil_states(frames: int, left: tuple[float, float] = (0.99, 0.9), pupils: int = 1, seed: int = 0) -> np.ndarray:
    """Diameter, x and y ``(T, P, 3)`` that return to their means."""
    rng = np.random.default_rng(seed)
    keep = np.array([left[0], left[1], left[1]])
    state = rng.normal(size=(pupils, 3)) * np.sqrt(VARIANCE)
    found = []
    for _ in range(frames):
        state = keep * state + rng.normal(size=state.shape) * np.sqrt(VARIANCE * (1 - keep**2))
        found.append(state)
    return MEAN + np.array(found)


def pupil_points(states: np.ndarray) -> np.ndarray:
    """``(T, 4, P, 2)`` top, bottom, left, right of circles; y points down."""
    diameter, x, y = np.moveaxis(states, -1, 0)
    half = diameter / 2
    return np.stack([np.stack(p, -1) for p in ((x, y - half), (x, y + half), (x - half, y), (x + half, y))], 1)


def _ensembles(drawn: np.ndarray) -> list[Ensemble]:
    return [combine(drawn[:, :, point], None) for point in range(4)]


def _smoothed(drawn: np.ndarray, **options: float) -> Pupils:
    return smooth_pupils(_ensembles(drawn), tuple(f"eye{n}" for n in range(drawn.shape[3])), **options)  # type: ignore[arg-type]


def test_diameter_and_centre_are_found_better_and_their_variances_are_variances() -> None:
    states = pupil_states(700, pupils=2)
    truth = pupil_points(states)
    drawn = members(truth, 5, own=3.0)
    found = _smoothed(drawn)
    median = np.median(drawn, 0)
    assert rmse(found.keypoints - truth) < 0.6 * rmse(median - truth)
    rough = (median[:, 1] - median[:, 0])[..., 1]
    assert rmse(found.states[..., 0] - states[..., 0]) < 0.5 * rmse(rough - states[..., 0])
    for values, exact, variance in (
        (found.states, states, found.states_variance),
        (found.keypoints, truth, found.variance),
    ):
        within = np.abs(values - exact) <= 1.96 * np.sqrt(variance)
        assert 0.93 < within.mean() < 0.97
    np.testing.assert_allclose(1 - found.decay.left[0], 0.01, rtol=0.8)
    np.testing.assert_allclose(1 - found.decay.left[1], 0.1, rtol=0.3)


def test_the_slow_smoother_finds_the_same() -> None:
    truth = pupil_points(pupil_states(80))
    drawn = truth + np.random.default_rng(1).normal(size=truth.shape) * 2
    drawn[10:14, 1] = np.nan
    drawn[30:33] = np.nan
    scores = np.full(drawn.shape[:-1], 0.25)
    ensembles = [combine(drawn[None, :, n], scores[None, :, n]) for n in range(4)]
    found = smooth_pupils(ensembles, ("eye",), diameter_s=0.98, com_s=0.9, inflate=False)
    assert found.decay.left[:, 0].tolist() == pytest.approx([0.98, 0.9])
    circle = np.array(
        [[0, 1, 0], [-0.5, 0, 1], [0, 1, 0], [0.5, 0, 1], [-0.5, 1, 0], [0, 0, 1], [0.5, 1, 0], [0, 0, 1]]
    )
    seen = drawn[:, :, 0].reshape(len(drawn), 8)
    solved = [
        np.linalg.lstsq(circle[there], row[there], rcond=None)[0]
        for row in seen
        if (there := np.isfinite(row)).sum() > 4
    ]
    mean = np.mean(solved, 0)
    noise = np.full_like(seen, 4 * found.decay.noise[0])
    own = np.array(
        [
            np.diag(np.linalg.inv(circle[there].T @ circle[there])) * 4
            for row in seen
            if (there := np.isfinite(row)).any()
        ]
    )
    variance = np.var(solved, 0) - own.mean(0)
    left = np.diag([0.98, 0.9, 0.9])
    steps = np.diag(variance) @ (np.eye(3) - left @ left)
    count = len(seen)
    means, covariances, _ = loop_smoother(
        seen - circle @ mean, circle, noise, [left] * count, [steps] * count, np.zeros(3), np.diag(variance)
    )
    np.testing.assert_allclose(found.states[:, 0], means + mean, atol=1e-6)
    np.testing.assert_allclose(found.states_variance[:, 0], np.diagonal(covariances, axis1=1, axis2=2), atol=1e-6)
    points = (means @ circle.T + circle @ mean).reshape(count, 4, 2)
    np.testing.assert_allclose(found.keypoints[:, :, 0], points, atol=1e-6)
    spread = np.einsum("md,tde,me->tm", circle, covariances, circle).reshape(count, 4, 2)
    np.testing.assert_allclose(found.variance[:, :, 0], spread, atol=1e-6)


def test_what_is_found_is_as_likely_as_the_best_of_a_fine_grid() -> None:
    states = (pupil_states(400, (0.97, 0.8)) - MEAN)[:, :1]
    seen = observations(states + np.random.default_rng(2).normal(size=states.shape), np.tile(np.eye(3), (400, 1, 1, 1)))
    found = find_decay(seen, VARIANCE[None], np.array([0, 1, 1]), START, NoiseRange(np.zeros(1)), (None, None))

    def cost(diameter: float, center: float, noise: float) -> float:
        left = np.array([diameter, center, center])
        steps = [np.diag(VARIANCE * (1 - left**2))] * 400
        values = states[:, 0] + np.random.default_rng(2).normal(size=states.shape)[:, 0]
        variances = np.full(values.shape, noise)
        return loop_smoother(
            values, np.eye(3), variances, [np.diag(left)] * 400, steps, np.zeros(3), np.diag(VARIANCE)
        )[2]

    best = cost(found.left[0, 0], found.left[1, 0], found.noise[0])
    around = [
        cost(1 - (1 - found.left[0, 0]) * a, 1 - (1 - found.left[1, 0]) * b, found.noise[0] * c)
        for a, b, c in ((1.3, 1, 1), (0.7, 1, 1), (1, 1.3, 1), (1, 0.7, 1), (1, 1, 1.2), (1, 1, 0.8))
    ]
    assert best < min(around)
    assert best < cost(0.97, 0.8, 1.0) + 1


def test_the_diameter_does_not_shrink_while_nothing_is_seen() -> None:
    """EKS lets it return to 0."""
    states = pupil_states(600, (0.95, 0.9))
    drawn = members(pupil_points(states), 4)
    drawn[:, 200:400] = np.nan
    found = _smoothed(drawn)
    seen = np.concatenate([states[:200], states[400:]])
    np.testing.assert_allclose(found.states[300, 0], seen.mean((0, 1)), atol=0.5)
    assert found.states_variance[300, 0, 0] == pytest.approx(VARIANCE[0], rel=0.6)
    assert (found.states_variance[300] > 3 * found.states_variance[100]).all()


def test_a_point_that_is_never_seen_follows_from_the_others() -> None:
    truth = pupil_points(pupil_states(300))
    drawn = members(truth, 4)
    drawn[:, :, 0] = np.nan
    found = _smoothed(drawn)
    assert rmse(found.keypoints[:, 0] - truth[:, 0]) < 2.5
    assert (found.variance[:, 0, 0, 1] > found.variance[:, 1, 0, 1]).all()


def test_pupils_of_which_too_little_is_seen() -> None:
    drawn = members(pupil_points(pupil_states(50)), 3)
    drawn[:, :, [0, 1, 2]] = np.nan
    with pytest.raises(InputError, match=r"pupil 'eye0': diameter and centre are seen in 0 frames.*--mode single"):
        _smoothed(drawn)
