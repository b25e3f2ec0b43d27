"""Rotations as vectors (Rodrigues): the direction is the axis, the length the angle in radians."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_SMALL = 1e-8


def matrix_from_vector(vector: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 3 3"]:
    """Rotation matrices of rotation vectors (Rodrigues' formula, as in OpenCV).

    Args:
        vector: Axis times angle in radians.

    Returns:
        Orthonormal matrices with determinant 1, in float64.
    """
    vector = np.asarray(vector, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape[:-1], 3, 3)
    # sin(a) / a and (1 - cos(a)) / a^2; numpy's sinc is exact at zero, too.
    first, second = np.sinc(angle / np.pi), np.sinc(angle / (2 * np.pi)) ** 2 / 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def vector_from_matrix(matrix: Float[np.ndarray, "*lead 3 3"]) -> Float[np.ndarray, "*lead 3"]:
    """Rotation vectors of rotation matrices, the inverse of :func:`matrix_from_vector`.

    Args:
        matrix: Orthonormal matrices with determinant 1.

    Returns:
        Axis times angle, with an angle from 0 to pi, in float64.
    """
    m = np.asarray(matrix, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    turn = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    plus = np.stack([m[..., 2, 1] + m[..., 1, 2], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 0] + m[..., 0, 1]], -1)
    # A unit quaternion four times over, from each of its parts; the one made from the largest part is exact.
    rows = np.stack(
        [
            np.stack([1 + xx + yy + zz, turn[..., 0], turn[..., 1], turn[..., 2]], -1),
            np.stack([turn[..., 0], 1 + xx - yy - zz, plus[..., 2], plus[..., 1]], -1),
            np.stack([turn[..., 1], plus[..., 2], 1 - xx + yy - zz, plus[..., 0]], -1),
            np.stack([turn[..., 2], plus[..., 1], plus[..., 0], 1 - xx - yy + zz], -1),
        ],
        -2,
    )
    best = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), -1)[..., None, None]
    quaternion = np.take_along_axis(rows, best, -2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternion[..., :1])
    return quaternion[..., 1:] * np.where(sine > _SMALL, angle / np.maximum(sine, _SMALL), 2.0)
