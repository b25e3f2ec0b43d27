"""The numbers of a camera in files of any kind: read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vitruve.errors import InputError
from vitruve.structures.camera import Camera

COEFFICIENTS = 8
"""Of :attr:`Camera.distortion`."""


def numbers(where: str, table: Mapping[str, Any], key: str, *shapes: tuple[int, ...]) -> np.ndarray:
    """The numbers under a key.

    Args:
        where: The file and what in it, for messages.
        table: Keys and values.
        key: The key.
        *shapes: The shapes that the value may have.

    Returns:
        Finite float64 numbers of one of the shapes.

    Raises:
        InputError: The key is missing, or its value is something else.
    """
    wanted = " or ".join("x".join(map(str, shape)) for shape in shapes)
    if key not in table:
        raise InputError(f"{where}.{key}: is missing; give {wanted} numbers")
    try:
        values = np.array(table[key], dtype=np.float64)
    except (ValueError, TypeError):
        raise InputError(f"{where}.{key}: must be {wanted} numbers") from None
    if values.shape not in shapes:
        given = "x".join(map(str, values.shape)) or "one"
        raise InputError(f"{where}.{key}: has {given} numbers; give {wanted}")
    if not np.isfinite(values).all():
        raise InputError(f"{where}.{key}: holds a value that is not finite; give {wanted} numbers")
    return values


def intrinsics(where: str, table: Mapping[str, Any], key: str, *, transposed: bool = False) -> np.ndarray:
    """The camera matrix under a key.

    Args:
        where: The file and what in it, for messages.
        table: Keys and values.
        key: The key.
        transposed: The file stores it for row vectors, as MATLAB does.

    Returns:
        ``(3, 3)`` for column vectors.

    Raises:
        InputError: It is missing or no camera matrix.
    """
    matrix = numbers(where, table, key, (3, 3))
    matrix = matrix.T.copy() if transposed else matrix
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0 or matrix[2].tolist() != [0, 0, 1] or matrix[1, 0] != 0:
        form = "[[fx, 0, 0], [s, fy, 0], [cx, cy, 1]]" if transposed else "[[fx, s, cx], [0, fy, cy], [0, 0, 1]]"
        raise InputError(f"{where}.{key}: must be {form} with fx and fy above 0")
    return matrix


def rotation(where: str, table: Mapping[str, Any], key: str, *, transposed: bool = False) -> np.ndarray:
    """The rotation matrix under a key; arguments as for :func:`intrinsics`.

    Returns:
        ``(3, 3)``, from world to camera, for column vectors.

    Raises:
        InputError: It is missing or turns nothing: not orthogonal, or a mirror.
    """
    matrix = numbers(where, table, key, (3, 3))
    # Files round: the CMU Panoptic ones to ten digits.
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > 1e-4 or np.linalg.det(matrix) < 0:
        raise InputError(f"{where}.{key}: is no rotation; give 3x3 numbers, orthogonal and with determinant 1")
    return matrix.T.copy() if transposed else matrix


def distortion(values: np.ndarray) -> np.ndarray:
    """OpenCV's coefficients, filled up with zeros to eight.

    Args:
        values: Four, five or eight coefficients, in OpenCV's order.

    Returns:
        ``(8,)``.
    """
    return np.pad(np.ravel(values), (0, COEFFICIENTS - values.size))


def check_lens(name: str, camera: Camera, kind: str, *, most: int = 5) -> None:
    """Refuse a lens that a kind of file has no place for.

    Args:
        name: The camera.
        camera: A single camera.
        kind: The kind of file, for the message.
        most: How many of OpenCV's coefficients it holds.

    Raises:
        InputError: The lens is a fisheye, or needs more coefficients.
    """
    if camera.fisheye is not None and bool(camera.fisheye):
        raise InputError(f"camera '{name}': has a fisheye lens, which {kind} files cannot hold; write anipose")
    if np.any(camera.distortion[most:]):
        raise InputError(
            f"camera '{name}': its lens needs {COEFFICIENTS} coefficients, {kind} files hold {most}; write anipose"
        )
