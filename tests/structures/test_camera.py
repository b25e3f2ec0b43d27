from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from vitruve.structures.camera import Camera, stack_cameras


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
