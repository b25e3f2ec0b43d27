"""A field of plants on soil with stones, which a camera moves over slowly, with the exact box of each plant."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from jaxtyping import Float, UInt8

from vitruve.errors import InputError
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.plants import SPECIES, Plant
from vitruve.synthetic.shapes import Ellipse
from vitruve.synthetic.texture import Wobble, noise_texture, sampled

CLASSES = tuple(species.name for species in SPECIES)
"""Names of the classes, in the order of their numbers."""

_DURATION = 60.0
# Heights of the picture a second.
_SPEED = 0.05
# Beyond the picture on all sides, in pixels: as far as the camera sways.
_MARGIN = 24
# Of a plant less than this share is seen: nobody could tell what it is.
_SEEN, _FEWEST = 0.25, 12


class FieldScene:
    """A field; one camera looks straight down and moves along it, swaying a little.

    Args:
        seed: Of the plants, their places, the soil, the stones and the camera's noise.
        plants: About so many are in the picture at a time, at least 1.
        size: Width and height in pixels.
        across: The smallest and the largest plant, in pixels from tip to tip.
        day: Fields of one day have the same light and the same kind of soil.

    Raises:
        InputError: The smallest plant is larger than the largest.
    """

    def __init__(
        self,
        seed: int = 0,
        plants: int = 12,
        size: tuple[int, int] = (640, 512),
        across: tuple[int, int] = (10, 400),
        day: int = 0,
    ) -> None:
        if across[0] > across[1]:
            raise InputError(f"field: plants from {across[0]} to {across[1]} px across; the first must be the smaller")
        self._seed, self._size = seed, size
        width, height = size
        self._long = height * (1 + _SPEED * _DURATION)
        rng = np.random.default_rng([seed, 0])
        weather = np.random.default_rng([day, 1])
        bright, warm = weather.uniform(0.8, 1.15), weather.uniform(-0.07, 0.07)
        self._light = (float(bright * (1 + warm)), float(bright), float(bright * (1 - warm)))
        self._wobbles = [Wobble(rng, period) for period in (9.0, 7.0, 11.0, 2.5)]
        self._plants = _grown(rng, round(plants * self._long / height), (width, self._long), across)
        self._soil = _soil(rng, weather, (width + 2 * _MARGIN, math.ceil(self._long) + 2 * _MARGIN))

    @property
    def skeleton(self) -> Skeleton:
        """No keypoints: plants have boxes."""
        return Skeleton(())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._size

    @property
    def duration(self) -> float:
        """How long the camera moves, in seconds."""
        return _DURATION

    def render(self, time: float) -> tuple[UInt8[np.ndarray, "1 H W 3"], Instances]:
        """The image and the truth of one instant.

        Args:
            time: Seconds, from 0 to the duration.

        Returns:
            The image, and the plants ``(1, N, ...)`` without keypoints: boxes and areas of what is seen, categories,
            and tracks, which stay the same while the camera moves. Of whom hardly anything is seen is a crowd: neither
            to be found nor to be missed.

        Raises:
            InputError: The time is out of range.
        """
        if not 0 <= time <= _DURATION:
            raise InputError(f"scene: time {time} s; the camera moves from 0 to {_DURATION:g} s")
        width, height = self._size
        middle = np.array([width - 1, height - 1]) / 2
        sway = [float(wobble(time)) for wobble in self._wobbles]
        scale, turn = 1 + 0.008 * sway[0], 0.008 * sway[1]
        at = middle + np.array([4.0 * sway[2], _SPEED * height * time])
        cosine, sine = scale * math.cos(turn), scale * math.sin(turn)
        to_image = np.array([[cosine, -sine], [sine, cosine]])
        canvas = Canvas(self._ground(np.linalg.inv(to_image), at, middle))
        shown: list[tuple[int, Plant, float]] = []
        for track, plant in enumerate(self._plants):
            center = to_image @ (plant.center - at) + middle
            inside = _share_inside(center, scale * plant.radius, self._size)
            if inside > 0:
                number = len(shown) + 1
                wind = 0.02 * float(np.sin(1.7 * time + 0.9 * track)) * (1 + sway[3])
                plant.paint(canvas, center, scale, turn + wind, self._light, number)
                # What is drawn over it later hides a part of what there is now.
                shown.append((track, plant, float((canvas.owners == number).sum()) / inside))
        rng = np.random.default_rng([self._seed, 2, round(time * 1e6)])
        noise = rng.standard_normal((height, width, 3), np.float32)
        image = np.rint(np.clip(canvas.pixels + 3.0 * noise, 0, 255)).astype(np.uint8)
        return image[None], _truth(canvas, shown)

    def _ground(self, to_field: np.ndarray, at: np.ndarray, middle: np.ndarray) -> Float[np.ndarray, "H W 3"]:
        width, height = self._size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        place = np.stack([x, y], -1) - middle
        place = (place @ to_field.T + at + _MARGIN).astype(np.float32)
        most = np.array(self._soil.shape[1::-1]) - 1.001
        return sampled(self._soil, np.clip(place, 0, most)) * np.array(self._light, np.float32)


def _truth(canvas: Canvas, shown: list[tuple[int, Plant, float]]) -> Instances:
    boxes, areas, categories, tracks, crowds = [], [], [], [], []
    for number, (track, plant, whole) in enumerate(shown, 1):
        mine = canvas.owners == number
        area = int(mine.sum())
        if not area:
            continue
        rows, columns = np.flatnonzero(mine.any(1)), np.flatnonzero(mine.any(0))
        boxes.append([columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5])
        areas.append(area)
        categories.append(SPECIES.index(plant.species))
        tracks.append(track)
        crowds.append(area < max(_SEEN * whole, _FEWEST))
    count = len(boxes)
    return Instances(
        np.zeros((1, count, 0, 2)),
        np.zeros((1, count, 0), np.int8),
        boxes=np.array(boxes, np.float64).reshape(1, count, 4),
        areas=np.array(areas, np.float64).reshape(1, count),
        categories=np.array(categories, np.int64).reshape(1, count),
        tracks=np.array(tracks, np.int64).reshape(1, count),
        crowds=np.array(crowds, bool).reshape(1, count),
    )


def _share_inside(center: np.ndarray, radius: float, size: tuple[int, int]) -> float:
    """How much of the square around a plant lies in the picture."""
    low, high = np.maximum(center - radius, -0.5), np.minimum(center + radius, np.array(size) - 0.5)
    return float(np.maximum(high - low, 0).prod() / (2 * radius) ** 2)


def _grown(
    rng: np.random.Generator, count: int, extent: tuple[float, float], across: tuple[int, int]
) -> tuple[Plant, ...]:
    """Plants that overlap little, the smallest first: they stand below the leaves of the larger ones."""
    # No field has as much of one kind as of another.
    kinds = rng.choice(len(SPECIES), count, p=rng.dirichlet(np.full(len(SPECIES), 6.0)))
    least, most = across
    radii = np.sort(least * (most / least) ** rng.beta(1.6, 1.9, count) / 2)[::-1]
    centers = np.zeros((count, 2))
    for number, radius in enumerate(radii):
        tries = rng.uniform((0, 0), extent, (60, 2))
        apart = np.linalg.norm(tries[:, None] - centers[:number], axis=-1) - radii[:number]
        # The first place that is free enough, or else the freest.
        centers[number] = tries[np.minimum(apart.min(1, initial=np.inf), 0.5 * radius).argmax()]
    plants = [
        Plant.drawn(rng, SPECIES[kind], center, float(radius))
        for kind, center, radius in zip(kinds, centers, radii, strict=True)
    ]
    return tuple(plants[::-1])


def _soil(rng: np.random.Generator, weather: np.random.Generator, size: tuple[int, int]) -> Float[np.ndarray, "H W 3"]:
    width, height = size
    color = np.array([118.0, 92.0, 68.0]) * weather.uniform(0.75, 1.15) * weather.uniform(0.94, 1.06, 3)
    clods = 0.10 * noise_texture(rng, (height, width), (9.0, 9.0))
    clods += 0.08 * noise_texture(rng, (height, width), (2.0, 2.0)) + 0.05 * noise_texture(
        rng, (height, width), (0.7, 0.7)
    )
    canvas = Canvas(np.clip(1 + clods, 0.3, 1.8)[..., None] * color)
    for _ in range(round(width * height * weather.uniform(1e-4, 3e-4))):
        radius, slim = float(1.5 + rng.exponential(3.5)), float(rng.uniform(0.55, 1.0))
        angle, tone = rng.uniform(0, np.pi), rng.uniform(0.75, 1.5)
        center, direction = rng.uniform((0, 0), size), (math.cos(angle), math.sin(angle))
        red, green, blue = (tone * (0.6 * color + 0.4 * np.array([120.0, 116.0, 110.0]))).tolist()
        canvas.paint(Ellipse(center + 0.3 * radius, (radius, slim * radius), direction), (25, 19, 14), opacity=0.45)
        stone = Ellipse(center, (radius, slim * radius), direction)
        canvas.paint(stone, (red, green, blue), shade=partial(_rounded, slim * radius))
    return canvas.pixels


def _rounded(thick: float, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return np.asarray(0.75 + 0.35 * np.sqrt(np.clip(depth / thick, 0, 1)))
