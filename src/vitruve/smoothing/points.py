"""Points in space smoothed over time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vitruve.smoothing.scale import NoiseRange, find_scales, stretches
from vitruve.smoothing.state_space import observations, smooth_states, walk

# Lower confidences would make a variance without end.
_LEAST_CONFIDENCE = 0.01
# Squared millimetres: from what no camera resolves to what no animal moves.
_LEAST_NOISE, _MOST_NOISE = 1e-6, 1e6


def smooth_points(
    points: Float[np.ndarray, "T K 3"], confidence: Float[np.ndarray, "T K"]
) -> tuple[Float[np.ndarray, "T K 3"], Float[np.ndarray, "T K"]]:
    """Where keypoints were, given all frames: random walks, observed with noise (a Kalman smoother).

    How far a keypoint moves from frame to frame and how large its noise is, is found by maximum likelihood
    (:func:`vitruve.smoothing.scale.find_scales`). The variance of an observation goes with one over its confidence.

    Args:
        points: In millimetres; NaN where not known.
        confidence: From 0 to 1.

    Returns:
        The points, also in frames in which they are not known (a keypoint that is never known stays NaN), and the
        standard deviation of each along an axis, in millimetres.
    """
    frames, count, _ = points.shape
    variance = 1 / np.clip(np.nan_to_num(confidence), _LEAST_CONFIDENCE, 1)
    seen = observations(points, variance[..., None, None] * np.eye(3))
    motion = np.tile(np.eye(3), (count, 1, 1))
    chosen, starts = stretches(frames)
    part = seen if len(chosen) == frames else seen.frames(chosen)
    noise = NoiseRange(np.zeros(count), _LEAST_NOISE, _MOST_NOISE)
    scales = find_scales(part, motion, np.arange(count), starts, noise)
    found = smooth_states(seen, walk(motion, scales.motion[None]), scales.noise)
    never = np.isnan(points).any(-1).all(0)
    means, spread = found.means, np.sqrt(np.trace(found.covariances, axis1=-2, axis2=-1) / 3)
    means[:, never], spread[:, never] = np.nan, np.nan
    return means, spread
