from __future__ import annotations

import numpy as np
import pytest

from vitruve.synthetic.shapes import Ellipse, Shape, Tube

ANGLE = 0.7
TURNED = (float(np.cos(ANGLE)), float(np.sin(ANGLE)))
SHAPES: list[Shape] = [
    Ellipse(np.array([3.0, -2.0]), (9.0, 4.0), TURNED),
    Tube(np.array([[0.0, 0.0], [10.0, 4.0], [18.0, -3.0]]), np.array([4.0, 2.0, 1.0])),
    Tube(np.array([[0.0, 0.0], [10.0, 4.0], [18.0, -3.0]]), np.array([4.0, 2.0, 1.0]), blend=5.0),
]


def test_distance_to_a_disc_is_exact() -> None:
    x, y = np.meshgrid(np.linspace(-9, 9, 37), np.linspace(-9, 9, 37))
    disc = Ellipse(np.array([1.2, -0.7]), (5.0, 5.0))
    np.testing.assert_allclose(disc.distance(x, y), np.hypot(x - 1.2, y + 0.7) - 5, atol=1e-9)
    assert Ellipse(np.zeros(2), (5.0, 3.0)).distance(np.array(0.0), np.array(0.0)) == -3


def test_the_outline_of_an_ellipse_has_distance_zero_and_slope_one() -> None:
    ellipse = SHAPES[0]
    turn = np.array([[TURNED[0], -TURNED[1]], [TURNED[1], TURNED[0]]])
    t = np.linspace(0, 2 * np.pi, 50)
    outline = np.stack([9 * np.cos(t), 4 * np.sin(t)], -1) @ turn.T + (3.0, -2.0)
    outwards = np.stack([np.cos(t) / 9, np.sin(t) / 4], -1) @ turn.T
    outwards /= np.linalg.norm(outwards, axis=-1, keepdims=True)
    np.testing.assert_allclose(ellipse.distance(*outline.T), 0, atol=1e-9)
    np.testing.assert_allclose(ellipse.distance(*(outline + 1e-4 * outwards).T), 1e-4, rtol=1e-2)


def test_distance_to_a_straight_tube_is_exact() -> None:
    tube = Tube(np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([2.0, 2.0]))
    x = np.array([5.0, 5.0, -3.0, 13.0, 5.0])
    y = np.array([0.0, 4.0, 4.0, -4.0, -2.0])
    np.testing.assert_allclose(tube.distance(x, y), [-2, 2, 3, 3, 0], atol=1e-9)


def test_a_tube_is_the_union_of_its_discs_and_blending_only_adds() -> None:
    plain, blended = SHAPES[1], SHAPES[2]
    for center, radius in zip(plain.points, plain.radii, strict=True):  # type: ignore[attr-defined]
        t = np.linspace(0, 2 * np.pi, 40)
        rim = center[:, None] + (radius - 1e-6) * np.stack([np.cos(t), np.sin(t)])
        assert (plain.distance(*rim) < 0).all()
    x, y = np.meshgrid(np.linspace(-6, 22, 57), np.linspace(-8, 8, 33))
    gained = plain.distance(x, y) - blended.distance(x, y)
    assert gained.min() >= 0 and 0.5 < gained.max() <= 5 / 4


@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_hold_the_shape_tightly(shape: Shape) -> None:
    grid = np.arange(-30, 40, 0.05)
    inside = shape.distance(grid[None, :], grid[:, None]) <= 0
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    found = grid[columns[0]], grid[rows[0]], grid[columns[-1]], grid[rows[-1]]
    x1, y1, x2, y2 = shape.bounds
    assert x1 <= found[0] and y1 <= found[1] and x2 >= found[2] and y2 >= found[3]
    slack = getattr(shape, "blend", 0.0) / 2 + 0.06
    np.testing.assert_allclose(shape.bounds, found, atol=slack)


def test_a_moved_tube_has_the_same_distances_elsewhere() -> None:
    tube = Tube(np.array([[0.0, 0.0], [10.0, 4.0]]), np.array([2.0, 1.0]), 2.0)
    x, y = np.meshgrid(np.arange(-5.0, 15.0), np.arange(-5.0, 10.0))
    np.testing.assert_allclose(tube.moved(1.5, -2.0).distance(x + 1.5, y - 2.0), tube.distance(x, y), atol=1e-9)
