from __future__ import annotations

import numpy as np
import pytest

from vitruve.geometry.polygon import box_mask, polygon_mask


def slowly(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A ray from each pixel upwards, edge by edge."""
    inside = np.zeros((size[1], size[0]), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
        for x in range(size[0]):
            if (x0 <= x < x1) or (x1 <= x < x0):
                inside[:, x] ^= y0 + (x - x0) * (y1 - y0) / (x1 - x0) <= np.arange(size[1])
    return inside


@pytest.mark.parametrize("seed", range(20))
def test_pixels_are_those_of_a_ray(seed: int) -> None:
    rng = np.random.default_rng(seed)
    polygons = [rng.uniform(-5, 25, (rng.integers(3, 8), 2)) for _ in range(rng.integers(1, 4))]
    if seed % 4 == 0:
        polygons = [np.round(polygon) for polygon in polygons]
    expected = np.any([slowly(polygon, (20, 15)) for polygon in polygons], 0)
    np.testing.assert_array_equal(polygon_mask(polygons, (20, 15)).array(), expected)


def test_it_agrees_with_coco_but_for_the_rim() -> None:
    masks = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    rng = np.random.default_rng(4)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 60))
    corners = np.array([320, 240]) + 200 * np.stack([np.cos(angle), np.sin(angle)], -1) * rng.uniform(0.5, 1, (60, 1))
    theirs = masks.decode(masks.frPyObjects([corners.ravel().tolist()], 480, 640))[..., 0].astype(bool)
    # COCO counts from the corner of the first pixel.
    ours = polygon_mask([corners - 0.5], (640, 480)).array()
    assert (ours != theirs).sum() < 0.003 * ours.sum()


def test_a_box_and_nothing() -> None:
    mask = box_mask(np.array([[1.0, 0.0, 3.0, 2.0]]), (5, 4)).array()
    assert mask[:2, 1:3].all() and mask.sum() == 4
    assert not polygon_mask([], (5, 4)).array().any()
