"""Errors that no time averages out: members that are wrong together, views that contradict one another for good."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vitruve.smoothing.ensemble import Ensemble, least_noise
from vitruve.smoothing.views import Fusion

# In standard deviations of its estimate: disagreement up to this is chance.
_SIGNIFICANT = 4.0


def expected_noise(ensembles: Sequence[Ensemble]) -> Float[np.ndarray, " K"]:
    """By which factor a median is better than one member, where confidences do not enter.

    Args:
        ensembles: One a view.

    Returns:
        The mean over the views; 0 for a single member, of whose noise nothing is known.
    """
    return np.mean([_expected(item) for item in ensembles], 0)


def lasting(noise: Float[np.ndarray, " K"], total: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """What is missing of the errors' variance, by that of the noise at scale 1, when noise explains less than half.

    Args:
        noise: The scale of the noise.
        total: Of the whole error.

    Returns:
        The difference, or 0.
    """
    return np.where(noise < total / 2, total - noise, 0)


def lasting_covariances(
    fused: Fusion, noise: Float[np.ndarray, " K"], expected: Float[np.ndarray, " K"]
) -> Float[np.ndarray, "T K D D"]:
    """What lasting errors of views add to the covariance of the states.

    Args:
        fused: What the views see.
        noise: The scale of the noise.
        expected: See :func:`expected_noise`.

    Returns:
        Covariances to add.
    """
    chance = 1 + _SIGNIFICANT * np.sqrt(2 / fused.seen.spare.clip(1))
    seen = np.where(fused.disagreement > noise * chance, fused.disagreement, 0)
    return fused.covariances(lasting(noise, np.maximum(expected, seen)))


def _expected(ensemble: Ensemble) -> np.ndarray:
    if ensemble.members < 2:
        return np.zeros(ensemble.median.shape[1])
    known = np.isfinite(ensemble.noise)
    plain = np.where(known, ensemble.noise * ensemble.confidence[..., None], 0).sum((0, 2))
    return least_noise(ensemble.members) * plain / np.where(known, ensemble.noise, 0).sum((0, 2)).clip(1e-300)
