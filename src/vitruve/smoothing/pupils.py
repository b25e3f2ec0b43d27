"""Pupils: four points on a circle, whose diameter and centre are smoothed (the model ``ibl-pupil`` of EKS)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.smoothing.decay import Decay, find_decay
from vitruve.smoothing.ensemble import Ensemble
from vitruve.smoothing.lasting import expected_noise, lasting_covariances
from vitruve.smoothing.models import joined, projected
from vitruve.smoothing.scale import NoiseRange, stretches
from vitruve.smoothing.state_space import returning, smooth_states
from vitruve.smoothing.views import fuse

POINTS = ("top", "bottom", "left", "right")
# x and y of the four points for a diameter of 1, a centre at x = 1, a centre at y = 1; y points down.
_CIRCLE = np.array(
    [[0, 1, 0], [-0.5, 0, 1], [0, 1, 0], [0.5, 0, 1], [-0.5, 1, 0], [0, 0, 1], [0.5, 1, 0], [0, 0, 1]], dtype=float
)
_PARTS = np.array([0, 1, 1])
_LEAST_FRAMES = 3
_LEAST_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Pupils:
    """Where pupils are, given all frames.

    Attributes:
        keypoints: ``(T, 4, P, 2)`` in pixels: the points in the order of ``POINTS`` of P pupils.
        variance: ``(T, 4, P, 2)`` in squared pixels.
        states: ``(T, P, 3)`` diameter, x and y of the centre in pixels.
        states_variance: ``(T, P, 3)`` in squared pixels.
        decay: What is left of the deviation of diameter and centre from their means after one frame; the noise.
    """

    keypoints: Float[np.ndarray, "T 4 P 2"]
    variance: Float[np.ndarray, "T 4 P 2"]
    states: Float[np.ndarray, "T P 3"]
    states_variance: Float[np.ndarray, "T P 3"]
    decay: Decay


def smooth_pupils(
    ensembles: list[Ensemble],
    names: tuple[str, ...],
    *,
    diameter_s: float | None = None,
    com_s: float | None = None,
    frames: tuple[tuple[int, int], ...] = (),
    inflate: bool = True,
) -> Pupils:
    """Smooth the four points of pupils together.

    Diameter and centre return to their means (autoregressive of order 1) with the variances that they have over the
    recording. What is left of their deviations after one frame is found by maximum likelihood; the nearer to 1, the
    smoother. (Biderman et al. 2024; there the diameter returns to 0 in place of its mean.)

    Args:
        ensembles: Of the top, bottom, left and right points of the P pupils.
        names: Of the pupils, for messages.
        diameter_s: What is left of the diameter's deviation, from 0 to below 1; found if None.
        com_s: The same of the centre.
        frames: Stretches of frames (first, one behind the last) to find them from; empty for all.
        inflate: Whether points that contradict the others count less.

    Returns:
        The pupils.

    Raises:
        InputError: Diameter and centre of a pupil are seen too seldom.
    """
    seen, variances = joined(ensembles)
    slopes = np.broadcast_to(_CIRCLE, (*seen.shape, _CIRCLE.shape[1]))
    zero = np.zeros(slopes.shape[:2] + slopes.shape[3:])
    rough = fuse(seen, slopes, variances, zero, inflate).seen
    _check(rough.states, names)
    mean = np.nanmean(rough.states, 0)
    middle = mean @ _CIRCLE.T
    fused = fuse(seen - middle, slopes, variances, zero, inflate)
    expected = expected_noise(ensembles)
    variance = _long_run(fused.seen.states, fused.covariances(np.where(expected > 0, expected, 1)))
    chosen, starts = stretches(len(seen), frames)
    part = fused.seen if len(chosen) == len(seen) else fused.seen.frames(chosen)
    decay = find_decay(part, variance, _PARTS, starts, NoiseRange(expected), (diameter_s, com_s))
    states = smooth_states(fused.seen, returning(variance, decay.left[_PARTS][:, None]), decay.noise)
    covariances = states.covariances + lasting_covariances(fused, decay.noise, expected)
    components = np.broadcast_to(_CIRCLE, (len(mean), *_CIRCLE.shape))
    keypoints, spread = projected(states.means, covariances, middle, components)
    return Pupils(keypoints, spread, states.means + mean, np.diagonal(covariances, axis1=-2, axis2=-1), decay)


def _check(states: np.ndarray, names: tuple[str, ...]) -> None:
    for name, number in zip(names, np.isfinite(states).all(-1).sum(0), strict=True):
        if number < _LEAST_FRAMES:
            raise InputError(
                f"pupil '{name}': diameter and centre are seen in {number} frames, but {_LEAST_FRAMES} are needed; "
                "smooth its keypoints one by one (--mode single)"
            )


def _long_run(states: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Variances ``(P, 3)`` of diameter and centre beside the noise; both coordinates of the centre keep their own."""
    there = np.isfinite(states).all(-1)
    around = np.nanvar(states, 0)
    own = np.where(there[..., None], np.diagonal(noise, axis1=-2, axis2=-1), 0).sum(0) / there.sum(0)[:, None]
    return np.maximum(around - own, _LEAST_SHARE * around) + np.finfo(float).tiny
