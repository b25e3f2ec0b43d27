"""A rodent in the middle of calibrated cameras: images of every view, and the exact truth in pixels and in space."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int8, UInt8

from vitruve.errors import InputError
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE, Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.arena import Arena, Shadow, on_floor
from vitruve.synthetic.body import RODENT, Fur, Part, Pose, Rodent
from vitruve.synthetic.raycast import Eye, Region, first_hit
from vitruve.synthetic.texture import noise_texture

_DURATION = 300.0
_MOST_VIEWS, _LEAST_SIZE, _MOST_SIZE = 12, 64, 1280
# Where the rodent's pelvis goes, how far its body reaches from there, and what the pictures hold.
_WALKS, _BODY, _SHOWN = 95.0, 165.0, 190.0
_SUN = np.array([0.25, -0.32, 0.91])
_GRAIN_CELLS = 32
_GRAIN_MM = np.array([2.4, 0.8, 0.8])
_BLUR = (np.float32(0.18), np.float32(0.64))
_SHADE = 0.55


class RigScene:
    """One rodent and 2 to 12 cameras around it.

    A keypoint is visible where the ray from the camera to it meets nothing before the flesh around the keypoint itself;
    behind another part of the body or a post it is occluded. Left and right limbs look alike, things on the floor look
    like parts of the body, and each view has its own light, exposure and noise.

    Args:
        seed: Of the cameras and the looks of the rodent.
        recording: Another one of the same rodent between the same cameras has other motion, litter and posts.
        views: Number of cameras.
        size: Width and height of the pictures in pixels.
        posts: How many posts stand between the rodent and the cameras.
        fur: Colours; drawn from the seed by default.

    Raises:
        InputError: A number is out of its range.
    """

    def __init__(
        self,
        seed: int = 0,
        recording: int = 0,
        *,
        views: int = 6,
        size: tuple[int, int] = (320, 256),
        posts: int = 0,
        fur: Fur | None = None,
    ) -> None:
        if not 2 <= views <= _MOST_VIEWS:
            raise InputError(f"rig: {views} cameras; give 2 to {_MOST_VIEWS}")
        if not all(_LEAST_SIZE <= length <= _MOST_SIZE for length in size):
            raise InputError(f"rig: images of {size[0]}x{size[1]} px; give {_LEAST_SIZE} to {_MOST_SIZE} a side")
        self._seed, self._recording, self._size = seed, recording, size
        self.cameras = dome_of_cameras(np.random.default_rng([seed, 10]), views, size)
        looks = np.random.default_rng([seed, 11])
        fur = fur or _fur(looks)
        cells = (_GRAIN_CELLS,) * 3
        self._grain = 0.6 * noise_texture(looks, cells, (1.0,) * 3) + 0.6 * noise_texture(looks, cells, (4.0,) * 3)
        own = np.random.default_rng([seed, 12, recording])
        self._body = Rodent(own, _DURATION, _WALKS, fur)
        arena = Arena(own, _WALKS + _BODY, posts, fur)
        self._posts = arena.posts
        self._views = [_View(Eye(camera), arena, self._grain, looks) for camera in self.cameras]

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of the rodent."""
        return RODENT

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every view, in pixels."""
        return self._size

    @property
    def duration(self) -> float:
        """How long it moves, in seconds."""
        return _DURATION

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the cameras, in alphabetical order."""
        return tuple(f"Camera_{chr(ord('A') + view)}" for view in range(len(self.cameras)))

    def render(self, time: float) -> tuple[UInt8[np.ndarray, "V H W 3"], Instances]:
        """Images and truth of one instant; see :meth:`vitruve.synthetic.scene.Scene.render`."""
        pose = self._pose(time)
        shadow = Shadow(pose.parts)
        images = [
            view.picture(
                pose.parts, shadow, np.random.default_rng([self._seed, 13, self._recording, number, round(time * 1e6)])
            )
            for number, view in enumerate(self._views)
        ]
        return np.stack(images), self._seen(pose)

    def seen(self, time: float) -> Instances:
        """Where the keypoints are in the images, without rendering them.

        Args:
            time: Seconds, from 0 to :attr:`duration`.

        Returns:
            Pixels ``(V, 1, K, 2)``, as :meth:`render` gives them.

        Raises:
            InputError: The time lies outside the scene.
        """
        return self._seen(self._pose(time))

    def in_space(self, time: float) -> Instances:
        """Where the keypoints are in the world.

        Args:
            time: Seconds, from 0 to :attr:`duration`.

        Returns:
            Millimetres ``(1, K, 3)``.

        Raises:
            InputError: The time lies outside the scene.
        """
        return Instances.from_keypoints(self._pose(time).keypoints[None])

    def _pose(self, time: float) -> Pose:
        if not 0 <= time <= _DURATION:
            raise InputError(f"scene: time {time} s; the rodent moves from 0 to {_DURATION:g} s")
        return self._body.pose(time)

    def _seen(self, pose: Pose) -> Instances:
        pixels = np.asarray(stack_cameras(self.cameras).project(pose.keypoints))
        visible = self._visibility(pose)
        outside = ((pixels < -0.5) | (pixels >= np.array(self._size) - 0.5) | np.isnan(pixels)).any(-1)
        pixels[outside] = np.nan
        visible[outside] = UNLABELLED
        return Instances(pixels[:, None], visible[:, None])

    def _visibility(self, pose: Pose) -> Int8[np.ndarray, "V K"]:
        origins = np.stack([view.eye.origin for view in self._views])[:, None]
        ways = pose.keypoints - origins
        far = np.linalg.norm(ways, axis=-1)
        rays = (ways / far[..., None]).reshape(-1, 3)
        starts = np.broadcast_to(origins, ways.shape).reshape(-1, 3)
        nearest = first_hit([part.solid for part in (*pose.parts, *self._posts)], starts, rays).reshape(far.shape)
        return np.where(nearest >= far - self._body.flesh, VISIBLE, OCCLUDED).astype(np.int8)


class _View:
    """One camera with its light, and what it sees while nobody is there."""

    def __init__(self, eye: Eye, arena: Arena, grain: np.ndarray, rng: np.random.Generator) -> None:
        self.eye = eye
        self._grain = grain
        gain = rng.uniform(0.75, 1.2) * rng.uniform(0.93, 1.07, 3)
        slope = rng.uniform(-0.35, 0.35, 2)
        self._noise = float(rng.uniform(3.0, 7.0))
        self._fill = float(rng.uniform(0.1, 0.45))
        self._lamp = _unit(_SUN + rng.uniform(-0.45, 0.45, 3))
        height, width = eye.rays.shape[:2]
        y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1) - 0.5
        fall = 1 + slope[0] * x + slope[1] * y - 0.5 * (x * x + y * y)
        self._gain = (fall[..., None] * gain).astype(np.float32)
        self._floor = on_floor(eye.origin, eye.rays)
        self._ground = arena.seen(eye).astype(np.float32)
        self._standing = np.full((height, width), np.inf)
        if arena.posts:
            region = eye.cast([post.solid for post in arena.posts])
            hit = region.solid >= 0
            self._ground[region.slices][hit] = self._shaded(region, arena.posts, hit)
            self._standing[region.slices] = region.distance
        self._empty = _blurred(self._ground) * self._gain

    def picture(self, parts: tuple[Part, ...], shadow: Shadow, rng: np.random.Generator) -> np.ndarray:
        region = self.eye.cast([part.solid for part in parts])
        first, left, last, right = self.eye.boxes([shadow.corners])[0].tolist()
        if region.solid.size:
            first, last = min(first, region.rows[0]), max(last, region.rows[1])
            left, right = min(left, region.columns[0]), max(right, region.columns[1])
        image = rng.standard_normal(self._ground.shape, np.float32)
        image *= self._noise
        bright = float(rng.uniform(0.95, 1.05))
        image += self._empty * np.float32(bright)
        if first < last and left < right:
            around = np.s_[first:last, left:right]
            dark = np.where(np.isinf(self._standing[around]), shadow.at(self._floor[around]), 0)
            patch = self._ground[around] * (1 - _SHADE * dark[..., None]).astype(np.float32)
            if region.solid.size:
                hit = (region.solid >= 0) & (region.distance < self._standing[region.slices])
                inner = np.s_[
                    region.rows[0] - first : region.rows[1] - first, region.columns[0] - left : region.columns[1] - left
                ]
                patch[inner][hit] = self._shaded(region, parts, hit)
            image[around] += (_blurred(patch) * self._gain[around] - self._empty[around]) * np.float32(bright)
        np.clip(image, 0, 255, out=image)
        return np.rint(image, out=image).astype(np.uint8)

    def _shaded(self, region: Region, parts: tuple[Part, ...], hit: np.ndarray) -> np.ndarray:
        rays = self.eye.rays[region.slices][hit]
        points = self.eye.origin + rays * region.distance[hit][:, None]
        index = region.solid[hit]
        normals, local = np.empty_like(points), np.empty_like(points)
        order = np.argsort(index, kind="stable")
        edges = np.searchsorted(index[order], np.arange(len(parts) + 1))
        for number, part in enumerate(parts):
            own = order[edges[number] : edges[number + 1]]
            if len(own):
                normals[own] = part.solid.normal(points[own])
                local[own] = (points[own] - part.solid.corners[0]) @ part.rotation
        cells = np.rint(local / _GRAIN_MM).astype(np.int32) % _GRAIN_CELLS
        grain = self._grain[cells[:, 0], cells[:, 1], cells[:, 2]] * np.array([part.grain for part in parts])[index]
        facing = -np.einsum("ij,ij->i", normals, rays)
        lit = np.clip(normals @ self._lamp, 0, 1)
        light = 0.34 + 0.2 * normals[:, 2] + 0.62 * lit + self._fill * facing
        # Little light comes to what is near the floor.
        light *= 0.72 + 0.28 * np.clip(points[:, 2] / 40, 0, 1)
        colors = np.array([part.color for part in parts])[index]
        return np.asarray(colors * (light * (1 + 0.16 * grain))[:, None], np.float32)


def dome_of_cameras(rng: np.random.Generator, views: int, size: tuple[int, int]) -> tuple[Camera, ...]:
    """Cameras all around the arena that look down into it, each a little differently, with lenses that bend.

    Args:
        rng: Draws them.
        views: How many.
        size: Width and height of their pictures in pixels.

    Returns:
        The cameras; the world's z axis points up.
    """
    cameras = []
    for view in range(views):
        azimuth = 2 * np.pi * (view + rng.uniform(-0.2, 0.2)) / views
        # Neighbours stand high and low in turn.
        height = rng.uniform(0.28, 0.5) if view % 2 else rng.uniform(0.55, 0.95)
        distance = rng.uniform(720, 880)
        place = distance * np.array(
            [np.cos(height) * np.cos(azimuth), np.cos(height) * np.sin(azimuth), np.sin(height)]
        )
        ahead = _unit(np.array([*rng.uniform(-12, 12, 2), 35.0]) - place)
        right = _unit(np.cross(ahead, [0.0, 0.0, 1.0]))
        roll = rng.uniform(-0.12, 0.12)
        down = np.cross(ahead, right)
        right, down = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
        rotation = np.stack([right, down, ahead])
        focal = min(size) / 2 * distance / _SHOWN * rng.uniform(0.94, 1.06)
        middle = (np.array(size) - 1) / 2 + rng.uniform(-0.02, 0.02, 2) * min(size)
        intrinsics = np.array([[focal, 0, middle[0]], [0, focal * rng.uniform(0.995, 1.005), middle[1]], [0, 0, 1]])
        # Strong for such narrow pictures: several pixels at their corners.
        distortion = np.array([rng.uniform(-0.5, -0.2), rng.uniform(0.05, 0.3), 0, 0, 0, 0, 0, 0])
        cameras.append(Camera(intrinsics, rotation, -rotation @ place, distortion, np.array(size, np.float64)))
    return tuple(cameras)


def _fur(rng: np.random.Generator) -> Fur:
    tone = rng.uniform(0.75, 1.25)

    def toned(color: tuple[float, float, float]) -> tuple[float, float, float]:
        r, g, b = (np.array(color) * tone * rng.uniform(0.95, 1.05, 3)).tolist()
        return r, g, b

    plain = Fur()
    return Fur(toned(plain.back), toned(plain.patch), toned(plain.skin))


def _blurred(image: np.ndarray) -> np.ndarray:
    """The lens: a small blur, so that outlines have no steps."""
    near, middle = _BLUR
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = (padded[:-2] + padded[2:]) * near + padded[1:-1] * middle
    return np.asarray((rows[:, :-2] + rows[:, 2:]) * near + rows[:, 1:-1] * middle)


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))
