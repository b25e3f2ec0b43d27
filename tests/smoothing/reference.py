"""A slow Kalman filter and smoother in loops, as textbooks write them: whole observations, inverses, no tricks."""

from __future__ import annotations

import numpy as np


def loop_smoother(
    values: np.ndarray,
    slopes: np.ndarray,
    noise: np.ndarray,
    decay: list[np.ndarray],
    steps: list[np.ndarray],
    mean: np.ndarray,
    spread: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float]:
    """One keypoint.

    Args:
        values: ``(T, M)`` what is seen, NaN where missing.
        slopes: ``(M, D)`` what is seen of a state.
        noise: ``(T, M)`` its variances.
        decay: T matrices ``(D, D)``, from the frame before to each.
        steps: T covariances ``(D, D)`` of the steps to each frame.
        mean: ``(D,)`` of the state before the first frame.
        spread: ``(D, D)`` its covariance.

    Returns:
        Means ``(T, D)``, covariances ``(T, D, D)``, and minus twice the logarithm of the likelihood.
    """
    frames, size = len(values), len(mean)
    cost = 0.0
    predicted, filtered = [], []
    m, p = np.asarray(mean, np.float64), np.asarray(spread, np.float64)
    for t in range(frames):
        m, p = decay[t] @ m, decay[t] @ p @ decay[t].T + steps[t]
        predicted.append((m, p))
        there = np.isfinite(values[t])
        if there.any():
            c = slopes[there]
            total = c @ p @ c.T + np.diag(noise[t, there])
            away = values[t, there] - c @ m
            gain = p @ c.T @ np.linalg.inv(total)
            m, p = m + gain @ away, (np.eye(size) - gain @ c) @ p
            cost += np.linalg.slogdet(total)[1] + away @ np.linalg.solve(total, away) + len(away) * np.log(2 * np.pi)
        filtered.append((m, p))
    means, covariances = np.empty((frames, size)), np.empty((frames, size, size))
    means[-1], covariances[-1] = filtered[-1]
    for t in range(frames - 2, -1, -1):
        m, p = filtered[t]
        ahead_m, ahead_p = predicted[t + 1]
        gain = p @ decay[t + 1].T @ np.linalg.inv(ahead_p)
        means[t] = m + gain @ (means[t + 1] - ahead_m)
        covariances[t] = p + gain @ (covariances[t + 1] - ahead_p) @ gain.T
    return means, covariances, float(cost)
