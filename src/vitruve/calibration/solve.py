"""From the corners of a recording to calibrated cameras: lenses, pairs, a tree of pairs, and one bundle adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from vitruve.calibration.intrinsics import Lens, lens_of_camera
from vitruve.calibration.poses import CONSISTENT, Pair, board_poses, pairs_of_cameras, place_boards, spanning_tree
from vitruve.calibration.views import Views
from vitruve.geometry.bundle import PARAMETERS, Bundle, Sightings, adjust
from vitruve.structures.camera import Camera, stack_cameras

_ROUNDS = 4
_OUTLIER = 4.0
_TOLERATED = 0.5
_FIRST_SCALE, _SCALES = 5.0, 3.0
_LEAST_SCALE = 0.05


@dataclass(frozen=True)
class Solution:
    """Calibrated cameras and what they were calibrated from.

    Attributes:
        views: The corners, in the order of the board's in every image; with those that were dropped.
        used: ``(M,)`` which images count.
        bundle: Cameras and boards, with deviations.
        sightings: What :attr:`bundle` was fitted to; its rows are the images that count.
        pairs: Pairs of cameras as they were before the adjustment.
        primary: Number of the camera whose frame is the world's.
    """

    views: Views
    used: Bool[np.ndarray, " M"]
    bundle: Bundle
    sightings: Sightings
    pairs: tuple[Pair, ...]
    primary: int

    @property
    def cameras(self) -> dict[str, Camera]:
        """Single cameras by their names."""
        return {name: self.bundle.cameras[number] for number, name in enumerate(self.views.names)}


def solve(views: Views, *, lens: Lens = "radial", primary: int = 0) -> Solution:
    """Calibrate all cameras from the corners that they saw.

    Args:
        views: The corners.
        lens: Which distortion is fitted.
        primary: Number of the camera whose frame is the world's.

    Returns:
        Cameras with the least robust reprojection error over all images.

    Raises:
        InputError: The boards determine no lens of a camera, or not how the cameras stand to each other.
    """
    fitted = [lens_of_camera(views, camera, lens) for camera in range(len(views.names))]
    lenses = [camera for camera, _ in fitted]
    used = ~np.any([dropped for _, dropped in fitted], axis=0)
    boards = board_poses(views, lenses)
    pairs = pairs_of_cameras(views.where(used), lenses, boards[used])
    poses = spanning_tree(len(lenses), pairs, primary, views.names)
    cameras = [
        replace(camera, rotation=pose.rotation, translation=pose.translation)
        for camera, pose in zip(lenses, poses, strict=True)
    ]
    places, place, pixels = place_boards(views, cameras, boards)
    views = replace(views, pixels=pixels)
    free = _free(len(cameras), lens, primary)
    bundle = Bundle(stack_cameras(tuple(cameras)), places.rotation, places.translation)
    # Far outliers first: what is wrong by a board's width must not bend a lens.
    errors = _view_errors(bundle, views, place)
    used &= errors < np.maximum(_OUTLIER * np.median(errors[used]), CONSISTENT * views.sizes.max(1)[views.camera])
    scale = _FIRST_SCALE
    for _ in range(_ROUNDS):
        reduced, sightings = _reduced(bundle, views, place, used)
        reduced = adjust(reduced, sightings, free, scale=scale)
        bundle = _widened(bundle, reduced, place, used)
        errors = _view_errors(bundle, views, place)
        kept = used & (errors < _outliers(errors, views.camera, used))
        median = float(np.nanmedian(np.linalg.norm(reduced.residuals(sightings), axis=-1)))
        finer = max(_SCALES * median, _LEAST_SCALE)
        if kept.sum() == used.sum() and finer > 0.8 * scale:
            break
        used, scale = kept, finer
    return Solution(views, used, reduced, sightings, tuple(pairs), primary)


def _free(count: int, lens: Lens, primary: int) -> np.ndarray:
    free = np.ones((count, len(PARAMETERS)), bool)
    free[primary, -6:] = False
    held = {"radial": ("p1", "p2", "k3"), "brown": (), "fisheye": ("k3",)}[lens]
    free[:, [PARAMETERS.index(name) for name in held]] = False
    return free


def _view_errors(bundle: Bundle, views: Views, place: np.ndarray) -> np.ndarray:
    """Median error of the corners of each image; infinite where the board lies behind the camera."""
    seen = Sightings(views.board.points, views.camera, place, views.pixels)
    errors = np.linalg.norm(bundle.residuals(seen), axis=-1)
    known = ~np.isnan(views.pixels).any(-1)
    return np.array(
        [np.median(np.nan_to_num(row[there], nan=np.inf)) for row, there in zip(errors, known, strict=True)]
    )


def _outliers(errors: np.ndarray, camera: np.ndarray, used: np.ndarray) -> np.ndarray:
    """From which error on each image is one. A camera is measured by itself: pixels and focus of the others differ."""
    limits = np.zeros(len(errors))
    for number in np.unique(camera[used]):
        limits[camera == number] = max(_OUTLIER * float(np.median(errors[used & (camera == number)])), _TOLERATED)
    return limits


def _reduced(bundle: Bundle, views: Views, place: np.ndarray, used: np.ndarray) -> tuple[Bundle, Sightings]:
    """Only the images that count, and the places that they show."""
    kept, number = np.unique(place[used], return_inverse=True)
    sightings = Sightings(views.board.points, views.camera[used], number, views.pixels[used])
    return replace(bundle, rotation=bundle.rotation[kept], translation=bundle.translation[kept]), sightings


def _widened(bundle: Bundle, reduced: Bundle, place: np.ndarray, used: np.ndarray) -> Bundle:
    """The adjusted cameras and places, with the places that no counting image shows as they were."""
    kept = np.unique(place[used])
    rotation, translation = bundle.rotation.copy(), bundle.translation.copy()
    rotation[kept], translation[kept] = reduced.rotation, reduced.translation
    return Bundle(reduced.cameras, rotation, translation)


def camera_centers(cameras: Camera) -> np.ndarray:
    """Where cameras stand in the world.

    Args:
        cameras: V stacked cameras.

    Returns:
        ``(V, 3)`` millimetres.
    """
    return -np.einsum("vji,vj->vi", cameras.rotation, cameras.translation)


def shared_instants(views: Views, used: np.ndarray, cameras: Sequence[int]) -> int:
    """How many instants count for all of some cameras.

    Args:
        views: The corners.
        used: Which images count.
        cameras: Their numbers.

    Returns:
        The number of instants.
    """
    return len(set.intersection(*(set(views.instant[used & (views.camera == camera)].tolist()) for camera in cameras)))
