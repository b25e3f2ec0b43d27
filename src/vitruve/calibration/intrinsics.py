"""The lens of each camera from the boards that it sees alone; what bundle adjustment begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vitruve.calibration.recordings import spread
from vitruve.calibration.views import FEWEST_VIEWS, Views
from vitruve.errors import InputError
from vitruve.structures.camera import Camera

Lens = Literal["radial", "brown", "fisheye"]
"""``radial`` adjusts k1 and k2, which fits most lenses and few boards; ``brown`` also p1, p2 and k3; ``fisheye`` is for
lenses that see about 120 degrees and more, with its own k1 to k4 (Kannala and Brandt 2006)."""

_MOST_VIEWS = 40
_ROUNDS = 3
_OUTLIER = 2.5
_TOLERATED = 0.3


def lens_of_camera(views: Views, camera: int, lens: Lens) -> tuple[Camera, Bool[np.ndarray, " M"]]:
    """A camera's focal lengths, middle and distortion (Zhang 2000, A flexible new technique for camera calibration).

    Views whose error is far above the others' are dropped, and the rest is fitted again.

    Args:
        views: Corners of all cameras.
        camera: Which one.
        lens: Which distortion is fitted.

    Returns:
        The camera in its own frame, and which of the views were dropped.

    Raises:
        InputError: The views do not determine a lens.
    """
    places = np.flatnonzero(views.camera == camera)
    chosen = places[spread(len(places), _MOST_VIEWS)]
    dropped = np.zeros(len(views.camera), bool)
    for _ in range(_ROUNDS):
        matrix, distortion, errors = _fitted(views, chosen, camera, lens)
        bad = errors > max(_OUTLIER * float(np.median(errors)), _TOLERATED)
        if not bad.any() or (~bad).sum() < FEWEST_VIEWS:
            break
        dropped[chosen[bad]] = True
        chosen = chosen[~bad]
    terms = np.zeros(8)
    terms[: distortion.size] = distortion.ravel()
    fisheye = np.ones(()) if lens == "fisheye" else None
    return Camera(matrix, np.eye(3), np.zeros(3), terms, views.sizes[camera].astype(np.float64), fisheye), dropped


def _fitted(views: Views, chosen: np.ndarray, camera: int, lens: Lens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    seen = [~np.isnan(views.pixels[place]).any(-1) for place in chosen]
    points = [views.board.points[known].astype(np.float32) for known in seen]
    pixels = [views.pixels[place][known].astype(np.float32) for place, known in zip(chosen, seen, strict=True)]
    size = (int(views.sizes[camera, 0]), int(views.sizes[camera, 1]))
    try:
        if lens == "fisheye":
            return _fitted_fisheye(points, pixels, size)
        flags = 0 if lens == "brown" else cv2.CALIB_FIX_K3 | cv2.CALIB_ZERO_TANGENT_DIST
        _, matrix, distortion, _, _, _, _, errors = cv2.calibrateCameraExtended(
            points, pixels, size, np.eye(3), np.zeros(5), flags=flags
        )
    except cv2.error as error:
        raise InputError(
            f"camera '{views.names[camera]}': its {len(chosen)} boards determine no lens ({error.err}); show the board "
            "tilted in several ways, near and far"
        ) from error
    return matrix, distortion, np.ravel(errors)


def _fitted_fisheye(
    points: Sequence[np.ndarray], pixels: Sequence[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    objects = [each[:, None].astype(np.float64) for each in points]
    images = [each[:, None].astype(np.float64) for each in pixels]
    flags = cv2.fisheye.CALIB_RECOMPUTE_EXTRINSIC | cv2.fisheye.CALIB_FIX_SKEW
    _, matrix, distortion, turns, shifts = cv2.fisheye.calibrate(
        objects, images, size, np.eye(3), np.zeros(4), flags=flags
    )
    errors = []
    for each, seen, turn, shift in zip(objects, images, turns, shifts, strict=True):
        told, _ = cv2.fisheye.projectPoints(each, turn, shift, matrix, distortion)
        errors.append(np.sqrt(((told - seen) ** 2).sum(-1).mean()))
    return matrix, distortion, np.array(errors)


def coverage(pixels: Float[np.ndarray, "M N 2"], size: tuple[int, int], cells: int = 8) -> Bool[np.ndarray, "C D"]:
    """Which parts of the image have shown a corner.

    Args:
        pixels: Corners, NaN where not found.
        size: Width and height, px.
        cells: Parts along the longer side.

    Returns:
        True for parts with a corner; rows from top to bottom.
    """
    across, down = (max(1, round(cells * side / max(size))) for side in size)
    known = pixels[~np.isnan(pixels).any(-1)]
    column, row = ((known[:, axis] + 0.5) / size[axis] * count for axis, count in ((0, across), (1, down)))
    covered = np.zeros((down, across), bool)
    covered[row.astype(int).clip(0, down - 1), column.astype(int).clip(0, across - 1)] = True
    return covered
