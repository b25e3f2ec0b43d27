from __future__ import annotations

import cv2
import numpy as np
import pytest

from vitruve.geometry.affine import Matrix, Size, about_center, crop, flip, letterbox, resize, rotation
from vitruve.geometry.warp import Warp

SOURCE: Size = (97, 71)


def _smooth(size: Size) -> np.ndarray:
    """Colours that change slowly everywhere, so that a small error of position is a small error of colour."""
    y, x = np.mgrid[: size[1], : size[0]]
    waves = [np.sin(x / 9 + y / 14), np.cos(x / 11 - y / 8), np.sin((x + 2 * y) / 17)]
    return np.round(127.5 + 110 * np.stack(waves, -1)).astype(np.uint8)


def _dots(size: Size, points: np.ndarray, sigma: float) -> np.ndarray:
    y, x = np.mgrid[: size[1], : size[0]]
    image = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    return np.repeat(np.round(250 * np.asarray(image))[..., None], 3, -1).astype(np.uint8)


def _centroid(image: np.ndarray, near: np.ndarray, reach: float) -> np.ndarray:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image[..., 0].astype(np.float64) * (np.hypot(x - near[0], y - near[1]) <= reach)
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def _reference(image: np.ndarray, to_image: np.ndarray, size: Size) -> np.ndarray:
    """Bilinear sampling pixel by pixel in float64; black outside."""
    framed = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    result = np.zeros((size[1], size[0], image.shape[2]))
    for row, column in np.ndindex(size[1], size[0]):
        u, v, w = to_image @ [column, row, 1.0]
        x, y = u / w, v / w
        if not (-1 < x < image.shape[1] and -1 < y < image.shape[0]):
            continue
        left, top = int(np.floor(x)), int(np.floor(y))
        a, b = x - left, y - top
        block = framed[top + 1 : top + 3, left + 1 : left + 3]
        result[row, column] = (1 - b) * ((1 - a) * block[0, 0] + a * block[0, 1]) + b * (
            (1 - a) * block[1, 0] + a * block[1, 1]
        )
    return result


def _move(matrix: Matrix, points: np.ndarray) -> np.ndarray:
    moved = np.concatenate([points, np.ones((len(points), 1))], 1) @ matrix.T
    return moved[:, :2] / moved[:, 2:]


STEPS = {
    "identity": np.eye(3),
    "resize": resize(SOURCE, (64, 64)),
    "enlarge": resize(SOURCE, (140, 150)),
    "letterbox": letterbox(SOURCE, (64, 64)),
    "flip": flip(SOURCE),
    "quarter": about_center(rotation(90), SOURCE),
    "rotate": about_center(rotation(25), SOURCE) @ resize(SOURCE, SOURCE),
    "crop": crop((20.3, 10.7, 70.1, 60.2), (64, 64)),
    "projective": np.array([[0.9, 0.1, 3], [-0.05, 1.05, 2], [4e-4, -3e-4, 1.0]]),
    "scaled projective": 2 * np.array([[0.9, 0.1, 3], [-0.05, 1.05, 2], [4e-4, -3e-4, 1.0]]),
    "scaled affine": 2 * crop((20.3, 10.7, 70.1, 60.2), (64, 64)),
}


@pytest.mark.parametrize("name", STEPS)
def test_an_image_is_sampled_as_by_the_slow_reference(name: str) -> None:
    image, size = _smooth(SOURCE), (66, 58)
    found = Warp(STEPS[name], size).image(image)
    assert found.shape == (58, 66, 3) and found.dtype == np.uint8
    expected = _reference(image, np.linalg.inv(STEPS[name]), size)
    # OpenCV rounds positions to 1/32 of a pixel: up to half a step of slope 14, or of an edge to black.
    inner = _reference(np.ones_like(image), np.linalg.inv(STEPS[name]), size)[..., 0] == 1
    assert inner.mean() > 0.2
    assert np.abs(found - expected)[inner].max() <= 1.5
    assert np.abs(found - expected).max() <= 9


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_number_of_channels(name: str, channels: int) -> None:
    image = np.repeat(_smooth(SOURCE)[..., :1], channels, 2)
    found = Warp(STEPS[name], (40, 30)).image(image)
    assert found.shape == (30, 40, channels)
    np.testing.assert_array_equal(found, np.repeat(found[..., :1], channels, 2))


def test_an_identity_changes_no_pixel_and_a_flip_only_their_places() -> None:
    image = np.random.default_rng(0).integers(0, 256, (71, 97, 3)).astype(np.uint8)
    np.testing.assert_array_equal(Warp(np.eye(3), SOURCE).image(image), image)
    np.testing.assert_array_equal(Warp(flip(SOURCE), SOURCE).image(image), image[:, ::-1])
    square = np.ascontiguousarray(image[:, :71])
    turned = Warp(about_center(rotation(90), (71, 71)), (71, 71)).image(square)
    np.testing.assert_array_equal(turned, np.rot90(square, -1))


@pytest.mark.parametrize("shrink", [1, 1.3, 2, 2.5, 4, 7, 7.9])
@pytest.mark.parametrize("turn", [0, 17])
@pytest.mark.parametrize("source", [(640, 480), (641, 479)])
def test_a_dot_lands_where_the_matrix_says(shrink: float, turn: float, source: Size) -> None:
    points = np.array([[200.3, 150.8], [400.6, 300.2], [330.5, 190.1], [200.0, 330.4]])
    size = (round(source[0] / shrink), round(source[1] / shrink))
    matrix = about_center(rotation(turn), size) @ resize(source, size)
    seen = Warp(matrix, size).image(_dots(source, points, 2.0 * shrink))
    for expected in _move(matrix, points):
        np.testing.assert_allclose(_centroid(seen, expected, 7), expected, atol=0.05)


def test_nothing_is_skipped_when_an_image_shrinks() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[::8] = 255  # one row in eight: samples between them would see only black, or only white
    seen = Warp(resize((640, 480), (80, 60)), (80, 60)).image(image)
    assert np.abs(seen.astype(int) - 255 / 8).max() <= 1


def _bump(size: Size, strength: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(-1, 1, (size[1], size[0], 2)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 8)
    return strength * smooth / np.abs(smooth).max()


@pytest.mark.parametrize("strength", [0.5, 3.0, 8.0])
@pytest.mark.parametrize("shrink", [1, 3])
def test_displaced_points_are_where_their_dots_appear(strength: float, shrink: int) -> None:
    size = (128, 96)
    source = (shrink * size[0], shrink * size[1])
    matrix = about_center(rotation(10), size) @ resize(source, size)
    # Eight pixels of shift within sixteen: the displacement changes by nearly a pixel a pixel in places.
    warp = Warp(matrix, size, _bump(size, strength))
    points = np.array([[40.2, 30.7], [80.9, 60.3], [64.0, 40.5], [30.4, 70.6], [100.3, 50.1]]) * shrink
    seen_at = _move(matrix, warp.displaced(points))
    moved = 0.0
    for point, expected in zip(points, seen_at, strict=True):
        seen = warp.image(_dots(source, point[None], 1.2 * shrink))
        np.testing.assert_allclose(_centroid(seen, expected, 7), expected, atol=0.25)
        moved = max(moved, float(np.linalg.norm(expected - _move(matrix, point[None])[0])))
    assert moved > 0.3 * strength


@pytest.mark.parametrize("strength", [0.5, 3.0, 8.0])
def test_displaced_solves_its_equation(strength: float) -> None:
    size = (128, 96)
    matrix = resize((256, 192), size)
    displacement = _bump(size, strength, 3)
    points = np.random.default_rng(1).uniform((40, 40), (216, 152), (50, 2))
    place = _move(matrix, Warp(matrix, size, displacement).displaced(points))
    for p, aim in zip(place, _move(matrix, points), strict=True):
        left, top = np.floor(p).astype(int)
        a, b = p - (left, top)
        d = displacement[top : top + 2, left : left + 2].astype(np.float64)
        there = (1 - b) * ((1 - a) * d[0, 0] + a * d[0, 1]) + b * ((1 - a) * d[1, 0] + a * d[1, 1])
        np.testing.assert_allclose(p + there, aim, atol=0.05)


def test_displaced_keeps_shape_precision_and_what_is_missing() -> None:
    warp = Warp(np.eye(3), (64, 64), _bump((64, 64), 2.0))
    points = np.full((2, 3, 4, 2), 20.0, np.float32)
    points[0, 1, 2] = np.nan
    found = warp.displaced(points)
    assert found.shape == points.shape and found.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(found), np.isnan(points))
    assert Warp(np.eye(3), (64, 64)).displaced(points) is points


def test_to_image_undoes_the_matrix() -> None:
    warp = Warp(STEPS["projective"], (66, 58))
    points = np.random.default_rng(0).uniform(0, 60, (10, 2))
    np.testing.assert_allclose(_move(warp.to_image, _move(warp.matrix, points)), points, atol=1e-9)
