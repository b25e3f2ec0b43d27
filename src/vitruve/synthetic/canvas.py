"""An image that shapes are painted on, which remembers what has been covered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int8

from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE
from vitruve.synthetic.shapes import Shape

Shade: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From x, y and depth below the outline (all in pixels) to a factor on the colour."""

# Square pixels. A shape this small bends too much within a pixel for a straight ramp to give its share of it.
_SMALL = 500
_PARTS = 3


class Canvas:
    """Paints from back to front, with anti-aliased outlines.

    Args:
        background: ``(H, W, 3)`` RGB from 0 to 255 as floats; it is copied.

    Attributes:
        pixels: ``(H, W, 3)`` the image so far.
        owners: ``(H, W)`` whose shape is on top of each pixel: the number given when it was painted, 0 for nobody's.
    """

    def __init__(self, background: Float[np.ndarray, "H W 3"]) -> None:
        self.pixels = np.array(background, np.float32)
        self.owners = np.zeros(self.pixels.shape[:2], np.int16)
        self._marks: dict[Hashable, tuple[float, float]] = {}
        self._hidden: set[Hashable] = set()

    def paint(
        self,
        shape: Shape,
        color: tuple[float, float, float],
        *,
        feather: float = 0.5,
        opacity: float = 1.0,
        shade: Shade | None = None,
        owner: int = 0,
    ) -> None:
        """Lay a shape over everything painted so far.

        Args:
            shape: What to paint.
            color: RGB, 0 to 255.
            feather: Half the width of the outline's ramp, in pixels. At 0.5 each pixel takes the share of its
                area that lies inside; larger values are soft.
            opacity: From 0 to 1. A shape that covers more than half hides the marks below it.
            shade: Light and texture: a factor on the colour at each place.
            owner: Whose shape it is, for :attr:`owners`; 0 for nobody's.
        """
        if opacity > 0.5:
            self._hide(shape)
        height, width = self.pixels.shape[:2]
        x1, y1, x2, y2 = shape.bounds
        left, right = max(int(np.floor(x1 - feather)), 0), min(int(np.ceil(x2 + feather)) + 1, width)
        top, bottom = max(int(np.floor(y1 - feather)), 0), min(int(np.ceil(y2 + feather)) + 1, height)
        # Shades take slopes, for which a row or column alone does not do.
        if right - left < 2 or bottom - top < 2:
            return
        x = np.arange(left, right, dtype=np.float32)[None, :]
        y = np.arange(top, bottom, dtype=np.float32)[:, None]
        paint = np.array(color, np.float32)
        if (x2 - x1) * (y2 - y1) <= _SMALL:
            cover = _fine_cover(shape, x, y, feather)
            depth = None if shade is None else -shape.distance(x, y)
        else:
            depth = -shape.distance(x, y)
            cover = _ramp(depth, feather)
        if shade is not None and depth is not None:
            paint = paint * shade(x, y, depth)[..., None]
        region = self.pixels[top:bottom, left:right]
        region += (opacity * cover)[..., None] * (paint - region)
        if opacity > 0.5:
            self.owners[top:bottom, left:right][cover > 0.5] = owner

    def mark(self, key: Hashable, point: Float[np.ndarray, " 2"]) -> None:
        """Remember a point of what was painted last: what is painted later may hide it.

        Args:
            key: Its name, for :meth:`truth`.
            point: ``x y`` in pixels.
        """
        self._marks[key] = (float(point[0]), float(point[1]))
        self._hidden.discard(key)

    def truth(self, keys: Iterable[Hashable]) -> tuple[Float[np.ndarray, "K 2"], Int8[np.ndarray, " K"]]:
        """Where marks are and whether they can be seen.

        Args:
            keys: Names that were marked.

        Returns:
            Points in pixels, NaN outside the image, and 0 unlabelled, 1 occluded, 2 visible.
        """
        names = list(keys)
        points = np.array([self._marks[name] for name in names], np.float64).reshape(-1, 2)
        visible = np.array([OCCLUDED if name in self._hidden else VISIBLE for name in names], np.int8)
        height, width = self.pixels.shape[:2]
        outside = ((points < -0.5) | (points > (width - 0.5, height - 0.5))).any(1)
        points[outside] = np.nan
        visible[outside] = UNLABELLED
        return points, visible

    def _hide(self, shape: Shape) -> None:
        if self._marks:
            x, y = np.array(list(self._marks.values())).T
            under = shape.distance(x, y) < 0
            self._hidden.update(key for key, hidden in zip(self._marks, under.tolist(), strict=True) if hidden)


def _ramp(depth: np.ndarray, feather: float) -> np.ndarray:
    return np.clip(0.5 + depth / (2 * feather), 0, 1)


def _fine_cover(shape: Shape, x: np.ndarray, y: np.ndarray, feather: float) -> np.ndarray:
    """The mean over the parts of a square of twice the feather's size, each with its own, narrower ramp."""
    offsets = ((np.arange(_PARTS, dtype=np.float32) + 0.5) / _PARTS * 2 - 1) * feather
    # All parts at once, as a grid with _PARTS columns and rows in place of one: one call instead of nine.
    fine_x = (x[..., None] + offsets).reshape(1, -1)
    fine_y = (y[..., None] + offsets).reshape(-1, 1)
    fine = _ramp(-shape.distance(fine_x, fine_y), feather / _PARTS)
    return np.asarray(fine.reshape(y.size, _PARTS, x.size, _PARTS).mean((1, 3)))
