"""What several views of one instant say of a state together, how noisy that is, and how far they disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from vitruve.smoothing.state_space import Observations, observations

# A view whose observation lies further off than this, in standard deviations, counts less (Huber 1964).
_THRESHOLD = 0.5
_ROUNDS = 8
_NEGLIGIBLE = 1e-10
_LEAST_SPARE = 1e-9


@dataclass(frozen=True, eq=False)
class Fusion:
    """States that the views of each frame agree on best.

    Attributes:
        seen: The states as observations, with the noise of the views at scale 1.
        gain: ``(T, K, D, M)`` how the states move with the observations.
        variances: ``(T, K, M)`` of the observations' noise; 0 where one is missing.
        disagreement: ``(K,)`` mean square of what the views disagree by, by what their variances say.
    """

    seen: Observations
    gain: Float[np.ndarray, "T K D M"]
    variances: Float[np.ndarray, "T K M"]
    disagreement: Float[np.ndarray, " K"]

    def covariances(self, factor: Float[np.ndarray, " K"]) -> Float[np.ndarray, "T K D D"]:
        """The covariance of the states that errors of the views leave which no time averages out.

        Args:
            factor: Their variances, by those of the noise at scale 1.

        Returns:
            Covariances of the states.
        """
        weighted = self.gain * (self.variances * factor[:, None])[..., None, :]
        return weighted @ self.gain.swapaxes(-1, -2)


def fuse(
    away: Float[np.ndarray, "T K M"],
    slopes: Float[np.ndarray, "T K M D"],
    variances: Float[np.ndarray, "T K M"],
    around: Float[np.ndarray, "T K D"],
    inflate: bool = True,
) -> Fusion:
    """The states that explain what several views see, frame by frame.

    The variance over an ensemble says how unsure its members are, not how wrong all of them are together; so views are
    weighted by their variance and the keypoint's usual one in equal parts. A view that the others contradict is given a
    larger variance, in proportion to its distance from them.

    Args:
        away: What the V views see less what is expected at ``around``, x and y in turn (M = 2 V); NaN where missing.
        slopes: How what they see moves with the state.
        variances: Of the noise; NaN where missing.
        around: The states that were linearised at.
        inflate: Whether views that contradict the others count less.

    Returns:
        The states and how certain they are.
    """
    there = np.isfinite(away) & np.isfinite(variances) & np.isfinite(slopes).all(-1)
    away, slopes = np.where(there, away, 0), np.where(there[..., None], slopes, 0)
    variances = np.where(there, variances, 0)
    usual = variances.sum((0, 2)) / there.sum((0, 2)).clip(1)
    weighing = np.where(there, (variances + usual[:, None]) / 2, np.inf)
    null = _null_space(slopes)
    factor = np.ones_like(away)
    for _ in range(_ROUNDS if inflate else 1):
        moved, gain = _least_squares(away, slopes, 1 / (weighing * factor), null)
        left = away - (slopes @ moved[..., None])[..., 0]
        distance = np.sqrt((left**2 / weighing).reshape(*left.shape[:2], -1, 2).sum(-1))
        factor = np.repeat(np.maximum(1, distance / _THRESHOLD), 2, -1)
    residual, spare, disagreement = _disagreement(left, slopes, gain, variances, there)
    enough = there.any(-1)[..., None]
    noise = (gain * variances[..., None, :]) @ gain.swapaxes(-1, -2)
    seen = observations(np.where(enough, around + moved, np.nan), noise, null, residual, spare)
    return Fusion(seen, gain, variances, disagreement)


def flat(by_view: Float[np.ndarray, "T V K 2"]) -> Float[np.ndarray, "T K M"]:
    """X and y of all views in turn.

    Args:
        by_view: What each of the V views sees.

    Returns:
        The same numbers (M = 2 V); the inverse of :func:`by_view`.
    """
    frames, _, points, _ = by_view.shape
    return by_view.swapaxes(1, 2).reshape(frames, points, -1)


def by_view(flat: Float[np.ndarray, "T K M"]) -> Float[np.ndarray, "T V K 2"]:
    """What each view sees.

    Args:
        flat: x and y of all views in turn.

    Returns:
        The same numbers; the inverse of :func:`flat`.
    """
    return flat.reshape(*flat.shape[:2], -1, 2).swapaxes(1, 2)


def _null_space(slopes: np.ndarray) -> np.ndarray:
    """Projections on the directions of the state that no view sees."""
    strength, basis = np.linalg.eigh(slopes.swapaxes(-1, -2) @ slopes)
    blind = strength <= _NEGLIGIBLE * strength[..., -1:]
    return (basis * blind[..., None, :]) @ basis.swapaxes(-1, -2)


def _least_squares(
    away: np.ndarray, slopes: np.ndarray, weights: np.ndarray, null: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    weighted = (slopes * weights[..., None]).swapaxes(-1, -2)
    normal = weighted @ slopes
    size = np.trace(normal, axis1=-2, axis2=-1)[..., None, None]
    gain = np.linalg.solve(normal + np.where(size > 0, size, 1) * null, weighted)
    return (gain @ away[..., None])[..., 0], gain


def _disagreement(
    left: np.ndarray, slopes: np.ndarray, gain: np.ndarray, variances: np.ndarray, there: Bool[np.ndarray, "T K M"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part of the disagreement that changes from frame to frame, which is noise, and all of it."""
    count = left.shape[-1]
    keep = np.eye(count) - slopes @ gain
    deviation = np.sqrt(np.where(there, variances, 1))
    scaled = np.where(there, left / deviation, 0)
    # What noise of exactly these variances would leave: as many numbers as are not used up by the state.
    expected = ((keep * keep) @ variances[..., None])[..., 0] / deviation**2
    expected = np.where(there, expected, 0).sum(-1)
    same = (there[1:] == there[:-1]).all(-1)
    moved = np.where(same, ((scaled[1:] - scaled[:-1]) ** 2).sum(-1) / 2, 0).sum(0)
    number = np.where(same, (expected[1:] + expected[:-1]) / 2, 0).sum(0)
    total = (scaled**2).sum((0, 2)) / expected.sum(0).clip(_LEAST_SPARE)
    beside = number > _LEAST_SPARE * len(left)
    return np.where(beside, moved, 0), np.where(beside, number, 0), np.where(beside, total, 0)
