from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from vitruve.structures.camera import Camera, missing_camera, stack_cameras


def _random_camera(seed: int, coefficients: int) -> Camera:
    rng = np.random.default_rng(seed)
    rotation, _ = cv2.Rodrigues(rng.normal(size=3) * 0.4)
    distortion = np.zeros(8)
    scale = np.array([0.2, 0.05, 0.01, 0.01, 0.02, 0.1, 0.05, 0.01])
    distortion[:coefficients] = (rng.uniform(-1, 1, 8) * scale)[:coefficients]
    intrinsics = np.array([[rng.uniform(500, 900), 0, 320], [0, rng.uniform(500, 900), 240], [0, 0, 1]])
    return Camera(intrinsics, rotation, np.array([5.0, -8.0, 900.0]), distortion, np.array([640.0, 480.0]))


def _points(seed: int, count: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-200, 200, (count, 3))


def _opencv(camera: Camera, points: np.ndarray) -> np.ndarray:
    turn, _ = cv2.Rodrigues(camera.rotation)
    pixels, _ = cv2.projectPoints(points, turn, camera.translation, camera.intrinsics, camera.distortion)
    return pixels[:, 0]


@pytest.mark.parametrize("coefficients", [0, 4, 5, 8])
@pytest.mark.parametrize("seed", range(5))
def test_projection_is_that_of_opencv(seed: int, coefficients: int) -> None:
    camera, points = _random_camera(seed, coefficients), _points(seed)
    np.testing.assert_allclose(camera.project(points), _opencv(camera, points), atol=1e-8)
    torched = camera.map(torch.from_numpy).project(torch.from_numpy(points))
    np.testing.assert_allclose(torched, _opencv(camera, points), atol=1e-8)


def test_points_broadcast_against_stacked_cameras() -> None:
    cameras = tuple(_random_camera(seed, 8) for seed in range(3))
    rig, points = stack_cameras(cameras), _points(0)
    assert rig.intrinsics.shape == (3, 3, 3) and rig.size.shape == (3, 2)
    expected = np.stack([_opencv(camera, points) for camera in cameras])
    np.testing.assert_allclose(rig.project(points), expected, atol=1e-8)
    batches = np.stack([points, points + 1])[:, None]  # (B, 1, N, 3) against (V,)
    assert rig.project(batches).shape == (2, 3, 20, 2)
    np.testing.assert_allclose(rig.project(batches)[0], expected, atol=1e-8)
    np.testing.assert_allclose(rig[1].project(points), expected[1], atol=1e-8)


@pytest.mark.parametrize("torched", [False, True])
def test_points_behind_the_camera_are_missing(torched: bool) -> None:
    camera = _random_camera(1, 8)
    ahead = _points(3, 1)
    center = -camera.rotation.T @ camera.translation
    behind = 2 * center - ahead
    points = np.concatenate([ahead, behind, [[np.nan] * 3]])
    if torched:
        pixels = camera.map(torch.from_numpy).project(torch.from_numpy(points)).numpy()
    else:
        pixels = camera.project(points)
    assert np.isfinite(pixels[0]).all() and np.isnan(pixels[1:]).all()


@pytest.mark.parametrize("coefficients", [0, 4, 5, 8])
@pytest.mark.parametrize("seed", range(5))
def test_undistorted_pixels_are_rays_to_the_points(seed: int, coefficients: int) -> None:
    camera, points = _random_camera(seed, coefficients), _points(seed)
    inside = points @ camera.rotation.T + camera.translation
    pixels = camera.project(points)
    np.testing.assert_allclose(camera.undistort(pixels), inside[:, :2] / inside[:, 2:], atol=1e-12)
    single = camera.map(torch.from_numpy).map(torch.Tensor.float).undistort(torch.from_numpy(pixels).float())
    np.testing.assert_allclose(single, inside[:, :2] / inside[:, 2:], atol=2e-6)


def test_undistortion_has_the_derivatives_of_the_inverse() -> None:
    camera = stack_cameras(tuple(_random_camera(seed, 8) for seed in range(2))).map(torch.from_numpy)
    pixels = camera.project(torch.from_numpy(_points(0, 4))).requires_grad_()
    lens = camera.distortion.clone().requires_grad_()

    def undistorted(pixels: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        return Camera(camera.intrinsics, camera.rotation, camera.translation, lens, camera.size).undistort(pixels)

    assert torch.autograd.gradcheck(undistorted, (pixels, lens))
    with torch.no_grad():
        pixels[0, 1] = torch.nan
    camera.undistort(pixels).nansum().backward()
    assert torch.isfinite(pixels.grad).all() and (pixels.grad[0, 1] == 0).all()


def test_pixels_that_no_direction_reaches_are_missing() -> None:
    camera = _random_camera(0, 0)
    barrel = Camera(
        camera.intrinsics, camera.rotation, camera.translation, np.array([-0.5, 0, 0, 0, 0, 0, 0, 0.0]), camera.size
    )
    # x (1 - x^2 / 2) is 0.544 at the most, where the model folds over.
    focal = camera.intrinsics[0, 0]
    pixels = np.array([[320 + focal * 0.54, 240.0], [320 + focal * 0.55, 240.0], [np.nan, 240.0]])
    plane = barrel.undistort(pixels)
    assert np.isnan(plane[1:]).all()
    assert abs(plane[0, 0] * (1 - plane[0, 0] ** 2 / 2) - 0.54) < 1e-12 and plane[0, 0] < np.sqrt(2 / 3)


def test_the_jacobian_is_the_derivative_of_the_projection() -> None:
    rig = stack_cameras(tuple(_random_camera(seed, 8) for seed in range(3)))
    points = _points(0)
    step = 1e-4
    moves = step * np.eye(3)
    numeric = np.stack([(rig.project(points + m) - rig.project(points - m)) / (2 * step) for m in moves], -1)
    np.testing.assert_allclose(rig.project_jacobian(points), numeric, atol=1e-7)


def _fisheye(seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    lens = np.zeros(8)
    lens[:4] = rng.uniform(-1, 1, 4) * [0.05, 0.01, 0.003, 0.001]
    camera = _random_camera(seed, 0)
    return replace(camera, distortion=lens, fisheye=np.array(1.0), translation=np.array([5.0, -8.0, 300.0]))


def _wide_points(camera: Camera, count: int = 40) -> np.ndarray:
    """Points up to 85 degrees off the axis, the first one on it."""
    rng = np.random.default_rng(3)
    angle, turn = np.radians(rng.uniform(0, 85, count)), rng.uniform(0, 2 * np.pi, count)
    angle[0] = 0
    rays = np.stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], -1)
    inside = rays * rng.uniform(100, 900, (count, 1))
    return (inside - camera.translation) @ camera.rotation


@pytest.mark.parametrize("seed", range(5))
def test_fisheye_projection_is_that_of_opencv(seed: int) -> None:
    camera = _fisheye(seed)
    points = _wide_points(camera)
    turn, _ = cv2.Rodrigues(camera.rotation)
    shift, lens = camera.translation.reshape(3, 1), camera.distortion[:4]
    wanted, _ = cv2.fisheye.projectPoints(points[:, None], turn, shift, camera.intrinsics, lens)
    np.testing.assert_allclose(camera.project(points), wanted[:, 0], atol=1e-8)
    torched = camera.map(torch.as_tensor).project(torch.from_numpy(points))
    np.testing.assert_allclose(torched, wanted[:, 0], atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_undistorted_fisheye_pixels_are_rays_to_the_points(seed: int) -> None:
    camera = _fisheye(seed)
    points = _wide_points(camera)
    inside = points @ camera.rotation.T + camera.translation
    np.testing.assert_allclose(
        camera.undistort(camera.project(points)), inside[:, :2] / inside[:, 2:], rtol=1e-9, atol=1e-14
    )
    beyond = camera.intrinsics[:2, 2] + camera.intrinsics[0, 0] * np.array([[4.0, 0.0]])
    assert np.isnan(camera.undistort(beyond)).all()


def test_the_fisheye_jacobian_is_the_derivative_of_the_projection() -> None:
    camera = _fisheye(2)
    points, step = _wide_points(camera), 1e-4
    moves = step * np.eye(3)
    numeric = np.stack([(camera.project(points + m) - camera.project(points - m)) / (2 * step) for m in moves], -1)
    # 40 points have slopes up to some 10 pixels a millimetre.
    np.testing.assert_allclose(camera.project_jacobian(points), numeric, rtol=1e-6, atol=1e-6)


def test_lenses_of_both_kinds_stand_in_one_rig() -> None:
    cameras = (_random_camera(0, 8), _fisheye(1), _random_camera(2, 5))
    rig = stack_cameras(cameras)
    points = _points(0)
    assert rig.fisheye.tolist() == [0, 1, 0]
    expected = np.stack([camera.project(points) for camera in cameras])
    np.testing.assert_array_equal(rig.project(points), expected)
    plane = np.stack([camera.undistort(pixels) for camera, pixels in zip(cameras, expected, strict=True)])
    np.testing.assert_allclose(rig.undistort(expected), plane, atol=1e-14)
    chosen = rig.views([2, 1])
    np.testing.assert_array_equal(chosen.project(points), expected[[2, 1]])
    batched = stack_cameras((rig, rig)).views([1])
    assert batched.fisheye.shape == (2, 1) and batched.intrinsics.shape == (2, 1, 3, 3)


def test_undistortion_of_fisheye_pixels_has_the_derivatives_of_the_inverse() -> None:
    camera = stack_cameras((_fisheye(0), _random_camera(1, 8))).map(torch.from_numpy)
    inside = torch.tensor([[0.0, 0.0, 500.0], [300.0, -200.0, 400.0], [-900.0, 100.0, 300.0]])
    points = (inside.double() - camera.translation[0]) @ camera.rotation[0]
    pixels = camera[0].project(points).repeat(2, 1, 1)
    pixels[1] = camera[1].project(torch.from_numpy(_points(0, 3)))
    lens = camera.distortion.clone().requires_grad_()
    pixels.requires_grad_()

    def undistorted(pixels: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        return replace(camera, distortion=lens).undistort(pixels)

    assert torch.autograd.gradcheck(undistorted, (pixels, lens))


@pytest.mark.parametrize("torched", [False, True])
def test_a_camera_that_is_not_there_sees_nothing(torched: bool) -> None:
    rig = stack_cameras((_random_camera(0, 8), missing_camera()))
    points, kind = _points(0), np.asarray
    if torched:
        rig, kind = rig.map(torch.from_numpy), torch.from_numpy
    pixels = rig.project(kind(points))
    assert np.isfinite(np.asarray(pixels[0])).all() and np.isnan(np.asarray(pixels[1])).all()
    plane = rig.undistort(pixels[:1] + kind(np.zeros((2, 1, 2))))
    assert np.isfinite(np.asarray(plane[0])).all() and np.isnan(np.asarray(plane[1])).all()
