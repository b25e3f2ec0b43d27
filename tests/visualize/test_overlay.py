from __future__ import annotations

import io
import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from vitruve.visualize.overlay import overlay
from vitruve.visualize.plots import png_bytes

LABEL, PREDICTION = (213, 94, 0), (86, 180, 233)


def drawn(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png_bytes(overlay(image, truth, predicted)))).convert("RGB"), int)


def places(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.argwhere((np.abs(picture - color) < 6).all(-1))[:, ::-1]


def test_rings_and_discs_lie_on_their_keypoints() -> None:
    truth, predicted = np.array([[[20.0, 30.0], [70.0, 60.0]]]), np.array([[[45.0, 30.0], [math.nan, 60.0]]])
    figure = overlay(np.zeros((100, 100, 3), np.uint8), truth, predicted)
    (left, right), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    picture = drawn(np.zeros((100, 100, 3), np.uint8), truth, predicted)
    scale = np.array([(right - left) / picture.shape[1], (bottom - top) / picture.shape[0]])
    disc = (places(picture, PREDICTION) + 0.5) * scale + (left, top)
    np.testing.assert_allclose(disc.mean(0), (45, 30), atol=0.3)
    ring = (places(picture, LABEL) + 0.5) * scale + (left, top)
    np.testing.assert_allclose(ring[ring[:, 0] < 45].mean(0), (20, 30), atol=0.3)
    np.testing.assert_allclose(ring[ring[:, 0] > 45].mean(0), (70, 60), atol=0.3)
    center = ((np.array((70, 60)) - (left, top)) / scale).astype(int)
    assert picture[center[1], center[0]].tolist() == [0, 0, 0], "a ring is hollow"


def test_image_pixels_keep_their_value_and_place() -> None:
    image = np.arange(100, dtype=np.uint8).reshape(10, 10) * 2
    nothing = np.full((1, 2, 2), math.nan)
    picture = drawn(image, nothing, nothing)
    height, width = picture.shape[:2]
    for row, column in ((0, 0), (3, 7), (9, 9)):
        here = picture[int((row + 0.5) * height / 10), int((column + 0.5) * width / 10)]
        assert here.tolist() == pytest.approx([int(image[row, column])] * 3, abs=1)


@pytest.mark.parametrize("predicted", [(-500.0, 900.0), (50.0, 20.0)])
def test_view_stays_inside_the_image(predicted: tuple[float, float]) -> None:
    figure = overlay(np.zeros((80, 200), np.uint8), np.array([[[50.0, 20.0]]]), np.array([[predicted]]))
    (left, right), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert -0.5 <= left < right <= 199.5 and -0.5 <= top < bottom <= 79.5
    assert png_bytes(figure)


def test_colours_are_those_of_the_key() -> None:
    figure = overlay(np.zeros((50, 50), np.uint8), np.array([[[9.0, 9.0]]]), np.array([[[30.0, 30.0]]]))
    ring, disc = figure.axes[0].collections[1:]
    assert np.allclose(ring.get_edgecolor()[0][:3], to_rgb("#D55E00"))
    assert np.allclose(disc.get_facecolor()[0][:3], to_rgb("#56B4E9"))
