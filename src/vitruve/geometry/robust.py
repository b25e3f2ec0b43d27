"""The solvers behind triangulation: linear starts, robust costs, damped Gauss-Newton steps, for many points at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Literal

import numpy as np

from vitruve.structures.arrays import library
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Array

Loss = Literal["cauchy", "huber", "truncated", "squares"]
"""What becomes of a squared error: ``truncated`` chooses among starts only, for it has no slope beyond its scale."""

_STEPS = 20
_MOST_PAIRS = 66
_MOST_BEND = 0.99
# Squared error, in squares of the scale, of a view that a point lies behind: it may be the one view that is wrong.
_BEHIND = 1e4
# Times the rounding of one number: below, the determinant of a matrix of unit size counts as zero.
_SINGULAR = 10
_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-9, 1e9


def linear_points(cameras: Camera, plane: Array, weights: Array) -> Array:
    """Weighted least squares of the rays' linear equations, in closed form.

    Args:
        cameras: V stacked cameras.
        plane: ``(..., V, N, 2)`` undistorted rays.
        weights: ``(..., V, N)``, 0 where a view does not see the point.

    Returns:
        ``(..., N, 3)``; NaN where fewer than two views see the point, or their rays are parallel.
    """
    xp = library(plane)
    seen = weights > 0
    plane = xp.where(seen[..., None], plane, 0)
    turn, shift = cameras.rotation[..., None, :, :], cameras.translation[..., None, :]
    rows = turn[..., :2, :] - plane[..., None] * turn[..., 2:, :]
    sides = plane * shift[..., 2:] - shift[..., :2]
    weighted = rows * weights[..., None, None]
    normal = (weighted.swapaxes(-1, -2) @ rows).sum(-4)
    right = (weighted.swapaxes(-1, -2) @ sides[..., None]).sum(-4)
    return where_invertible(seen.sum(-2) >= 2, normal, lambda matrix: xp.linalg.solve(matrix, right))[..., 0]


def best_linear(cameras: Camera, plane: Array, weights: Array, pixels: Array, loss: Loss, scale: float) -> Array:
    """The linear solution of least cost among those of all views together and of pairs of them.

    Args:
        cameras: V stacked cameras.
        plane: ``(..., V, N, 2)`` undistorted rays.
        weights: ``(..., V, N)``, 0 where a view does not see the point.
        pixels: ``(..., V, N, 2)``, finite.
        loss: What the cost is made of.
        scale: Reprojection error in pixels at which the loss bends.

    Returns:
        ``(..., N, 3)``. Of many cameras, pairs are tried that are spread over all of them.
    """
    xp = library(plane)
    views = plane.shape[-3]
    best = linear_points(cameras, plane, weights)
    least = _cost(cameras, best, pixels, weights, loss, scale)
    pairs = list(combinations(range(views), 2)) if views > 2 else []
    for number in np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _MOST_PAIRS)).round().astype(int)):
        chosen = list(pairs[number])
        points = linear_points(cameras.views(chosen), plane[..., chosen, :, :], weights[..., chosen, :])
        cost = _cost(cameras, points, pixels, weights, loss, scale)
        better = cost < least
        best, least = xp.where(better[..., None], points, best), xp.where(better, cost, least)
    return best


def squared_errors(cameras: Camera, points: Array, pixels: Array) -> Array:
    """Squared reprojection errors ``(..., V, N)`` in pixels; infinite where a point lies behind a camera or is missing.

    Args:
        cameras: V stacked cameras.
        points: ``(..., N, 3)``.
        pixels: ``(..., V, N, 2)``, finite.

    Returns:
        Squared pixels.
    """
    away = cameras.project(points[..., None, :, :]) - pixels
    xp = library(away)
    nowhere = xp.isnan(away).any(-1)
    away = xp.where(nowhere[..., None], 0, away)
    return xp.where(nowhere, xp.inf, (away * away).sum(-1))


def refined(cameras: Camera, points: Array, pixels: Array, weights: Array, loss: Loss, scale: float) -> Array:
    """Damped Gauss-Newton steps with reweighted residuals, from given points to the least cost.

    Args:
        cameras: V stacked cameras.
        points: ``(..., N, 3)`` to begin with.
        pixels: ``(..., V, N, 2)``, finite.
        weights: ``(..., V, N)``, 0 where a view does not see the point.
        loss: What the cost is made of.
        scale: Reprojection error in pixels at which the loss bends.

    Returns:
        ``(..., N, 3)``; with torch, with the derivatives of the solution where any are wanted.
    """
    held, seen, known = cameras.map(detached), detached(pixels), detached(weights)
    xp = library(points)
    damping = xp.zeros_like(points[..., :1]) + _DAMPING
    cost = _cost(held, points, seen, known, loss, scale)
    for _ in range(_STEPS):
        moved = points + _step(held, points, seen, known, loss, scale, damping)
        reached = _cost(held, moved, seen, known, loss, scale)
        better = reached < cost
        points = xp.where(better[..., None], moved, points)
        cost = xp.where(better, reached, cost)
        damping = xp.where(better[..., None], damping * 0.1, damping * 10)
        damping = xp.clip(damping, _LEAST_DAMPING, _MOST_DAMPING)
    return _differentiable(cameras, points, pixels, weights, loss, scale)


def _differentiable(cameras: Camera, points: Array, pixels: Array, weights: Array, loss: Loss, scale: float) -> Array:
    """The solution with its derivatives, where any are wanted."""
    arrays = (pixels, weights, *vars(cameras).values())
    if isinstance(points, np.ndarray) or not any(array is not None and array.requires_grad for array in arrays):
        return points
    return _with_derivatives(cameras, points, pixels, weights, loss, scale)


def _cost(cameras: Camera, points: Array, pixels: Array, weights: Array, loss: Loss, scale: float) -> Array:
    """Infinite where there is no point."""
    xp = library(points)
    ratio = squared_errors(cameras, points, pixels) / scale**2
    ratio = xp.where(xp.isinf(ratio), _BEHIND, ratio)
    if loss == "cauchy":
        values = xp.log1p(ratio)
    elif loss == "squares":
        values = ratio
    elif loss == "truncated":
        values = xp.clip(ratio, None, 1)
    else:
        values = xp.where(ratio < 1, ratio, 2 * xp.sqrt(xp.where(ratio < 1, 1, ratio)) - 1)
    values = xp.where(weights > 0, weights * values, 0).sum(-2)
    return xp.where(xp.isnan(points).any(-1), xp.inf, values)


def _step(
    cameras: Camera, points: Array, pixels: Array, weights: Array, loss: Loss, scale: float, damping: Array
) -> Array:
    xp = library(points)
    placed = points[..., None, :, :]
    away = pixels - cameras.project(placed)
    seen = (weights > 0)[..., None] & ~xp.isnan(away)
    away = xp.where(seen, away, 0)
    slope = xp.where(seen[..., None], cameras.project_jacobian(placed), 0)
    ratio = (away * away).sum(-1) / scale**2
    if loss == "cauchy":
        factor, bend = 1 / (1 + ratio), 2 * ratio / (1 + ratio)
    elif loss == "squares":
        factor, bend = xp.ones_like(ratio), xp.zeros_like(ratio)
    else:
        factor, bend = 1 / xp.sqrt(xp.where(ratio < 1, 1, ratio)), xp.where(ratio < 1, 0, xp.ones_like(ratio))
    # Along the residual the loss bends less than its weight says; without that the last digits take hundreds of steps.
    bend = xp.clip(bend, 0, _MOST_BEND) / xp.where(ratio > 0, ratio * scale**2, 1)
    weighted = slope * (weights * factor)[..., None, None]
    along = (away[..., None, :] @ slope)[..., 0, :]
    normal = (weighted.swapaxes(-1, -2) @ slope).sum(-4)
    normal = normal - ((weights * factor * bend)[..., None, None] * along[..., :, None] * along[..., None, :]).sum(-4)
    right = (weighted.swapaxes(-1, -2) @ away[..., None]).sum(-4)
    ridge = damping[..., None] * xp.where(unit_matrix(normal, 3) > 0, normal, 0)
    usable = ~xp.isnan(points).any(-1)
    return where_invertible(usable, normal + ridge, lambda matrix: xp.linalg.solve(matrix, right))[..., 0]


def _with_derivatives(cameras: Camera, points: Array, pixels: Array, weights: Array, loss: Loss, scale: float) -> Array:
    """One Newton step from the solution: it stays, and its derivatives are those of the implicit function theorem."""
    import torch

    points = points.detach().requires_grad_()
    cost = _cost(cameras, points, pixels, weights, loss, scale)
    (slope,) = torch.autograd.grad(cost[cost.isfinite()].sum(), points, create_graph=True)
    curvature = torch.stack(
        [torch.autograd.grad(slope[..., i].sum(), points, retain_graph=True)[0] for i in range(3)], -2
    )
    usable = cost.isfinite()
    step = where_invertible(usable, curvature, lambda matrix: torch.linalg.solve(matrix, slope[..., None]))[..., 0]
    return points.detach() - torch.where(step.isfinite(), step, 0)


def where_invertible(usable: Array, matrices: Array, function: Callable[[Array], Array]) -> Array:
    """A function of invertible 3x3 matrices, NaN where they are not: one singular matrix must not stop the others.

    Args:
        usable: ``(...)`` where the function is wanted.
        matrices: ``(..., 3, 3)``.
        function: Of all matrices at once.

    Returns:
        What the function gives.
    """
    xp = library(matrices)
    size = abs(matrices).sum(-1).sum(-1)
    usable = (usable & (size > 0) & xp.isfinite(size))[..., None, None]
    unit = xp.where(usable, matrices, unit_matrix(matrices, 3)) / xp.where(usable, size[..., None, None], 1)
    flat = xp.linalg.det(detached(unit))[..., None, None] > _SINGULAR * xp.finfo(unit.dtype).eps
    good = usable & flat
    result = function(xp.where(good, matrices, unit_matrix(matrices, 3)))
    return xp.where(good, result, xp.nan)


def unit_matrix(like: Array, size: int) -> Array:
    """The identity, of the library, type and device of another array."""
    xp = library(like)
    return xp.eye(size, dtype=like.dtype) if xp is np else xp.eye(size, dtype=like.dtype, device=like.device)


def detached(array: Array) -> Array:
    """The array without derivatives."""
    return array if isinstance(array, np.ndarray) else array.detach()
