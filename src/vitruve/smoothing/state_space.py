"""The state space of the smoother: states of D dimensions for each of K keypoints, observed with known noise.

States walk at random, or return to zero while they do (:class:`Motion`). What is observed of a state in a frame is
turned into at most D independent numbers (:func:`observations`), so the filter needs no inverse. It runs over the
frames once, for all keypoints and all candidate motions.
"""

from __future__ import annotations

from collections.abc import Iterator
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
        elapsed: ``(T,)`` time since the frame before, in the unit of time of the motion; that of the first counts as 1.
    """

    directions: Float[np.ndarray, "T D D K"]
    values: Float[np.ndarray, "T D K"]
    variances: Float[np.ndarray, "T D K"]
    residual: Float[np.ndarray, " K"]
    spare: Float[np.ndarray, " K"]
    elapsed: Float[np.ndarray, " T"]

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
            self.elapsed[chosen],
        )

    def whereabouts(self) -> tuple[Float[np.ndarray, "D K"], Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
        """The mean state, the mean square distance of the states from it, and the mean variance of a number's noise.

        Frames that fix some directions of a state only, as those of one of two cameras do, count with these.

        Returns:
            The three, 0 for a keypoint that is never seen.
        """
        known = np.isfinite(self.variances)
        number = known.sum((0, 1)).clip(1)
        along = self.directions * known[:, :, None]
        # Of complete frames the sum is their number times the identity; directions that are never seen stay at 0.
        inverse = np.linalg.pinv(np.einsum("tjdk,tjek->kde", along, along), hermitian=True)
        mean = np.einsum("kde,tjek,tjk->dk", inverse, along, self.values)
        away = np.where(known, self.values - np.einsum("tjdk,dk->tjk", along, mean), 0)
        noise = np.where(known, self.variances, 0)
        return mean, len(mean) * (away**2).sum((0, 1)) / number, noise.sum((0, 1)) / number


@dataclass(frozen=True, eq=False)
class Motion:
    """How states move, for each of G candidates: what was becomes less by a factor, and a random step is added.

    Attributes:
        steps: ``(D, D, G, K)`` covariance of the step in a unit of time.
        decay: ``(D, G, K)`` what is left after a unit of time, from 0 to below 1; None for a random walk, which has 1.
    """

    steps: Float[np.ndarray, "D D G K"]
    decay: Float[np.ndarray, "D G K"] | None = None

    def over(self, elapsed: float) -> tuple[np.ndarray | None, np.ndarray]:
        """Factor and covariance of the step over some time.

        Args:
            elapsed: The time, above 0.

        Returns:
            As :attr:`decay` and :attr:`steps`.
        """
        if elapsed == 1:
            return self.decay, self.steps
        if self.decay is None:
            return None, self.steps * elapsed
        both = self.decay[:, None] * self.decay
        return self.decay**elapsed, self.steps * (1 - both**elapsed) / (1 - both)

    def beginning(self, seen: Observations) -> tuple[np.ndarray, np.ndarray]:
        """The state before the first frame and its covariance.

        Args:
            seen: What walks begin from: wherever the keypoint is ever seen, and wider. A state that returns to zero
                begins with the distribution that it has for ever.

        Returns:
            ``(D, 1, K)``, and ``(D, D, 1, K)`` or ``(D, D, G, K)``.
        """
        if self.decay is not None:
            return np.zeros((len(self.decay), 1, self.decay.shape[-1])), self.steps / (
                1 - self.decay[:, None] * self.decay
            )
        mean, around, noise = seen.whereabouts()
        spread = _WIDE * (around + noise + np.finfo(float).tiny)
        return mean[:, None], np.eye(len(mean))[:, :, None, None] * spread


def walk(covariance: Float[np.ndarray, "K D D"], scales: Float[np.ndarray, "G K"]) -> Motion:
    """Random walks.

    Args:
        covariance: Of one unit of time's motion at scale 1.
        scales: Candidates of what multiplies it.

    Returns:
        The motion.
    """
    return Motion(covariance.transpose(1, 2, 0)[:, :, None] * scales)


def returning(variance: Float[np.ndarray, "K D"], decay: Float[np.ndarray, "D G K"]) -> Motion:
    """States that return to zero, so that their variance stays the same (autoregressive of order 1).

    Args:
        variance: Of the states, in the long run.
        decay: What is left of a state after a unit of time, from 0 to below 1.

    Returns:
        The motion.
    """
    size = len(decay)
    steps = np.zeros((size, *decay.shape))
    steps[np.arange(size), np.arange(size)] = variance.T[:, None] * (1 - decay**2)
    return Motion(steps, decay)


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
    elapsed: Float[np.ndarray, " T"] | None = None,
) -> Observations:
    """Observed states as independent numbers along the axes of their uncertainty.

    Args:
        states: NaN where nothing is observed.
        covariances: Of the states' noise; zero along unknown directions.
        unknown: Projections on the directions of which nothing is observed; None where all are.
        residual: See :class:`Observations`; none by default.
        spare: See :class:`Observations`.
        elapsed: See :class:`Observations`; 1 by default.

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
        np.ones(len(states)) if elapsed is None else elapsed,
    )


def evidence(seen: Observations, motion: Motion, starts: Int[np.ndarray, " S"]) -> Evidence:
    """What the likelihood of G candidate motions is made of, by one run of the Kalman filter.

    Args:
        seen: The observations, at scale 1 of the noise.
        motion: The candidates.
        starts: Frames, 0 among them, at which a stretch begins that does not go on where the last one ended.

    Returns:
        The sums.
    """
    log_variance = np.zeros(motion.steps.shape[2:])
    squares = np.zeros_like(log_variance)
    for _, _, taken in _filtered(seen, motion, seen.variances, frozenset(starts.tolist())):
        for here, variance, away in taken:
            log_variance += np.log(np.where(here, variance, 1))
            squares += np.where(here, away * away / variance, 0)
    count = np.isfinite(seen.variances).sum((0, 1))
    return Evidence(log_variance, squares + seen.residual, count + seen.spare)


def smooth_states(seen: Observations, motion: Motion, noise: Float[np.ndarray, " K"]) -> Smoothed:
    """States given all frames: the Kalman filter, then the smoother of Rauch, Tung and Striebel (1965).

    Args:
        seen: The observations.
        motion: One candidate (G = 1).
        noise: What multiplies the observations' variances.

    Returns:
        Means and covariances of the states.
    """
    frames, size, points = seen.values.shape
    means, covariances = np.empty((frames, points, size)), np.empty((frames, points, size, size))
    for t, (m, p, _) in enumerate(_filtered(seen, motion, seen.variances * noise, frozenset({0}))):
        means[t], covariances[t] = m[:, 0].T, p[:, :, 0].transpose(2, 0, 1)
    for t in range(frames - 2, -1, -1):
        decay, steps = motion.over(float(seen.elapsed[t + 1]))
        left = np.ones((points, size)) if decay is None else decay[:, 0].T
        towards = covariances[t] * left[:, None]
        ahead = towards * left[:, :, None] + steps[:, :, 0].transpose(2, 0, 1)
        gain = towards @ np.linalg.inv(ahead)
        means[t] += (gain @ (means[t + 1] - left * means[t])[..., None])[..., 0]
        covariances[t] += gain @ (covariances[t + 1] - ahead) @ gain.swapaxes(-1, -2)
    return Smoothed(means, covariances)


def _filtered(
    seen: Observations, motion: Motion, variances: np.ndarray, starts: frozenset[int]
) -> Iterator[tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]]:
    """After each frame the state and its covariance, which the next one overwrites.

    With them come, of each number that was taken into account, whose keypoints it was, its predicted variance and its
    deviation from the prediction.
    """
    mean, spread = motion.beginning(seen)
    m, p = np.empty(motion.steps.shape[1:]), np.empty(motion.steps.shape)
    present = np.isfinite(variances)
    for t in range(len(seen.values)):
        if t in starts:
            m[:], p[:] = mean, spread
        decay, steps = motion.over(float(seen.elapsed[t]))
        if decay is not None:
            m *= decay
            p *= decay[:, None] * decay
        p += steps
        yield (
            m,
            p,
            [
                (present[t, j], *_update(m, p, seen.directions[t, j], seen.values[t, j], variances[t, j]))
                for j in np.flatnonzero(present[t].any(-1))
            ],
        )


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
