"""How several views of one keypoint belong together, learned from what they see: principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError

_LEAST_SHAPE = 1e-3
_FRAMES_A_DIMENSION = 4


@dataclass(frozen=True, eq=False)
class LearnedViews:
    """A linear map from states to what M / 2 views see, for each keypoint.

    Attributes:
        middle: ``(K, M)`` what is seen of the state 0.
        components: ``(K, M, D)`` how it moves with the state.
        motion: ``(K, D, D)`` shape of the states' motion: a covariance with a mean variance of about 1.
    """

    middle: Float[np.ndarray, "K M"]
    components: Float[np.ndarray, "K M D"]
    motion: Float[np.ndarray, "K D D"]


def learn_views(
    seen: Float[np.ndarray, "T K M"],
    variances: Float[np.ndarray, "T K M"],
    names: tuple[str, ...],
    latents: int,
    quantile: float,
) -> LearnedViews:
    """The principal components of the frames that are least uncertain.

    Args:
        seen: x and y of all views in turn, NaN where missing.
        variances: Of their noise.
        names: Of the K keypoints, for messages.
        latents: Dimensions of the state; at most M - 1 are taken.
        quantile: Percentage of frames, those of least variance, that are learned from.

    Returns:
        The map.

    Raises:
        InputError: A keypoint is too seldom seen by all views.
    """
    count = seen.shape[-1]
    size = min(latents, count - 1)
    middle, components, motion = [], [], []
    for k, name in enumerate(names):
        worst = np.where(np.isfinite(seen[:, k]).all(-1), variances[:, k].max(-1), np.nan)
        there = np.isfinite(worst)
        if there.sum() < _FRAMES_A_DIMENSION * count:
            raise InputError(
                f"keypoint '{name}': all views see it in {there.sum()} frames, but {_FRAMES_A_DIMENSION * count} are "
                "needed to learn how the views belong together; leave it out (--bodyparts), or give a calibration"
            )
        good = there & (worst <= np.percentile(worst[there], quantile))
        chosen = seen[good, k]
        middle.append(chosen.mean(0))
        _, directions = np.linalg.eigh(np.cov(chosen.T))
        components.append(directions[:, ::-1][:, :size])
        steps = np.diff(seen[:, k], axis=0)[good[1:] & good[:-1]] @ components[-1]
        shape = steps.T @ steps
        shape = shape / max(np.trace(shape) / size, np.finfo(float).tiny)
        motion.append(shape + _LEAST_SHAPE * np.eye(size))
    return LearnedViews(np.array(middle), np.array(components), np.array(motion))
