"""3x3 matrices that move points of the plane, for resize, crop, flip, rotate and letterbox.

All map coordinates of the pixel convention in :mod:`vitruve.structures`: the centre of the top-left pixel is (0, 0),
so a resize also moves by half a pixel, and chains of steps are exact. ``b @ a`` does ``a`` first.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Matrix = Float[np.ndarray, "3 3"]
Size = tuple[int, int]
"""Width and height in pixels."""


def translation(dx: float, dy: float) -> Matrix:
    """Move by ``(dx, dy)`` pixels."""
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float64)


def scaling(sx: float, sy: float) -> Matrix:
    """Scale about the origin."""
    return np.diag([sx, sy, 1.0])


def rotation(degrees: float) -> Matrix:
    """Rotate about the origin, from the x axis towards the y axis: clockwise on the screen.

    Multiples of 90 degrees are exact.
    """
    quarter = degrees / 90
    if quarter == round(quarter):
        c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[round(quarter) % 4]
    else:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float64)


def about_center(matrix: Matrix, size: Size) -> Matrix:
    """The same step about the middle of an image instead of the origin.

    Args:
        matrix: A step about the origin.
        size: Width and height of the image.

    Returns:
        The step about ``((W - 1) / 2, (H - 1) / 2)``.
    """
    cx, cy = (size[0] - 1) / 2, (size[1] - 1) / 2
    return translation(cx, cy) @ matrix @ translation(-cx, -cy)


def resize(source: Size, target: Size) -> Matrix:
    """Stretch a whole image onto another size.

    Args:
        source: Width and height before.
        target: Width and height after.

    Returns:
        The matrix; corners of the image area go to corners.
    """
    sx, sy = target[0] / source[0], target[1] / source[1]
    return translation(-0.5, -0.5) @ scaling(sx, sy) @ translation(0.5, 0.5)


def crop(box: tuple[float, float, float, float], target: Size) -> Matrix:
    """Stretch a box of an image onto a size.

    Args:
        box: ``x1 y1 x2 y2`` in pixels; the area from ``x1`` to ``x2`` fills the target's width.
        target: Width and height after.

    Returns:
        The matrix.
    """
    x1, y1, x2, y2 = box
    scale = scaling(target[0] / (x2 - x1), target[1] / (y2 - y1))
    return translation(-0.5, -0.5) @ scale @ translation(-x1, -y1)


def area(
    source: Size,
    target: Size,
    box: tuple[float, float, float, float] | None = None,
    keep_proportions: bool = False,
) -> Matrix:
    """Let a box of an image, or the whole image, fill a size.

    Args:
        source: Width and height of the image.
        target: Width and height after.
        box: ``x1 y1 x2 y2`` in pixels, or None for the whole image.
        keep_proportions: Fit it in without stretching it; see :func:`letterbox`.

    Returns:
        The matrix.
    """
    if not keep_proportions:
        return resize(source, target) if box is None else crop(box, target)
    if box is None:
        return letterbox(source, target)
    x1, y1, x2, y2 = box
    return letterbox((x2 - x1, y2 - y1), target) @ translation(-x1 - 0.5, -y1 - 0.5)


def letterbox(source: tuple[float, float], target: Size) -> Matrix:
    """Fit a whole image into a size without changing its proportions, centred.

    Args:
        source: Width and height before.
        target: Width and height after.

    Returns:
        The matrix; what it leaves uncovered is up to the warp's border.
    """
    scale = min(target[0] / source[0], target[1] / source[1])
    dx, dy = (target[0] - scale * source[0]) / 2, (target[1] - scale * source[1]) / 2
    return translation(dx - 0.5, dy - 0.5) @ scaling(scale, scale) @ translation(0.5, 0.5)


def flip(size: Size) -> Matrix:
    """Mirror an image left to right.

    Args:
        size: Width and height of the image.

    Returns:
        The matrix. It does not exchange left and right keypoints: that is the skeleton's permutation.
    """
    return np.array([[-1, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]], np.float64)


def similarity(source: Float[np.ndarray, "n 2"], target: Float[np.ndarray, "n 2"]) -> Matrix:
    """The turn, scale and shift that bring points closest to others, in the sense of least squares.

    Args:
        source: At least two different points, in pixels.
        target: Where each should go.

    Returns:
        The matrix. It mirrors nothing and shears nothing.
    """
    center, goal = source.mean(0), target.mean(0)
    # As complex numbers, turning and scaling are one product, and its least-squares solution is a quotient.
    here, there = (source - center) @ (1, 1j), (target - goal) @ (1, 1j)
    factor = (here.conj() @ there) / (here.conj() @ here).real
    a, b = float(factor.real), float(factor.imag)
    turn = np.array([[a, -b, 0], [b, a, 0], [0, 0, 1]], np.float64)
    return translation(*goal) @ turn @ translation(*-center)
