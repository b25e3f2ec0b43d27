"""Plants seen from above, told apart by the shape and colour of their leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.shapes import Ellipse, Tube

Color: TypeAlias = tuple[float, float, float]
Point: TypeAlias = Float[np.ndarray, " 2"]

# Anything thinner covers no pixel by more than half, and would belong to nobody.
_THINNEST = 0.7


@dataclass(frozen=True)
class Leaf:
    """One leaf, in units of its plant.

    Attributes:
        angle: Where it points, in radians.
        length: From the middle of the plant to the tip, at most 1.
        bend: How far it turns from foot to tip, in radians.
        tone: Factor on the colour.
    """

    angle: float
    length: float
    bend: float
    tone: float


@dataclass(frozen=True)
class Brush:
    """What paints one leaf.

    Attributes:
        canvas: What is painted on.
        color: RGB from 0 to 255.
        owner: The plant's number on the canvas.
    """

    canvas: Canvas
    color: Color
    owner: int

    def tube(self, points: np.ndarray, radii: np.ndarray, color: Color | None = None) -> None:
        """Paint a chain of discs, darker towards its outline.

        Args:
            points: ``(P, 2)`` centres in pixels.
            radii: ``(P,)`` in pixels.
            color: RGB from 0 to 255; None for the brush's own.
        """
        thick = np.maximum(radii, _THINNEST)
        shade = partial(_vaulted, float(thick.max()))
        self.canvas.paint(Tube(points, thick), color or self.color, shade=shade, owner=self.owner)

    def disc(self, center: Point, radii: tuple[float, float], direction: tuple[float, float]) -> None:
        """Paint an ellipse, darker towards its outline.

        Args:
            center: ``x y`` in pixels.
            radii: Half axes in pixels, along and across the direction.
            direction: Unit vector of the first axis.
        """
        along, across = (max(radius, _THINNEST) for radius in radii)
        shade = partial(_vaulted, min(along, across))
        self.canvas.paint(Ellipse(center, (along, across), direction), self.color, shade=shade, owner=self.owner)


Painter: TypeAlias = Callable[[Brush, np.ndarray, float], None]
"""Paints one leaf along a midline ``(P, 2)`` in pixels, whose length in pixels is the third argument."""


@dataclass(frozen=True)
class Species:
    """A kind of plant.

    Attributes:
        name: What it is called.
        color: RGB from 0 to 255 of its leaves.
        leaves: The least and the most it has.
        bend: By how much a leaf turns at most, in radians.
        paint: Paints a leaf.
        opposite: Whether its leaves stand in two opposite rows, not all around.
    """

    name: str
    color: Color
    leaves: tuple[int, int]
    bend: float
    paint: Painter
    opposite: bool = False


@dataclass(frozen=True, eq=False)
class Plant:
    """One plant of a field.

    Attributes:
        species: Its kind.
        center: ``x y`` in the field, in pixels.
        radius: From its middle to the tip of its longest leaf, in pixels.
        color: RGB from 0 to 255.
        leaves: The lowest first.
    """

    species: Species
    center: Point
    radius: float
    color: Color
    leaves: tuple[Leaf, ...]

    @classmethod
    def drawn(cls, rng: np.random.Generator, species: Species, center: Point, radius: float) -> Plant:
        """A plant at random.

        Args:
            rng: Draws its leaves and its tone.
            species: Its kind.
            center: ``x y`` in the field, in pixels.
            radius: From its middle to the tip of its longest leaf, in pixels.

        Returns:
            The plant.
        """
        count = int(rng.integers(species.leaves[0], species.leaves[1] + 1))
        turn = rng.uniform(0, 2 * np.pi)
        step = np.pi if species.opposite else np.pi * (3 - math.sqrt(5))
        leaves = tuple(
            Leaf(
                float(turn + step * number + rng.normal(0, 0.18)),
                # The youngest stand in the middle, above the others.
                float((1.0 if number == 0 else rng.uniform(0.75, 1.0)) * (1 - 0.45 * number / count)),
                float(rng.uniform(-1, 1) * species.bend),
                float(rng.uniform(0.85, 1.1) * (0.9 + 0.2 * number / count)),
            )
            for number in range(count)
        )
        red, green, blue = (np.array(species.color) * rng.uniform(0.85, 1.15) * rng.uniform(0.94, 1.06, 3)).tolist()
        return cls(species, center, radius, (red, green, blue), leaves)

    def paint(self, canvas: Canvas, center: Point, scale: float, turn: float, light: Color, owner: int) -> None:
        """Paint it with its shadow.

        Args:
            canvas: What is painted on.
            center: Where its middle is in the picture, in pixels.
            scale: Pixels of the picture a pixel of the field.
            turn: How the plant is turned in the picture, in radians.
            light: Factors on red, green and blue.
            owner: Its number on the canvas.
        """
        radius = scale * self.radius
        shadow = Ellipse(center + 0.12 * radius, (0.75 * radius, 0.7 * radius))
        canvas.paint(shadow, (22.0, 17.0, 12.0), feather=max(0.4 * radius, 1.0), opacity=0.4)
        for leaf in self.leaves:
            length = radius * leaf.length
            along = np.linspace(0, 1, 6)
            heading = leaf.angle + turn + leaf.bend * along
            steps = np.stack([np.cos(heading), np.sin(heading)], -1) * length / 5
            line = center + np.concatenate([np.zeros((1, 2)), np.cumsum(steps[1:], 0)])
            red, green, blue = (float(c * g * leaf.tone) for c, g in zip(self.color, light, strict=True))
            self.species.paint(Brush(canvas, (red, green, blue), owner), line, length)


def _blade(wide: float, profile: tuple[float, ...], brush: Brush, line: np.ndarray, length: float) -> None:
    brush.tube(line, wide * length * np.array(profile))


def _stalked(wide: float, stalk: Color, brush: Brush, line: np.ndarray, length: float) -> None:
    """A broad leaf on a coloured stalk, which runs on as its midrib."""
    brush.tube(line[2:], wide * length * np.array([0.45, 1.0, 0.9, 0.25]))
    brush.tube(line, length * np.array([0.035, 0.035, 0.03, 0.025, 0.015, 0.01]), stalk)


def _lobed(pairs: int, reach: float, thick: float, slant: float, brush: Brush, line: np.ndarray, length: float) -> None:
    """A midrib with pairs of lobes, the longest past the middle.

    Args:
        pairs: How many pairs.
        reach: Length of the longest lobe, in lengths of the leaf.
        thick: Half the width of a lobe at its foot, in the same.
        slant: Angle of a lobe to the midrib, in radians.
        brush: Paints.
        line: The midrib.
        length: Of the leaf.
    """
    brush.tube(line, length * np.array([0.03, 0.05, 0.06, 0.07, 0.07, 0.03]) * (0.4 + 8 * thick))
    ahead = math.atan2(*(line[-1] - line[0])[::-1])
    for number in range(pairs):
        share = (number + 1) / (pairs + 0.6)
        foot = np.array([np.interp(5 * share, np.arange(6), line[:, axis]) for axis in (0, 1)])
        long = reach * length * math.sin(math.pi * share**1.3) ** 0.7
        for side in (-1, 1):
            way = ahead + side * slant
            tip = foot + long * np.array([math.cos(way), math.sin(way)])
            brush.tube(np.stack([foot, tip]), length * np.array([thick, 0.35 * thick]))


def _trefoil(brush: Brush, line: np.ndarray, length: float) -> None:
    """Three round leaflets on a stalk."""
    brush.tube(line[:4], np.full(4, 0.02 * length))
    ahead = math.atan2(*(line[3] - line[2])[::-1])
    for aside in (-2.1, 2.1, 0.0):
        direction = math.cos(ahead + aside), math.sin(ahead + aside)
        brush.disc(line[3] + 0.2 * length * np.array(direction), (0.21 * length, 0.18 * length), direction)


def _vaulted(thick: float, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return np.asarray(0.68 + 0.42 * np.sqrt(np.clip(depth / thick, 0, 1)))


SPECIES: tuple[Species, ...] = (
    Species("maize", (98, 160, 62), (4, 6), 0.7, partial(_blade, 0.1, (0.6, 0.9, 1, 0.9, 0.6, 0.1)), opposite=True),
    Species("grass", (150, 172, 78), (11, 16), 0.35, partial(_blade, 0.025, (1, 1, 1, 0.8, 0.6, 0.2))),
    Species("plantain", (88, 132, 66), (7, 9), 0.25, partial(_blade, 0.19, (0.25, 0.5, 0.95, 1, 0.7, 0.2))),
    Species("beet", (62, 110, 58), (6, 8), 0.3, partial(_stalked, 0.19, (168, 42, 84))),
    Species("dandelion", (92, 146, 52), (8, 10), 0.3, partial(_lobed, 4, 0.24, 0.055, 1.5)),
    Species("thistle", (128, 152, 132), (7, 9), 0.25, partial(_lobed, 6, 0.3, 0.03, 0.9)),
    Species("clover", (64, 142, 84), (6, 9), 0.4, _trefoil),
    Species("chamomile", (118, 160, 96), (8, 11), 0.3, partial(_lobed, 9, 0.22, 0.01, 0.8)),
)
"""What grows in a rendered field, in the order of its classes."""
