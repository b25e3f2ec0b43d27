"""Plane shapes as signed distance fields: exact at any sub-pixel position, in pixels.

The distance to an ellipse is the first-order one of I. Quilez, "2D distance functions" (exact on the
outline), and the smooth union is his quadratic polynomial minimum ("smooth minimum").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float


class Shape(Protocol):
    """A region of the plane."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``x1 y1 x2 y2`` of a box around the shape, in pixels."""
        ...

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance to the outline in pixels, negative inside.

        Args:
            x: Positions in pixels.
            y: Positions in pixels, of a shape that broadcasts with ``x``.

        Returns:
            One distance a position.
        """
        ...


@dataclass(frozen=True, eq=False)
class Ellipse:
    """A filled ellipse, or a disc.

    Attributes:
        center: ``x y`` in pixels.
        radii: Half axes in pixels, along and across ``direction``.
        direction: Unit vector of the first axis.
    """

    center: Float[np.ndarray, " 2"]
    radii: tuple[float, float]
    direction: tuple[float, float] = (1.0, 0.0)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``x1 y1 x2 y2`` of a box around the ellipse, in pixels."""
        (a, b), (cosine, sine) = self.radii, self.direction
        width, height = float(np.hypot(a * cosine, b * sine)), float(np.hypot(a * sine, b * cosine))
        x, y = float(self.center[0]), float(self.center[1])
        return x - width, y - height, x + width, y + height

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance to the outline in pixels, negative inside."""
        (a, b), (cosine, sine) = self.radii, self.direction
        dx, dy = x - float(self.center[0]), y - float(self.center[1])
        along, across = dx * cosine + dy * sine, dy * cosine - dx * sine
        level = np.hypot(along / a, across / b)
        slope = np.hypot(along / a**2, across / b**2)
        return np.asarray(np.where(slope > 0, level * (level - 1) / np.maximum(slope, 1e-12), -min(a, b)))


@dataclass(frozen=True, eq=False)
class Tube:
    """A chain of discs and the straight, tapered pieces between them: a body, a limb, a tail, a bar.

    Attributes:
        points: ``(P, 2)`` centres in pixels, at least two.
        radii: ``(P,)`` in pixels.
        blend: Over how many pixels neighbouring pieces melt into each other; 0 keeps the plain union.
    """

    points: Float[np.ndarray, "P 2"]
    radii: Float[np.ndarray, " P"]
    blend: float = 0.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``x1 y1 x2 y2`` of a box around the tube, in pixels."""
        # A smooth union bulges outwards by at most a quarter of its width at each piece it takes in.
        reach = self.radii[:, None] + 0.5 * self.blend
        low, high = (self.points - reach).min(0), (self.points + reach).max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def moved(self, dx: float, dy: float) -> Tube:
        """The same tube at another place.

        Args:
            dx: To the right, in pixels.
            dy: Downwards, in pixels.

        Returns:
            The moved tube.
        """
        return Tube(self.points + np.array([dx, dy]), self.radii, self.blend)

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance to the outline in pixels, negative inside."""
        result: np.ndarray | None = None
        # Plain floats leave arrays in the precision they came in; numpy's own would raise it.
        ends = zip(
            self.points.tolist(),
            self.points[1:].tolist(),
            self.radii.tolist(),
            self.radii[1:].tolist(),
            strict=False,
        )
        for (x1, y1), (x2, y2), first, last in ends:
            length = max(math.hypot(x2 - x1, y2 - y1), 1e-6)
            ax, ay, dx, dy = (x2 - x1) / length, (y2 - y1) / length, x - x1, y - y1
            along, beside = dx * ax + dy * ay, np.abs(dy * ax - dx * ay)
            # The disc that touches first lies back along the axis by the slope of the taper; a disc that
            # swallows the next one has no such slope.
            taper = min(max((first - last) / length, -0.99), 0.99)
            axis = np.clip(along - beside * (taper / math.sqrt(1 - taper * taper)), 0, length)
            piece = np.hypot(along - axis, beside) - (first + axis * ((last - first) / length))
            result = piece if result is None else _union(result, piece, self.blend)
        return np.asarray(result)


def _union(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    if blend == 0:
        return np.asarray(np.minimum(a, b))
    overlap = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.asarray(np.minimum(a, b) - overlap * overlap * (blend / 4))
