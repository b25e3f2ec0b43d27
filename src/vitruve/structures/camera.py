"""Calibrated cameras with the OpenCV distortion models: that of usual lenses, and that of fisheye lenses."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from vitruve.structures.arrays import library
from vitruve.structures.instances import Array

_NEWTON_STEPS = 20
# Times the rounding of one number: what is left after the last step where Newton's method has arrived.
_NEWTON_TOLERANCE = 1000
# Radians, for the first guess; where it is right, the search goes on.
_NEAR = 1e-3


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, or several of them stacked along leading axes; numpy or torch arrays.

    Attributes:
        intrinsics: ``(..., 3, 3)`` in pixels.
        rotation: ``(..., 3, 3)`` from world to camera.
        translation: ``(..., 3)`` from world to camera, in millimetres.
        distortion: ``(..., 8)`` as ``k1 k2 p1 p2 k3 k4 k5 k6`` (OpenCV's order and formula); of a fisheye lens as
            ``k1 k2 k3 k4`` and zeros.
        size: ``(..., 2)`` width and height in pixels; NaN where not known.
        fisheye: ``(...)`` not 0 where the lens follows OpenCV's fisheye model (equidistant projection with a polynomial
            in the angle; Kannala and Brandt 2006, IEEE TPAMI 28, 1335); None where no lens does.
    """

    intrinsics: Float[Array, "*lead 3 3"]
    rotation: Float[Array, "*lead 3 3"]
    translation: Float[Array, "*lead 3"]
    distortion: Float[Array, "*lead 8"]
    size: Float[Array, "*lead 2"]
    fisheye: Shaped[Array, "*lead"] | None = None

    def map(self, function: Any) -> Camera:
        """The same cameras with a function applied to every array that is there."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return Camera(**{name: None if value is None else function(value) for name, value in values.items()})

    def __getitem__(self, index: Any) -> Camera:
        """Index the leading axes."""
        return self.map(lambda array: array[index])

    def views(self, index: Any) -> Camera:
        """Index the last of the leading axes, the views.

        Args:
            index: A list of numbers, a slice or a mask.

        Returns:
            Those cameras.
        """
        behind = {"intrinsics": 2, "rotation": 2, "translation": 1, "distortion": 1, "size": 1, "fisheye": 0}
        values = {name: getattr(self, name) for name in behind}
        taken = {n: v[(..., index, *[slice(None)] * behind[n])] for n, v in values.items() if v is not None}
        return Camera(**taken)

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

        The inverse of OpenCV's distortions has no formula; Newton's method finds it to the precision of the numbers.
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
        target = _detached(seen)
        plane = held._first_guess(target)
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

    def _first_guess(self, target: Array) -> Array:
        """Where the search for the undistorted place begins.

        On the plane the edge of a fisheye picture is far away, and hard to reach from its middle: the angle is found
        first.
        """
        if self.fisheye is None:
            return target
        xp = library(target)
        wide = xp.where(self._is_fisheye, xp.sqrt((target * target).sum(-1)), 0)
        angle = wide
        for _ in range(_NEWTON_STEPS):
            reached, slope = self._fisheye_angle(angle)
            angle = xp.clip(angle - (reached - wide) / slope, 0, math.pi)
        # What comes from beside or behind the camera, or from nowhere, meets no plane before it.
        ahead = (angle < math.pi / 2) & (abs(self._fisheye_angle(angle)[0] - wide) < _NEAR)
        tangent = xp.where(ahead, xp.tan(angle), math.nan)
        return target * xp.where(wide > 0, tangent / xp.where(wide > 0, wide, 1), 1)[..., None]

    @property
    def _is_fisheye(self) -> Array:
        return self.fisheye[..., None] != 0  # type: ignore[index]

    def _fisheye_angle(self, angle: Array) -> tuple[Array, Array]:
        """The angle that a ray seems to come from, and its derivative by the true one."""
        k1, k2, k3, k4 = (self.distortion[..., i, None] for i in range(4))
        squared = angle * angle
        seen = angle * (1 + squared * (k1 + squared * (k2 + squared * (k3 + squared * k4))))
        slope = 1 + squared * (3 * k1 + squared * (5 * k2 + squared * (7 * k3 + squared * 9 * k4)))
        return seen, slope

    def _radial(self, r2: Array) -> tuple[Array, Array]:
        """The radial factor and its derivative by the squared radius."""
        k1, k2, _, _, k3, k4, k5, k6 = (self.distortion[..., i, None] for i in range(8))
        above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        d_above, d_below = k1 + r2 * (2 * k2 + 3 * r2 * k3), k4 + r2 * (2 * k5 + 3 * r2 * k6)
        factor, slope = above / below, (d_above * below - above * d_below) / (below * below)
        if self.fisheye is None:
            return factor, slope
        xp = library(r2)
        # The middle of the picture has no direction: there, the limits are put in.
        middle = r2 == 0
        radius = xp.sqrt(xp.where(middle, 1, r2))
        angle, bend = self._fisheye_angle(xp.arctan(radius))
        wide = xp.where(middle, 1, angle / radius)
        wide_slope = xp.where(middle, k1 - 1 / 3, (bend / (1 + radius * radius) - angle / radius) / (2 * radius**2))
        return xp.where(self._is_fisheye, wide, factor), xp.where(self._is_fisheye, wide_slope, slope)

    def _tangential(self) -> tuple[Array, Array]:
        p1, p2 = self.distortion[..., 2, None], self.distortion[..., 3, None]
        if self.fisheye is None:
            return p1, p2
        xp = library(p1)
        return xp.where(self._is_fisheye, 0, p1), xp.where(self._is_fisheye, 0, p2)

    def _distorted(self, plane: Array) -> Array:
        p1, p2 = self._tangential()
        x, y = plane[..., 0], plane[..., 1]
        r2 = x * x + y * y
        radial, _ = self._radial(r2)
        moved_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        moved_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        return library(plane).stack([moved_x, moved_y], -1)

    def _distortion_jacobian(self, plane: Array) -> Array:
        p1, p2 = self._tangential()
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
    """Several cameras as one, along a new first axis (the views).

    Args:
        cameras: Cameras with numpy arrays and the same leading axes, usually none.

    Returns:
        The stacked cameras.
    """
    some = any(camera.fisheye is not None for camera in cameras)
    values = {item.name: [getattr(camera, item.name) for camera in cameras] for item in fields(Camera)}
    values["fisheye"] = [np.zeros(c.size.shape[:-1]) if c.fisheye is None else c.fisheye for c in cameras]
    return Camera(**{name: np.stack(arrays) for name, arrays in values.items() if some or name != "fisheye"})


def missing_camera() -> Camera:
    """A camera that is not there, in the place of a view that a session has not.

    Returns:
        A single camera with NaN as its intrinsics and size; what it projects and undistorts is missing.
    """
    return Camera(np.full((3, 3), np.nan), np.eye(3), np.zeros(3), np.zeros(8), np.full(2, np.nan))
