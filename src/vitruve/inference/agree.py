"""What calibrated views find of one animal, brought together in space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vitruve.geometry.triangulation import reconstruct
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.instances import Instances

# Views whose keypoint lies further from where the others put it count less and less; in original pixels. An animal's
# middle is no point of its skin: the views need not agree to the pixel.
_SCALE = 10.0
# A point counts where the views that were believed agree on it within this many scales.
_LARGEST = 3.0


def agreed(instances: Instances, cameras: Sequence[Camera], threshold: float) -> tuple[Instances, str]:
    """One instance whose keypoints are where the cameras would see them, had each seen what most of them see.

    Args:
        instances: ``(V, N, ...)`` as numpy arrays, of which the best in each view counts.
        cameras: One a view.
        threshold: Keypoints of lower likelihood do not count.

    Returns:
        ``(V, 1, ...)``, NaN where fewer than two views agree on a keypoint, and why there is nothing at all, or an
        empty text.
    """
    views, count = instances.keypoints.shape[:2]
    pixels = np.full((views, instances.num_keypoints, 2), np.nan)
    likelihood = np.zeros(pixels.shape[:-1])
    if count:
        scores = instances.scores
        best = np.zeros(views, int) if scores is None else np.nan_to_num(scores, nan=-1.0).argmax(1)
        pixels = instances.keypoints[np.arange(views), best].astype(np.float64)
        known = instances.keypoint_scores
        likelihood = np.ones(pixels.shape[:-1]) if known is None else known[np.arange(views), best].astype(np.float64)
    likelihood = np.nan_to_num(likelihood) * ~np.isnan(pixels).any(-1)
    weights = np.where(likelihood >= threshold, likelihood, 0.0)
    rig = stack_cameras(tuple(cameras))
    found = reconstruct(rig, pixels, weights, method="robust", scale=_SCALE)
    near = (np.nan_to_num(found.errors, nan=np.inf) <= _LARGEST * _SCALE) & (weights > 0)
    points = np.where((near.sum(0) >= 2)[:, None], found.points, np.nan)
    seen = rig.project(points[None])
    scores = np.where(np.isnan(points).any(-1), np.nan, np.where(near, likelihood, 0.0).max(0))
    everywhere = np.broadcast_to(scores, seen.shape[:-1]).astype(np.float32)
    told = Instances.from_keypoints(seen[:, None].astype(np.float32), keypoint_scores=everywhere[:, None])
    return told, "" if np.isfinite(points).all(-1).any() else _why(likelihood, weights, threshold)


def _why(likelihood: np.ndarray, weights: np.ndarray, threshold: float) -> str:
    best = likelihood.max(1, initial=0.0)
    seeing = int((weights > 0).any(1).sum())
    each = " ".join(f"{value:.2f}" for value in best)
    if seeing < 2:
        return f"found by {seeing} of {len(best)} cameras; likelihood at best {each}, {threshold:g} is needed in two"
    return f"{seeing} of {len(best)} cameras found something, but no two at the same place; likelihood at best {each}"
