"""What makes a rendered animal hard to find: things that look like parts of it, and things in front of it."""

from __future__ import annotations

import math

import numpy as np

from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.shapes import Ellipse, Tube

Color = tuple[float, float, float]


def scatter(canvas: Canvas, rng: np.random.Generator, count: int, colors: tuple[Color, ...]) -> None:
    """Paint things at random places, in turn: discs with a rim, curved strings, drops, dark stones.

    Args:
        canvas: What is painted on.
        rng: Draws places, sizes and tones.
        count: How many.
        colors: RGB from 0 to 255 of rim, disc, string, drop and stone. Those of an animal's ears, tail, paws and fur
            make things that a glance cannot tell from them.
    """
    rim, disc, string, drop, stone = colors
    height, width = canvas.pixels.shape[:2]
    for number in range(count):
        middle = rng.uniform((0, 0), (width, height))
        angle, size, tone = rng.uniform(0, 2 * np.pi), float(rng.uniform(0.8, 1.2)), float(rng.uniform(0.85, 1.15))
        direction = (math.cos(angle), math.sin(angle))

        def toned(color: Color, tone: float = tone) -> Color:
            return tone * color[0], tone * color[1], tone * color[2]

        if number % 4 == 0:
            canvas.paint(Ellipse(middle, (5.2 * size, 6.0 * size), direction), toned(rim))
            canvas.paint(Ellipse(middle, (3.6 * size, 4.4 * size), direction), toned(disc))
        elif number % 4 == 1:
            along = np.linspace(-25.0, 25.0, 7) * size
            bend = rng.uniform(-8, 8) * np.sin(along / 10)
            cosine, sine = direction
            points = middle + np.stack([along * cosine - bend * sine, along * sine + bend * cosine], -1)
            canvas.paint(Tube(points, np.linspace(2.4, 0.9, 7)), toned(string))
        elif number % 4 == 2:
            canvas.paint(Ellipse(middle, (4.8 * size, 2.7 * size), direction), toned(drop))
        else:
            canvas.paint(Ellipse(middle, (9.0 * size, 7.0 * size), direction), toned(stone), feather=0.8)


class Passers:
    """Leaves that cross the picture on straight lines, above everything else.

    Each hides a point for three frames of 40 ms at most: what is hidden was seen shortly before and will be seen
    shortly after.

    Args:
        seed: Of their paths; whole numbers.
        count: How many are on their way at any time; about half of them are within the picture.
        size: Width and height of the picture in pixels.
    """

    def __init__(self, seed: tuple[int, ...], count: int, size: tuple[int, int]) -> None:
        self._seed = seed
        self._count = count
        self._middle = (np.array(size, np.float64) - 1) / 2
        self._across = min(size) / 2
        self._reach = math.hypot(*size) / 2 + 20

    def paint(self, canvas: Canvas, time: float) -> None:
        """Paint them where they are.

        Args:
            canvas: What is painted on; the marks they cover are hidden.
            time: Seconds.
        """
        for passer in range(self._count):
            own = np.random.default_rng([*self._seed, passer])
            speed, phase = float(own.uniform(170, 260)), float(own.uniform(0, 1))
            thin, broad = float(own.uniform(6, 9)), float(own.uniform(9, 17))
            green, tone = float(own.uniform(0, 1)), float(own.uniform(0.8, 1.1))
            crossing, share = divmod(time * speed / (2 * self._reach) + phase, 1.0)
            path = np.random.default_rng([*self._seed, passer, int(crossing)])
            angle, aside = float(path.uniform(0, 2 * np.pi)), float(path.uniform(-1.1, 1.1)) * self._across
            cosine, sine = math.cos(angle), math.sin(angle)
            place = self._middle + (2 * share - 1) * self._reach * np.array([cosine, sine])
            leaf = Ellipse(place + aside * np.array([-sine, cosine]), (thin, broad), (cosine, sine))
            canvas.paint(
                Ellipse(leaf.center + np.array([6.0, 8.0]), leaf.radii, leaf.direction),
                (30.0, 26.0, 24.0),
                feather=5.0,
                opacity=0.3,
            )
            canvas.paint(leaf, (tone * (150 - 70 * green), tone * (105 + 25 * green), tone * (70 - 20 * green)))
