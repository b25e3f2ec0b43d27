from __future__ import annotations

import numpy as np
import pytest

from smoothing.walks import walk
from vitruve.smoothing.scale import NoiseRange, find_scales, stretches
from vitruve.smoothing.state_space import evidence, observations
from vitruve.smoothing.state_space import walk as walking

START = np.zeros(1, int)


def _seen(frames: int = 1500, steps: tuple[float, ...] = (0.1, 1.0, 5.0), noise: float = 2.0):  # type: ignore[no-untyped-def]
    truth = np.concatenate([walk(frames, 1, k, step, 1) for k, step in enumerate(steps)], 1)
    values = truth + np.random.default_rng(9).normal(size=truth.shape) * noise
    return observations(values, np.ones((*values.shape, 1)))


def test_both_scales_are_found_over_orders_of_magnitude() -> None:
    motion = np.ones((3, 1, 1))
    found = find_scales(_seen(), motion, np.arange(3), START, NoiseRange(np.zeros(3)))
    np.testing.assert_allclose(np.sqrt(found.motion), [0.1, 1.0, 5.0], rtol=0.2)
    np.testing.assert_allclose(np.sqrt(found.noise[:2]), 2.0, rtol=0.1)


def test_what_is_found_is_the_highest_of_a_fine_grid() -> None:
    seen, motion = _seen(), np.ones((3, 1, 1))
    found = find_scales(seen, motion, np.arange(3), START, NoiseRange(np.zeros(3)))
    ratios = np.exp(np.linspace(-18, 6, 1200))[:, None] * np.ones(3)
    sums = evidence(seen, walking(motion, ratios), START)
    noise = sums.squares / sums.count
    best = ratios[(sums.count * np.log(noise) + sums.log_variance).argmin(0), np.arange(3)]
    np.testing.assert_allclose(np.log(found.motion / found.noise), np.log(best), atol=0.08)


def test_the_expected_noise_is_kept_where_nothing_speaks_against_it() -> None:
    seen, motion = _seen(noise=2.0), np.ones((3, 1, 1))
    assert find_scales(seen, motion, np.arange(3), START, NoiseRange(np.full(3, 4.1))).noise[:2].tolist() == [4.1, 4.1]
    other = find_scales(seen, motion, np.arange(3), START, NoiseRange(np.full(3, 20.0)))
    np.testing.assert_allclose(other.noise[:2], 4, rtol=0.2)


def test_blocks_share_one_scale() -> None:
    found = find_scales(_seen(), np.ones((3, 1, 1)), np.array([7, 7, 1]), START, NoiseRange(np.zeros(3)))
    assert found.motion[0] == found.motion[1] and found.noise[0] == found.noise[1]
    assert 0.1**2 < found.motion[0] < 1


@pytest.mark.parametrize("given", [0.5, 2.0])
def test_a_given_scale_is_taken_and_only_the_noise_is_found(given: float) -> None:
    seen = _seen(steps=(1.0,))
    found = find_scales(seen, np.ones((1, 1, 1)), np.arange(1), START, NoiseRange(np.zeros(1)), np.array([given]))
    assert found.motion.tolist() == [given]
    assert found.noise[0] == pytest.approx(4, rel=0.25)


def test_long_recordings_are_searched_in_stretches() -> None:
    frames, starts = stretches(50_000)
    assert len(frames) == 10_000 and len(starts) == 10 and frames[-1] == 49_999
    assert (np.diff(frames)[starts[1:] - 1] > 1).all()
    frames, starts = stretches(100, ((5, 8), (20, 22)))
    assert frames.tolist() == [5, 6, 7, 20, 21] and starts.tolist() == [0, 3]
    assert len(stretches(500)[0]) == 500
