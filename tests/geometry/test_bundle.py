from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from vitruve.geometry.bundle import PARAMETERS, Bundle, Sightings, _cost, adjust, camera_jacobian
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.camera import Camera, stack_cameras

POINTS = np.array([[x, y, 0.0] for y in range(3) for x in range(4)]) * 40


def _rig(noise: float, seed: int = 0, fisheye: bool = False) -> tuple[Bundle, Sightings]:
    """Two cameras, five places, a few corners missing."""
    rng = np.random.default_rng(seed)
    cameras = []
    for view in range(2):
        lens = np.array([-0.15, 0.05, 0.001 * view, -0.001, 0.01, 0, 0, 0])
        matrix = np.array([[700.0 + 10 * view, 0, 320], [0, 705, 240], [0, 0, 1]])
        turn = matrix_from_vector(np.array([0.02, 0.5 * view, 0.01 * view]))
        cameras.append(Camera(matrix, turn, np.array([-200.0 * view, 5, 600]), lens, np.array([640.0, 480])))
    if fisheye:
        # The second one alone.
        lens = np.array([0.1, -0.03, 0.02, -0.01, 0, 0, 0, 0])
        cameras[1] = replace(cameras[1], distortion=lens, fisheye=np.ones(()))
    truth = Bundle(
        stack_cameras(tuple(cameras)),
        matrix_from_vector(rng.uniform(-0.5, 0.5, (5, 3))),
        rng.uniform(-60, 60, (5, 3)) - POINTS.mean(0),
    )
    camera, place = np.array([0, 1] * 5), np.repeat(np.arange(5), 2)
    empty = Sightings(POINTS, camera, place, np.zeros((10, len(POINTS), 2)))
    pixels = truth.residuals(empty) + rng.normal(size=(10, len(POINTS), 2)) * noise
    pixels[3, :4] = np.nan
    return truth, Sightings(POINTS, camera, place, pixels)


def _start(truth: Bundle) -> Bundle:
    step = np.array([6, -5, 2, -2, 0.02, -0.01, 0, 0, 0, 0.01, -0.01, 0.01, 3, -2, 4])
    cameras = np.stack([np.where(np.arange(15) < 9, step, 0), step])
    places = np.random.default_rng(1).normal(size=(5, 6)) * [0.02, 0.02, 0.02, 3, 3, 3]
    return truth._moved(cameras, places)


def _free(lens: bool = True) -> np.ndarray:
    free = np.ones((2, len(PARAMETERS)), bool)
    free[0, -6:] = False
    free[:, 6:9] = False
    free[:, :9] &= lens
    return free


@pytest.mark.parametrize("fisheye", [False, True])
def test_the_slope_of_every_parameter_is_the_numeric_one(fisheye: bool) -> None:
    truth, seen = _rig(0, fisheye=fisheye)
    world = truth._world(seen)
    cameras = truth.cameras[seen.camera]
    slope = camera_jacobian(cameras, world)
    nothing = np.zeros((5, 6))
    for number, name in enumerate(PARAMETERS):
        step = np.zeros((2, 15))
        step[:, number] = 1e-6
        high, low = truth._moved(step, nothing), truth._moved(-step, nothing)
        numeric = (high.residuals(seen) - low.residuals(seen)) / 2e-6
        known = ~np.isnan(numeric)
        np.testing.assert_allclose(slope[..., number][known], numeric[known], rtol=1e-5, atol=2e-4, err_msg=name)


def test_exact_corners_give_the_cameras_back() -> None:
    truth, seen = _rig(0)
    found = adjust(_start(truth), seen, _free(), scale=5.0)
    np.testing.assert_allclose(found.cameras.intrinsics, truth.cameras.intrinsics, atol=1e-3)
    np.testing.assert_allclose(found.cameras.translation, truth.cameras.translation, atol=1e-3)
    assert np.nanmax(np.abs(found.residuals(seen))) < 1e-5


def test_the_solution_and_its_deviations_are_those_of_scipy() -> None:
    truth, seen = _rig(0.3, 2)
    start, free = _start(truth), _free()
    found = adjust(start, seen, free, scale=1e3)

    def moved(values: np.ndarray) -> Bundle:
        step = np.zeros((2, 15))
        step[free] = values[: free.sum()]
        return start._moved(step, values[free.sum() :].reshape(5, 6))

    def residuals(values: np.ndarray) -> np.ndarray:
        all_of_them = moved(values).residuals(seen)
        return all_of_them[~np.isnan(all_of_them)]

    slow = least_squares(residuals, np.zeros(free.sum() + 30), x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-12)
    best = moved(slow.x)
    np.testing.assert_allclose(found.cameras.intrinsics, best.cameras.intrinsics, atol=2e-2)
    np.testing.assert_allclose(found.cameras.translation, best.cameras.translation, atol=1e-2)
    np.testing.assert_allclose(found.translation, best.translation, atol=1e-2)
    assert np.nansum(found.residuals(seen) ** 2) <= 2 * slow.cost * (1 + 1e-9)
    covariance = np.linalg.inv(slow.jac.T @ slow.jac) * 2 * slow.cost / (slow.fun.size - len(slow.x))
    assert found.deviation is not None
    np.testing.assert_allclose(found.deviation[free], np.sqrt(np.diagonal(covariance))[: free.sum()], rtol=0.04)
    assert (found.deviation[~free] == 0).all()


def test_a_wrong_corner_does_not_bend_the_lens() -> None:
    truth, seen = _rig(0.1, 3)
    seen.pixels[0, 0] += 80
    robust = adjust(_start(truth), seen, _free(), scale=0.5)
    plain = adjust(_start(truth), seen, _free(), scale=1e6)
    off = [abs(each.cameras.intrinsics - truth.cameras.intrinsics).max() for each in (robust, plain)]
    assert off[0] < 0.2 * off[1]


def test_a_corner_that_falls_behind_a_camera_is_no_gain() -> None:
    truth, seen = _rig(0)
    away = seen.pixels.copy()
    # One corner far from where it is: the less of the board is before the camera, the less is wrong.
    away[0, 0] += 4000
    seen = replace(seen, pixels=away)
    counted = ~np.isnan(truth.residuals(seen))
    behind = replace(truth, translation=truth.translation - np.array([0, 0, 5000.0]))
    assert _cost(truth.residuals(seen), counted.all(-1), 1.0) < _cost(behind.residuals(seen), counted.all(-1), 1.0)


def test_what_is_held_stays() -> None:
    truth, seen = _rig(0.3)
    start = _start(truth)
    found = adjust(start, seen, _free(lens=False), scale=5.0)
    np.testing.assert_array_equal(found.cameras.intrinsics, start.cameras.intrinsics)
    np.testing.assert_array_equal(found.cameras.translation[0], start.cameras.translation[0])
    assert (found.cameras.translation[1] != start.cameras.translation[1]).all()
