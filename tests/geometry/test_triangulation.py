from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from vitruve.formats.anipose import read_calibration
from vitruve.formats.csv_table import read_csv_table
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.geometry.triangulation import (
    RobustLoss,
    point_covariance,
    reprojection_errors,
    triangulate,
    triangulate_ransac,
    triangulate_robust,
)
from vitruve.structures.camera import Camera, stack_cameras

SPREAD = 100.0


def rig(views: int, seed: int = 0) -> Camera:
    """Cameras around the origin that look at it, with all coefficients of the lens."""
    rng = np.random.default_rng(seed)
    cameras = []
    for view in range(views):
        turn = matrix_from_vector(np.array([0.0, 2 * np.pi * view / (views + 1), 0.0])) @ matrix_from_vector(
            rng.normal(size=3) * 0.2
        )
        matrix = np.array([[800.0, 0, 320], [0, 820, 240], [0, 0, 1]])
        lens = rng.uniform(-1, 1, 8) * [0.2, 0.05, 0.005, 0.005, 0.01, 0.05, 0.02, 0.01]
        cameras.append(Camera(matrix, turn, np.array([0, 0, 900.0]), lens, np.array([640.0, 480.0])))
    return stack_cameras(tuple(cameras))


def scene(views: int, shape: tuple[int, ...] = (4, 6), seed: int = 1) -> tuple[Camera, np.ndarray, np.ndarray]:
    """Cameras, points ``(*shape, 3)`` and what is seen of them, exactly."""
    cameras = rig(views)
    points = np.random.default_rng(seed).uniform(-SPREAD, SPREAD, (*shape, 3))
    return cameras, points, cameras.project(points[..., None, :, :])


@pytest.mark.parametrize("views", [2, 3, 6, 14])
def test_exact_pixels_give_the_points_back(views: int) -> None:
    cameras, points, pixels = scene(views)
    for found in (triangulate(cameras, pixels), triangulate_robust(cameras, pixels)):
        np.testing.assert_allclose(found, points, atol=1e-7)
    assert np.nanmax(reprojection_errors(cameras, triangulate(cameras, pixels), pixels)) < 1e-7


def test_missing_views_are_left_out_and_one_is_not_enough() -> None:
    cameras, points, pixels = scene(4)
    pixels[0, 0, 0] = np.nan
    pixels[1, :2, 1, 0] = np.nan
    pixels[2, :3, 2] = np.nan
    pixels[3, :, 3] = np.nan
    weights = np.ones(pixels.shape[:-1])
    weights[0, :3, 4] = 0
    weights[0, 3, 5] = np.nan
    for function in (triangulate, triangulate_robust):
        found = function(cameras, pixels, weights)
        lost = np.zeros((4, 6), bool)
        lost[2, 2] = lost[3, 3] = lost[0, 4] = True
        assert np.isnan(found[lost]).all()
        np.testing.assert_allclose(found[~lost], points[~lost], atol=1e-7)
        errors = reprojection_errors(cameras, found, pixels)
        assert np.isnan(errors[2, :, 2]).all() and np.isnan(errors[0, 0, 0]) and errors[0, 1, 0] < 1e-6


def test_cameras_that_look_along_one_line_tell_no_depth() -> None:
    single = rig(1)
    twice = Camera(*(np.concatenate([value, value]) for value in vars(single).values() if value is not None))
    pixels = np.array([[[300.0, 200.0]], [[300.0, 200.0]]])
    assert np.isnan(triangulate(twice, pixels)).all()
    assert np.isnan(triangulate_robust(twice, pixels)).all()


def _reference(cameras: Camera, pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One point at a time by plain linear algebra."""
    points = np.zeros((pixels.shape[1], 3))
    for number in range(pixels.shape[1]):
        rows, sides = [], []
        for view in range(len(pixels)):
            x, y = cameras[view].undistort(pixels[view, number][None])[0]
            root = np.sqrt(weights[view, number])
            projection = np.column_stack([cameras.rotation[view], cameras.translation[view]])
            for value, row in ((x, 0), (y, 1)):
                line = root * (projection[row] - value * projection[2])
                rows.append(line[:3])
                sides.append(-line[3])
        points[number] = np.linalg.lstsq(np.array(rows), np.array(sides), rcond=None)[0]
    return points


def test_the_linear_solution_is_that_of_a_slow_reference() -> None:
    cameras, _, pixels = scene(5, (30,))
    rng = np.random.default_rng(2)
    pixels = pixels + rng.normal(size=pixels.shape) * 3
    weights = rng.uniform(0.1, 1, pixels.shape[:-1])
    np.testing.assert_allclose(triangulate(cameras, pixels, weights), _reference(cameras, pixels, weights), atol=1e-8)


@pytest.mark.parametrize("loss", ["cauchy", "huber"])
def test_the_robust_solution_is_the_least_of_its_loss(loss: RobustLoss) -> None:
    cameras, points, pixels = scene(4, (12,))
    rng = np.random.default_rng(3)
    pixels = pixels + rng.normal(size=pixels.shape) * 2
    found = triangulate_robust(cameras, pixels, loss=loss, scale=2.5)

    def cost(point: np.ndarray, number: int) -> float:
        squares = ((cameras.project(point[None, None])[:, 0] - pixels[:, number]) ** 2).sum(-1) / 2.5**2
        values = np.log1p(squares) if loss == "cauchy" else np.where(squares < 1, squares, 2 * np.sqrt(squares) - 1)
        return float(values.sum())

    for number in range(12):

        def residuals(point: np.ndarray, number: int = number) -> np.ndarray:
            # Square roots of the loss: their squares add up to what is minimised.
            squares = ((cameras.project(point[None, None])[:, 0] - pixels[:, number]) ** 2).sum(-1) / 2.5**2
            return np.sqrt(
                np.log1p(squares) if loss == "cauchy" else np.where(squares < 1, squares, 2 * np.sqrt(squares) - 1)
            )

        best = least_squares(residuals, points[number], xtol=1e-14, ftol=1e-14, gtol=1e-14)
        assert cost(found[number], number) <= cost(best.x, number) + 1e-9


def test_wrong_views_do_not_move_the_robust_point() -> None:
    cameras, points, pixels = scene(5, (40,))
    rng = np.random.default_rng(4)
    pixels = pixels + rng.normal(size=pixels.shape) * 0.5
    clean = np.linalg.norm(triangulate_robust(cameras, pixels) - points, axis=-1)
    wrong = pixels.copy()
    for number, view in enumerate(rng.integers(0, 5, 40)):
        wrong[view, number] += rng.uniform(60, 200, 2) * rng.choice([-1, 1], 2)
    robust = np.linalg.norm(triangulate_robust(cameras, wrong) - points, axis=-1)
    linear = np.linalg.norm(triangulate(cameras, wrong) - points, axis=-1)
    assert robust.max() < 3 * clean.max() < linear.min()


def _turned_round(camera: Camera) -> Camera:
    """The camera at its place, looking the other way."""
    back = np.diag([-1.0, 1.0, -1.0])
    return replace(camera, rotation=back @ camera.rotation, translation=back @ camera.translation)


@pytest.mark.parametrize("triangulated", [triangulate_robust, triangulate_ransac])
def test_a_camera_that_looks_the_other_way_and_sees_something_is_one_more_wrong_view(
    triangulated: Callable[..., Any],
) -> None:
    cameras, points, pixels = scene(4, (6,))
    singles = [cameras[view] for view in range(4)]
    cameras = stack_cameras((*singles, _turned_round(singles[0])))
    pixels = np.concatenate([pixels, np.random.default_rng(7).uniform(100, 400, (1, 6, 2))])
    assert np.isnan(cameras[4].project(points)).all()
    np.testing.assert_allclose(triangulated(cameras, pixels), points, atol=1e-5)
    torched, tensor = cameras.map(torch.from_numpy), torch.from_numpy(pixels).requires_grad_()
    found = triangulated(torched, tensor)
    np.testing.assert_allclose(found.detach(), points, atol=1e-5)
    found.sum().backward()
    assert tensor.grad is not None and torch.isfinite(tensor.grad).all() and not tensor.grad[4].any()


@pytest.mark.parametrize("triangulated", [triangulate_robust, triangulate_ransac])
def test_rays_that_meet_behind_the_cameras_tell_no_point(triangulated: Callable[..., Any]) -> None:
    matrix = np.diag([800.0, 800, 1])
    left, right = (Camera(matrix, np.eye(3), np.array([x, 0, 0.0]), np.zeros(8), np.ones(2)) for x in (0, -50))
    cameras, pixels = stack_cameras((left, right)), np.array([[[-100.0, 0]], [[100.0, 0]]])
    assert triangulate(cameras, pixels)[0, 2] < 0
    assert np.isnan(triangulated(cameras, pixels)).all()


def test_covariance_is_that_of_many_triangulations() -> None:
    cameras, points, _ = scene(3, (1,))
    rng = np.random.default_rng(5)
    covariance = np.array([[[[4.0, 1.0], [1.0, 2.0]]], [[[1.0, 0.0], [0.0, 9.0]]], [[[1.0, -0.5], [-0.5, 1.0]]]])
    roots = np.linalg.cholesky(covariance)
    told = point_covariance(cameras, points, covariance)[0]
    # Weighted least squares of the linearised cameras, drawn many times.
    slope = cameras.project_jacobian(points[None])[:, 0]
    information = np.linalg.inv(covariance[:, 0])
    draws = np.einsum("vij,nvj->nvi", roots[:, 0], rng.normal(size=(40000, 3, 2)))
    moved = np.einsum("ij,nj->ni", told, np.einsum("vji,vjk,nvk->ni", slope, information, draws))
    np.testing.assert_allclose(np.cov(moved.T), told, rtol=0.05, atol=0.02)
    covariance[0] = np.nan
    two = point_covariance(cameras, points, covariance)[0]
    assert (np.linalg.eigvalsh(two - told) > 0).all()
    covariance[1] = np.nan
    assert np.isnan(point_covariance(cameras, points, covariance)).all()


def test_torch_gives_the_same_points_and_the_derivatives_of_the_solution() -> None:
    cameras, _, pixels = scene(4, (2, 3))
    rng = np.random.default_rng(6)
    pixels = pixels + rng.normal(size=pixels.shape) * 2
    pixels[0, 0, 0] = np.nan
    torched = cameras.map(torch.from_numpy)
    tensor = torch.from_numpy(pixels)
    for function in (triangulate, triangulate_robust):
        np.testing.assert_allclose(function(torched, tensor), function(cameras, pixels), atol=1e-7)

        def moved(values: torch.Tensor, function=function) -> torch.Tensor:  # type: ignore[no-untyped-def]
            whole = tensor.clone()
            whole[1, :, 1] = values
            return function(torched, whole)

        assert torch.autograd.gradcheck(moved, (tensor[1, :, 1].clone().requires_grad_(),), rtol=1e-3, atol=1e-6)
        held = tensor.clone().requires_grad_()
        reprojection_errors(torched, function(torched, held), held).nansum().backward()
        assert torch.isfinite(held.grad).all()  # a missing view must not spoil the others' derivatives
    single = triangulate_robust(torched.map(torch.Tensor.float), tensor.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, triangulate_robust(cameras, pixels), atol=0.05)


def test_the_fly_is_triangulated_as_its_description_says(data_dir: Path) -> None:
    folder = data_dir / "eks_fly"
    calibration = read_calibration(folder / "calibration.toml")
    cameras = stack_cameras(tuple(calibration.values()))
    files = [next(iter(sorted(folder.glob(f"*{name}*.csv")))) for name in calibration]
    pixels = np.stack([read_csv_table(file).keypoints[:, 0] for file in files], 1)
    errors = reprojection_errors(cameras, triangulate(cameras, pixels), pixels)
    assert errors.shape == (500, 3, 12)
    np.testing.assert_allclose(np.median(errors, (0, 2)), [1.28, 1.15, 1.70], atol=0.01)
    assert 11.4 < errors.max() < 11.8
