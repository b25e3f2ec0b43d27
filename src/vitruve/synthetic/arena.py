"""Where a rendered rig stands: a littered floor, posts on it, a room around it, and the shadow of what walks there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vitruve.synthetic.body import Fur, Part
from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.obstacles import scatter
from vitruve.synthetic.raycast import Cone, Ellipsoid, Eye
from vitruve.synthetic.shapes import Ellipse, Tube
from vitruve.synthetic.texture import noise_texture, sampled

FLOOR = 320.0
"""Radius of the floor in millimetres; its middle is the origin of the world."""

_TEXEL = 1.5
_LAMP = np.array([0.28, -0.36, 1.0])
_SHADOW_TEXEL, _SHADOW_REACH, _SOFT = 6.0, 200.0, 10.0
# Between where a body may walk and where cameras stand, in millimetres.
_POSTS_FROM, _POSTS_TO = 1.0, 1.12


class Arena:
    """The things that do not move.

    Args:
        rng: Draws them.
        free: Radius in millimetres within which nothing stands.
        posts: How many posts stand around that.
        fur: Things that lie about have its colours, among others.
    """

    def __init__(self, rng: np.random.Generator, free: float, posts: int, fur: Fur) -> None:
        self.posts = tuple(_post(rng, free, number / max(posts, 1)) for number in range(posts))
        self._floor = _floor(rng, fur, self.posts)
        room = 96 + 30 * noise_texture(rng, (128, 256), (9.0, 9.0)) + 9 * noise_texture(rng, (128, 256), (1.5, 1.5))
        # The first column once more at the end: the room goes all around.
        self._room = np.concatenate([room, room[:, :1]], 1)
        self._tint = rng.uniform(0.85, 1.1, 3)

    def seen(self, eye: Eye) -> Float[np.ndarray, "H W 3"]:
        """The floor and the room in one view, without posts.

        Args:
            eye: The camera.

        Returns:
            RGB from 0 to 255.
        """
        rays = eye.rays
        place = on_floor(eye.origin, rays)
        inside = (place * place).sum(-1) < FLOOR * FLOOR
        azimuth = (np.arctan2(rays[..., 1], rays[..., 0]) / (2 * np.pi) % 1) * (self._room.shape[1] - 1.001)
        height = (0.5 - 0.5 * rays[..., 2]) * (self._room.shape[0] - 2)
        room = sampled(self._room[..., None], np.stack([azimuth, height], -1))
        texels = np.where(inside[..., None], place, 0) / _TEXEL + (len(self._floor) - 1) / 2
        return np.where(inside[..., None], sampled(self._floor, texels), room * self._tint)


class Shadow:
    """What the lamp above leaves dark on the floor.

    Args:
        parts: What stands in the light.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        tubes = [_cast_down(part) for part in parts if _is_thick(part)]
        middle = np.mean([part.solid.corners.mean(0) for part in parts], 0)
        self._low = middle[:2] - middle[2] * (_LAMP[:2] / _LAMP[2]) - _SHADOW_REACH / 2
        steps = np.arange(round(_SHADOW_REACH / _SHADOW_TEXEL) + 1, dtype=np.float32) * np.float32(_SHADOW_TEXEL)
        x, y = steps[None, :], steps[:, None]
        self._map = np.zeros((len(steps), len(steps)), np.float32)
        for tube in tubes:
            moved = tube.moved(-float(self._low[0]), -float(self._low[1]))
            low_x, low_y, high_x, high_y = (edge / _SHADOW_TEXEL for edge in moved.bounds)
            reach = _SOFT / _SHADOW_TEXEL
            rows = slice(max(int(low_y - reach), 0), max(int(high_y + reach) + 2, 0))
            columns = slice(max(int(low_x - reach), 0), max(int(high_x + reach) + 2, 0))
            if x[:, columns].size and y[rows].size:
                dark = np.clip(0.5 - moved.distance(x[:, columns], y[rows]) / (2 * _SOFT), 0, 1)
                np.maximum(self._map[rows, columns], dark, out=self._map[rows, columns])

    @property
    def corners(self) -> Float[np.ndarray, "4 3"]:
        """Of the square that holds all of it."""
        return np.array(
            [[self._low[0] + x, self._low[1] + y, 0] for x in (0, _SHADOW_REACH) for y in (0, _SHADOW_REACH)]
        )

    def at(self, place: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w"]:
        """How dark it is.

        Args:
            place: On the floor, in millimetres.

        Returns:
            From 0 (lit) to 1; 0 where there is no floor (NaN).
        """
        texels = np.nan_to_num((place - self._low) / _SHADOW_TEXEL, nan=-1.0)
        inside = ((texels >= 0) & (texels < len(self._map) - 1)).all(-1)
        found = sampled(self._map[..., None], np.where(inside[..., None], texels, 0))[..., 0]
        return np.where(inside, found, 0)


def on_floor(origin: Float[np.ndarray, " 3"], rays: Float[np.ndarray, "*lead 3"]) -> Float[np.ndarray, "*lead 2"]:
    """Where rays meet the plane of the floor.

    Args:
        origin: Where they begin, above the floor.
        rays: Their directions.

    Returns:
        ``x y`` in millimetres; NaN for rays that run up.
    """
    down = np.minimum(rays[..., 2], -1e-6)
    place = origin[:2] - rays[..., :2] * (origin[2] / down)[..., None]
    return np.where((rays[..., 2] < -1e-6)[..., None], place, np.nan)


def _post(rng: np.random.Generator, free: float, turn: float) -> Part:
    angle = 2 * np.pi * (turn + rng.uniform(-0.03, 0.03))
    foot = free * rng.uniform(_POSTS_FROM, _POSTS_TO) * np.array([np.cos(angle), np.sin(angle), 0.0])
    height, thick = float(rng.uniform(90.0, 210.0)), float(rng.uniform(5.0, 9.0))
    # A post that leaned inwards could stand in the way of the body itself.
    lean = np.append(rng.uniform(0, 0.25, 2) * np.sign(foot[:2]), 1.0)
    tone = float(rng.uniform(0.7, 1.15))
    wood = (150.0 * tone, 126.0 * tone, 98.0 * tone)
    return Part(Cone(foot, foot + height * lean, (thick, thick * 0.8)), wood, np.eye(3), 0.5)


def _is_thick(part: Part) -> bool:
    solid = part.solid
    return isinstance(solid, Cone) or (isinstance(solid, Ellipsoid) and min(solid.radii) > 8)


def _cast_down(part: Part) -> Tube:
    solid = part.solid
    if isinstance(solid, Ellipsoid):
        half = solid.rotation[:, 0] * (solid.radii[0] - solid.radii[1])
        ends, radii = np.stack([solid.centre - half, solid.centre + half]), (solid.radii[1], solid.radii[1])
    else:
        assert isinstance(solid, Cone)
        ends, radii = np.stack([solid.start, solid.end]), solid.radii
    return Tube(ends[:, :2] - ends[:, 2:] * (_LAMP[:2] / _LAMP[2]), np.array(radii))


def _floor(rng: np.random.Generator, fur: Fur, posts: Sequence[Part]) -> Float[np.ndarray, "S S 3"]:
    side = round(2 * FLOOR / _TEXEL) + 3
    shape = (side, side)
    mottled = 0.07 * noise_texture(rng, shape, (22.0, 22.0)) + 0.06 * noise_texture(rng, shape, (1.2, 1.2))
    canvas = Canvas((1 + mottled)[..., None] * np.array([176.0, 162.0, 140.0]))
    for _ in range(900):
        middle = rng.uniform(0, side, 2)
        angle, half = rng.uniform(0, np.pi), rng.uniform(2.0, 6.0)
        along = half * np.array([np.cos(angle), np.sin(angle)])
        tone = float(rng.uniform(0.6, 1.2))
        chip = Tube(np.stack([middle - along, middle + along]), rng.uniform(0.6, 1.5, 2))
        canvas.paint(chip, (190.0 * tone, 168.0 * tone, 132.0 * tone), opacity=0.6)
    scatter(canvas, rng, 110, (fur.patch, fur.skin, fur.skin, fur.skin, fur.back))
    for _ in range(9):
        radii = rng.uniform(8, 26, 2)
        angle = rng.uniform(0, np.pi)
        stain = Ellipse(
            rng.uniform(0, side, 2), (float(radii[0]), float(radii[1])), (float(np.cos(angle)), float(np.sin(angle)))
        )
        tone = float(rng.uniform(0.8, 1.1))
        canvas.paint(stain, (fur.back[0] * tone, fur.back[1] * tone, fur.back[2] * tone), feather=4.0, opacity=0.8)
    for post in posts:
        shade = _cast_down(post)
        tube = Tube(shade.points / _TEXEL + (side - 1) / 2, shade.radii / _TEXEL)
        canvas.paint(tube, (40.0, 36.0, 32.0), feather=5.0, opacity=0.4)
    return canvas.pixels
