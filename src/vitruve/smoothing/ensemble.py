"""What several networks say of one video: their median, and how far they are apart."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

VarianceKind = Literal["confidence", "plain"]

# Squared pixels. Tables are written with a few decimals: members that agree to the last one are not exact.
_LEAST_VARIANCE = 1e-4
_LEAST_CONFIDENCE = 1e-3
_SHIFT = 8


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The members of an ensemble together, for one camera.

    Attributes:
        median: ``(T, K, 2)`` in pixels; NaN where no member sees the keypoint.
        variance: ``(T, K, 2)`` over the members, as it is reported, in squared pixels; NaN where one of several alone
            sees the keypoint.
        noise: ``(T, K, 2)`` variance of the observations as the smoother takes it, up to a factor that it finds; NaN
            where the keypoint counts as missing.
        likelihood: ``(T, K)`` mean over the members; NaN where there is none.
        confidence: ``(T, K)`` what the variance over the members was divided by for ``noise``.
        members: N.
    """

    median: Float[np.ndarray, "T K 2"]
    variance: Float[np.ndarray, "T K 2"]
    noise: Float[np.ndarray, "T K 2"]
    likelihood: Float[np.ndarray, "T K"]
    confidence: Float[np.ndarray, "T K"]
    members: int

    def keypoints(self, chosen: Int[np.ndarray, " C"]) -> Ensemble:
        """The same ensemble of some keypoints.

        Args:
            chosen: Their indices.

        Returns:
            The part.
        """
        return Ensemble(
            self.median[:, chosen],
            self.variance[:, chosen],
            self.noise[:, chosen],
            self.likelihood[:, chosen],
            self.confidence[:, chosen],
            self.members,
        )


def combine(
    keypoints: Float[np.ndarray, "N T K 2"],
    scores: Float[np.ndarray, "N T K"] | None,
    kind: VarianceKind = "confidence",
) -> Ensemble:
    """The median of the members and the variance over them.

    The variance of a handful of numbers is itself uncertain by a factor of two and more, and a frame in which they
    agree by chance would pull the smoother; so what it is given is moderated towards what is usual for the keypoint,
    as much as the scatter of the variances calls for (Smyth 2004, Linear models and empirical Bayes methods).

    Args:
        keypoints: Of N members, NaN where missing.
        scores: Their confidences, if they have any.
        kind: ``confidence`` divides the variance by the mean confidence, as EKS does; ``plain`` leaves it.

    Returns:
        The ensemble. The variance of a single member is the reciprocal of its confidence, or 1.
    """
    whole = np.isfinite(keypoints).all(-1)
    keypoints, number = np.where(whole[..., None], keypoints, np.nan), whole.sum(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of keypoints that no member sees
        median = np.nanmedian(keypoints, 0)
        plain = np.where((number > 1)[..., None], np.nanvar(keypoints, 0), np.nan)
        shape = keypoints.shape[1:-1]
        likelihood = np.full(shape, np.nan) if scores is None else np.nanmean(scores, 0)
    known = np.isfinite(likelihood) & (kind == "confidence")
    confidence = np.where(known, np.clip(likelihood, _LEAST_CONFIDENCE, 1), 1)
    divisor = confidence[..., None]
    if len(keypoints) == 1:
        variance = np.where(np.isnan(median), np.nan, 1 / divisor)
        return Ensemble(median, variance, variance, likelihood, confidence, 1)
    noise = moderate(plain * (number / (number - 1).clip(1))[..., None], (number - 1)[..., None])
    return Ensemble(median, plain / divisor, noise / divisor, likelihood, confidence, len(keypoints))


def moderate(variances: Float[np.ndarray, "T K 2"], freedom: np.ndarray) -> Float[np.ndarray, "T K 2"]:
    """Variances drawn towards what is usual over time, so far as their scatter is due to chance.

    Args:
        variances: Unbiased variances, frames first; NaN where there is none.
        freedom: Degrees of freedom of each, broadcast against them.

    Returns:
        The moderated variances, NaN in the same places.
    """
    known = np.isfinite(variances)
    freedom = np.broadcast_to(freedom, variances.shape)
    half = np.where(known, freedom, 2) / 2
    logs = np.where(
        known, np.log(np.where(known, variances, 1).clip(_LEAST_VARIANCE)) - _digamma(half) + np.log(half), 0
    )
    count = known.sum(0).clip(1)
    mean = logs.sum(0) / count
    scatter = (np.where(known, (logs - mean) ** 2, 0)).sum(0) / (count - 1).clip(1)
    chance = np.where(known, _trigamma(half), 0).sum(0) / count
    prior = 2 * _inverse_trigamma(scatter - chance)
    usual = np.exp(mean + _digamma(prior / 2) - np.log(prior / 2))
    weighted = (prior * usual + freedom * np.where(known, variances, 0)) / (prior + freedom)
    return np.where(known, weighted.clip(_LEAST_VARIANCE), np.nan)


def _digamma(x: np.ndarray) -> np.ndarray:
    """By recurrence and asymptotic series (Abramowitz and Stegun 6.3): scipy's takes longer to load than to use."""
    z = x + _SHIFT
    series = np.log(z) - 1 / (2 * z) - 1 / (12 * z**2) + 1 / (120 * z**4) - 1 / (252 * z**6)
    return series - sum(1 / (x + n) for n in range(_SHIFT))


def _trigamma(x: np.ndarray) -> np.ndarray:
    z = x + _SHIFT
    series = 1 / z + 1 / (2 * z**2) + 1 / (6 * z**3) - 1 / (30 * z**5) + 1 / (42 * z**7)
    return series + sum(1 / (x + n) ** 2 for n in range(_SHIFT))


def _inverse_trigamma(values: np.ndarray) -> np.ndarray:
    """By halving, on a logarithmic scale; what is not positive counts as hardly positive."""
    low, high = np.full(values.shape, -10.0), np.full(values.shape, 10.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = _trigamma(np.exp(middle)) > values
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.exp(middle)


def least_noise(members: int) -> float:
    """The variance of a median of N independent normal numbers by that of one: the observations cannot be better.

    Args:
        members: N, at least 2.

    Returns:
        The factor, within 2 %.
    """
    return float(np.pi / (2 * members + (np.pi - 2 if members % 2 else 2.4)))
