"""A mouse seen from above that walks about in an arena."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, UInt8

from vitruve.errors import InputError
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.obstacles import Passers, scatter
from vitruve.synthetic.shapes import Ellipse, Tube
from vitruve.synthetic.texture import Wobble, noise_texture
from vitruve.synthetic.walk import Walk, normal

MOUSE = Skeleton.from_names(
    (
        "nose",
        "ear_left",
        "ear_right",
        "neck",
        "spine",
        "tail_base",
        "tail_mid",
        "tail_tip",
        "paw_left",
        "paw_right",
    ),
    edges=((0, 1), (0, 2), (0, 3), (3, 4), (4, 5), (5, 6), (6, 7), (5, 8), (5, 9)),
)
"""The labelled keypoints; the paws are the hind ones."""

_WIDTH, _HEIGHT = 224, 192
_DURATION = 300.0
_SPEED = 70.0
_WALL = 7.0
_MARGIN = 27.0

# Places along the spine, in pixels before (+) or behind (-) the keypoint 'spine'.
_NECK, _TAIL_BASE = 20.0, -27.0
_TRUNK = np.array([_TAIL_BASE, -22.0, -13.0, 0.0, 11.0, _NECK])
_TRUNK_RADII = np.array([3.5, 9.0, 12.5, 12.0, 10.0, 7.5])
_HEAD = 23.0
_TAIL = 52.0
# Fore left, hind right, fore right, hind left: place along and across the spine (+ right), phase of the trot.
_PAWS = ((13.0, -9.0, 0.0), (-17.0, 14.2, 0.08), (13.0, 9.0, 0.5), (-17.0, -14.2, 0.58))
_STRIDE, _STANCE = 28.0, 0.62

_LIGHT = (-0.6, -0.8)


@dataclass(frozen=True)
class Coat:
    """Colours of a mouse, RGB from 0 to 255.

    Attributes:
        fur: Body and head.
        ear: Inner side of the ears.
        paw: Paws.
        tail: Tail.
        nose: Tip of the snout.
    """

    fur: tuple[float, float, float] = (98.0, 82.0, 70.0)
    ear: tuple[float, float, float] = (176.0, 132.0, 122.0)
    paw: tuple[float, float, float] = (214.0, 166.0, 156.0)
    tail: tuple[float, float, float] = (172.0, 128.0, 120.0)
    nose: tuple[float, float, float] = (206.0, 140.0, 136.0)


class MouseScene:
    """One mouse, one camera from above; the keypoints are where the parts are painted.

    Hind paws are occluded while they are under the body; so is anything under the bar across the arena, or under a
    leaf that passes.

    Args:
        seed: Of the trajectory, the floor and the camera's noise.
        coat: Colours of the mouse.
        clutter: Number of things on the floor that look like parts of a mouse.
        leaves: Number of leaves that are on their way across at any time.
    """

    def __init__(self, seed: int = 0, coat: Coat | None = None, clutter: int = 0, leaves: int = 0) -> None:
        self._seed = seed
        self._coat = coat or Coat()
        rng = np.random.default_rng([seed, 0])
        low = (_MARGIN, _MARGIN)
        self._walk = Walk(rng, _DURATION, low, (_WIDTH - 1 - _MARGIN, _HEIGHT - 1 - _MARGIN), _SPEED)
        self._look = Wobble(rng, 1.3)
        self._wag = Wobble(rng, 0.9)
        self._curl = Wobble(rng, 2.1)
        self._fur = noise_texture(rng, (128, 128), (0.7, 4.0))
        self._floor = _floor(rng)
        if clutter:
            littered = Canvas(self._floor)
            rim = tuple(0.72 * part for part in self._coat.fur)
            colors = ((rim[0], rim[1], rim[2]), self._coat.ear, self._coat.tail, self._coat.paw, self._coat.fur)
            scatter(littered, np.random.default_rng([seed, 3]), clutter, colors)
            self._floor = littered.pixels
        self._leaves = Passers((seed, 4), leaves, (_WIDTH, _HEIGHT))
        y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float32)
        u, v = x / (_WIDTH - 1) - 0.5, y / (_HEIGHT - 1) - 0.5
        self._lighting = (1.06 - 0.22 * u - 0.16 * v - 0.35 * (u * u + v * v))[..., None]

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of the mouse."""
        return MOUSE

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return _WIDTH, _HEIGHT

    @property
    def duration(self) -> float:
        """How long the mouse walks, in seconds."""
        return _DURATION

    def render(self, time: float) -> tuple[UInt8[np.ndarray, "1 H W 3"], Instances]:
        """The image and the truth of one instant; see :meth:`vitruve.synthetic.scene.Scene.render`."""
        if not 0 <= time <= _DURATION:
            raise InputError(f"scene: time {time} s; the mouse walks from 0 to {_DURATION:g} s")
        canvas = Canvas(self._floor)
        at = self._walk.travelled(time)
        trunk = Tube(self._walk.point(at + _TRUNK), _TRUNK_RADII, blend=6.0)
        tail = self._tail(at, time)
        for shadow in (trunk, tail):
            canvas.paint(shadow.moved(4.0, 5.0), (30.0, 26.0, 24.0), feather=5.0, opacity=0.45)
        self._paint_paws(canvas, at)
        self._paint_tail(canvas, tail)
        forward = self._walk.direction(at)
        fur = partial(self._fur_shade, trunk.points[3], forward, 12.0)
        canvas.paint(trunk, self._coat.fur, feather=0.8, shade=fur)
        canvas.mark("spine", trunk.points[3])
        canvas.mark("tail_base", trunk.points[0])
        self._paint_head(canvas, trunk.points[-1], self._walk.direction(at + _NECK), time)
        _paint_bar(canvas)
        self._leaves.paint(canvas, time)

        rng = np.random.default_rng([self._seed, 1, round(time * 1e6)])
        grain = rng.standard_normal((_HEIGHT, _WIDTH, 3), np.float32) + rng.standard_normal(
            (_HEIGHT, _WIDTH, 1), np.float32
        )
        image = np.clip(canvas.pixels * self._lighting + 1.8 * grain, 0, 255)
        points, visible = canvas.truth(MOUSE.names)
        truth = Instances(points[None, None], visible[None, None])
        return np.rint(image).astype(np.uint8)[None], truth

    def _tail(self, at: float, time: float) -> Tube:
        places = np.linspace(0, 1, 13)
        along = at + _TAIL_BASE - places * _TAIL
        side = normal(self._walk.direction(along))
        swing = 7.0 * self._wag(time) * np.sin(2.6 * places) + 8.0 * self._curl(time) * places**2
        points = self._walk.point(along) + (places * swing)[:, None] * side
        return Tube(points, 2.5 - 1.6 * places)

    def _paint_tail(self, canvas: Canvas, tail: Tube) -> None:
        canvas.paint(tail, self._coat.tail, shade=_round_shade)
        canvas.mark("tail_mid", tail.points[len(tail.points) // 2])
        canvas.mark("tail_tip", tail.points[-1])

    def _paint_paws(self, canvas: Canvas, at: float) -> None:
        for rest, side, phase in _PAWS:
            cycle, share = divmod(at / _STRIDE + phase, 1.0)
            swing = max(share - _STANCE, 0.0) / (1 - _STANCE)
            # Over the ground, a standing paw stays where it is and a swinging one moves on by one stride.
            place = (cycle - phase + _STANCE / 2 + swing * swing * (3 - 2 * swing)) * _STRIDE + rest
            direction = self._walk.direction(place)
            point = self._walk.point(place) + side * normal(direction)
            length = 4.8 if rest < 0 else 3.4
            turned = direction + 0.25 * np.sign(side) * normal(direction)
            turned /= np.linalg.norm(turned)
            canvas.paint(
                Ellipse(point, (length, 2.7), (float(turned[0]), float(turned[1]))),
                self._coat.paw,
                shade=_round_shade,
            )
            if rest < 0:
                canvas.mark("paw_left" if side < 0 else "paw_right", point)

    def _paint_head(self, canvas: Canvas, neck: np.ndarray, forward: np.ndarray, time: float) -> None:
        turn = 0.28 * float(self._look(time))
        forward = forward * np.cos(turn) + normal(forward) * np.sin(turn)
        side = normal(forward)
        nose = neck + _HEAD * forward
        for end in (-1, 1):
            for spread in (-0.35, 0.0, 0.35):
                reach = np.stack([nose - 3 * forward, nose + end * 11 * side - (1 - 9 * spread) * forward])
                canvas.paint(Tube(reach, np.array([0.35, 0.15])), (225.0, 220.0, 210.0), opacity=0.4)
        reach = np.array([-1.0, 5.0, 12.0, 18.0, _HEAD])
        head = Tube(neck + reach[:, None] * forward, np.array([6.5, 8.5, 7.2, 4.4, 2.0]), blend=4.0)
        fur = partial(self._fur_shade, neck + 7 * forward, forward, 8.0)
        canvas.paint(head, self._coat.fur, feather=0.7, shade=fur)
        canvas.mark("neck", neck)
        direction = (float(forward[0]), float(forward[1]))
        for end, name in ((-1, "ear_left"), (1, "ear_right")):
            ear = neck + 5.5 * forward + end * 9.0 * side
            rim = tuple(0.72 * part for part in self._coat.fur)
            canvas.paint(Ellipse(ear, (5.2, 6.0), direction), (rim[0], rim[1], rim[2]))
            canvas.paint(Ellipse(ear, (3.6, 4.4), direction), self._coat.ear)
            canvas.mark(name, ear)
            eye = neck + 14.0 * forward + end * 5.6 * side
            canvas.paint(Ellipse(eye, (1.7, 1.4), direction), (18.0, 15.0, 15.0))
            canvas.paint(Ellipse(eye - np.array([0.5, 0.6]), (0.5, 0.5)), (210.0, 210.0, 215.0))
        canvas.paint(Ellipse(nose, (1.7, 1.7)), self._coat.nose)
        canvas.mark("nose", nose)

    def _fur_shade(
        self,
        origin: np.ndarray,
        forward: np.ndarray,
        thickness: float,
        x: np.ndarray,
        y: np.ndarray,
        depth: np.ndarray,
    ) -> np.ndarray:
        (cosine, sine), right, down = forward.tolist(), x - float(origin[0]), y - float(origin[1])
        along, across = right * cosine + down * sine, down * cosine - right * sine
        rows, columns = np.rint(across * 2).astype(int) % 128, np.rint(along * 2).astype(int) % 128
        height = np.clip(depth / thickness, 0, 1)
        slope_y, slope_x = np.gradient(depth)
        facing = -(slope_x * _LIGHT[0] + slope_y * _LIGHT[1]) * (1 - height)
        return np.asarray(0.7 + 0.36 * np.sqrt(height) + 0.22 * facing + 0.085 * self._fur[rows, columns])


def _round_shade(x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return np.asarray(0.78 + 0.22 * np.clip(depth / 2.0, 0, 1))


def _paint_bar(canvas: Canvas) -> None:
    ends = np.array([[148.0, -12.0], [176.0, _HEIGHT + 12.0]])
    bar = Tube(ends, np.array([3.6, 3.6]))
    canvas.paint(bar.moved(6.0, 3.0), (30.0, 26.0, 24.0), feather=4.0, opacity=0.35)
    canvas.paint(bar, (168.0, 174.0, 180.0), shade=_bar_shade)


def _bar_shade(x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return np.asarray(0.55 + 0.5 * np.clip(depth / 3.6, 0, 1) ** 0.7)


def _floor(rng: np.random.Generator) -> Float[np.ndarray, "H W 3"]:
    shape = (_HEIGHT, _WIDTH)
    mottled = 0.035 * noise_texture(rng, shape, (14.0, 14.0)) + 0.045 * noise_texture(rng, shape, (1.0, 1.0))
    canvas = Canvas((1 + mottled)[..., None] * np.array([196.0, 184.0, 162.0]))
    for _ in range(170):
        middle = rng.uniform((0, 0), (_WIDTH, _HEIGHT))
        angle, half = rng.uniform(0, np.pi), rng.uniform(1.5, 4.5)
        reach = half * np.array([np.cos(angle), np.sin(angle)])
        chip = Tube(np.stack([middle - reach, middle + reach]), rng.uniform(0.4, 1.0, 2))
        tone = float(rng.uniform(0.75, 1.18))
        canvas.paint(chip, (200.0 * tone, 180.0 * tone, 148.0 * tone), opacity=0.6)
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    inwards = np.minimum(np.minimum(x, _WIDTH - 1 - x), np.minimum(y, _HEIGHT - 1 - y)).astype(np.float32)
    # The floor darkens towards the foot of the wall, whose own face is a plain grey.
    foot = 1 - 0.3 * np.exp(-np.maximum(inwards - _WALL, 0) / 6)
    face = np.clip(_WALL + 0.5 - inwards, 0, 1)[..., None]
    floor = canvas.pixels * foot[..., None]
    return np.asarray(floor + face * (np.array([112.0, 116.0, 120.0]) - floor), np.float32)
