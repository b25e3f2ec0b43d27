"""Outlier rejection and uncertainty of triangulated points, against slow references."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from geometry.test_triangulation import rig, scene
from vitruve.geometry.triangulation import (
    Method,
    reconstruct,
    reprojection_errors,
    residual_covariance,
    triangulate,
    triangulate_ransac,
    triangulate_robust,
)
from vitruve.structures.camera import Camera

NOISE = 0.5


def displaced(views: int, count: int, seed: int) -> tuple[Camera, np.ndarray, np.ndarray, np.ndarray]:
    """Cameras, points, noisy pixels of which at most ``views - 3`` a point are 50 px off, and which these are."""
    cameras, points, pixels = scene(views, (count,))
    rng = np.random.default_rng(seed)
    pixels = pixels + rng.normal(size=pixels.shape) * NOISE
    wrong = np.argsort(rng.random((views, count)), 0) < rng.integers(0, views - 2, count)
    angle = rng.uniform(0, 2 * np.pi, wrong.shape)
    pixels = pixels + wrong[..., None] * 50 * np.stack([np.cos(angle), np.sin(angle)], -1)
    return cameras, points, pixels, wrong


def _least_squares(cameras: Camera, pixels: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The point of least squared reprojection error and its covariance, by scipy with numeric derivatives."""

    def residuals(point: np.ndarray) -> np.ndarray:
        return (cameras.project(point[None, None])[:, 0] - pixels).ravel()

    found = least_squares(residuals, start, xtol=1e-15, ftol=1e-15, gtol=1e-15, jac="3-point")
    variance = 2 * found.cost / (pixels.size - 3)
    return found.x, variance * np.linalg.inv(found.jac.T @ found.jac)


def _slow_consensus(cameras: Camera, pixels: np.ndarray, threshold: float) -> np.ndarray:
    """Every pair of views, one after the other."""
    best, least = np.zeros(3), np.inf
    for pair in combinations(range(len(pixels)), 2):
        point = triangulate(cameras[list(pair)], pixels[list(pair)][:, None])[0]
        errors = np.linalg.norm(cameras.project(point[None, None])[:, 0] - pixels, axis=-1)
        cost = np.minimum(errors, threshold) @ np.minimum(errors, threshold)
        if cost < least:
            best, least = point, cost
    errors = np.linalg.norm(cameras.project(best[None, None])[:, 0] - pixels, axis=-1)
    near = errors <= threshold
    return _least_squares(cameras[near], pixels[near], best)[0]


def test_the_consensus_is_that_of_all_pairs_and_its_least_squares() -> None:
    cameras, points, pixels, wrong = displaced(6, 15, 1)
    found = reconstruct(cameras, pixels, method="ransac")
    slow = np.stack([_slow_consensus(cameras, pixels[:, number], 3.0) for number in range(15)])
    np.testing.assert_allclose(found.points, slow, atol=1e-5)
    np.testing.assert_array_equal(found.weights == 0, wrong)
    assert np.linalg.norm(found.points - points, axis=-1).max() < 4
    np.testing.assert_allclose(found.errors, reprojection_errors(cameras, found.points, pixels))


def test_a_rejected_view_has_no_pull_at_all() -> None:
    cameras, points, pixels = scene(5, (30,))
    pixels[2] += 50
    np.testing.assert_allclose(triangulate_ransac(cameras, pixels), points, atol=1e-7)
    assert np.linalg.norm(triangulate_robust(cameras, pixels) - points, axis=-1).min() > 1e-3


def test_views_that_contradict_one_another_give_no_point() -> None:
    cameras, _, pixels = scene(2, (5,))
    pixels[0, :, 1] += 60
    found = triangulate_ransac(cameras, pixels)
    assert np.isnan(found).all()
    assert np.isfinite(triangulate(cameras, pixels)).all()
    pixels[0, 0] = np.nan
    assert np.isnan(reconstruct(cameras, pixels, method="ransac").covariance).all()


def test_confidence_decides_where_two_pairs_are_alike() -> None:
    cameras, points, pixels = scene(4, (1,))
    other = cameras.project((points + np.array([30.0, 0, 0]))[None])
    pixels[2:] = other[2:]
    for trusted in ([1.0, 1, 0.4, 0.4], [0.4, 0.4, 1, 1]):
        found = triangulate_ransac(cameras, pixels, np.array(trusted)[:, None])
        assert np.linalg.norm(found - points) < 1e-6 if trusted[0] == 1 else np.linalg.norm(found - points) > 29


def test_cameras_of_different_resolution_and_a_batch_of_frames() -> None:
    cameras = rig(4)
    scale = np.array([1.0, 0.5, 2.0, 1.0])
    intrinsics = cameras.intrinsics * np.where(np.arange(3) < 2, scale[:, None], 1)[..., None]
    cameras = Camera(
        intrinsics, cameras.rotation, cameras.translation, cameras.distortion, cameras.size * scale[:, None]
    )
    points = np.random.default_rng(0).uniform(-80, 80, (3, 2, 7, 3))
    pixels = cameras.project(points[..., None, :, :])
    methods: tuple[Method, ...] = ("linear", "ransac", "robust")
    for method in methods:
        found = reconstruct(cameras, pixels, method=method)
        assert found.points.shape == (3, 2, 7, 3) and found.covariance.shape == (3, 2, 7, 3, 3)
        assert found.errors.shape == found.weights.shape == (3, 2, 4, 7)
        np.testing.assert_allclose(found.points, points, atol=1e-6)


def test_the_covariance_is_that_of_nonlinear_regression() -> None:
    cameras, _, pixels = scene(6, (10,))
    pixels = pixels + np.random.default_rng(2).normal(size=pixels.shape) * NOISE
    found = reconstruct(cameras, pixels, method="ransac", scale=1e3)
    for number in range(10):
        point, covariance = _least_squares(cameras, pixels[:, number], found.points[number] + 1)
        np.testing.assert_allclose(found.points[number], point, atol=1e-5)
        np.testing.assert_allclose(found.covariance[number], covariance, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", ["ransac", "robust"])
def test_the_covariance_covers_the_true_error(method: Method) -> None:
    cameras, point, exact = scene(8, (1,))
    rng = np.random.default_rng(3)
    pixels = exact + rng.normal(size=(1500, *exact.shape)) * NOISE
    found = reconstruct(cameras, pixels, method=method)
    np.testing.assert_allclose(
        np.cov((found.points - point)[:, 0].T), found.covariance[:, 0].mean(0), rtol=0.15, atol=0.004
    )


def test_two_exact_views_and_missing_ones_have_a_finite_covariance() -> None:
    cameras, _, pixels = scene(3, (2,))
    pixels[0, 0] = np.nan
    pixels[:2, 1] = np.nan
    covariance = residual_covariance(cameras, triangulate(cameras, pixels), pixels)
    assert (np.linalg.eigvalsh(covariance[0]) > 0).all() and np.isnan(covariance[1]).all()


def test_torch_gives_the_same_consensus_and_its_derivatives() -> None:
    cameras, _, pixels, _ = displaced(4, 4, 5)
    pixels[0, 3] = np.nan
    torched, tensor = cameras.map(torch.from_numpy), torch.from_numpy(pixels)
    plain, other = reconstruct(cameras, pixels, method="ransac"), reconstruct(torched, tensor, method="ransac")
    for name, value in vars(plain).items():
        np.testing.assert_allclose(getattr(other, name), value, atol=1e-6)

    def moved(values: torch.Tensor) -> torch.Tensor:
        return triangulate_ransac(torched, torch.cat([values[None], tensor[1:, :2]]))

    assert torch.autograd.gradcheck(moved, (tensor[0, :2].clone().requires_grad_(),), rtol=1e-3, atol=1e-6)
