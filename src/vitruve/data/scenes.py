"""What calibrated views show in space, and the same scene moved in space.

Moving the animal in space, instead of each view on its own, keeps the views consistent: after Lightning Pose's
multi-view transformer (Aharon et al. 2025, arXiv 2510.09903).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vitruve.geometry.affine import Matrix, similarity
from vitruve.geometry.triangulation import triangulate_robust
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.instances import OCCLUDED, Instances
from vitruve.structures.labels import Labels

# A similarity through fewer points says little about the others.
_FEWEST_POINTS = 3
_SCALE = (0.8, 1.2)
_SHIFT = 0.25
# Beyond this, the lens model no longer describes the moved points.
_SCALE_LIMIT = 3.0


class Scenes:
    """The labelled points of calibrated frames in space, in the unit of their calibration.

    Args:
        labels: Every session must have as many cameras as its frames have views.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._cameras = {session: stack_cameras(cameras) for session, cameras in labels.cameras.items()}
        self._points: dict[int, Float[np.ndarray, "N K 3"]] = {}

    def cameras(self, index: int) -> Camera:
        """The cameras of a frame: ``(V,)``; those whose view is missing are missing, too."""
        frame = self._labels[index]
        rig = self._cameras[frame.session]
        gone = np.array([image.missing for image in frame.images])
        return replace(rig, intrinsics=np.where(gone[:, None, None], np.nan, rig.intrinsics)) if gone.any() else rig

    def truth(self, index: int) -> Instances:
        """The labelled points of a frame in space, ``(N, K, 3)``; NaN where fewer than two views have them."""
        frame = self._labels[index]
        if frame.instances_3d is not None:
            return frame.instances_3d
        if index not in self._points:
            # All frames of a session at once: one by one takes many times as long.
            chosen = [number for number, other in enumerate(self._labels) if other.session == frame.session]
            points = _in_space(self._labels[chosen], self._cameras[frame.session])
            self._points |= dict(zip(chosen, points.astype(np.float32), strict=True))
        return Instances.from_keypoints(self._points[index])

    def moved(self, index: int, rng: np.random.Generator) -> list[Matrix]:
        """How each view's picture changes when what is labelled in a frame is scaled and shifted in space.

        The scene is scaled by 0.8 to 1.2 about the median of its points and shifted by up to a quarter of its extent
        along each axis. A picture can only be scaled, turned and shifted: each view gets the similarity that brings
        its points closest to where the cameras would see them.

        Args:
            index: Number of the frame.
            rng: Where the chance comes from.

        Returns:
            A matrix a view, in original pixels. Identities where too few points are known in space: then no view
            changes, or they would not fit together any more.
        """
        scale, direction = rng.uniform(*_SCALE), rng.uniform(-1, 1, 3)
        cameras = self.cameras(index)
        unmoved: list[Matrix] = [np.eye(3)] * len(cameras.size)
        points = self.truth(index).keypoints.reshape(-1, 3).astype(np.float64)
        points = points[np.isfinite(points).all(-1)]
        if len(points) < _FEWEST_POINTS:
            return unmoved
        middle, extent = np.median(points, 0), np.ptp(points, 0)
        there = middle + scale * (points - middle) + _SHIFT * extent * direction
        seen = ~np.isnan(cameras.intrinsics).any((-1, -2))
        before, after = (cameras.project(each[None]) for each in (points, there))
        if not (np.isfinite(before[seen]).all() and np.isfinite(after[seen]).all()):
            return unmoved
        found = [
            similarity(one, other) if here else np.eye(3) for here, one, other in zip(seen, before, after, strict=True)
        ]
        return found if all(_sound(matrix) for matrix in found) else unmoved


def _in_space(labels: Labels, cameras: Camera) -> Float[np.ndarray, "F N K 3"]:
    """Triangulated keypoints of the views that show them."""
    points = np.where((labels.visible() > OCCLUDED)[..., None], labels.keypoints(), np.nan)
    count, views, most, joints, _ = points.shape
    return triangulate_robust(cameras, points.reshape(count, views, most * joints, 2)).reshape(count, most, joints, 3)


def _sound(matrix: Matrix) -> bool:
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    return bool(np.isfinite(matrix).all()) and 1 / _SCALE_LIMIT < scale < _SCALE_LIMIT
