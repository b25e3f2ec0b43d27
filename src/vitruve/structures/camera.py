"""Calibrated cameras with the OpenCV distortion model."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.structures.arrays import library
from vitruve.structures.instances import Array

_NEWTON_STEPS = 20
# Times the rounding of one number: what is left after the last step where Newton's method has arrived.
_NEWTON_TOLERANCE = 1000


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
        plane, _, ahead = self._plane(points)
        pixels = self._distorted(plane) @ self.intrinsics[..., :2, :2].swapaxes(-1, -2)
        return library(pixels).where(ahead, pixels + self.intrinsics[..., None, :2, 2], math.nan)

    def project_jacobian(self, points: Float[Array, "*in N 3"]) -> Float[Array, "*out N 2 3"]:
        """How pixels move with the world points they show: the derivative of :meth:`project`.

        Args:
            points: ``(..., N, 3)`` in millimetres; leading axes broadcast against the cameras'.

        Returns:
            ``(..., N, 2, 3)`` pixels a millimetre. Points behind the camera are NaN.
        """
        plane, depth, ahead = self._plane(points)
        turn = self.rotation[..., None, :, :]
        moved = (turn[..., :2, :] - plane[..., :, None] * turn[..., 2:, :]) / depth[..., None]
        slope = self.intrinsics[..., None, :2, :2] @ self._distortion_jacobian(plane) @ moved
        return library(slope).where(ahead[..., None], slope, math.nan)

    def undistort(self, pixels: Float[Array, "*in N 2"]) -> Float[Array, "*out N 2"]:
        """Original image pixels to the normalised plane, at depth 1 before the camera: rays, without the lens.

        The inverse of OpenCV's distortion has no formula; Newton's method finds it to the precision of the numbers.
        With torch the derivatives are those of the exact inverse.

        Args:
            pixels: ``(..., N, 2)``; leading axes broadcast against the cameras'.

        Returns:
            ``(..., N, 2)``: x / z and y / z. NaN for missing pixels and for those that the lens model reaches from no
            direction.
        """
        xp = library(pixels)
        inverse = xp.linalg.inv(self.intrinsics[..., :2, :2])
        seen = (pixels - self.intrinsics[..., None, :2, 2]) @ inverse.swapaxes(-1, -2)
        held = self.map(_detached)
        target = plane = _detached(seen)
        for _ in range(_NEWTON_STEPS):
            plane = plane - held._newton_step(plane, held._distorted(plane) - target)
        away = abs(held._distorted(plane) - target).sum(-1)
        slope = held._distortion_jacobian(plane)
        # Beyond the bend of a lens model the plane is folded over: those solutions are none.
        upright = slope[..., 0, 0] * slope[..., 1, 1] > slope[..., 0, 1] * slope[..., 1, 0]
        found = (upright & (away <= _NEWTON_TOLERANCE * xp.finfo(plane.dtype).eps * abs(target).sum(-1)))[..., None]
        plane, seen = xp.where(found, plane, 0), xp.where(found, seen, 0)
        # One more step, this time with derivatives: at the solution they are those of the inverse function.
        plane = plane - self._newton_step(plane, self._distorted(plane) - seen)
        return xp.where(found, plane, math.nan)

    def _plane(self, points: Array) -> tuple[Array, Array, Array]:
        """Place on the normalised plane, depth, and whether a point is ahead: others are put where nothing fails."""
        inside = points @ self.rotation.swapaxes(-1, -2) + self.translation[..., None, :]
        xp = library(inside)
        ahead = inside[..., 2:] > 0
        depth = xp.where(ahead, inside[..., 2:], 1)
        return xp.where(ahead, inside[..., :2], 0) / depth, depth, ahead

    def _newton_step(self, plane: Array, away: Array) -> Array:
        slope = self._distortion_jacobian(plane)
        a, b, c, d = slope[..., 0, 0], slope[..., 0, 1], slope[..., 1, 0], slope[..., 1, 1]
        x, y = away[..., 0], away[..., 1]
        return library(plane).stack([d * x - b * y, a * y - c * x], -1) / (a * d - b * c)[..., None]

    def _radial(self, r2: Array) -> tuple[Array, Array]:
        """The radial factor and its derivative by the squared radius."""
        k1, k2, _, _, k3, k4, k5, k6 = (self.distortion[..., i, None] for i in range(8))
        above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        d_above, d_below = k1 + r2 * (2 * k2 + 3 * r2 * k3), k4 + r2 * (2 * k5 + 3 * r2 * k6)
        return above / below, (d_above * below - above * d_below) / (below * below)

    def _distorted(self, plane: Array) -> Array:
        p1, p2 = self.distortion[..., 2, None], self.distortion[..., 3, None]
        x, y = plane[..., 0], plane[..., 1]
        r2 = x * x + y * y
        radial, _ = self._radial(r2)
        moved_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        moved_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        return library(plane).stack([moved_x, moved_y], -1)

    def _distortion_jacobian(self, plane: Array) -> Array:
        p1, p2 = self.distortion[..., 2, None], self.distortion[..., 3, None]
        x, y = plane[..., 0], plane[..., 1]
        radial, slope = self._radial(x * x + y * y)
        cross = 2 * (x * y * slope + p1 * x + p2 * y)
        xx = radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
        yy = radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x
        xp = library(plane)
        return xp.stack([xp.stack([xx, cross], -1), xp.stack([cross, yy], -1)], -2)


def _detached(array: Array) -> Array:
    return array if isinstance(array, np.ndarray) else array.detach()


def stack_cameras(cameras: tuple[Camera, ...]) -> Camera:
    """Several single cameras as one, along a new first axis (the views).

    Args:
        cameras: Cameras with numpy arrays and no leading axes.

    Returns:
        The stacked cameras.
    """
    return Camera(**{f.name: np.stack([getattr(c, f.name) for c in cameras]) for f in fields(Camera)})
