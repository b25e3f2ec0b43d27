"""How slowly states return to their mean, and how noisy their observations are, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from vitruve.smoothing.scale import NoiseRange
from vitruve.smoothing.state_space import Motion, Observations, evidence, returning

# Of 1 - s, on a logarithmic scale: from states that last a million frames to such as no frame knows of the one before.
_SLOWEST, _FASTEST = float(np.log(1e-6)), 0.0
_COARSE, _COARSE_NOISE, _FINE = 8, 7, 5
_CLOSE = 0.1
_EVIDENCE = 10.0


@dataclass(frozen=True, eq=False)
class Decay:
    """What is left of states after one frame, and the scale of the noise.

    Attributes:
        left: ``(P, K)`` s of each of P parts of the state, from 0 to below 1.
        noise: ``(K,)`` r: what multiplies the variances of the observations.
    """

    left: Float[np.ndarray, "P K"]
    noise: Float[np.ndarray, " K"]


def find_decay(
    seen: Observations,
    variance: Float[np.ndarray, "K D"],
    parts: Int[np.ndarray, " D"],
    starts: Int[np.ndarray, " S"],
    noise: NoiseRange,
    fixed: tuple[float | None, ...],
) -> Decay:
    """The decay and the noise under which the observations are most likely.

    A grid over the whole range first, as the likelihood may have several maxima; then twice closer around the best
    until it is known within a tenth, in 1 - s and in the noise. As in :func:`vitruve.smoothing.scale.find_scales` the
    noise that is expected stays where nothing speaks against it.

    Args:
        seen: The observations, of the frames that count.
        variance: Of the states, in the long run.
        parts: Which of P parts each dimension of the state belongs to; they share one decay.
        starts: See :func:`vitruve.smoothing.state_space.evidence`.
        noise: Where the scale of the noise is looked for.
        fixed: s of the parts that is given, or None.

    Returns:
        Decay and noise.
    """
    usual = np.log(np.where(noise.expected > 0, np.clip(noise.expected, noise.least, noise.most), 1))
    rates = [(_SLOWEST, _FASTEST) if given is None else (float(np.log(1 - given)),) * 2 for given in fixed]
    free, cost = _search(seen, variance, parts, starts, rates, (np.log(noise.least), np.log(noise.most)))
    kept, cost_kept = _search(seen, variance, parts, starts, rates, (usual, usual))
    settled = (noise.expected > 0) & (cost_kept < cost + _EVIDENCE)
    found = np.where(settled, kept, free)
    return Decay(_left(found[:-1]), np.exp(found[-1]))


def _left(rates: np.ndarray) -> np.ndarray:
    return 1 - np.exp(rates)


def _search(
    seen: Observations,
    variance: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    rates: list[tuple[float, float]],
    noise: tuple[np.ndarray | float, np.ndarray | float],
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of 1 - s and of the noise ``(P + 1, K)`` between their limits, and the cost there."""
    limits = [np.broadcast_to(np.array(limit)[..., None, :], (len(variance), 2)) for limit in rates]
    limits.append(np.stack([np.broadcast_to(limit, len(variance)) for limit in noise], -1))
    low, high = np.moveaxis(np.array(limits, dtype=float), -1, 0)
    center, half = (low + high) / 2, (high - low) / 2
    steps = [_COARSE] * len(rates) + [_COARSE_NOISE]
    while True:
        steps = [count if width.any() else 1 for count, width in zip(steps, half, strict=True)]
        offsets = np.array(list(product(*(np.linspace(-1, 1, count) if count > 1 else [0.0] for count in steps))))
        grid = np.clip(center + offsets[..., None] * half, low, high)
        r = np.exp(grid[:, -1])
        found = evidence(seen, _motion(variance, _left(grid[:, parts]), r), starts)
        cost = found.count * np.log(r) + found.log_variance + found.squares / r
        best = cost.argmin(0)
        center = np.take_along_axis(grid, best[None, None], 0)[0]
        if half.max() < _CLOSE:
            return center, cost.min(0)
        half = half * (2 / (np.array(steps) - 1).clip(1))[:, None]
        steps = [_FINE] * len(steps)


def _motion(variance: np.ndarray, left: np.ndarray, noise: np.ndarray) -> Motion:
    """The candidates by the scale of the noise, for :func:`evidence` has all variances at scale 1 of it."""
    motion = returning(variance, left.swapaxes(0, 1))
    return Motion(motion.steps / noise, motion.decay)
