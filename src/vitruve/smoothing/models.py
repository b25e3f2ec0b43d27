"""The models of the smoother: one camera, several cameras whose geometry is learned, calibrated cameras.

In all of them keypoints walk at random. The variance that is given is that of the whole error: what changes from frame
to frame is averaged out over time; what does not, because views disagree for good or because an ensemble cannot be
better than a median of its members, is added to what the smoother leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from vitruve.geometry.triangulation import triangulate_robust
from vitruve.smoothing.ensemble import Ensemble
from vitruve.smoothing.lasting import expected_noise, lasting, lasting_covariances
from vitruve.smoothing.learned_views import LearnedViews, learn_views
from vitruve.smoothing.scale import NoiseRange, Scales, find_scales, stretches
from vitruve.smoothing.state_space import Observations, observations, smooth_states, walk
from vitruve.smoothing.views import by_view, flat, fuse
from vitruve.structures.camera import Camera

_LINEARISATIONS = 2


@dataclass(frozen=True, eq=False)
class Search:
    """What is known of the scales before they are looked for.

    Attributes:
        blocks: ``(K,)`` keypoints with the same number share their scales.
        scale: Given scales of the motion, ``(K,)``; found by maximum likelihood if None.
        frames: Stretches of frames (first, one behind the last) to find them from; empty for all.
    """

    blocks: Int[np.ndarray, " K"]
    scale: Float[np.ndarray, " K"] | None = None
    frames: tuple[tuple[int, int], ...] = ()

    def keypoints(self, chosen: Int[np.ndarray, " C"]) -> Search:
        """What is known of some keypoints.

        Args:
            chosen: Their indices.

        Returns:
            The part.
        """
        return Search(self.blocks[chosen], None if self.scale is None else self.scale[chosen], self.frames)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Where keypoints are, given all frames.

    Attributes:
        keypoints: ``(T, V, K, 2)`` in pixels of the V views.
        variance: ``(T, V, K, 2)`` in squared pixels.
        scales: Of motion and noise.
        points: ``(T, K, 3)`` in the unit of the calibration, with calibrated cameras.
        points_variance: ``(T, K, 3)``.
    """

    keypoints: Float[np.ndarray, "T V K 2"]
    variance: Float[np.ndarray, "T V K 2"]
    scales: Scales
    points: Float[np.ndarray, "T K 3"] | None = None
    points_variance: Float[np.ndarray, "T K 3"] | None = None


def smooth_single(ensemble: Ensemble, search: Search) -> Posterior:
    """Smooth the keypoints of one camera: the state is x and y, which share the scales.

    Args:
        ensemble: T frames, K keypoints.
        search: What is known of the scales. That of the motion is in squared pixels a frame.

    Returns:
        The posterior, with V = 1.
    """
    frames, points, _ = ensemble.median.shape
    line = (frames, 2 * points, 1)
    seen = observations(ensemble.median.reshape(line), ensemble.noise.reshape(*line, 1))
    both = Search(search.blocks.repeat(2), None if search.scale is None else search.scale.repeat(2), search.frames)
    expected = expected_noise([ensemble]).repeat(2)
    motion = np.ones((2 * points, 1, 1))
    scales = _scales(seen, motion, both, expected)
    states = smooth_states(seen, walk(motion, scales.motion[None]), scales.noise)
    known = np.isfinite(seen.variances[:, 0])
    added = np.where(known, seen.variances[:, 0], 0) * lasting(scales.noise, expected)
    # Of what is never seen nothing is known: not even the 0 that its walk begins with.
    means, variance = (np.where(known.any(0), v, np.nan) for v in (states.means[..., 0], states.covariances[..., 0, 0]))
    shape = (frames, 1, points, 2)
    return Posterior(
        means.reshape(shape), (variance + added).reshape(shape), Scales(scales.motion[::2], scales.noise[::2])
    )


def smooth_linear(
    ensembles: list[Ensemble],
    names: tuple[str, ...],
    search: Search,
    *,
    latents: int = 3,
    quantile: float = 95.0,
    inflate: bool = True,
) -> Posterior:
    """Smooth several views of the same keypoints; how they belong together is learned by principal components.

    Args:
        ensembles: One a view.
        names: Of the K keypoints, for messages.
        search: What is known of the scales. That of the motion is in squared pixels a frame.
        latents: D, the dimensions of the state; at most 2 V - 1.
        quantile: Percentage of frames, those of least variance, that the components are learned from.
        inflate: Whether views that contradict the others count less.

    Returns:
        The posterior.

    Raises:
        InputError: A keypoint is too seldom seen by all views.
    """
    seen, variances = joined(ensembles)
    learned = learn_views(seen, variances, names, latents, quantile)
    return smooth_learned(seen, variances, learned, search, expected_noise(ensembles), inflate=inflate)


def smooth_learned(
    seen: Float[np.ndarray, "T K M"],
    variances: Float[np.ndarray, "T K M"],
    learned: LearnedViews,
    search: Search,
    expected: Float[np.ndarray, " K"],
    elapsed: Float[np.ndarray, " T"] | None = None,
    *,
    inflate: bool = True,
) -> Posterior:
    """Smooth several views of the same keypoints, of which is known how they belong together.

    Args:
        seen: x and y of all views in turn, NaN where missing.
        variances: Of their noise.
        learned: How the views belong together.
        search: What is known of the scales.
        expected: Scale that the noise has if nothing speaks against it.
        elapsed: Time since the frame before; 1 by default.
        inflate: Whether views that contradict the others count less.

    Returns:
        The posterior.
    """
    size = learned.components.shape[-1]
    slopes = np.broadcast_to(learned.components, (*seen.shape, size))
    fused = fuse(seen - learned.middle, slopes, variances, np.zeros((*seen.shape[:2], size)), inflate)
    if elapsed is not None:
        fused = replace(fused, seen=replace(fused.seen, elapsed=elapsed))
    scales = _scales(fused.seen, learned.motion, search, expected)
    states = smooth_states(fused.seen, walk(learned.motion, scales.motion[None]), scales.noise)
    covariances = states.covariances + lasting_covariances(fused, scales.noise, expected)
    return Posterior(*projected(states.means, covariances, learned.middle, learned.components), scales)


def smooth_calibrated(ensembles: list[Ensemble], cameras: Camera, search: Search, *, inflate: bool = True) -> Posterior:
    """Smooth keypoints in space: the state is the point that calibrated cameras see.

    The projection is linearised at the points that are triangulated in each frame, then at the smoothed ones (iterated
    Kalman smoother; Bell 1994).

    Args:
        ensembles: One a view.
        cameras: V stacked cameras.
        search: What is known of the scales. That of the motion is in squared units of the calibration a frame.
        inflate: Whether views that contradict the others count less.

    Returns:
        The posterior, with points in space. Keypoints that no two cameras ever see together are NaN.
    """
    pixels = np.stack([item.median for item in ensembles], 1)
    _, variances = joined(ensembles)
    expected = expected_noise(ensembles)
    points = triangulate_robust(cameras, np.where(np.isfinite(by_view(variances)), pixels, np.nan))
    lost = np.isnan(points).all((0, 2))
    around = _filled(points)
    motion = np.broadcast_to(np.eye(3), (len(lost), 3, 3))
    scales: Scales | None = None
    for _ in range(_LINEARISATIONS):
        placed = around[:, None]
        away = pixels - cameras.project(placed)
        slopes = cameras.project_jacobian(placed).swapaxes(1, 2)
        slopes = slopes.reshape(*slopes.shape[:2], -1, 3)
        fused = fuse(flat(away), slopes, variances, around, inflate)
        scales = scales or _scales(fused.seen, motion, search, expected)
        states = smooth_states(fused.seen, walk(motion, scales.motion[None]), scales.noise)
        around = states.means
    assert scales is not None
    covariances = states.covariances + lasting_covariances(fused, scales.noise, expected)
    slope = cameras.project_jacobian(around[:, None])
    spread = np.einsum("tvkid,tkde,tvkie->tvki", slope, covariances, slope)
    around, covariances = around.copy(), covariances.copy()
    around[:, lost] = np.nan
    covariances[:, lost] = np.nan
    spread[:, :, lost] = np.nan
    deviations = np.diagonal(covariances, axis1=-2, axis2=-1)
    return Posterior(cameras.project(around[:, None]), spread, scales, around, deviations)


def joined(ensembles: Sequence[Ensemble]) -> tuple[Float[np.ndarray, "T K M"], Float[np.ndarray, "T K M"]]:
    """Medians and noise of all views.

    Args:
        ensembles: One a view.

    Returns:
        x and y of the views in turn (M = 2 V).
    """
    return flat(np.stack([e.median for e in ensembles], 1)), flat(np.stack([e.noise for e in ensembles], 1))


def projected(
    means: Float[np.ndarray, "T K D"],
    covariances: Float[np.ndarray, "T K D D"],
    middle: Float[np.ndarray, "K M"],
    components: Float[np.ndarray, "K M D"],
) -> tuple[Float[np.ndarray, "T V K 2"], Float[np.ndarray, "T V K 2"]]:
    """What the views see of states.

    Args:
        means: The states.
        covariances: Theirs.
        middle: What is seen of the state 0.
        components: How it moves with the state.

    Returns:
        Pixels, and their variances.
    """
    pixels = middle + (components @ means[..., None])[..., 0]
    return by_view(pixels), by_view(np.einsum("kmd,tkde,kme->tkm", components, covariances, components))


def _scales(seen: Observations, motion: np.ndarray, search: Search, expected: np.ndarray) -> Scales:
    frames, starts = stretches(len(seen.values), search.frames)
    part = seen if len(frames) == len(seen.values) else seen.frames(frames)
    return find_scales(part, motion, search.blocks, starts, NoiseRange(expected), search.scale)


def _filled(points: Float[np.ndarray, "T K 3"]) -> np.ndarray:
    """Points with gaps closed by straight lines, so that there is somewhere to linearise at."""
    times = np.arange(len(points))
    result = points.copy()
    usual = np.nanmedian(points.reshape(-1, 3), 0) if np.isfinite(points).any() else np.zeros(3)
    for k in range(points.shape[1]):
        there = np.isfinite(points[:, k]).all(-1)
        for d in range(3):
            result[:, k, d] = np.interp(times, times[there], points[there, k, d]) if there.any() else usual[d]
    return result
