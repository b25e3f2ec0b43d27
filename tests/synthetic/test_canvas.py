from __future__ import annotations

import numpy as np
import pytest

from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.shapes import Ellipse, Tube

BLACK = np.zeros((40, 50, 3), np.float32)


def centroid(image: np.ndarray) -> tuple[float, float]:
    weight = image.astype(np.float64).sum(-1)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((x * weight).sum() / weight.sum()), float((y * weight).sum() / weight.sum())


@pytest.mark.parametrize("radius", [1.7, 3.0, 6.0])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.25, 0.1), (0.5, 0.5), (0.9, 0.33)])
def test_a_painted_disc_has_its_centroid_at_the_truth(radius: float, shift: tuple[float, float]) -> None:
    center = np.array([20.0, 17.0]) + shift
    canvas = Canvas(BLACK)
    canvas.paint(Ellipse(center, (radius, radius)), (255.0, 255.0, 255.0))
    canvas.mark("dot", center)
    points, visible = canvas.truth(["dot"])
    assert centroid(np.rint(canvas.pixels).astype(np.uint8)) == pytest.approx(tuple(points[0]), abs=0.02)
    assert visible.tolist() == [2]
    # A disc's area, too, is right: each pixel takes the share that is covered.
    assert canvas.pixels.sum() / (3 * 255) == pytest.approx(np.pi * radius**2, rel=0.02)


def test_the_painted_ellipse_agrees_with_a_finely_sampled_one() -> None:
    ellipse = Ellipse(np.array([24.3, 19.1]), (11.0, 5.0), (0.6, 0.8))
    canvas = Canvas(BLACK)
    canvas.paint(ellipse, (1.0, 1.0, 1.0))
    fine = 16
    x = (np.arange(50 * fine) + 0.5) / fine - 0.5
    y = (np.arange(40 * fine) + 0.5) / fine - 0.5
    along, across = np.meshgrid(x - 24.3, y - 19.1)
    level = ((along * 0.6 + across * 0.8) / 11) ** 2 + ((across * 0.6 - along * 0.8) / 5) ** 2
    share = (level <= 1).reshape(40, fine, 50, fine).mean((1, 3))
    np.testing.assert_allclose(canvas.pixels[..., 0], share, atol=0.15)
    assert np.abs(canvas.pixels[..., 0] - share).mean() < 0.002


def test_later_shapes_hide_marks_and_earlier_ones_do_not() -> None:
    disc = Ellipse(np.array([10.0, 10.0]), (4.0, 4.0))
    canvas = Canvas(BLACK)
    canvas.paint(disc, (9.0, 9.0, 9.0))
    canvas.mark("inside", np.array([12.0, 10.0]))
    canvas.mark("beside", np.array([16.0, 10.0]))
    canvas.paint(disc, (0.0, 0.0, 0.0), opacity=0.4)
    assert canvas.truth(["inside", "beside"])[1].tolist() == [2, 2]
    canvas.paint(disc, (5.0, 5.0, 5.0))
    assert canvas.truth(["inside", "beside"])[1].tolist() == [1, 2]
    canvas.mark("inside", np.array([12.0, 10.0]))
    assert canvas.truth(["inside"])[1].tolist() == [2]


def test_marks_outside_the_image_are_unlabelled() -> None:
    canvas = Canvas(BLACK)
    places = {"in": (-0.4, 39.4), "left": (-0.6, 5.0), "below": (5.0, 39.6), "right": (49.6, 5.0)}
    for key, place in places.items():
        canvas.mark(key, np.array(place))
    points, visible = canvas.truth(places)
    assert visible.tolist() == [2, 0, 0, 0]
    assert np.isnan(points[1:]).all() and points[0].tolist() == [-0.4, 39.4]
    assert canvas.truth([])[0].shape == (0, 2)


def test_shapes_beyond_the_image_are_cut_off() -> None:
    whole = Canvas(np.zeros((60, 80, 3), np.float32))
    part = Canvas(BLACK)
    for canvas in (whole, part):
        canvas.paint(Tube(np.array([[45.0, 30.0], [70.0, 50.0]]), np.array([4.0, 4.0])), (200.0, 100.0, 50.0))
        canvas.paint(Ellipse(np.array([75.0, 20.0]), (3.0, 3.0)), (1.0, 1.0, 1.0))
    np.testing.assert_array_equal(whole.pixels[:40, :50], part.pixels)
    assert part.pixels.max() > 0


def test_shade_sees_positions_and_depth() -> None:
    seen = {}

    def shade(x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
        seen["depth at centre"] = float(depth[y.ravel().tolist().index(20), x.ravel().tolist().index(25)])
        return np.where(x < 25, 0.5, 1.0) * np.ones_like(y)

    canvas = Canvas(BLACK)
    canvas.paint(Ellipse(np.array([25.0, 20.0]), (6.0, 6.0)), (100.0, 100.0, 100.0), shade=shade)
    assert seen["depth at centre"] == pytest.approx(6)
    assert canvas.pixels[20, 22, 0] == pytest.approx(50) and canvas.pixels[20, 28, 0] == pytest.approx(100)
