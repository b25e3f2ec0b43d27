"""Follows several instances from frame to frame, as they come.

Each track predicts where its keypoints will be, with a Kalman filter of constant velocity (Kalman 1960), and takes the
instance that fits best; all are assigned together (Kuhn 1955). How well one fits is told by object keypoint
similarity, by the overlap of boxes, and by the distance that the motion makes likely, as in SORT (Bewley et al. 2016)
and its followers for people (OC-SORT, BoT-SORT). A track that is not seen for a while is kept, less and less certain of
its place, and goes on where it is seen again.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from vitruve.errors import InputError
from vitruve.geometry.boxes import overlaps
from vitruve.structures.skeleton import Skeleton

# All in shares of the instance's size (the root of its box's area), and per frame.
_ACCELERATION = 0.02
_MEASURED = 0.05
_UNKNOWN_VELOCITY = 0.1
_LOOSE = 0.15
# From frame to frame a pose changes more than two people differ in where they see a keypoint.
_SIGMA_FACTOR = 2.0
_WEIGHTS = {"keypoints": 0.5, "boxes": 0.25, "motion": 0.25}
_LEAST = 0.2
_SLOWING = 0.97


@dataclass(frozen=True)
class Following:
    """How tracks are made.

    Attributes:
        max_individuals: Never more tracks than this; None for any number.
        max_gap: A track that has not been seen for more frames than this ends.
        min_frames: Tracks that were seen in fewer frames are left out.

    Raises:
        InputError: A number is out of its range.
    """

    max_individuals: int | None = None
    max_gap: int = 25
    min_frames: int = 3

    def __post_init__(self) -> None:
        for label, least in (("max_individuals", 1), ("max_gap", 0), ("min_frames", 1)):
            value = getattr(self, label)
            if value is not None and value < least:
                raise InputError(f"tracking: {label}={value}; it must be at least {least}")


class Tracker:
    """Gives instances the numbers of tracks, frame by frame; nothing of earlier frames is kept but the tracks.

    Args:
        skeleton: The keypoints; their OKS constants say how exactly each is seen.
        following: How tracks are made. With ``max_individuals``, never more of them are open at a time: an instance
            that begins another one ends the track that has been lost for longest, and where none is lost it has none.
    """

    def __init__(self, skeleton: Skeleton, following: Following = Following()) -> None:
        self._following = following
        self._scale = (2 * _SIGMA_FACTOR * skeleton.oks_sigmas) ** 2
        joints = len(skeleton)
        self._next = 0
        self._frame: int | None = None
        self._numbers = np.zeros(0, np.int64)
        self._points = np.zeros((0, joints, 2))
        self._velocity = np.zeros((0, 2))
        self._covariance = np.zeros((0, 2, 2))
        self._sizes = np.zeros(0)
        self._lost = np.zeros(0, np.int64)

    def step(
        self, frame: int, points: Float[np.ndarray, "N K 2"], scores: Float[np.ndarray, " N"]
    ) -> Int[np.ndarray, " N"]:
        """Assign the instances of the next frame.

        Args:
            frame: Its number, larger than that of the last one.
            points: Keypoints in pixels, NaN where missing.
            scores: The better of two begins a track first.

        Returns:
            The number of each instance's track, counted from 0 in the order in which they begin; -1 for none.
        """
        points = np.asarray(points, np.float64)
        self._move(1 if self._frame is None else frame - self._frame)
        self._frame = frame
        there = np.flatnonzero(np.isfinite(points).all(-1).any(-1))
        result = np.full(len(points), -1, np.int64)
        known, shift = self._fit(points[there])
        rows, columns = linear_sum_assignment(-known)
        fitting = known[rows, columns] >= _LEAST
        for track, column in zip(rows[fitting], columns[fitting], strict=True):
            self._see(track, points[there[column]], shift[track, column])
            result[there[column]] = self._numbers[track]
        fresh = np.setdiff1d(there, there[columns[fitting]])
        for place in fresh[np.argsort(-np.asarray(scores)[fresh], kind="stable")]:
            if self._make_room():
                result[place] = self._begin(points[place])
        self._keep(self._lost <= self._following.max_gap)
        return result

    def _move(self, frames: int) -> None:
        """Where all tracks are by now, as far as can be told."""
        self._velocity[self._lost > 0] *= _SLOWING**frames
        self._points += frames * self._velocity[:, None]
        step = np.array([[1.0, frames], [0.0, 1.0]])
        noise = np.array([[frames**3 / 3, frames**2 / 2], [frames**2 / 2, frames]])
        strength = (_ACCELERATION * self._sizes) ** 2
        self._covariance = step @ self._covariance @ step.T + strength[:, None, None] * noise
        self._lost += frames

    def _fit(self, found: Float[np.ndarray, "M K 2"]) -> tuple[np.ndarray, np.ndarray]:
        """How well M instances fit T tracks, ``(T, M)`` from 0 to 1, and how far off they lie."""
        offset = found[None] - self._points[:, None]
        shared = np.asarray(np.isfinite(offset).all(-1))
        square = np.where(shared, np.nan_to_num(offset**2).sum(-1), 0)
        uncertain = self._covariance[:, 0, 0]
        spread = self._sizes[:, None] ** 2 * self._scale + uncertain[:, None]
        alike = np.exp(-square / (2 * spread[:, None])) * shared
        keypoints = alike.sum(-1) / np.maximum(shared.sum(-1), 1)
        with warnings.catch_warnings():
            # Who shares no keypoint has no distance.
            warnings.simplefilter("ignore", RuntimeWarning)
            shift = np.nanmedian(np.where(shared[..., None], offset, np.nan), -2)
        reach = uncertain + (_LOOSE * self._sizes) ** 2
        motion = np.exp(-np.nan_to_num((shift**2).sum(-1), nan=np.inf) / (2 * reach[:, None]))
        overlap = overlaps(_boxes(self._points), _boxes(found))
        fit = _WEIGHTS["keypoints"] * keypoints + _WEIGHTS["boxes"] * overlap + _WEIGHTS["motion"] * motion
        return np.where(shared.any(-1), fit, 0.0), shift

    def _see(self, track: int, points: np.ndarray, shift: np.ndarray) -> None:
        here = np.isfinite(points).all(-1)
        self._points[track] = np.where(here[:, None], points, self._points[track] + shift)
        size = _sizes(self._points[track][None])[0]
        self._sizes[track] = 0.8 * self._sizes[track] + 0.2 * size
        covariance = self._covariance[track]
        gain = covariance[:, 0] / (covariance[0, 0] + (_MEASURED * size) ** 2)
        self._velocity[track] += gain[1] * shift
        self._covariance[track] = covariance - np.outer(gain, covariance[0])
        self._lost[track] = 0

    def _make_room(self) -> bool:
        """Whether another track may begin; the one that has been lost for longest may have to end for it."""
        limit = self._following.max_individuals
        if limit is None or len(self._numbers) < limit:
            return True
        oldest = int(self._lost.argmax())
        if self._lost[oldest] == 0:
            return False
        self._keep(np.arange(len(self._numbers)) != oldest)
        return True

    def _begin(self, points: np.ndarray) -> int:
        size = _sizes(points[None])
        covariance = np.diag([(_MEASURED * size[0]) ** 2, (_UNKNOWN_VELOCITY * size[0]) ** 2])
        self._numbers = np.append(self._numbers, self._next)
        self._points = np.concatenate([self._points, points[None]])
        self._velocity = np.concatenate([self._velocity, np.zeros((1, 2))])
        self._covariance = np.concatenate([self._covariance, covariance[None]])
        self._sizes = np.append(self._sizes, size)
        self._lost = np.append(self._lost, 0)
        self._next += 1
        return self._next - 1

    def _keep(self, chosen: np.ndarray) -> None:
        for name in ("_numbers", "_points", "_velocity", "_covariance", "_sizes", "_lost"):
            setattr(self, name, getattr(self, name)[chosen])


def _boxes(points: Float[np.ndarray, "N K 2"]) -> Float[np.ndarray, "N 4"]:
    """Around the keypoints, and a little more: those of a straight arm span no box."""
    low = np.where(np.isnan(points), np.inf, points).min(1, initial=np.inf)
    high = np.where(np.isnan(points), -np.inf, points).max(1, initial=-np.inf)
    more = np.maximum(0.1 * (high - low).max(-1, keepdims=True, initial=0), 1.0)
    return np.concatenate([low - more, high + more], -1)


def _sizes(points: Float[np.ndarray, "N K 2"]) -> Float[np.ndarray, " N"]:
    boxes = _boxes(points)
    return np.asarray(np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(-1)))
