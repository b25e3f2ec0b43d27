from __future__ import annotations

import cv2
import numpy as np
import pytest

from vitruve.geometry.rotation import matrix_from_vector, vector_from_matrix


def _vectors() -> np.ndarray:
    axes = np.random.default_rng(0).normal(size=(40, 3))
    axes[:3] = np.eye(3)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.array([0, 1e-12, 1e-7, 0.3, 1.5, 3.0, np.pi - 1e-7, np.pi])
    return axes[:, None] * angles[:, None]


def test_matrices_are_those_of_opencv() -> None:
    vectors = _vectors()
    expected = np.array([[cv2.Rodrigues(vector)[0] for vector in row] for row in vectors])
    np.testing.assert_allclose(matrix_from_vector(vectors), expected, atol=1e-14)


def test_vectors_come_back_at_every_angle() -> None:
    vectors = _vectors()
    matrices = matrix_from_vector(vectors)
    back = vector_from_matrix(matrices)
    np.testing.assert_allclose(matrix_from_vector(back), matrices, atol=1e-14)
    np.testing.assert_allclose(back[:, :-1], vectors[:, :-1], atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, np.pi])
def test_a_single_vector_needs_no_leading_axes(angle: float) -> None:
    vector = np.array([0.0, angle, 0.0])
    np.testing.assert_allclose(vector_from_matrix(matrix_from_vector(vector)), vector, atol=1e-14)
