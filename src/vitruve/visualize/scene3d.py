"""Points in space as pictures, from any side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.visualize.draw import draw_instances, keypoint_colors

_BACKGROUND, _GRID, _INK = (247, 249, 250), (214, 220, 226), (82, 96, 109)
# How far away the eye is, in radii of what is shown: near enough for perspective, far enough not to distort.
_DISTANCE = 5.0
_LINES = 8


def upright(cameras: Sequence[Camera]) -> Float[np.ndarray, " 3"]:
    """Where up most likely is: cameras are seldom mounted upside down.

    Args:
        cameras: Calibrated cameras; those that are missing do not count.

    Returns:
        A unit vector in the world; the z axis where cameras say nothing.
    """
    ups = [-camera.rotation[1] for camera in cameras if np.isfinite(camera.intrinsics).all()]
    mean = np.mean(ups, 0) if ups else np.array([0.0, 0.0, 1.0])
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0.1 else np.array([0.0, 0.0, 1.0])


class Stage:
    """What a sequence of poses moves on: one middle, size and floor for all of it.

    Args:
        points: ``(T, K, 3)`` in millimetres, NaN where missing; outliers do not widen it.
        up: A unit vector.
        size: Width and height of the pictures in pixels.
    """

    def __init__(
        self, points: Float[np.ndarray, "T K 3"], up: Float[np.ndarray, " 3"], size: tuple[int, int] = (640, 640)
    ) -> None:
        known = points[np.isfinite(points).all(-1)].astype(np.float64)
        if not len(known):
            known = np.zeros((1, 3))
        self.size = size
        low, high = np.percentile(known, (0.5, 99.5), 0)
        self.middle = (low + high) / 2
        self.radius = max(float(np.percentile(np.linalg.norm(known - self.middle, axis=-1), 99.5)), 1.0)
        self._up = up
        side = np.eye(3)[np.argmin(np.abs(up))]
        self._right = np.cross(side, up) / np.linalg.norm(np.cross(side, up))
        self._ahead = np.cross(up, self._right)
        self._floor = float(np.percentile(known @ up, 0.5))

    def eye(self, azimuth: float, elevation: float) -> Camera:
        """A camera that looks at the middle.

        Args:
            azimuth: Around the upright, in degrees.
            elevation: Above the floor, in degrees, less than 90 either way.

        Returns:
            The camera.
        """
        a, e = np.radians(azimuth), np.radians(elevation)
        away = np.cos(e) * (np.cos(a) * self._right + np.sin(a) * self._ahead) + np.sin(e) * self._up
        right = np.cross(-away, self._up)
        right = right / np.linalg.norm(right)
        rotation = np.stack([right, np.cross(-away, right), -away])
        place = self.middle + _DISTANCE * self.radius * away
        focal = 0.46 * min(self.size) * _DISTANCE
        middle = (np.array(self.size) - 1) / 2
        intrinsics = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
        return Camera(intrinsics, rotation, -rotation @ place, np.zeros(8), np.array(self.size, np.float64))

    def picture(
        self, points: Float[np.ndarray, "K 3"], skeleton: Skeleton, azimuth: float, elevation: float, title: str = ""
    ) -> UInt8[np.ndarray, "H W 3"]:
        """One pose on its floor.

        Args:
            points: In millimetres, NaN where missing.
            skeleton: Gives edges and colours.
            azimuth: As for :meth:`eye`.
            elevation: As for :meth:`eye`.
            title: Written in the corner.

        Returns:
            RGB.
        """
        width, height = self.size
        canvas = np.full((height, width, 3), _BACKGROUND, np.uint8)
        eye = self.eye(azimuth, elevation)
        step = self._step()
        for line in self._grid(step):
            ends = np.rint(eye.project(line) * 16).astype(int).tolist()
            cv2.line(canvas, ends[0], ends[1], _GRID, 1, cv2.LINE_AA, 4)
        pixels = eye.project(np.nan_to_num(points))
        pixels[~np.isfinite(points).all(-1)] = np.nan
        shown = Instances.from_keypoints(pixels[None])
        colors = keypoint_colors(skeleton, "turbo")
        canvas = draw_instances(canvas, shown, skeleton, radius=max(2.0, 0.009 * min(self.size)), colors=colors)
        for text, row in ((title, 22), (f"grid {step:g} mm", height - 10)):
            scale = 0.42 if row > 30 else 0.5
            cv2.putText(canvas, text, (10, row), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
        return canvas

    def turning(
        self,
        points: Float[np.ndarray, "T K 3"],
        skeleton: Skeleton,
        titles: Sequence[str],
        *,
        degrees_a_frame: float = 0.5,
        elevation: float = 22.0,
    ) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
        """Poses one after the other, seen by an eye that goes around them.

        Args:
            points: In millimetres, NaN where missing.
            skeleton: Gives edges and colours.
            titles: One a pose.
            degrees_a_frame: How fast the eye goes; 0 stands still.
            elevation: As for :meth:`eye`.

        Yields:
            RGB pictures.
        """
        for number, (pose, title) in enumerate(zip(points, titles, strict=True)):
            yield self.picture(pose, skeleton, 35 + degrees_a_frame * number, elevation, title)

    def _step(self) -> float:
        """Width of the floor's squares, a round number."""
        wanted = 2.6 * self.radius / _LINES
        power = 10 ** np.floor(np.log10(wanted))
        return float(min((power * s for s in (1, 2, 5, 10)), key=lambda step: abs(step - wanted)))

    def _grid(self, step: float) -> list[Float[np.ndarray, "2 3"]]:
        origin = self.middle + (self._floor - self.middle @ self._up) * self._up
        reach = step * (_LINES // 2)
        lines = []
        for number in range(-(_LINES // 2), _LINES // 2 + 1):
            for one, other in ((self._right, self._ahead), (self._ahead, self._right)):
                start = origin + number * step * one
                lines.append(np.stack([start - reach * other, start + reach * other]))
        return lines
