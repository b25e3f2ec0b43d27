from __future__ import annotations

import numpy as np
import pytest

from smoothing.reference import loop_smoother
from smoothing.walks import members, rmse
from vitruve.errors import InputError
from vitruve.smoothing.asynchronous import smooth_asynchronous, timeline
from vitruve.smoothing.ensemble import combine
from vitruve.smoothing.learned_views import LearnedViews
from vitruve.smoothing.models import Search, smooth_learned

NAMES = ("paw_l", "paw_r")


def _scene(seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Times of two cameras (60 and 150 frames a second, the second with images half as large), and what they see."""
    rng = np.random.default_rng(seed)
    times = [np.arange(600) / 60, 0.1 + np.arange(1400) / 150 + rng.uniform(0, 1e-3, 1400)]
    instants = np.unique(np.concatenate(times))
    steps = rng.normal(size=(len(instants), 2, 3)) * np.sqrt(np.diff(instants, prepend=0) * 60 * 4)[:, None, None]
    space = np.cumsum(steps, 0)
    eyes = rng.normal(size=(2, 2, 3)) * np.array([1.0, 0.5])[:, None, None]
    return times, [
        np.einsum("ij,tkj->tki", eye, space[np.searchsorted(instants, t)]) + 200
        for eye, t in zip(eyes, times, strict=True)
    ]


def test_the_timeline_holds_every_frame_at_its_time() -> None:
    line = timeline([np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.5, 1.0, 2.5])])
    assert [rows.tolist() for rows in line.rows] == [[0, 2, 3, 5], [1, 2, 4]]
    assert line.elapsed.tolist() == [1.0, 0.5, 0.5, 1.0, 0.5, 0.5]
    assert line.stretches(((0, 2), (2, 4))) == ((0, 3), (3, 6))


def test_cameras_of_other_rates_help_one_another_and_variances_are_variances() -> None:
    times, truth = _scene()
    drawn = [members(each, 5, own, seed=n + 1) for n, (each, own) in enumerate(zip(truth, (6.0, 3.0), strict=True))]
    ensembles = [combine(item, None) for item in drawn]
    search = Search(np.arange(2))
    found = smooth_asynchronous(ensembles, times, NAMES, search)
    for posterior, exact, item in zip(found, truth, drawn, strict=True):
        assert posterior.keypoints.shape == (len(exact), 1, 2, 2)
        error = posterior.keypoints[:, 0] - exact
        assert rmse(error) < 0.75 * rmse(np.median(item, 0) - exact)
        assert 0.92 < (np.abs(error) <= 1.96 * np.sqrt(posterior.variance[:, 0])).mean() < 0.98
    # What the slow camera knows between its frames, it knows of the fast one.
    alone = smooth_asynchronous([ensembles[0], _blind(ensembles[1])], times, NAMES, search)
    assert rmse(found[0].keypoints[:, 0] - truth[0]) < 0.95 * rmse(alone[0].keypoints[:, 0] - truth[0])


def _blind(ensemble: object) -> object:
    from dataclasses import replace

    noise = ensemble.noise.copy()  # type: ignore[attr-defined]
    noise[100:] *= 1e6
    return replace(ensemble, noise=noise)  # type: ignore[type-var]


def test_the_slow_smoother_finds_the_same_at_uneven_times() -> None:
    rng = np.random.default_rng(4)
    line = timeline([np.arange(20.0), 0.3 + np.arange(30) * 0.6])
    count = len(line.elapsed)
    learned = LearnedViews(rng.normal(size=(1, 4)), rng.normal(size=(1, 4, 3)), np.eye(3)[None])
    seen, noise = np.full((count, 1, 4), np.nan), np.full((count, 1, 4), np.nan)
    for view, rows in enumerate(line.rows):
        seen[rows, :, 2 * view : 2 * view + 2] = rng.normal(size=(len(rows), 1, 2)) * 3
        noise[rows, :, 2 * view : 2 * view + 2] = 0.5
    search = Search(np.zeros(1, int), np.array([0.7]))
    found = smooth_learned(seen, noise, learned, search, np.zeros(1), line.elapsed, inflate=False)
    steps = [np.eye(3) * 0.7 * time for time in line.elapsed]
    # The walk begins so wide that where it begins does not matter.
    means, covariances, _ = loop_smoother(
        (seen - learned.middle)[:, 0],
        learned.components[0],
        noise[:, 0] * found.scales.noise[0],
        [np.eye(3)] * count,
        steps,
        np.zeros(3),
        np.eye(3) * 1e6,
    )
    pixels = means @ learned.components[0].T + learned.middle[0]
    spread = np.einsum("md,tde,me->tm", learned.components[0], covariances, learned.components[0])
    np.testing.assert_allclose(found.keypoints[:, :, 0].reshape(count, 4), pixels, atol=0.02)
    np.testing.assert_allclose(found.variance[:, :, 0].reshape(count, 4), spread, rtol=0.02)


def test_cameras_with_no_time_in_common() -> None:
    times, truth = _scene()
    ensembles = [combine(members(each, 3), None) for each in truth]
    with pytest.raises(InputError, match="no time in common"):
        smooth_asynchronous(ensembles, [times[0], times[1] + 1000], NAMES, Search(np.arange(2)))
