"""Where boards and cameras stand, one pair of cameras after the other; what bundle adjustment begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int

from vitruve.calibration.recordings import spread
from vitruve.calibration.views import Views
from vitruve.errors import InputError
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.camera import Camera

_MOST_CANDIDATES = 24
CONSISTENT = 0.025
"""Share of an image's longer side up to which the error of a whole board is that of a first estimate."""


@dataclass(frozen=True)
class Pose:
    """A rigid motion, or several: ``rotation (..., 3, 3)`` and then ``translation (..., 3)`` in millimetres.

    Attributes:
        rotation: Orthonormal.
        translation: In millimetres.
    """

    rotation: Float[np.ndarray, "*lead 3 3"]
    translation: Float[np.ndarray, "*lead 3"]

    def after(self, first: Pose) -> Pose:
        """This motion behind another one.

        Args:
            first: What is done before.

        Returns:
            Both as one.
        """
        turned = (self.rotation @ first.translation[..., None])[..., 0]
        return Pose(self.rotation @ first.rotation, turned + self.translation)

    def inverse(self) -> Pose:
        """The motion back."""
        back = self.rotation.swapaxes(-1, -2)
        return Pose(back, -(back @ self.translation[..., None])[..., 0])

    def __getitem__(self, index: Any) -> Pose:
        return Pose(self.rotation[index], self.translation[index])

    def applied(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "*lead N 3"]:
        """Points moved.

        Args:
            points: In millimetres.

        Returns:
            Where they come to lie.
        """
        return points @ self.rotation.swapaxes(-1, -2) + self.translation[..., None, :]


def board_poses(views: Views, lenses: Sequence[Camera]) -> Pose:
    """Where the board of each image stands before its camera (Collins and Bartoli 2014, plane-based pose estimation).

    Args:
        views: The corners.
        lenses: The cameras in their own frames.

    Returns:
        ``(M,)`` poses from the board to the camera.
    """
    made = []
    points = views.board.points
    for camera, pixels in zip(views.camera, views.pixels, strict=True):
        plane = lenses[camera].undistort(pixels)
        known = ~np.isnan(plane).any(-1)
        _, turns, shifts, _ = cv2.solvePnPGeneric(
            points[known], plane[known][:, None], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
        best, least = None, np.inf
        for turn, shift in zip(turns, shifts, strict=True):
            vector, place = cv2.solvePnPRefineLM(points[known], plane[known][:, None], np.eye(3), None, turn, shift)
            pose = Pose(matrix_from_vector(vector[:, 0]), place[:, 0])
            error = _errors(lenses[camera], pose, points, pixels)
            if best is None or error < least:
                best, least = pose, error
        assert best is not None
        made.append(best)
    return Pose(np.stack([pose.rotation for pose in made]), np.stack([pose.translation for pose in made]))


@dataclass(frozen=True)
class Pair:
    """Two cameras that have seen the board at the same instants.

    Attributes:
        cameras: Their numbers.
        shared: Instants at which both saw it.
        agreeing: Instants that tell the same pose of the second before the first.
        pose: From the first camera's frame to the second's.
        error: Median error in pixels when the board's place in one image is told by the other, over agreeing instants.
    """

    cameras: tuple[int, int]
    shared: int
    agreeing: int
    pose: Pose
    error: float


def pairs_of_cameras(views: Views, lenses: Sequence[Camera], boards: Pose) -> list[Pair]:
    """How all pairs of cameras stand to each other, by the pose that most shared boards agree on.

    A board that looks the same when it is turned in its plane may be turned differently in two images; the right turn
    is the one that agrees with the other instants.

    Args:
        views: The corners.
        lenses: The cameras in their own frames.
        boards: What :func:`board_poses` gave.

    Returns:
        The pairs that share an instant.
    """
    count = len(views.names)
    image = {(int(c), int(i)): place for place, (c, i) in enumerate(zip(views.camera, views.instant, strict=True))}
    found = []
    for first in range(count):
        for second in range(first + 1, count):
            shared = np.array(
                [
                    (place, image[second, instant])
                    for (camera, instant), place in image.items()
                    if camera == first and (second, instant) in image
                ]
            )
            if len(shared):
                found.append(_pair(views, lenses, boards, (first, second), shared))
    return found


def _pair(views: Views, lenses: Sequence[Camera], boards: Pose, cameras: tuple[int, int], shared: np.ndarray) -> Pair:
    seen, other = shared[:, 0], shared[:, 1]
    lens = lenses[cameras[1]]
    told = turned_pixels(views)[:, other]
    limit = CONSISTENT * float(views.sizes[cameras[1]].max())
    best, votes = None, -1.0
    own = _turned_poses(views)
    for candidate in spread(len(shared), _MOST_CANDIDATES):
        for turn in own:
            pose = boards[other[candidate]].after(turn).after(boards[seen[candidate]].inverse())
            errors = _transfer(lens, pose.after(boards[seen]), views.board.points, told)
            vote = float(np.clip(1 - errors / limit, 0, None).sum())
            if vote > votes:
                best, votes = (pose, errors), vote
    assert best is not None
    pose, errors = best
    agreeing = errors < limit
    error = float(np.median(errors[agreeing])) if agreeing.any() else float(np.median(errors))
    return Pair(cameras, len(shared), int(agreeing.sum()), pose, error)


def turned_pixels(views: Views) -> Float[np.ndarray, "S M N 2"]:
    """The corners in all orders that look alike: of turn s, corner ``turns[s][i]`` is what was taken for corner i.

    Args:
        views: The corners.

    Returns:
        Pixels a turn of the board.
    """
    turns = views.board.turns
    made = np.empty((len(turns), *views.pixels.shape))
    for number, turn in enumerate(turns):
        made[number][:, turn] = views.pixels
    return made


def _turned_poses(views: Views) -> list[Pose]:
    """For each turn, the motion of the board in its plane that takes corner ``turns[s][i]`` to where corner i is."""
    points = views.board.points
    made = []
    for turn in views.board.turns:
        across = points[turn[1]] - points[turn[0]]
        angle = -np.arctan2(across[1], across[0])
        rotation = matrix_from_vector(np.array([0, 0, angle]))
        made.append(Pose(rotation, points[0] - rotation @ points[turn[0]]))
    return made


def _transfer(lens: Camera, poses: Pose, points: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Root mean squared error an image, at the turn that fits best; infinite behind the camera."""
    away = ((lens.project(poses.applied(points)) - told) ** 2).sum(-1)
    known = ~np.isnan(told).any(-1)
    away = np.where(known, np.where(np.isnan(away), np.inf, away), 0)
    return np.asarray(np.sqrt((away.sum(-1) / known.sum(-1)).min(0)))


def _errors(lens: Camera, pose: Pose, points: np.ndarray, pixels: np.ndarray) -> float:
    return float(_transfer(lens, pose[None], points, pixels[None, None])[0])


def spanning_tree(count: int, pairs: Sequence[Pair], root: int, names: Sequence[str]) -> list[Pose]:
    """The pose of every camera along the pairs that share most boards (maximum spanning tree, Prim's algorithm).

    Args:
        count: Number of cameras.
        pairs: How pairs stand to each other.
        root: The camera whose frame is the world's.
        names: Of the cameras, for the error.

    Returns:
        Poses from the world to each camera.

    Raises:
        InputError: Some cameras have no agreeing board in common with the others.
    """
    poses: dict[int, Pose] = {root: Pose(np.eye(3), np.zeros(3))}
    while len(poses) < count:
        edges = [pair for pair in pairs if pair.agreeing and (pair.cameras[0] in poses) != (pair.cameras[1] in poses)]
        # A single board always agrees with itself: what has shared more must agree more than once.
        edges = [pair for pair in edges if pair.agreeing > 1 or pair.shared == 1]
        if not edges:
            reached = ", ".join(names[camera] for camera in sorted(poses))
            lost = ", ".join(names[camera] for camera in range(count) if camera not in poses)
            shared = max((p.shared for p in pairs if (p.cameras[0] in poses) != (p.cameras[1] in poses)), default=0)
            why = (
                f"share {shared} boards that tell no common pose: are they recorded at the same instants?"
                if shared
                else "never see the board at the same instant: record it where one camera of each group sees it"
            )
            raise InputError(f"cameras {reached} and cameras {lost} {why}")
        best = max(edges, key=lambda pair: (pair.agreeing, -pair.error))
        first, second = best.cameras
        if first in poses:
            poses[second] = best.pose.after(poses[first])
        else:
            poses[first] = best.pose.inverse().after(poses[second])
    return [poses[camera] for camera in range(count)]


def place_boards(
    views: Views, cameras: Sequence[Camera], boards: Pose
) -> tuple[Pose, Int[np.ndarray, " M"], Float[np.ndarray, "M N 2"]]:
    """Where the board was at each instant, and its corners in one order in all images of it.

    Args:
        views: The corners.
        cameras: In the world's frame.
        boards: What :func:`board_poses` gave.

    Returns:
        ``(P,)`` poses from the board to the world, the place that each image shows, and its corners.
    """
    instants, place = np.unique(views.instant, return_inverse=True)
    turned = turned_pixels(views)
    pixels = views.pixels.copy()
    made = []
    for instant in range(len(instants)):
        images = np.flatnonzero(place == instant)
        best, least = None, np.inf
        for image in images:
            camera = cameras[views.camera[image]]
            pose = Pose(camera.rotation, camera.translation).inverse().after(boards[image])
            errors = np.array(
                [
                    _transfer(
                        cameras[views.camera[each]], pose[None], views.board.points, turned[turn, each][None, None]
                    )
                    for each in images
                    for turn in range(len(turned))
                ]
            ).reshape(len(images), len(turned))
            if errors.min(-1).sum() < least:
                best, least = (pose, errors.argmin(-1)), float(errors.min(-1).sum())
        if best is None:
            # No camera sees the board where another one says it is: each image by itself would do as well.
            camera = cameras[views.camera[images[0]]]
            best = (
                Pose(camera.rotation, camera.translation).inverse().after(boards[images[0]]),
                np.zeros(len(images), int),
            )
        made.append(best[0])
        pixels[images] = turned[best[1], images]
    poses = Pose(np.stack([pose.rotation for pose in made]), np.stack([pose.translation for pose in made]))
    return poses, place, pixels
