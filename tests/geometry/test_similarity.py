from __future__ import annotations

import numpy as np

from vitruve.geometry.affine import similarity
from vitruve.structures.instances import apply_matrix


def test_it_finds_turn_scale_and_shift() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 300, (7, 2))
    for degrees, scale in ((0, 1), (30, 0.5), (-170, 3)):
        c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
        matrix = np.array([[c, -s, 40], [s, c, -7], [0, 0, 1.0]])
        np.testing.assert_allclose(similarity(points, apply_matrix(matrix, points[None])[0]), matrix, atol=1e-9)


def test_no_other_similarity_is_closer() -> None:
    """Against the normal equations of the four unknowns."""
    rng = np.random.default_rng(1)
    source, target = rng.normal(0, 50, (6, 2)), rng.normal(0, 50, (6, 2))
    x, y = source.T
    one, zero = np.ones(6), np.zeros(6)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, dx, dy = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity(source, target), [[a, -b, dx], [b, a, dy], [0, 0, 1]], atol=1e-9)
