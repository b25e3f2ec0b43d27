from __future__ import annotations

import numpy as np
import pytest
from solids import inside

from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.camera import Camera
from vitruve.synthetic.raycast import Cone, Ellipsoid, Eye, Solid, first_hit

TURN = matrix_from_vector(np.array([0.4, -0.7, 1.1]))
CONE = Cone(np.array([3.0, -4.0, 2.0]), np.array([-12.0, 9.0, 14.0]), (7.0, 2.5))
LYING = Cone(np.array([-20.0, 0.0, 0.0]), np.array([20.0, 0.0, 0.0]), (5.0, 5.0))
EGG = Ellipsoid(np.array([2.0, 1.0, -3.0]), TURN, (9.0, 4.0, 2.0))
SOLIDS: list[Solid] = [CONE, LYING, EGG]


def rays(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """From all around, at places near the solids."""
    rng = np.random.default_rng(seed)
    origins = rng.standard_normal((count, 3))
    origins *= 60 / np.linalg.norm(origins, axis=-1, keepdims=True)
    ways = rng.uniform(-16, 16, (count, 3)) - origins
    return origins, ways / np.linalg.norm(ways, axis=-1, keepdims=True)


@pytest.mark.parametrize("solid", SOLIDS)
def test_a_ray_stops_where_marching_along_it_enters_the_solid(solid: Solid) -> None:
    origins, directions = rays(600)
    found = solid.hit(origins, directions)
    steps = np.arange(0, 110, 0.05)
    within = inside(solid, origins[:, None] + steps[:, None] * directions[:, None])
    entered = np.where(within.any(1), steps[within.argmax(1)], np.inf)
    hit = np.isfinite(entered)
    assert 30 < hit.sum() < 560
    # A ray that only grazes the solid may pass between two steps.
    assert (np.isfinite(found) | ~hit).all() and (np.isfinite(found) & ~hit).mean() < 0.02
    assert np.abs(found[hit] - entered[hit] + 0.025).max() < 0.06


@pytest.mark.parametrize("solid", SOLIDS)
def test_normals_stand_on_the_surface_and_point_out(solid: Solid) -> None:
    origins, directions = rays(200, 1)
    distance = solid.hit(origins, directions)
    hit = np.isfinite(distance)
    points = (origins + np.where(hit, distance, 0)[:, None] * directions)[hit]
    normals = solid.normal(points)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1)
    assert ((normals * directions[hit]).sum(-1) < 1e-6).all()
    assert inside(solid, points - 0.02 * normals).all() and not inside(solid, points + 0.02 * normals).any()
    # Along the surface one stays on it: less than a thousandth out for a hundredth aside.
    aside = np.cross(normals, [0.6, 0.0, 0.8])
    near = points + 0.01 * aside
    assert np.abs(solid.hit(near + normals, -normals) - 1).max() < 1e-3


@pytest.mark.parametrize("solid", SOLIDS)
def test_corners_lowest_and_moved_belong_to_the_solid(solid: Solid) -> None:
    origins, directions = rays(3000, 2)
    distance = solid.hit(origins, directions)
    points = (origins + np.where(np.isfinite(distance), distance, 0)[:, None] * directions)[np.isfinite(distance)]
    low, high = solid.corners.min(0), solid.corners.max(0)
    assert (points >= low).all() and (points <= high).all()
    assert solid.lowest <= points[:, 2].min() < solid.lowest + 0.3
    shift = np.array([1.0, -2.0, 3.0])
    np.testing.assert_allclose(solid.moved(shift).hit(origins + shift, directions), distance)


def test_a_ray_to_a_ball_meets_it_a_radius_before_its_centre() -> None:
    ball = Ellipsoid(np.array([0.0, 0.0, 800.0]), np.eye(3), (2.0, 2.0, 2.0))
    assert ball.hit(np.zeros(3), np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])).tolist() == [798, np.inf]
    assert first_hit([ball, LYING], np.array([[0.0, 0.0, -50.0]]), np.array([[0.0, 0.0, 1.0]])).tolist() == [45]
    assert first_hit([], np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])).tolist() == [np.inf]


def camera() -> Camera:
    distortion = np.array([-0.35, 0.1, 0, 0, 0, 0, 0, 0])
    return Camera(
        np.array([[150.0, 0, 39], [0, 148.0, 31], [0, 0, 1]]),
        TURN,
        np.array([1.0, -2.0, 70.0]),
        distortion,
        np.array([80.0, 64.0]),
    )


def test_the_ray_of_a_pixel_is_projected_to_that_pixel() -> None:
    eye = Eye(camera())
    y, x = np.mgrid[:64, :80]
    ahead = (eye.origin + 55.0 * eye.rays).reshape(-1, 3)
    np.testing.assert_allclose(eye.camera.project(ahead), np.stack([x, y], -1).reshape(-1, 2), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(eye.rays, axis=-1), 1)


def test_boxes_hold_all_pixels_and_the_nearest_solid_wins() -> None:
    eye = Eye(camera())
    region = eye.cast(SOLIDS)
    whole = np.stack([solid.hit(eye.origin, eye.rays.reshape(-1, 3)).reshape(64, 80) for solid in SOLIDS])
    nearest = whole.min(0)
    distance, index = np.full((64, 80), np.inf), np.full((64, 80), -1)
    distance[region.slices], index[region.slices] = region.distance, region.solid
    np.testing.assert_allclose(distance, nearest)
    np.testing.assert_array_equal(index, np.where(np.isinf(nearest), -1, whole.argmin(0)))
    assert {-1, 0, 1, 2} == set(np.unique(index))
    assert region.distance.size < 80 * 64


def test_solids_outside_the_image_leave_an_empty_region() -> None:
    away = LYING.moved(np.linalg.inv(TURN) @ np.array([900.0, 0.0, 0.0]))
    region = Eye(camera()).cast([away])
    assert region.distance.size == 0 and Eye(camera()).cast([away, EGG]).solid.max() == 1


def test_a_solid_beside_the_camera_is_looked_for_in_the_whole_image() -> None:
    eye = Eye(camera())
    behind = np.array([eye.origin - 5 * eye.rays[32, 40], eye.origin + 5 * eye.rays[32, 40]])
    assert eye.boxes([behind, SOLIDS[2].corners])[0].tolist() == [0, 0, 64, 80]
