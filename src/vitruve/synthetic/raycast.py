"""Solids in space, and what a camera with a real lens sees of them first, pixel by pixel.

The intersections are those of a ray with a quadric; the rounded cone is the one of I. Quilez, "Ray-surface
intersectors". Lengths are in millimetres, and all is computed in float64: a ray comes from a metre away to a part of a
few millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from jaxtyping import Float, Int

from vitruve.structures.camera import Camera

# The box around a solid is taken through the lens by its corners; edges between them bend by less than this.
_MARGIN = 2
_NOTHING = 1e-12


class Solid(Protocol):
    """A convex body in space."""

    @property
    def corners(self) -> Float[np.ndarray, "C 3"]:
        """Points whose hull holds the solid."""
        ...

    @property
    def lowest(self) -> float:
        """The z of its lowest place."""
        ...

    def moved(self, shift: Float[np.ndarray, " 3"]) -> Self:
        """The same solid at another place.

        Args:
            shift: How far it is moved.

        Returns:
            The moved solid.
        """
        ...

    def hit(self, origins: Float[np.ndarray, "*R 3"], directions: Float[np.ndarray, "R 3"]) -> Float[np.ndarray, " R"]:
        """How far along each ray the surface is first met.

        Args:
            origins: One for all rays or one a ray, outside the solid.
            directions: Unit vectors.

        Returns:
            Millimetres; infinite where the ray misses.
        """
        ...

    def normal(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """Unit vectors that point out of the surface.

        Args:
            points: On the surface.

        Returns:
            One a point.
        """
        ...


@dataclass(frozen=True, eq=False)
class Cone:
    """Two balls and the tapered piece between them: a limb, a trunk, a post.

    Attributes:
        start: Centre of the first ball.
        end: Centre of the second ball.
        radii: Of the two; they differ by less than the distance of the centres, so that neither holds the other.
    """

    start: Float[np.ndarray, " 3"]
    end: Float[np.ndarray, " 3"]
    radii: tuple[float, float]

    @property
    def corners(self) -> Float[np.ndarray, "16 3"]:
        """The corners of a cube around each ball."""
        first, last = self.radii
        return np.concatenate([self.start + first * _CUBE, self.end + last * _CUBE])

    @property
    def lowest(self) -> float:
        """The z of its lowest place."""
        return min(float(self.start[2]) - self.radii[0], float(self.end[2]) - self.radii[1])

    def moved(self, shift: Float[np.ndarray, " 3"]) -> Cone:
        """The same cone at another place."""
        return Cone(self.start + shift, self.end + shift, self.radii)

    def hit(self, origins: Float[np.ndarray, "*R 3"], directions: Float[np.ndarray, "R 3"]) -> Float[np.ndarray, " R"]:
        """How far along each ray the surface is first met; infinite where it is not."""
        axis, off = self.end - self.start, origins - self.start
        first, last = self.radii
        length2, taper = float(axis @ axis), first - last
        slant = length2 - taper * taper
        along_ray, along_off = directions @ axis, off @ axis
        near = _dot(directions, off)
        off2 = _dot(off, off)
        # The cone through both balls, between the circles where it touches them.
        a = slant - along_ray * along_ray
        b = slant * near - along_off * along_ray + along_ray * (taper * first)
        c = slant * off2 - along_off * along_off + along_off * (2 * taper * first) - length2 * first * first
        root = b * b - a * c
        with np.errstate(divide="ignore", invalid="ignore"):
            side = (-np.sqrt(root) - b) / a
        place = along_off - first * taper + side * along_ray
        result = np.where((root >= 0) & (place >= 0) & (place <= slant), side, np.inf)
        ball = _ball(near, off2, first)
        far = near - along_ray
        far2 = off2 - 2 * along_off + length2
        return np.asarray(np.minimum(np.minimum(result, ball), _ball(far, far2, last)))

    def normal(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """Unit vectors that point out of the surface."""
        axis = self.end - self.start
        length = float(np.sqrt(axis @ axis))
        axis = axis / length
        along = (points - self.start) @ axis
        across = np.linalg.norm(points - self.start - along[:, None] * axis, axis=-1)
        # The ball that touches the surface here lies back along the axis by the slope of the taper.
        taper = (self.radii[0] - self.radii[1]) / length
        centre = np.clip(along - across * (taper / np.sqrt(1 - taper * taper)), 0, length)
        return _unit(points - self.start - centre[:, None] * axis)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid.

    Attributes:
        centre: Its middle.
        rotation: ``(3, 3)`` its axes as columns, unit vectors.
        radii: Half axes.
    """

    centre: Float[np.ndarray, " 3"]
    rotation: Float[np.ndarray, "3 3"]
    radii: tuple[float, float, float]

    @property
    def corners(self) -> Float[np.ndarray, "8 3"]:
        """The corners of the box along its axes."""
        return np.asarray(self.centre + (_CUBE * self.radii) @ self.rotation.T)

    @property
    def lowest(self) -> float:
        """The z of its lowest place."""
        return float(self.centre[2] - np.linalg.norm(self.rotation[2] * self.radii))

    def moved(self, shift: Float[np.ndarray, " 3"]) -> Ellipsoid:
        """The same ellipsoid at another place."""
        return Ellipsoid(self.centre + shift, self.rotation, self.radii)

    def hit(self, origins: Float[np.ndarray, "*R 3"], directions: Float[np.ndarray, "R 3"]) -> Float[np.ndarray, " R"]:
        """How far along each ray the surface is first met; infinite where it is not."""
        to_ball = self.rotation / self.radii
        turned, off = directions @ to_ball, (origins - self.centre) @ to_ball
        scale = _dot(turned, turned)
        return _ball(_dot(turned, off) / scale, (_dot(off, off) - 1) / scale, 0.0)

    def normal(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """Unit vectors that point out of the surface."""
        local = (points - self.centre) @ self.rotation
        return _unit((local / np.square(self.radii)) @ self.rotation.T)


@dataclass(frozen=True, eq=False)
class Region:
    """A rectangle of pixels and what its rays meet first.

    Attributes:
        rows: First row and one past the last.
        columns: First column and one past the last.
        distance: ``(h, w)`` millimetres along the ray; infinite where nothing is met.
        solid: ``(h, w)`` number of the solid that is met, -1 where none is.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    distance: Float[np.ndarray, "h w"]
    solid: Int[np.ndarray, "h w"]

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rectangle as an index of the image."""
        return slice(*self.rows), slice(*self.columns)


class Eye:
    """A camera and the ray of each of its pixels, bent as its lens bends it.

    Args:
        camera: One camera, numpy arrays.

    Attributes:
        camera: The camera.
        origin: Where its rays begin, in the world.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.origin = -camera.rotation.T @ camera.translation
        self._width, self._height = (int(length) for length in camera.size)

    @cached_property
    def rays(self) -> Float[np.ndarray, "H W 3"]:
        """Unit vectors in the world through the centres of the pixels."""
        y, x = np.mgrid[: self._height, : self._width].astype(np.float64)
        return self.toward(np.stack([x, y], -1).reshape(-1, 2)).reshape(self._height, self._width, 3)

    def toward(self, pixels: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 3"]:
        """Unit vectors in the world through pixels.

        Args:
            pixels: Places in the image.

        Returns:
            One a pixel.
        """
        plane = self.camera.undistort(pixels)
        return _unit(np.concatenate([plane, np.ones_like(plane[:, :1])], -1) @ self.camera.rotation)

    def boxes(self, hulls: Sequence[Float[np.ndarray, "_ 3"]]) -> Int[np.ndarray, "B 4"]:
        """The pixels that the hulls of points may show in.

        Args:
            hulls: The points of each, in millimetres.

        Returns:
            For each the first row, the first column, one past the last row and one past the last column; the whole
            image where a point lies behind the camera.
        """
        pixels = self.camera.project(np.concatenate(hulls))
        starts = np.cumsum([0, *map(len, hulls[:-1])])
        low, high = np.minimum.reduceat(pixels, starts), np.maximum.reduceat(pixels, starts)
        behind = np.isnan(low).any(-1, keepdims=True)
        first = np.floor(np.where(behind, 0, low)).astype(int) - _MARGIN
        last = np.ceil(np.where(behind, 0, high)).astype(int) + _MARGIN + 1
        edges = np.concatenate([first[:, ::-1], last[:, ::-1]], -1)
        whole = (0, 0, self._height, self._width)
        return np.clip(np.where(behind, whole, edges), 0, (self._height, self._width) * 2)

    def cast(self, solids: Sequence[Solid]) -> Region:
        """What the pixels see first of some solids.

        Args:
            solids: At least one; none may hold the camera.

        Returns:
            The smallest rectangle around all of them; without pixels where none is in the image.
        """
        boxes = self.boxes([solid.corners for solid in solids])
        shown = (boxes[:, :2] < boxes[:, 2:]).all(1)
        if not shown.any():
            return Region((0, 0), (0, 0), np.empty((0, 0)), np.empty((0, 0), int))
        top, left = boxes[shown, :2].min(0).tolist()
        bottom, right = boxes[shown, 2:].max(0).tolist()
        distance = np.full((bottom - top, right - left), np.inf)
        index = np.full(distance.shape, -1)
        for number in np.flatnonzero(shown).tolist():
            first, start, last, end = boxes[number].tolist()
            rays = self.rays[first:last, start:end]
            found = solids[number].hit(self.origin, rays.reshape(-1, 3)).reshape(rays.shape[:2])
            place = np.s_[first - top : last - top, start - left : end - left]
            nearer = found < distance[place]
            np.copyto(distance[place], found, where=nearer)
            index[place][nearer] = number
        return Region((top, bottom), (left, right), distance, index)


def first_hit(
    solids: Sequence[Solid], origins: Float[np.ndarray, "R 3"], directions: Float[np.ndarray, "R 3"]
) -> Float[np.ndarray, " R"]:
    """How far along each ray any of the solids is first met.

    Args:
        solids: Any number.
        origins: One a ray, outside all solids.
        directions: Unit vectors.

    Returns:
        Millimetres; infinite where the ray misses all.
    """
    nearest = np.full(len(directions), np.inf)
    for solid in solids:
        np.minimum(nearest, solid.hit(origins, directions), out=nearest)
    return nearest


_CUBE = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])


def _ball(near: np.ndarray, off2: np.ndarray, radius: float) -> np.ndarray:
    """Along unit rays, from the products of the way from the centre with the ray and with itself."""
    root = near * near - off2 + radius * radius
    with np.errstate(invalid="ignore"):
        distance = -near - np.sqrt(root)
    return np.where((root >= 0) & (distance > 0), distance, np.inf)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("...i,...i->...", a, b))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _NOTHING))
