"""The state space of the smoother: a random walk of D dimensions for each of K keypoints, observed with known noise.

What is observed of a state in a frame is turned into at most D independent numbers (:func:`observations`), so the
filter needs no inverse. It runs over the frames once, for all keypoints and all candidates of the motion's scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_WIDE = 100.0
# Times the known directions' variance: what stands for none at all until directions are sorted.
_UNKNOWN = 1e9


@dataclass(frozen=True, eq=False)
class Observations:
    """What is seen of K states of D dimensions in T frames: numbers along directions of the state space.

    Attributes:
        directions: ``(T, D, D, K)``: in frame t, row j of ``[t, :, :, k]`` is the unit vector that number j is along.
        values: ``(T, D, K)``; 0 where there is none.
        variances: ``(T, D, K)`` of their noise; infinite where there is none.
        residual: ``(K,)`` sum of squares of noise, each by its variance, that is seen beside the state: where several
            views see it, their disagreement.
        spare: ``(K,)`` how many independent numbers that sum is made of.
    """

    directions: Float[np.ndarray, "T D D K"]
    values: Float[np.ndarray, "T D K"]
    variances: Float[np.ndarray, "T D K"]
    residual: Float[np.ndarray, " K"]
    spare: Float[np.ndarray, " K"]

    @property
    def states(self) -> Float[np.ndarray, "T K D"]:
        """The states that were observed; NaN where the observations do not fix one."""
        found = np.einsum("tjdk,tjk->tkd", self.directions, self.values)
        found[np.isinf(self.variances).any(1)] = np.nan
        return found

    def frames(self, chosen: Int[np.ndarray, " F"]) -> Observations:
        """Only some frames; the residual stays that of all of them, scaled to their share.

        Args:
            chosen: Numbers of frames.

        Returns:
            The observations of those frames.
        """
        share = len(chosen) / max(1, len(self.values))
        return Observations(
            self.directions[chosen],
            self.values[chosen],
            self.variances[chosen],
            self.residual * share,
            self.spare * share,
        )


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the likelihood of candidates is made of, for unit scale of the noise.

    With all variances, of noise and of motion, multiplied by r, twice the negative logarithm of the likelihood is
    ``count log(r) + log_variance + squares / r`` and a constant.

    Attributes:
        log_variance: ``(G, K)`` sum of logarithms of the predicted numbers' variances.
        squares: ``(G, K)`` sum of squared deviations from the prediction, each by its variance.
        count: ``(K,)`` how many numbers were observed.
    """

    log_variance: Float[np.ndarray, "G K"]
    squares: Float[np.ndarray, "G K"]
    count: Float[np.ndarray, " K"]


@dataclass(frozen=True, eq=False)
class Smoothed:
    """States given all frames.

    Attributes:
        means: ``(T, K, D)``.
        covariances: ``(T, K, D, D)``.
    """

    means: Float[np.ndarray, "T K D"]
    covariances: Float[np.ndarray, "T K D D"]


def observations(
    states: Float[np.ndarray, "T K D"],
    covariances: Float[np.ndarray, "T K D D"],
    unknown: Float[np.ndarray, "T K D D"] | None = None,
    residual: Float[np.ndarray, " K"] | None = None,
    spare: Float[np.ndarray, " K"] | None = None,
) -> Observations:
    """Observed states as independent numbers along the axes of their uncertainty.

    Args:
        states: NaN where nothing is observed.
        covariances: Of the states' noise; zero along unknown directions.
        unknown: Projections on the directions of which nothing is observed; None where all are.
        residual: See :class:`Observations`; none by default.
        spare: See :class:`Observations`.

    Returns:
        The observations.
    """
    size = states.shape[-1]
    seen = np.isfinite(states).all(-1) & np.isfinite(covariances).all((-1, -2))
    covariances = np.where(seen[..., None, None], covariances, np.eye(size))
    if size == 1:
        variances, basis = covariances[..., 0], np.ones_like(covariances)
    else:
        far = _UNKNOWN * np.trace(covariances, axis1=-2, axis2=-1)
        if unknown is not None:
            covariances = covariances + np.where(seen, far, 0)[..., None, None] * unknown
        variances, basis = np.linalg.eigh(covariances)
        variances = np.where(variances > far[..., None] / 2, np.inf, variances)
    variances = np.where(seen[..., None], variances, np.inf)
    values = np.einsum("tkdj,tkd->tkj", basis, np.where(seen[..., None], states, 0))
    none = np.zeros(states.shape[1])
    return Observations(
        np.ascontiguousarray(basis.transpose(0, 3, 2, 1)),
        np.ascontiguousarray(np.where(np.isinf(variances), 0, values).transpose(0, 2, 1)),
        np.ascontiguousarray(variances.transpose(0, 2, 1)),
        none if residual is None else residual,
        none if spare is None else spare,
    )


def evidence(
    seen: Observations,
    motion: Float[np.ndarray, "K D D"],
    scales: Float[np.ndarray, "G K"],
    starts: Int[np.ndarray, " S"],
) -> Evidence:
    """What the likelihood of G candidate scales of the motion is made of, by one run of the Kalman filter.

    Args:
        seen: The observations.
        motion: Covariance of one frame's motion at scale 1.
        scales: Candidates, different ones for each keypoint.
        starts: Frames, 0 among them, at which a stretch begins that does not go on where the last one ended.

    Returns:
        The sums.
    """
    mean, spread = _beginning(seen)
    steps = motion.transpose(1, 2, 0)[:, :, None] * scales
    m = np.broadcast_to(mean[:, None], (len(mean), *scales.shape)).copy()
    p = np.zeros((*steps.shape,))
    beginning = set(starts.tolist())
    log_variance, squares = np.zeros(scales.shape), np.zeros(scales.shape)
    present = np.isfinite(seen.variances)
    for t in range(len(seen.values)):
        if t in beginning:
            m[:] = mean[:, None]
            p[:] = spread[:, :, None]
        p += steps
        for j in np.flatnonzero(present[t].any(-1)):
            variance, away = _update(m, p, seen.directions[t, j], seen.values[t, j], seen.variances[t, j])
            here = present[t, j]
            log_variance += np.log(np.where(here, variance, 1))
            squares += np.where(here, away * away / variance, 0)
    return Evidence(log_variance, squares + seen.residual, present.sum((0, 1)) + seen.spare)


def smooth_states(
    seen: Observations,
    motion: Float[np.ndarray, "K D D"],
    scale: Float[np.ndarray, " K"],
    noise: Float[np.ndarray, " K"],
) -> Smoothed:
    """States given all frames: the Kalman filter, then the smoother of Rauch, Tung and Striebel (1965).

    Args:
        seen: The observations.
        motion: Covariance of one frame's motion at scale 1.
        scale: What multiplies the motion.
        noise: What multiplies the observations' variances.

    Returns:
        Means and covariances of the states.
    """
    frames, size, points = seen.values.shape
    mean, spread = _beginning(seen)
    step = motion.transpose(1, 2, 0)[:, :, None] * scale
    m, p = mean[:, None].copy(), spread[:, :, None].copy()
    means, covariances = np.empty((frames, size, points)), np.empty((frames, size, size, points))
    variances = seen.variances * noise
    present = np.isfinite(variances)
    for t in range(frames):
        p += step
        for j in np.flatnonzero(present[t].any(-1)):
            _update(m, p, seen.directions[t, j], seen.values[t, j], variances[t, j])
        means[t], covariances[t] = m[:, 0], p[:, :, 0]
    means, covariances = means.transpose(0, 2, 1).copy(), covariances.transpose(0, 3, 1, 2).copy()
    ahead = covariances + motion * scale[:, None, None]
    gains = covariances @ np.linalg.inv(ahead)
    for t in range(frames - 2, -1, -1):
        gain = gains[t]
        means[t] += (gain @ (means[t + 1] - means[t])[..., None])[..., 0]
        covariances[t] += gain @ (covariances[t + 1] - ahead[t]) @ gain.swapaxes(-1, -2)
    return Smoothed(means, covariances)


def _update(
    m: np.ndarray, p: np.ndarray, direction: np.ndarray, value: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take one number into account, in place; its predicted variance and its deviation from the prediction."""
    along = direction[:, None]
    shared = (p * along).sum(1)
    variance = (shared * along).sum(0) + noise
    away = value - (m * along).sum(0)
    gain = shared / variance
    m += gain * away
    p -= gain[:, None] * shared
    return variance, away


def _beginning(seen: Observations) -> tuple[np.ndarray, np.ndarray]:
    """A first guess ``(D, K)`` and its covariance ``(D, D, K)``: wherever the keypoint is ever seen, and wider."""
    states = seen.states.transpose(0, 2, 1)
    there = np.isfinite(states)
    number = there.sum(0).clip(1)
    mean = np.where(there, states, 0).sum(0) / number
    around = (np.where(there, states - mean, 0) ** 2).sum(0) / number
    known = np.isfinite(seen.variances)
    noise = np.where(known, seen.variances, 0).sum((0, 1)) / known.sum((0, 1)).clip(1)
    spread = _WIDE * (around.sum(0) + noise + np.finfo(float).tiny)
    return mean, np.eye(len(mean))[:, :, None] * spread
