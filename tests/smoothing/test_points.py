"""Points in space smoothed over time, against exact walks."""

from __future__ import annotations

import numpy as np

from vitruve.smoothing.points import smooth_points


def _walk(frames: int, step: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = np.array([[40.0, -10, 300], [0, 0, 0]]) + rng.normal(0, step, (frames, 2, 3)).cumsum(0)
    return truth, truth + rng.normal(0, noise, truth.shape)


def test_noise_becomes_less_and_its_size_is_told() -> None:
    truth, seen = _walk(400, 0.3, 2.0)
    found, deviation = smooth_points(seen, np.full(seen.shape[:2], 0.9))
    before, after = (np.sqrt(np.mean((each - truth) ** 2)) for each in (seen, found))
    # A walk of 0.3 in noise of 2: the best smoother leaves about sqrt(noise * step / 2).
    assert after < 0.35 * before
    assert abs(np.median(deviation) / after - 1) < 0.25


def test_what_moves_without_noise_stays_as_it_is() -> None:
    truth, _ = _walk(300, 2.0, 0.0)
    found, _ = smooth_points(truth, np.ones(truth.shape[:2]))
    assert np.abs(found - truth).max() < 0.05


def test_a_gap_is_filled_and_a_keypoint_that_is_never_seen_is_not() -> None:
    truth, seen = _walk(200, 0.3, 0.5)
    seen[90:100, 0] = np.nan
    seen[:, 1] = np.nan
    found, deviation = smooth_points(seen, np.where(np.isnan(seen[..., 0]), np.nan, 1.0))
    assert np.isnan(found[:, 1]).all() and np.isnan(deviation[:, 1]).all()
    assert np.abs(found[90:100, 0] - truth[90:100, 0]).max() < 3
    assert deviation[95, 0] > 1.5 * deviation[50, 0]


def test_what_is_less_sure_counts_less() -> None:
    truth, seen = _walk(300, 0.3, 0.5)
    sure = np.ones(seen.shape[:2])
    seen[::5] += 6
    sure[::5] = 0.01
    found, _ = smooth_points(seen, sure)
    equally, _ = smooth_points(seen, np.ones(seen.shape[:2]))
    assert np.mean((found - truth) ** 2) < 0.25 * np.mean((equally - truth) ** 2)
