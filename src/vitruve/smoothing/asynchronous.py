"""Cameras that do not take their frames together, at rates and sizes of their own (the model ``ibl-paw`` of EKS)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from vitruve.errors import InputError
from vitruve.smoothing.ensemble import Ensemble
from vitruve.smoothing.lasting import expected_noise
from vitruve.smoothing.learned_views import learn_views
from vitruve.smoothing.models import Posterior, Search, smooth_learned
from vitruve.smoothing.views import flat

_LARGEST_RATIO = 10.0


@dataclass(frozen=True, eq=False)
class Timeline:
    """The instants at which any camera takes a frame.

    Attributes:
        rows: Of each camera, the instants of its frames.
        elapsed: ``(T,)`` time since the instant before, in frames of the first camera.
    """

    rows: tuple[Int[np.ndarray, " _"], ...]
    elapsed: Float[np.ndarray, " T"]

    def stretches(self, frames: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        """Stretches of the first camera's frames as stretches of instants.

        Args:
            frames: First, and one behind the last.

        Returns:
            The same of instants.
        """
        first = self.rows[0]
        return tuple((int(first[begin]), int(first[end - 1]) + 1) for begin, end in frames)

    def spread(self, rows: Int[np.ndarray, " F"], values: Float[np.ndarray, "F K 2"]) -> Float[np.ndarray, "T K 2"]:
        """What one camera sees, at all instants.

        Args:
            rows: The instants of its frames.
            values: At its frames.

        Returns:
            The same, NaN where it takes no frame.
        """
        result = np.full((len(self.elapsed), *values.shape[1:]), np.nan)
        result[rows] = values
        return result


def timeline(times: Sequence[Float[np.ndarray, " _"]]) -> Timeline:
    """All cameras' frames in the order of time.

    Args:
        times: Of each camera's frames, rising; the unit is the same for all.

    Returns:
        The instants.
    """
    instants, rows = np.unique(np.concatenate(times), return_inverse=True)
    ends = np.cumsum([len(item) for item in times])
    elapsed = np.diff(instants) / np.median(np.diff(times[0]))
    return Timeline(tuple(np.split(rows, ends[:-1])), np.concatenate([[1.0], elapsed]))


def smooth_asynchronous(
    ensembles: list[Ensemble],
    times: list[Float[np.ndarray, " _"]],
    names: tuple[str, ...],
    search: Search,
    *,
    latents: int = 3,
    quantile: float = 95.0,
    inflate: bool = True,
) -> list[Posterior]:
    """Smooth cameras that take their frames at times of their own; how they belong together is learned.

    The state walks at random from instant to instant, further in a longer time. Every frame is an observation at its
    own instant, of as much of the state as its camera sees: nothing is interpolated but what the principal components
    are learned from, the faster cameras at the frames of the slowest. (EKS interpolates one camera at the frames of the
    other and gives what is smoothed there alone.)

    Args:
        ensembles: One a camera, with frames of its own and the same K keypoints.
        times: Of the frames of each camera, rising, in one unit.
        names: Of the keypoints, for messages.
        search: What is known of the scales; frames are the first camera's. The scale of the motion is in squared pixels
            of the first camera in the time of one of its frames.
        latents: Dimensions of the state.
        quantile: Percentage of frames, those of least variance, that the components are learned from.
        inflate: Whether cameras that contradict the others count less.

    Returns:
        The posterior of each camera at its own frames (V = 1).

    Raises:
        InputError: The cameras have no time in common, or a keypoint is too seldom seen by all of them.
    """
    if max(item[0] for item in times) > min(item[-1] for item in times):
        raise InputError("time stamps: the cameras have no time in common; give those of one recording, in one unit")
    ratios = _ratios(ensembles)
    medians = [item.median * ratio for item, ratio in zip(ensembles, ratios, strict=True)]
    noises = [item.noise * ratio**2 for item, ratio in zip(ensembles, ratios, strict=True)]
    slowest = min(times, key=len)
    pairs = [_stacked(_at(slowest, t, v) for t, v in zip(times, values, strict=True)) for values in (medians, noises)]
    learned = learn_views(pairs[0], pairs[1], names, latents, quantile)
    line = timeline(times)
    seen, variances = (_stacked(map(line.spread, line.rows, values)) for values in (medians, noises))
    known = replace(search, frames=line.stretches(search.frames))
    whole = smooth_learned(seen, variances, learned, known, expected_noise(ensembles), line.elapsed, inflate=inflate)
    return [
        replace(
            whole,
            keypoints=whole.keypoints[rows, view, None] / ratio,
            variance=whole.variance[rows, view, None] / ratio**2,
        )
        for view, (rows, ratio) in enumerate(zip(line.rows, ratios, strict=True))
    ]


def _stacked(by_view: Iterable[np.ndarray]) -> np.ndarray:
    return flat(np.stack(list(by_view), 1))


def _ratios(ensembles: list[Ensemble]) -> list[np.ndarray]:
    """What pixels of each camera are multiplied by, ``(K, 1)``: noise counts alike in a large and in a small image."""
    usual = []
    for item in ensembles:
        there = np.isfinite(item.noise)
        usual.append(np.sqrt(np.where(there, item.noise, 0).sum((0, 2)) / there.sum((0, 2)).clip(1))[:, None])
    return [
        np.where((own > 0) & (usual[0] > 0), usual[0] / np.where(own > 0, own, 1), 1).clip(
            1 / _LARGEST_RATIO, _LARGEST_RATIO
        )
        for own in usual
    ]


def _at(wanted: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at other times, by straight lines between frames; NaN beside missing ones."""
    columns = values.reshape(len(values), -1).T
    found = [np.interp(wanted, times, column, left=np.nan, right=np.nan) for column in columns]
    return np.stack(found, -1).reshape(-1, *values.shape[1:])
