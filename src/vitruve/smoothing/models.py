"""The models of the smoother: one camera, several cameras whose geometry is learned, calibrated cameras.

In all of them keypoints walk at random. The variance that is given is that of the whole error: what changes from frame
to frame is averaged out over time; what does not, because views disagree for good or because an ensemble cannot be
better than a median of its members, is added to what the smoother leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from vitruve.errors import InputError
from vitruve.geometry.triangulation import triangulate_robust
from vitruve.smoothing.ensemble import Ensemble, least_noise
from vitruve.smoothing.scale import NoiseRange, Scales, find_scales, stretches
from vitruve.smoothing.state_space import Observations, observations, smooth_states
from vitruve.smoothing.views import Fusion, fuse
from vitruve.structures.camera import Camera

_LINEARISATIONS = 2
# In standard deviations of its estimate: disagreement up to this is chance.
_SIGNIFICANT = 4.0
_LEAST_SHAPE = 1e-3
_FRAMES_A_DIMENSION = 4


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
    flat = (frames, 2 * points, 1)
    seen = observations(ensemble.median.reshape(flat), ensemble.noise.reshape(*flat, 1))
    both = Search(search.blocks.repeat(2), None if search.scale is None else search.scale.repeat(2), search.frames)
    expected = _expected_noise(ensemble).repeat(2)
    motion = np.ones((2 * points, 1, 1))
    scales = _scales(seen, motion, both, expected)
    states = smooth_states(seen, motion, scales.motion, scales.noise)
    lasting = np.where(np.isfinite(seen.variances[:, 0]), seen.variances[:, 0], 0) * _lasting(scales, expected)
    shape = (frames, 1, points, 2)
    variance = states.covariances[..., 0, 0] + lasting
    return Posterior(
        states.means.reshape(shape), variance.reshape(shape), Scales(scales.motion[::2], scales.noise[::2])
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
    away, variances = _joined(ensembles)
    size = min(latents, 2 * len(ensembles) - 1)
    middle, components, motion = _learned_views(away, variances, names, size, quantile)
    around = np.zeros((*away.shape[:2], size))
    slopes = np.broadcast_to(components, (*away.shape[:2], *components.shape[-2:]))
    fused = fuse(away - middle, slopes, variances, around, inflate)
    expected = _joint_expected(ensembles)
    scales = _scales(fused.seen, motion, search, expected)
    states = smooth_states(fused.seen, motion, scales.motion, scales.noise)
    covariances = states.covariances + _lasting_covariances(fused, scales, expected)
    pixels = middle + (components @ states.means[..., None])[..., 0]
    spread = np.einsum("kmd,tkde,kme->tkm", components, covariances, components)
    return Posterior(_by_view(pixels), _by_view(spread), scales)


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
    _, variances = _joined(ensembles)
    expected = _joint_expected(ensembles)
    points = triangulate_robust(cameras, np.where(np.isfinite(_by_view(variances)), pixels, np.nan))
    lost = np.isnan(points).all((0, 2))
    around = _filled(points)
    motion = np.broadcast_to(np.eye(3), (len(lost), 3, 3))
    scales: Scales | None = None
    for _ in range(_LINEARISATIONS):
        placed = around[:, None]
        away = pixels - cameras.project(placed)
        slopes = cameras.project_jacobian(placed).swapaxes(1, 2)
        slopes = slopes.reshape(*slopes.shape[:2], -1, 3)
        fused = fuse(_flat(away), slopes, variances, around, inflate)
        scales = scales or _scales(fused.seen, motion, search, expected)
        states = smooth_states(fused.seen, motion, scales.motion, scales.noise)
        around = states.means
    assert scales is not None
    covariances = states.covariances + _lasting_covariances(fused, scales, expected)
    slope = cameras.project_jacobian(around[:, None])
    spread = np.einsum("tvkid,tkde,tvkie->tvki", slope, covariances, slope)
    around, covariances = around.copy(), covariances.copy()
    around[:, lost] = np.nan
    covariances[:, lost] = np.nan
    spread[:, :, lost] = np.nan
    deviations = np.diagonal(covariances, axis1=-2, axis2=-1)
    return Posterior(cameras.project(around[:, None]), spread, scales, around, deviations)


def _joined(ensembles: list[Ensemble]) -> tuple[np.ndarray, np.ndarray]:
    """Medians and noise of all views, ``(T, K, 2 V)``."""
    return _flat(np.stack([e.median for e in ensembles], 1)), _flat(np.stack([e.noise for e in ensembles], 1))


def _flat(by_view: np.ndarray) -> np.ndarray:
    frames, _, points, _ = by_view.shape
    return by_view.swapaxes(1, 2).reshape(frames, points, -1)


def _by_view(flat: np.ndarray) -> np.ndarray:
    return flat.reshape(*flat.shape[:2], -1, 2).swapaxes(1, 2)


def _expected_noise(ensemble: Ensemble) -> np.ndarray:
    """By which factor a median is better than one member, where confidences do not enter: ``(K,)``."""
    if ensemble.members < 2:
        return np.zeros(ensemble.median.shape[1])
    known = np.isfinite(ensemble.noise)
    plain = np.where(known, ensemble.noise * ensemble.confidence[..., None], 0).sum((0, 2))
    return least_noise(ensemble.members) * plain / np.where(known, ensemble.noise, 0).sum((0, 2)).clip(1e-300)


def _joint_expected(ensembles: list[Ensemble]) -> np.ndarray:
    return np.mean([_expected_noise(item) for item in ensembles], 0)


def _scales(seen: Observations, motion: np.ndarray, search: Search, expected: np.ndarray) -> Scales:
    frames, starts = stretches(len(seen.values), search.frames)
    part = seen if len(frames) == len(seen.values) else seen.frames(frames)
    return find_scales(part, motion, search.blocks, starts, NoiseRange(expected), search.scale)


def _lasting(scales: Scales, total: np.ndarray) -> np.ndarray:
    """What is missing of the errors' variance, by that of the noise at scale 1, when noise explains less than half."""
    return np.where(scales.noise < total / 2, total - scales.noise, 0)


def _lasting_covariances(fused: Fusion, scales: Scales, expected: np.ndarray) -> np.ndarray:
    chance = 1 + _SIGNIFICANT * np.sqrt(2 / fused.seen.spare.clip(1))
    seen = np.where(fused.disagreement > scales.noise * chance, fused.disagreement, 0)
    return fused.covariances(_lasting(scales, np.maximum(expected, seen)))


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


def _learned_views(
    rows: np.ndarray, variances: np.ndarray, names: tuple[str, ...], size: int, quantile: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean ``(K, M)``, components ``(K, M, D)`` and the shape of the motion ``(K, D, D)`` of each keypoint."""
    count = rows.shape[-1]
    middle, components, motion = [], [], []
    for k, name in enumerate(names):
        worst = np.where(np.isfinite(rows[:, k]).all(-1), variances[:, k].max(-1), np.nan)
        there = np.isfinite(worst)
        if there.sum() < _FRAMES_A_DIMENSION * count:
            raise InputError(
                f"keypoint '{name}': all views see it in {there.sum()} frames, but {_FRAMES_A_DIMENSION * count} are "
                "needed to learn how the views belong together; leave it out (--bodyparts), or give a calibration"
            )
        good = there & (worst <= np.percentile(worst[there], quantile))
        chosen = rows[good, k]
        middle.append(chosen.mean(0))
        _, directions = np.linalg.eigh(np.cov(chosen.T))
        components.append(directions[:, ::-1][:, :size])
        steps = np.diff(rows[:, k], axis=0)[good[1:] & good[:-1]] @ components[-1]
        shape = steps.T @ steps
        shape = shape / max(np.trace(shape) / size, np.finfo(float).tiny)
        motion.append(shape + _LEAST_SHAPE * np.eye(size))
    return np.array(middle), np.array(components), np.array(motion)
