"""Calibrated cameras with the OpenCV distortion model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.structures.instances import Array


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, or several of them stacked along leading axes; numpy or torch arrays.

    Attributes:
        intrinsics: ``(..., 3, 3)`` in pixels.
        rotation: ``(..., 3, 3)`` from world to camera.
        translation: ``(..., 3)`` from world to camera, in millimetres.
        distortion: ``(..., 8)`` as ``k1 k2 p1 p2 k3 k4 k5 k6`` (OpenCV's order and formula).
        size: ``(..., 2)`` width and height in pixels.
    """

    intrinsics: Float[Array, "*lead 3 3"]
    rotation: Float[Array, "*lead 3 3"]
    translation: Float[Array, "*lead 3"]
    distortion: Float[Array, "*lead 8"]
    size: Float[Array, "*lead 2"]

    def map(self, function: Any) -> Camera:
        """The same cameras with a function applied to every array."""
        return Camera(**{item.name: function(getattr(self, item.name)) for item in fields(self)})

    def __getitem__(self, index: Any) -> Camera:
        """Index the leading axes."""
        return self.map(lambda array: array[index])

    def project(self, points: Float[Array, "*in N 3"]) -> Float[Array, "*out N 2"]:
        """World points to original image pixels.

        Args:
            points: ``(..., N, 3)`` in millimetres; leading axes broadcast against the cameras'.

        Returns:
            ``(..., N, 2)`` pixels. Points behind the camera are NaN.
        """
        inside = points @ self.rotation.swapaxes(-1, -2) + self.translation[..., None, :]
        depth = inside[..., 2:]
        ahead = depth > 0
        depth = np.where(ahead, depth, np.nan) if isinstance(depth, np.ndarray) else depth.where(ahead, np.nan)
        plane = inside[..., :2] / depth
        plane = self._distorted(plane)
        return plane @ self.intrinsics[..., :2, :2].swapaxes(-1, -2) + self.intrinsics[..., None, :2, 2]

    def _distorted(self, plane: Array) -> Array:
        k1, k2, p1, p2, k3, k4, k5, k6 = (self.distortion[..., i, None] for i in range(8))
        x, y = plane[..., 0], plane[..., 1]
        r2 = x * x + y * y
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        moved_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        moved_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        if isinstance(plane, np.ndarray):
            return np.stack([moved_x, moved_y], -1)
        import torch

        return torch.stack([moved_x, moved_y], -1)


def stack_cameras(cameras: tuple[Camera, ...]) -> Camera:
    """Several single cameras as one, along a new first axis (the views).

    Args:
        cameras: Cameras with numpy arrays and no leading axes.

    Returns:
        The stacked cameras.
    """
    return Camera(**{f.name: np.stack([getattr(c, f.name) for c in cameras]) for f in fields(Camera)})
