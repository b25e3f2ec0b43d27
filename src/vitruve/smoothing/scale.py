"""How much keypoints move and how noisy their observations are: two scales, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vitruve.smoothing.state_space import Evidence, Observations, evidence, walk

# Of the search on a logarithmic scale: the whole range in steps of one, then twice closer around the best.
_RANGE, _FINER, _ROUNDS = 34.0, 4, 2
_MOST_MOTION = 100.0
_EVIDENCE = 10.0
# Longer recordings are searched in stretches spread over them: the scale is known well enough by then.
_MOST_FRAMES, _STRETCHES = 10_000, 10


@dataclass(frozen=True, eq=False)
class Scales:
    """What multiplies the covariances of each keypoint's model.

    Attributes:
        motion: ``(K,)`` s: the variance of one frame's motion, in squared units of the state.
        noise: ``(K,)`` r: what multiplies the variances of the observations.
    """

    motion: Float[np.ndarray, " K"]
    noise: Float[np.ndarray, " K"]


@dataclass(frozen=True, eq=False)
class NoiseRange:
    """Between which scales the noise is searched.

    Attributes:
        expected: ``(K,)`` the scale that it has if nothing speaks against it; 0 where none is expected.
        least: The least one.
        most: The greatest one; the same as ``least`` fixes the noise.
    """

    expected: Float[np.ndarray, " K"]
    least: float = 1e-3
    most: float = 1e3


def stretches(frames: int, chosen: tuple[tuple[int, int], ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """The frames that scales are found from.

    Args:
        frames: T.
        chosen: Stretches as first frame and the one behind the last; by default all, or, of a long recording, ten
            stretches of a thousand frames.

    Returns:
        Numbers of frames, and the places among them where stretches begin.
    """
    if not chosen:
        if frames <= _MOST_FRAMES:
            return np.arange(frames), np.zeros(1, int)
        length = _MOST_FRAMES // _STRETCHES
        begins = np.linspace(0, frames - length, _STRETCHES).round().astype(int)
        chosen = tuple((int(begin), int(begin) + length) for begin in begins)
    parts = [np.arange(begin, end) for begin, end in chosen]
    return np.concatenate(parts), np.cumsum([0, *(len(part) for part in parts[:-1])])


def find_scales(
    seen: Observations,
    motion: Float[np.ndarray, "K D D"],
    blocks: Int[np.ndarray, " K"],
    starts: Int[np.ndarray, " S"],
    noise: NoiseRange,
    fixed: Float[np.ndarray, " K"] | None = None,
) -> Scales:
    """The scales of motion and noise under which the observations are most likely.

    For each ratio of the two the best noise has a closed form (the concentrated likelihood; Harvey 1989, Forecasting,
    structural time series models and the Kalman filter, 3.4), so one search along the ratio finds both. It looks at the
    whole range first: the likelihood may have several maxima.

    Args:
        seen: The observations, of the frames that count.
        motion: Covariance of one frame's motion at scale 1.
        blocks: Keypoints with the same number share their scales.
        starts: See :func:`vitruve.smoothing.state_space.evidence`.
        noise: Where the scale of the noise is looked for.
        fixed: Scales of the motion that are given.

    Returns:
        The scales.
    """
    if fixed is not None:
        return _with_fixed_motion(seen, motion, blocks, starts, noise, fixed)
    groups = np.unique(blocks, return_inverse=True)[1]
    expected = _per_block(noise.expected, groups)
    expected = np.where(expected > 0, np.clip(expected, noise.least, noise.most), 0)
    usual = np.where(expected > 0, expected, np.clip(1, noise.least, noise.most))
    center = _per_block(np.log(_MOST_MOTION * _largest_motion(seen, motion) / usual), groups) - _RANGE / 2
    half, step = _RANGE / 2, 1.0
    for number in range(_ROUNDS + 1):
        offsets = np.arange(-half, half + step / 2, step)
        grid = center + offsets[:, None]
        found = _merged(evidence(seen, walk(motion, np.exp(grid)), starts), groups)
        free = np.clip(found.squares / found.count.clip(1), noise.least, noise.most)
        cost = _cost(found, free)
        if number == 0:
            # Twice the logarithm of a likelihood ratio: less than that is no reason to give up what is expected.
            settled = (expected > 0) & (_cost(found, usual).min(0) < cost.min(0) + _EVIDENCE)
        cost = np.where(settled, _cost(found, usual), cost)
        lowest = cost.argmin(0)
        center = center + offsets[lowest]
        half, step = step, step / _FINER
    scale = np.where(settled, usual, np.take_along_axis(free, lowest[None], 0)[0])
    return Scales(np.exp(center) * scale, scale)


def _with_fixed_motion(
    seen: Observations,
    motion: np.ndarray,
    blocks: np.ndarray,
    starts: np.ndarray,
    noise: NoiseRange,
    fixed: np.ndarray,
) -> Scales:
    """Only the noise is searched: along its whole range, then closer."""
    groups = np.unique(blocks, return_inverse=True)[1]
    low, high = np.log(noise.least), np.log(noise.most)
    center, half, step = np.full(len(fixed), (low + high) / 2), (high - low) / 2, 1.0
    while half > 0:
        grid = np.clip(center + np.linspace(-half, half, int(2 * half / step) + 3)[:, None], low, high)
        found = _merged(evidence(seen, walk(motion, fixed / np.exp(grid)), starts), groups)
        center = np.take_along_axis(grid, _cost(found, np.exp(grid)).argmin(0)[None], 0)[0]
        half, step = (step, step / _FINER) if step > 1 / _FINER**_ROUNDS else (0.0, step)
    return Scales(fixed, np.exp(center))


def _largest_motion(seen: Observations, motion: np.ndarray) -> np.ndarray:
    """Mean square of what a keypoint moves from frame to frame, by the motion at scale 1; noise counts as motion."""
    moves = np.diff(seen.states, axis=0)
    there = np.isfinite(moves)
    square = (np.where(there, moves, 0) ** 2).sum((0, 2)) / there.sum((0, 2)).clip(1)
    _, around, noise = seen.whereabouts()
    # Cameras that take turns fix no state in a frame: it moves no further than all over where it is ever seen.
    square = np.where(there.any((0, 2)), square, around)
    return (square + noise + np.finfo(float).tiny) / np.trace(motion, axis1=-2, axis2=-1)


def _merged(found: Evidence, groups: np.ndarray) -> Evidence:
    """Sums over the keypoints of each block, given to each of them."""
    member = np.equal.outer(groups, groups).astype(float)
    return Evidence(found.log_variance @ member, found.squares @ member, found.count @ member)


def _per_block(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The greatest value of each block, given to each of its keypoints."""
    result = np.full(groups.max() + 1, values.min())
    np.maximum.at(result, groups, values)
    return result[groups]


def _cost(found: Evidence, noise: np.ndarray) -> np.ndarray:
    return found.count * np.log(noise) + found.log_variance + found.squares / noise
