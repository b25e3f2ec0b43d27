from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruve.geometry.affine import (
    Matrix,
    about_center,
    area,
    crop,
    flip,
    letterbox,
    resize,
    rotation,
    scaling,
    translation,
)


def _move(matrix: Matrix, *point: float) -> np.ndarray:
    x, y, w = matrix @ [*point, 1.0]
    assert w == 1
    return np.array([x, y])


def test_the_area_of_an_image_goes_to_the_area_of_the_resized_one() -> None:
    matrix = resize((40, 30), (100, 15))
    np.testing.assert_allclose(_move(matrix, -0.5, -0.5), (-0.5, -0.5))
    np.testing.assert_allclose(_move(matrix, 39.5, 29.5), (99.5, 14.5))
    # Halving puts the middle of two pixels, 0.5, on the first pixel.
    np.testing.assert_allclose(_move(resize((40, 30), (20, 15)), 0.5, 0.5), (0, 0), atol=1e-12)


def test_a_box_fills_the_target() -> None:
    matrix = crop((10, 20, 30, 60), (100, 80))
    np.testing.assert_allclose(_move(matrix, 10, 20), (-0.5, -0.5))
    np.testing.assert_allclose(_move(matrix, 30, 60), (99.5, 79.5))
    np.testing.assert_allclose(crop((-0.5, -0.5, 39.5, 29.5), (100, 15)), resize((40, 30), (100, 15)))


@pytest.mark.parametrize(("source", "target"), [((40, 30), (64, 64)), ((30, 40), (64, 64)), ((640, 480), (96, 32))])
def test_letterbox_keeps_proportions_and_is_centred(source: tuple[int, int], target: tuple[int, int]) -> None:
    matrix = letterbox(source, target)
    scale = min(target[0] / source[0], target[1] / source[1])
    np.testing.assert_allclose(matrix[:2, :2], np.eye(2) * scale)
    low = _move(matrix, -0.5, -0.5) + 0.5
    high = _move(matrix, source[0] - 0.5, source[1] - 0.5) + 0.5
    np.testing.assert_allclose(low + high, target)  # as much left over on one side as on the other
    assert low.min() == pytest.approx(0) and low.max() >= 0
    np.testing.assert_allclose(high - low, np.array(source) * scale)


def test_flip_exchanges_the_first_and_the_last_column() -> None:
    np.testing.assert_array_equal(_move(flip((40, 30)), 0, 7), (39, 7))
    np.testing.assert_array_equal(flip((40, 30)) @ flip((40, 30)), np.eye(3))


def test_rotation_is_clockwise_on_the_screen_and_exact_for_quarters() -> None:
    np.testing.assert_array_equal(_move(rotation(90), 1, 0), (0, 1))
    np.testing.assert_array_equal(_move(rotation(-90), 1, 0), (0, -1))
    np.testing.assert_array_equal(_move(rotation(540), 1, 2), (-1, -2))
    np.testing.assert_allclose(_move(rotation(30), 1, 0), (np.sqrt(3) / 2, 0.5))
    turned = about_center(rotation(90), (4, 4))
    np.testing.assert_array_equal(_move(turned, 0, 0), (3, 0))  # the top-left pixel goes to the top right
    np.testing.assert_array_equal(_move(turned, 1.5, 1.5), (1.5, 1.5))


def test_translation_and_scaling() -> None:
    np.testing.assert_array_equal(_move(translation(2, -3) @ scaling(2, 4), 1, 1), (4, 1))


SIZES = st.tuples(st.integers(16, 4000), st.integers(16, 4000))
SHARES = st.floats(-0.15, 0.15)


@given(SIZES, SIZES, st.floats(-180, 180), st.tuples(SHARES, SHARES, SHARES, SHARES), st.integers(0, 3), st.booleans())
def test_a_chain_and_its_inverse_return_every_point(
    source: tuple[int, int],
    target: tuple[int, int],
    degrees: float,
    edges: tuple[float, float, float, float],
    quarters: int,
    mirrored: bool,
) -> None:
    width, height = target
    box = (edges[0] * width, edges[1] * height, (1 + edges[2]) * width, (1 + edges[3]) * height)
    chain = (
        about_center(rotation(90 * quarters), target)
        @ (flip(target) if mirrored else np.eye(3))
        @ about_center(rotation(degrees), target)
        @ crop(box, target)
        @ resize(source, target)
    )
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-0.5, np.array(source) - 0.5, (20, 2)), np.ones((20, 1))], 1)
    # In the precision in which matrices travel with a batch.
    there = points @ chain.T
    back = there @ np.linalg.inv(chain).T
    assert np.abs(back - points).max() < 1e-3
    single = there.astype(np.float32) @ np.linalg.inv(chain).astype(np.float32).T
    assert np.abs(single - points).max() < 2e-6 * max(max(source), *(np.abs(there[:, :2]).max(0) * source / target))


def test_an_area_in_its_proportions_is_the_letterbox_of_what_is_in_it() -> None:
    whole = area((200, 100), (64, 64), keep_proportions=True)
    np.testing.assert_allclose(whole, letterbox((200, 100), (64, 64)))
    same = area((200, 100), (64, 64), (-0.5, -0.5, 199.5, 99.5), keep_proportions=True)
    np.testing.assert_allclose(same, whole, atol=1e-12)
    # A box of twice the input's width: its corners go to the left and right edges, half way up and down.
    part = area((500, 500), (64, 64), (10.0, 20.0, 138.0, 84.0), keep_proportions=True)
    np.testing.assert_allclose(part @ [10.0, 20.0, 1], [-0.5, 15.5, 1], atol=1e-9)
    np.testing.assert_allclose(part @ [138.0, 84.0, 1], [63.5, 47.5, 1], atol=1e-9)
