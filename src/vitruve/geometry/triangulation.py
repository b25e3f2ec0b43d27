"""World points from what several calibrated cameras see of them; numpy, or torch with derivatives.

Everywhere ``cameras`` are V cameras stacked (:func:`vitruve.structures.camera.stack_cameras`), pixels are
``(..., V, N, 2)`` in original images, and a view that does not see a point holds NaN or has weight 0. A point that
fewer than two cameras see is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float

from vitruve.structures.arrays import library
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Array

RobustLoss = Literal["cauchy", "huber"]

_STEPS = 20
_MOST_PAIRS = 66
_MOST_BEND = 0.99
# Times the rounding of one number: below, the determinant of a matrix of unit size counts as zero.
_SINGULAR = 10
_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-9, 1e9


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
    return _linear(cameras, plane, _known(plane, weights))


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
        Points in millimetres. With torch, derivatives are those of the solution, not of the steps to it.
    """
    xp = library(pixels)
    plane = cameras.undistort(pixels)
    known = _known(plane, weights)
    known = xp.where(xp.isnan(pixels).any(-1), 0, known)
    filled = xp.where(xp.isnan(pixels), 0, pixels)
    held, held_plane, held_known, held_pixels = cameras.map(_detached), *map(_detached, (plane, known, filled))
    points = _start(held, held_plane, held_known, held_pixels, loss, scale)
    damping = xp.zeros_like(points[..., :1]) + _DAMPING
    cost = _cost(held, points, held_pixels, held_known, loss, scale)
    for _ in range(_STEPS):
        moved = points + _step(held, points, held_pixels, held_known, loss, scale, damping)
        reached = _cost(held, moved, held_pixels, held_known, loss, scale)
        better = reached < cost
        points = xp.where(better[..., None], moved, points)
        cost = xp.where(better, reached, cost)
        damping = xp.where(better[..., None], damping * 0.1, damping * 10)
        damping = xp.clip(damping, _LEAST_DAMPING, _MOST_DAMPING)
    if xp is not np and any(array.requires_grad for array in (filled, known, *vars(cameras).values())):
        points = _with_derivatives(cameras, points, filled, known, loss, scale)
    return points


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
    eye = xp.zeros_like(covariance) + _eye(covariance, 2)
    information = xp.linalg.inv(xp.where(unseen[..., None, None], eye, covariance))
    known = (slope.swapaxes(-1, -2) @ information @ slope).sum(-4)
    return _masked((~unseen).sum(-2) >= 2, known, lambda matrix: xp.linalg.inv(matrix))


def _known(plane: Array, weights: Array | None) -> Array:
    """The weights, and 0 where a view does not see the point."""
    xp = library(plane)
    missing = xp.isnan(plane).any(-1)
    if weights is None:
        return xp.where(missing, 0, xp.ones_like(plane[..., 0]))
    return xp.where(missing | ~(weights > 0), 0, weights)


def _linear(cameras: Camera, plane: Array, weights: Array) -> Array:
    xp = library(plane)
    seen = weights > 0
    plane = xp.where(seen[..., None], plane, 0)
    turn, shift = cameras.rotation[..., None, :, :], cameras.translation[..., None, :]
    rows = turn[..., :2, :] - plane[..., None] * turn[..., 2:, :]
    sides = plane * shift[..., 2:] - shift[..., :2]
    weighted = rows * weights[..., None, None]
    normal = (weighted.swapaxes(-1, -2) @ rows).sum(-4)
    right = (weighted.swapaxes(-1, -2) @ sides[..., None]).sum(-4)
    return _masked(seen.sum(-2) >= 2, normal, lambda matrix: xp.linalg.solve(matrix, right))[..., 0]


def _start(cameras: Camera, plane: Array, weights: Array, pixels: Array, loss: RobustLoss, scale: float) -> Array:
    xp = library(plane)
    views = plane.shape[-3]
    best = _linear(cameras, plane, weights)
    least = _cost(cameras, best, pixels, weights, loss, scale)
    pairs = list(combinations(range(views), 2)) if views > 2 else []
    for number in np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _MOST_PAIRS)).round().astype(int)):
        chosen = list(pairs[number])
        points = _linear(_views(cameras, chosen), plane[..., chosen, :, :], weights[..., chosen, :])
        cost = _cost(cameras, points, pixels, weights, loss, scale)
        better = cost < least
        best, least = xp.where(better[..., None], points, best), xp.where(better, cost, least)
    return best


def _views(cameras: Camera, chosen: list[int]) -> Camera:
    return Camera(
        cameras.intrinsics[..., chosen, :, :],
        cameras.rotation[..., chosen, :, :],
        cameras.translation[..., chosen, :],
        cameras.distortion[..., chosen, :],
        cameras.size[..., chosen, :],
    )


def _squared_errors(cameras: Camera, points: Array, pixels: Array) -> Array:
    away = cameras.project(points[..., None, :, :]) - pixels
    return (away * away).sum(-1)


def _cost(cameras: Camera, points: Array, pixels: Array, weights: Array, loss: RobustLoss, scale: float) -> Array:
    """Infinite where there is no point, or where it lies behind a camera that sees it."""
    xp = library(points)
    ratio = _squared_errors(cameras, points, pixels) / scale**2
    if loss == "cauchy":
        values = xp.log1p(ratio)
    else:
        values = xp.where(ratio < 1, ratio, 2 * xp.sqrt(xp.where(ratio < 1, 1, ratio)) - 1)
    values = xp.where(weights > 0, weights * values, 0).sum(-2)
    return xp.where(xp.isnan(values), xp.inf, values)


def _step(
    cameras: Camera, points: Array, pixels: Array, weights: Array, loss: RobustLoss, scale: float, damping: Array
) -> Array:
    xp = library(points)
    placed = points[..., None, :, :]
    seen = (weights > 0)[..., None]
    away = xp.where(seen, pixels - cameras.project(placed), 0)
    slope = xp.where(seen[..., None], cameras.project_jacobian(placed), 0)
    ratio = (away * away).sum(-1) / scale**2
    factor = 1 / (1 + ratio) if loss == "cauchy" else 1 / xp.sqrt(xp.where(ratio < 1, 1, ratio))
    # Along the residual the loss bends less than its weight says; without that the last digits take hundreds of steps.
    bend = 2 * ratio / (1 + ratio) if loss == "cauchy" else xp.where(ratio < 1, 0, xp.ones_like(ratio))
    bend = xp.clip(bend, 0, _MOST_BEND) / xp.where(ratio > 0, ratio * scale**2, 1)
    weighted = slope * (weights * factor)[..., None, None]
    along = (away[..., None, :] @ slope)[..., 0, :]
    normal = (weighted.swapaxes(-1, -2) @ slope).sum(-4)
    normal = normal - ((weights * factor * bend)[..., None, None] * along[..., :, None] * along[..., None, :]).sum(-4)
    right = (weighted.swapaxes(-1, -2) @ away[..., None]).sum(-4)
    ridge = damping[..., None] * xp.where(_eye(normal, 3) > 0, normal, 0)
    usable = ~xp.isnan(points).any(-1)
    return _masked(usable, normal + ridge, lambda matrix: xp.linalg.solve(matrix, right))[..., 0]


def _with_derivatives(
    cameras: Camera, points: Array, pixels: Array, weights: Array, loss: RobustLoss, scale: float
) -> Array:
    """One Newton step from the solution: it stays, and its derivatives are those of the implicit function theorem."""
    import torch

    points = points.detach().requires_grad_()
    cost = _cost(cameras, points, pixels, weights, loss, scale)
    (slope,) = torch.autograd.grad(cost[cost.isfinite()].sum(), points, create_graph=True)
    curvature = torch.stack(
        [torch.autograd.grad(slope[..., i].sum(), points, retain_graph=True)[0] for i in range(3)], -2
    )
    usable = cost.isfinite()
    step = _masked(usable, curvature, lambda matrix: torch.linalg.solve(matrix, slope[..., None]))[..., 0]
    return points.detach() - torch.where(step.isfinite(), step, 0)


def _masked(usable: Array, matrices: Array, function: Callable[[Array], Array]) -> Array:
    """A function of invertible 3x3 matrices, NaN where they are not: one singular matrix must not stop the others."""
    xp = library(matrices)
    size = abs(matrices).sum(-1).sum(-1)
    usable = (usable & (size > 0) & xp.isfinite(size))[..., None, None]
    unit = xp.where(usable, matrices, _eye(matrices, 3)) / xp.where(usable, size[..., None, None], 1)
    flat = xp.linalg.det(_detached(unit))[..., None, None] > _SINGULAR * xp.finfo(unit.dtype).eps
    good = usable & flat
    result = function(xp.where(good, matrices, _eye(matrices, 3)))
    return xp.where(good, result, xp.nan)


def _eye(like: Array, size: int) -> Array:
    xp = library(like)
    return xp.eye(size, dtype=like.dtype) if xp is np else xp.eye(size, dtype=like.dtype, device=like.device)


def _detached(array: Array) -> Array:
    return array if isinstance(array, np.ndarray) else array.detach()
