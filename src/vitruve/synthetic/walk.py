"""A random walk through a rectangle: a smooth path, and how far along it one has come at any time."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from vitruve.synthetic.texture import Wobble

_TICK = 0.02
_RUN_UP = 150.0
_TIGHTEST = 38.0


class Walk:
    """A path of bounded curvature, walked with pauses.

    Places on the path are named by their distance along it, so that the parts of a body can be put before and
    behind one another on it.

    Args:
        rng: Draws the path and the speed.
        duration: Seconds.
        low: Smallest ``x y`` of the rectangle, in pixels; it is rarely left, and then by little.
        high: Largest ``x y``.
        speed: While walking, in pixels a second.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        duration: float,
        low: tuple[float, float],
        high: tuple[float, float],
        speed: float,
    ) -> None:
        self._times = np.arange(0, duration + 2 * _TICK, _TICK)
        pace = speed * np.clip(0.5 + 0.75 * Wobble(rng, 3.0)(self._times), 0, 1.5)
        self._travelled = _RUN_UP + np.concatenate([[0.0], np.cumsum(pace[:-1] * _TICK)])
        steps = math.ceil(self._travelled[-1] + _RUN_UP)
        self._distances = np.arange(steps, dtype=np.float64)
        self._points = _path(rng, steps, low, high)

    def travelled(self, time: float) -> float:
        """How far along the path one is at a time.

        Args:
            time: Seconds.

        Returns:
            Pixels.
        """
        return float(np.interp(time, self._times, self._travelled))

    def point(self, distance: float | np.ndarray) -> Float[np.ndarray, "*P 2"]:
        """The place at a distance along the path.

        Args:
            distance: Pixels; a number or an array.

        Returns:
            ``x y`` in pixels, along a new last axis.
        """
        return np.stack([np.interp(distance, self._distances, axis) for axis in self._points.T], -1)

    def direction(self, distance: float | np.ndarray) -> Float[np.ndarray, "*P 2"]:
        """The unit vector in which the path runs.

        Args:
            distance: Pixels; a number or an array.

        Returns:
            A unit vector along a new last axis.
        """
        step = self.point(np.asarray(distance) + 2.0) - self.point(np.asarray(distance) - 2.0)
        return np.asarray(step / np.linalg.norm(step, axis=-1, keepdims=True))


def normal(direction: Float[np.ndarray, "*P 2"]) -> Float[np.ndarray, "*P 2"]:
    """The unit vector to the right of a direction, as seen in the image (y runs down).

    Args:
        direction: Unit vectors.

    Returns:
        Unit vectors.
    """
    return np.stack([-direction[..., 1], direction[..., 0]], -1)


def _path(
    rng: np.random.Generator, steps: int, low: tuple[float, float], high: tuple[float, float]
) -> Float[np.ndarray, "S 2"]:
    wander = (Wobble(rng, 110.0)(np.arange(steps)) * 0.35 / _TIGHTEST).tolist()
    # Turning round at a goal on the rectangle's side would take one out of it by about the turn's radius.
    inset_low = (low[0] + _TIGHTEST, low[1] + _TIGHTEST)
    inset_high = (high[0] - _TIGHTEST, high[1] - _TIGHTEST)
    (x, y), (goal_x, goal_y) = rng.uniform(inset_low, inset_high, (2, 2)).tolist()
    heading, curvature, age = float(rng.uniform(0, 2 * math.pi)), 0.0, 0
    points = np.empty((steps, 2))
    for step in range(steps):
        points[step] = x, y
        away = math.hypot(goal_x - x, goal_y - y)
        age += 1
        # A goal inside the tightest turn would be circled for ever.
        if away < 15 or age > 150:
            goal_x, goal_y = rng.uniform(inset_low, inset_high).tolist()
            age = 0
        error = math.remainder(math.atan2(goal_y - y, goal_x - x) - heading, 2 * math.pi)
        target = wander[step] + 1.5 * error / _TIGHTEST
        target = min(max(target, -1 / _TIGHTEST), 1 / _TIGHTEST)
        curvature += 0.12 * (target - curvature)
        heading += curvature
        x, y = x + math.cos(heading), y + math.sin(heading)
    return points
