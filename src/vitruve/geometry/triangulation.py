"""World points from what several calibrated cameras see of them; numpy, or torch with derivatives.

Everywhere ``cameras`` are V cameras stacked (:func:`vitruve.structures.camera.stack_cameras`), pixels are
``(..., V, N, 2)`` in original images, and a view that does not see a point holds NaN or has weight 0. A point that
fewer than two cameras see is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from vitruve.geometry.robust import (
    best_linear,
    detached,
    linear_points,
    refined,
    squared_errors,
    unit_matrix,
    where_invertible,
)
from vitruve.structures.arrays import library
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Array

RobustLoss = Literal["cauchy", "huber"]
Method = Literal["linear", "ransac", "robust"]

_CONSENSUS_ROUNDS = 2
_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class Reconstruction:
    """Points in space, and how far they can be trusted.

    Attributes:
        points: ``(..., N, 3)`` millimetres; NaN where there is none.
        errors: ``(..., V, N)`` reprojection error in pixels; NaN where a view does not see the point.
        weights: ``(..., V, N)`` how much each view counted, from 0; a view that was rejected has 0 or little.
        covariance: ``(..., N, 3, 3)`` squared millimetres, see :func:`residual_covariance`.
    """

    points: Float[Array, "*lead N 3"]
    errors: Float[Array, "*lead V N"]
    weights: Float[Array, "*lead V N"]
    covariance: Float[Array, "*lead N 3 3"]


def reconstruct(
    cameras: Camera,
    pixels: Float[Array, "*lead V N 2"],
    weights: Float[Array, "*lead V N"] | None = None,
    *,
    method: Method = "robust",
    scale: float = 3.0,
) -> Reconstruction:
    """Points by one of the methods here, with the error in every view and the covariance of every point.

    Args:
        cameras: V stacked cameras.
        pixels: What they see.
        weights: As for :func:`triangulate`.
        method: ``linear`` (:func:`triangulate`), ``ransac`` (:func:`triangulate_ransac`) or ``robust``
            (:func:`triangulate_robust`).
        scale: Reprojection error in pixels from which a view counts less (``robust``) or not at all (``ransac``).

    Returns:
        The points with all that is known of them.
    """
    xp = library(pixels)
    if method == "linear":
        points = triangulate(cameras, pixels, weights)
    elif method == "ransac":
        points = triangulate_ransac(cameras, pixels, weights, threshold=scale)
    else:
        points = triangulate_robust(cameras, pixels, weights, scale=scale)
    errors = reprojection_errors(cameras, points, pixels)
    counted = xp.where(xp.isnan(errors), 0, _known(pixels, weights))
    ratio = xp.where(counted > 0, errors / scale, 0) ** 2
    if method == "ransac":
        counted = xp.where(ratio <= 1, counted, 0)
    elif method == "robust":
        counted = counted / (1 + ratio)
    return Reconstruction(points, errors, counted, residual_covariance(cameras, points, pixels, counted))


def triangulate(
    cameras: Camera, pixels: Float[Array, "*lead V N 2"], weights: Float[Array, "*lead V N"] | None = None
) -> Float[Array, "*lead N 3"]:
    """Points by the direct linear transform, in its affine form (Hartley and Sturm 1997, linear least squares).

    Every view gives two linear equations, those of its undistorted ray; their least squares are solved in closed form.

    Args:
        cameras: V stacked cameras.
        pixels: What they see.
        weights: How much each view counts, such as its confidence, from 0; NaN counts as 0. All equally by default.

    Returns:
        Points in millimetres.
    """
    plane = cameras.undistort(pixels)
    return linear_points(cameras, plane, _known(plane, weights))


def triangulate_robust(
    cameras: Camera,
    pixels: Float[Array, "*lead V N 2"],
    weights: Float[Array, "*lead V N"] | None = None,
    *,
    loss: RobustLoss = "cauchy",
    scale: float = 3.0,
) -> Float[Array, "*lead N 3"]:
    """Points of least robust reprojection error: views that contradict the others count little.

    The start is the best of the linear solutions of all views together and of every pair of them, so that one wrong
    view cannot spoil it; damped Gauss-Newton steps with reweighted residuals follow (iteratively reweighted least
    squares; Triggs et al. 2000, Bundle adjustment).

    Args:
        cameras: V stacked cameras.
        pixels: What they see.
        weights: As for :func:`triangulate`.
        loss: ``cauchy`` forgets views that are far away, ``huber`` bounds their pull.
        scale: Reprojection error in pixels from which a view counts less.

    Returns:
        Points in millimetres; NaN where the rays meet behind all cameras but one. With torch, derivatives are those of
        the solution, not of the steps to it.
    """
    xp = library(pixels)
    plane, known, filled = _prepared(cameras, pixels, weights)
    held, held_plane, held_known, held_pixels = cameras.map(detached), *map(detached, (plane, known, filled))
    points = best_linear(held, held_plane, held_known, held_pixels, loss, scale)
    points = refined(cameras, points, filled, known, loss, scale)
    ahead = xp.isfinite(squared_errors(held, detached(points), held_pixels)) & (held_known > 0)
    return xp.where((ahead.sum(-2) >= 2)[..., None], points, xp.nan)


def triangulate_ransac(
    cameras: Camera,
    pixels: Float[Array, "*lead V N 2"],
    weights: Float[Array, "*lead V N"] | None = None,
    *,
    threshold: float = 3.0,
) -> Float[Array, "*lead N 3"]:
    """Points of least reprojection error in the views that agree; the others have no pull at all.

    Every pair of views proposes a point (with many cameras, pairs spread over all of them); the proposal with the least
    truncated squared error wins (MSAC; Torr and Zisserman 2000, MLESAC), and the views within the threshold of it
    decide the point by least squares.

    Args:
        cameras: V stacked cameras.
        pixels: What they see.
        weights: As for :func:`triangulate`.
        threshold: Reprojection error in pixels up to which a view agrees.

    Returns:
        Points in millimetres; NaN where no two views agree. With torch, derivatives are those of the solution.
    """
    xp = library(pixels)
    plane, known, filled = _prepared(cameras, pixels, weights)
    held, held_plane, held_known, held_pixels = cameras.map(detached), *map(detached, (plane, known, filled))
    points = best_linear(held, held_plane, held_known, held_pixels, "truncated", threshold)
    for _ in range(_CONSENSUS_ROUNDS):
        agrees = (squared_errors(held, points, held_pixels) <= threshold**2) & (held_known > 0)
        points = xp.where((agrees.sum(-2) >= 2)[..., None], points, xp.nan)
        points = refined(held, points, held_pixels, xp.where(agrees, held_known, 0), "squares", threshold)
    return refined(cameras, points, filled, xp.where(agrees, known, 0), "squares", threshold)


def reprojection_errors(
    cameras: Camera, points: Float[Array, "*lead N 3"], pixels: Float[Array, "*lead V N 2"]
) -> Float[Array, "*lead V N"]:
    """How far from what each camera sees the points appear in it.

    Args:
        cameras: V stacked cameras.
        points: In millimetres.
        pixels: What they see.

    Returns:
        Distances in pixels; NaN where the point or the view is missing, or the point lies behind the camera.
    """
    away = cameras.project(points[..., None, :, :]) - pixels
    xp = library(away)
    missing = xp.isnan(away).any(-1)
    away = xp.where(missing[..., None], 0, away)
    squared = (away * away).sum(-1)
    # The root has no derivative at zero, and where() alone would not keep that from torch.
    exact = squared == 0
    distance = xp.where(exact, 0, xp.sqrt(xp.where(exact, 1, squared)))
    return xp.where(missing, xp.nan, distance)


def point_covariance(
    cameras: Camera, points: Float[Array, "*lead N 3"], covariance: Float[Array, "*lead V N 2 2"]
) -> Float[Array, "*lead N 3 3"]:
    """The covariance of triangulated points that the uncertainty of the pixels leaves (first order).

    Args:
        cameras: V stacked cameras.
        points: In millimetres.
        covariance: Of the pixels, in squared pixels; NaN for views that do not see the point.

    Returns:
        Squared millimetres; NaN where fewer than two cameras see the point.
    """
    xp = library(points)
    slope = cameras.project_jacobian(points[..., None, :, :])
    unseen = xp.isnan(covariance).any(-1).any(-1) | xp.isnan(slope).any(-1).any(-1)
    slope = xp.where(unseen[..., None, None], 0, slope)
    eye = xp.zeros_like(covariance) + unit_matrix(covariance, 2)
    information = xp.linalg.inv(xp.where(unseen[..., None, None], eye, covariance))
    known = (slope.swapaxes(-1, -2) @ information @ slope).sum(-4)
    return where_invertible((~unseen).sum(-2) >= 2, known, lambda matrix: xp.linalg.inv(matrix))


def residual_covariance(
    cameras: Camera,
    points: Float[Array, "*lead N 3"],
    pixels: Float[Array, "*lead V N 2"],
    weights: Float[Array, "*lead V N"] | None = None,
) -> Float[Array, "*lead N 3 3"]:
    """The covariance of triangulated points as their own residuals tell it (first order, as in nonlinear regression).

    The pixels' variance is the weighted sum of squared residuals over the degrees of freedom, which two views hardly
    know: the more views, the surer the covariance itself.

    Args:
        cameras: V stacked cameras.
        points: In millimetres.
        pixels: What they see.
        weights: How much each view counted; all that see the point equally by default.

    Returns:
        Squared millimetres; NaN where fewer than two views counted.
    """
    errors = reprojection_errors(cameras, points, pixels)
    xp = library(errors)
    known = xp.where(xp.isnan(errors), 0, _known(pixels, weights))
    highest = xp.where(known > 0, known, 0).max(-2)
    highest = (highest if xp is np else highest.values)[..., None, :]
    share = known / xp.where(highest > 0, highest, 1)
    freedom = xp.clip(2 * share.sum(-2) - 3, 1, None)
    variance = (share * xp.where(known > 0, errors, 0) ** 2).sum(-2) / freedom
    spread = xp.where(share > 0, variance[..., None, :] / xp.where(share > 0, share, 1), xp.nan)
    # Exact pixels leave no residual; a variance of zero has no inverse, one far below any pixel's has.
    spread = xp.clip(spread, _LEAST_VARIANCE, None)
    return point_covariance(cameras, points, spread[..., None, None] * unit_matrix(points, 2))


def _prepared(cameras: Camera, pixels: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Undistorted rays, weights that are 0 for unseen points, and pixels without NaN."""
    xp = library(pixels)
    plane = cameras.undistort(pixels)
    missing = xp.isnan(pixels)
    return plane, xp.where(missing.any(-1), 0, _known(plane, weights)), xp.where(missing, 0, pixels)


def _known(plane: Array, weights: Array | None) -> Array:
    """The weights, and 0 where a view does not see the point."""
    xp = library(plane)
    missing = xp.isnan(plane).any(-1)
    if weights is None:
        return xp.where(missing, 0, xp.ones_like(plane[..., 0]))
    return xp.where(missing | ~(weights > 0), 0, weights)
