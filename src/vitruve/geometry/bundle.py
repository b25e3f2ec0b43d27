"""Bundle adjustment: cameras and the places of a rigid body that they see, all at once.

The body's places are eliminated from the linear equations (Schur complement), so that time grows with the number of
cameras only (Triggs, McLauchlan, Hartley and Fitzgibbon 2000, Bundle adjustment).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.camera import Camera

PARAMETERS = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "rx", "ry", "rz", "tx", "ty", "tz")
"""What can be adjusted of a camera; the last six move it. Of a fisheye lens p1 and p2 stand for its k3 and k4, and
k3 for nothing."""

_LENS = 9
_STEPS = 60
_ENOUGH = 1e-10
_DAMPING, _MOST_DAMPING = 1e-4, 1e8


@dataclass(frozen=True)
class Sightings:
    """What cameras see of a rigid body at several places.

    Attributes:
        points: ``(N, 3)`` on the body in millimetres.
        camera: ``(M,)`` which camera, an image.
        place: ``(M,)`` which place of the body, an image.
        pixels: ``(M, N, 2)``; NaN for points that are not seen.
    """

    points: Float[np.ndarray, "N 3"]
    camera: Int[np.ndarray, " M"]
    place: Int[np.ndarray, " M"]
    pixels: Float[np.ndarray, "M N 2"]


@dataclass(frozen=True)
class Bundle:
    """Cameras, and where the body is.

    Attributes:
        cameras: V stacked cameras.
        rotation: ``(P, 3, 3)`` from the body to the world, a place.
        translation: ``(P, 3)`` in millimetres.
        deviation: ``(V, 15)`` standard deviation of :data:`PARAMETERS` that the residuals leave (first order); 0 for
            what was held. The rotation's are radians about the camera's axes.
    """

    cameras: Camera
    rotation: Float[np.ndarray, "P 3 3"]
    translation: Float[np.ndarray, "P 3"]
    deviation: Float[np.ndarray, "V 15"] | None = None

    def residuals(self, seen: Sightings) -> Float[np.ndarray, "M N 2"]:
        """Projected minus seen, in pixels.

        Args:
            seen: What the cameras see.

        Returns:
            Pixels; NaN for what is not seen or lies behind the camera.
        """
        return self.cameras[seen.camera].project(self._world(seen)) - seen.pixels

    def _world(self, seen: Sightings) -> np.ndarray:
        turned = seen.points @ self.rotation[seen.place].swapaxes(-1, -2)
        return np.asarray(turned + self.translation[seen.place][:, None])

    def _moved(self, cameras: np.ndarray, places: np.ndarray) -> Bundle:
        """Everything changed by small steps, ``(V, 15)`` and ``(P, 6)``."""
        held = self.cameras
        intrinsics, distortion = held.intrinsics.copy(), held.distortion.copy()
        for column, (row, line) in enumerate(((0, 0), (1, 1), (0, 2), (1, 2))):
            intrinsics[:, row, line] += cameras[:, column]
        distortion[:, :5] += cameras[:, 4:_LENS]
        moved = Camera(
            intrinsics,
            matrix_from_vector(cameras[:, 9:12]) @ held.rotation,
            held.translation + cameras[:, 12:],
            distortion,
            held.size,
            held.fisheye,
        )
        rotation = matrix_from_vector(places[:, :3]) @ self.rotation
        return replace(self, cameras=moved, rotation=rotation, translation=self.translation + places[:, 3:])


def adjust(start: Bundle, seen: Sightings, free: Bool[np.ndarray, "V 15"], *, scale: float) -> Bundle:
    """Cameras and places of least robust reprojection error (Huber), by damped Gauss-Newton steps.

    Args:
        start: To begin with, near the solution.
        seen: What the cameras see. Every place must be seen by some camera.
        free: What may change of each camera, of :data:`PARAMETERS`; one camera's last six must be held.
        scale: Reprojection error in pixels from which a corner counts less.

    Returns:
        The adjusted bundle with its deviations.
    """
    best, damping = start, _DAMPING
    counted = ~np.isnan(start.residuals(seen)).any(-1)
    cost = _cost(best.residuals(seen), counted, scale)
    for _ in range(_STEPS):
        system = _equations(best, seen, free, scale)
        improved = False
        while damping < _MOST_DAMPING:
            moved = best._moved(*_solved(system, damping))
            reached = _cost(moved.residuals(seen), counted, scale)
            if reached < cost:
                improved = True
                break
            damping *= 10
        if not improved:
            break
        gain, best, cost, damping = cost - reached, moved, reached, max(damping / 10, 1e-12)
        if gain < _ENOUGH * cost:
            break
    return replace(best, deviation=_deviations(best, seen, free, scale))


@dataclass(frozen=True)
class _System:
    """The normal equations in blocks: cameras, places, and what ties them."""

    free: np.ndarray
    cameras: np.ndarray
    places: np.ndarray
    tie: np.ndarray
    camera_side: np.ndarray
    place_side: np.ndarray


def _cost(residuals: np.ndarray, counted: np.ndarray, scale: float) -> float:
    """Of the corners that count; infinite where one of them has come to lie behind its camera (NaN)."""
    ratio = (residuals[counted] ** 2).sum(-1) / scale**2
    cost = float(np.where(ratio < 1, ratio, 2 * np.sqrt(ratio) - 1).sum())
    return np.inf if np.isnan(cost) else cost


def camera_jacobian(cameras: Camera, points: Float[np.ndarray, "M N 3"]) -> Float[np.ndarray, "M N 2 15"]:
    """How pixels change with the cameras' parameters.

    Args:
        cameras: M stacked cameras; usual lenses without denominators in their distortion (k4 to k6 zero).
        points: In the world, in millimetres.

    Returns:
        Pixels a unit of :data:`PARAMETERS`; the rotation is a small one behind the camera's own.
    """
    turned = points @ cameras.rotation.swapaxes(-1, -2)
    inside = turned + cameras.translation[:, None]
    x, y = inside[..., 0] / inside[..., 2], inside[..., 1] / inside[..., 2]
    lens = _lens_jacobian(cameras, x, y)
    if cameras.fisheye is not None:
        lens = np.where((cameras.fisheye != 0)[:, None, None, None], _fisheye_jacobian(cameras, x, y), lens)
    inner = cameras.project_jacobian(points) @ cameras.rotation[:, None].swapaxes(-1, -2)
    return np.concatenate([lens, inner @ -_cross(turned), inner], -1)


def _lens_jacobian(cameras: Camera, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    r2 = x * x + y * y
    k1, k2, p1, p2, k3 = (cameras.distortion[:, i, None] for i in range(5))
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    fx, fy = cameras.intrinsics[:, 0, 0, None], cameras.intrinsics[:, 1, 1, None]
    zero, one = np.zeros_like(x), np.ones_like(x)
    lens_x = (bent_x, zero, one, zero, *(fx * v for v in (x * r2, x * r2**2, 2 * x * y, r2 + 2 * x * x, x * r2**3)))
    lens_y = (zero, bent_y, zero, one, *(fy * v for v in (y * r2, y * r2**2, r2 + 2 * y * y, 2 * x * y, y * r2**3)))
    return np.stack([np.stack(lens_x, -1), np.stack(lens_y, -1)], -2)


def _fisheye_jacobian(cameras: Camera, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    radius = np.hypot(x, y)
    angle = np.arctan(radius)
    terms = [angle ** (2 * power + 1) for power in range(5)]
    seen = terms[0] + sum(cameras.distortion[:, i, None] * term for i, term in enumerate(terms[1:]))
    fx, fy = cameras.intrinsics[:, 0, 0, None], cameras.intrinsics[:, 1, 1, None]
    zero, one = np.zeros_like(x), np.ones_like(x)
    # In the middle of the image the lens does nothing.
    across, down = (np.divide(each, radius, out=np.zeros_like(x), where=radius > 0) for each in (x, y))
    lens_x = (across * seen, zero, one, zero, *(fx * across * term for term in terms[1:]), zero)
    lens_y = (zero, down * seen, zero, one, *(fy * down * term for term in terms[1:]), zero)
    return np.stack([np.stack(lens_x, -1), np.stack(lens_y, -1)], -2)


def _place_jacobian(bundle: Bundle, seen: Sightings, world: np.ndarray) -> np.ndarray:
    slope = bundle.cameras[seen.camera].project_jacobian(world)
    arm = world - bundle.translation[seen.place][:, None]
    return np.concatenate([slope @ -_cross(arm), slope], -1)


def _cross(vector: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vector.shape, 3)


def _equations(bundle: Bundle, seen: Sightings, free: np.ndarray, scale: float) -> _System:
    world = bundle._world(seen)
    residuals = bundle.residuals(seen)
    known = ~np.isnan(residuals).any(-1)
    distance = np.linalg.norm(np.where(known[..., None], residuals, 0), axis=-1)
    root = np.sqrt(np.where(known, np.minimum(1, scale / np.maximum(distance, 1e-12)), 0))[..., None]
    residual = (np.where(known[..., None], residuals, 0) * root).reshape(len(world), -1)

    def flat(slope: np.ndarray) -> np.ndarray:
        return np.where(known[..., None, None], slope * root[..., None], 0).reshape(len(world), -1, slope.shape[-1])

    cameras, places = len(bundle.cameras.size), len(bundle.rotation)
    of_camera = flat(camera_jacobian(bundle.cameras[seen.camera], world)) * free[seen.camera][:, None]
    of_place = flat(_place_jacobian(bundle, seen, world))
    count = len(PARAMETERS)
    system = _System(
        free.ravel(),
        np.zeros((cameras, count, count)),
        np.zeros((places, 6, 6)),
        np.zeros((places, cameras, count, 6)),
        np.zeros((cameras, count)),
        np.zeros((places, 6)),
    )
    turned, placed = of_camera.swapaxes(-1, -2), of_place.swapaxes(-1, -2)
    np.add.at(system.cameras, seen.camera, turned @ of_camera)
    np.add.at(system.places, seen.place, placed @ of_place)
    np.add.at(system.tie, (seen.place, seen.camera), turned @ of_place)
    np.add.at(system.camera_side, seen.camera, -(turned @ residual[..., None])[..., 0])
    np.add.at(system.place_side, seen.place, -(placed @ residual[..., None])[..., 0])
    return system


def _reduced(system: _System, damping: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The cameras' own equations, once the places are expressed by them."""
    inverse = np.linalg.inv(_damped(system.places, damping))
    places, cameras, count, _ = system.tie.shape
    tie = system.tie.reshape(places, cameras * count, 6)
    matrix = -np.tensordot(tie @ inverse, tie, axes=((0, 2), (0, 2)))
    blocks = _damped(system.cameras, damping)
    for camera in range(cameras):
        part = slice(camera * count, (camera + 1) * count)
        matrix[part, part] += blocks[camera]
    side = system.camera_side.ravel() - (tie @ (inverse @ system.place_side[..., None])).sum(0)[:, 0]
    return matrix, side, inverse, tie


def _damped(blocks: np.ndarray, damping: float) -> np.ndarray:
    """With the diagonal a little larger; where it is zero nothing depends on the parameter, and any value does."""
    diagonal = np.diagonal(blocks, axis1=-2, axis2=-1)
    extra = np.where(diagonal > 0, damping * diagonal, 1)
    return np.asarray(blocks + extra[..., None] * np.eye(blocks.shape[-1]))


def _solved(system: _System, damping: float) -> tuple[np.ndarray, np.ndarray]:
    matrix, side, inverse, tie = _reduced(system, damping)
    step = np.zeros(len(side))
    free = system.free
    # Focal lengths are large numbers and lens terms small ones: equal diagonals keep the solution exact.
    size = 1 / np.sqrt(np.diagonal(matrix)[free])
    step[free] = size * np.linalg.solve(matrix[np.ix_(free, free)] * size * size[:, None], side[free] * size)
    back = system.place_side - (tie.swapaxes(-1, -2) @ step)
    return step.reshape(-1, len(PARAMETERS)), (inverse @ back[..., None])[..., 0]


def _deviations(bundle: Bundle, seen: Sightings, free: np.ndarray, scale: float) -> np.ndarray:
    system = _equations(bundle, seen, free, scale)
    matrix, *_ = _reduced(system, 0.0)
    chosen = system.free
    size = 1 / np.sqrt(np.maximum(np.diagonal(matrix)[chosen], np.finfo(float).tiny))
    inverse = (
        np.linalg.pinv(matrix[np.ix_(chosen, chosen)] * size * size[:, None], hermitian=True) * size * size[:, None]
    )
    residuals = bundle.residuals(seen)
    known = residuals[~np.isnan(residuals)]
    freedom = max(known.size - int(chosen.sum()) - 6 * len(bundle.rotation), 1)
    distance = np.linalg.norm(residuals, axis=-1)
    share = np.minimum(1, scale / np.maximum(distance, 1e-12))
    variance = float(np.nansum(share * distance**2)) / freedom
    deviation = np.zeros(len(chosen))
    deviation[chosen] = np.sqrt(np.maximum(np.diagonal(inverse), 0) * variance)
    return deviation.reshape(-1, len(PARAMETERS))
