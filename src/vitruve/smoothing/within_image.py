"""Keypoints of one image that belong together, mirrors or pupils, and the others each by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitruve.errors import InputError
from vitruve.smoothing.ensemble import Ensemble
from vitruve.smoothing.members import Members
from vitruve.smoothing.mirrors import by_columns, by_names, matched
from vitruve.smoothing.models import Posterior, Search, smooth_linear, smooth_single
from vitruve.smoothing.plan import Options
from vitruve.smoothing.pupils import POINTS, Pupils, smooth_pupils
from vitruve.smoothing.scale import Scales


@dataclass(frozen=True, eq=False)
class PupilTrack:
    """The pupils of a recording.

    Attributes:
        names: Of the P pupils: what the names of their points have in common.
        pupils: What was found.
    """

    names: tuple[str, ...]
    pupils: Pupils

    @property
    def columns(self) -> Float[np.ndarray, "T P 6"]:
        """Diameter and centre, and their variances."""
        return np.concatenate([self.pupils.states, self.pupils.states_variance], -1)

    @property
    def decay(self) -> dict[str, tuple[float, float]]:
        """``diameter_s`` and ``com_s`` of each."""
        diameter, center = self.pupils.decay.left.tolist()
        return dict(zip(self.names, zip(diameter, center, strict=True), strict=True))


def smooth_mirrored(ensemble: Ensemble, members: Members, search: Search, options: Options) -> Posterior:
    """Smooth keypoints that several views within one image show together.

    Args:
        ensemble: Of the one camera.
        members: The same predictions, for names.
        search: What is known of the scales.
        options: Which keypoints belong together, and how the views' geometry is learned.

    Returns:
        The posterior of all keypoints.

    Raises:
        InputError: No keypoints belong together, or they are too seldom seen together.
    """
    if options.mirrored_columns:
        pairs = by_columns(options.mirrored_columns, members.names)
    else:
        pairs = by_names(options.camera_names, members.names)
    names = tuple(members.names[first] for first in pairs[:, 0])
    together = smooth_linear(
        [ensemble.keypoints(column) for column in pairs.T],
        names,
        search.keypoints(pairs[:, 0]),
        latents=options.latents,
        quantile=options.quantile,
        inflate=options.inflate,
    )
    return _with_the_others(ensemble, search, pairs, together.keypoints, together.variance, together.scales)


def smooth_pupil_points(
    ensemble: Ensemble, members: Members, search: Search, options: Options
) -> tuple[Posterior, PupilTrack]:
    """Smooth the top, bottom, left and right points of pupils together.

    Args:
        ensemble: Of the one camera.
        members: The same predictions, for names.
        search: What is known of the scales of other keypoints.
        options: What is left of deviations, where given.

    Returns:
        The posterior of all keypoints, in which the scale of the motion of pupils' points is NaN; and the pupils.

    Raises:
        InputError: No four keypoints are those of a pupil, or it is seen too seldom.
    """
    found = matched(POINTS, members.names)
    if not found:
        raise InputError(
            f"{members.files[0]}: no keypoints are named as the four points of a pupil ({', '.join(POINTS)}, as in "
            f"pupil_top_r); it has {', '.join(members.names)}"
        )
    rows = np.array(list(found.values()))
    if rows.size == len(members.names) and (options.s or options.blocks):
        raise InputError("s, blocks: have no effect on pupils; give diameter_s and com_s")
    names = tuple("_".join(words) or "pupil" for words in found)
    pupils = smooth_pupils(
        [ensemble.keypoints(column) for column in rows.T],
        names,
        diameter_s=options.diameter_s,
        com_s=options.com_s,
        frames=search.frames,
        inflate=options.inflate,
    )
    scales = Scales(np.full(len(names), np.nan), pupils.decay.noise)
    posterior = _with_the_others(ensemble, search, rows, pupils.keypoints, pupils.variance, scales)
    return posterior, PupilTrack(names, pupils)


def _with_the_others(
    ensemble: Ensemble, search: Search, rows: np.ndarray, keypoints: np.ndarray, variance: np.ndarray, scales: Scales
) -> Posterior:
    """All keypoints as one view: those smoothed together, ``(T, V, C, 2)`` with C scales, and those in no row."""
    frames, count, _ = ensemble.median.shape
    whole, spread = np.empty((2, frames, 1, count, 2))
    motion, noise = np.empty((2, count))
    whole[:, 0, rows.T], spread[:, 0, rows.T] = keypoints, variance
    motion[rows.T], noise[rows.T] = scales.motion, scales.noise
    alone = np.setdiff1d(np.arange(count), rows)
    if len(alone):
        single = smooth_single(ensemble.keypoints(alone), search.keypoints(alone))
        whole[:, :, alone], spread[:, :, alone] = single.keypoints, single.variance
        motion[alone], noise[alone] = single.scales.motion, single.scales.noise
    return Posterior(whole, spread, Scales(motion, noise))
