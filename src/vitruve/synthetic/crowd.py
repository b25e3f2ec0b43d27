"""People who walk about in front of a camera, hide one another and are hidden, with exact keypoints of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, UInt8

from vitruve.errors import InputError
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.mask import Mask
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import known_skeleton
from vitruve.synthetic.canvas import Canvas
from vitruve.synthetic.shapes import Ellipse, Tube
from vitruve.synthetic.texture import noise_texture
from vitruve.synthetic.walker import SIDES, Walker

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_TRUNK = ("neck", "head_top", "pelvis")


def _more(base: Skeleton, sigmas: dict[str, float], edges: tuple[tuple[str, str], ...]) -> Skeleton:
    names = (*base.names, *sigmas)
    links = tuple((names.index(a), names.index(b)) for a, b in edges)
    known = (*(base.sigmas or ()), *sigmas.values())
    return Skeleton(names, base.edges + links, Skeleton.from_names(names).swaps, known)


FIGURES: dict[int, Skeleton] = {
    3: _more(
        Skeleton(()), {"head_top": 0.035, "neck": 0.079, "pelvis": 0.107}, (("head_top", "neck"), ("neck", "pelvis"))
    ),
    14: known_skeleton("crowdpose14"),
    17: known_skeleton("coco17"),
    21: _more(
        known_skeleton("coco17"),
        {"neck": 0.079, "head_top": 0.035, "left_big_toe": 0.089, "right_big_toe": 0.089},
        (
            *(("head_top", "neck"), ("neck", "left_shoulder"), ("neck", "right_shoulder")),
            *(("left_ankle", "left_big_toe"), ("right_ankle", "right_big_toe")),
        ),
    ),
}
"""What can be labelled of a figure, by the number of keypoints; 17 are COCO's, 14 those of CrowdPose."""

_DURATION = 300.0
_CAMERA_HEIGHT = 2.4
_NEAREST = 3.6
# Of a figure less than this share is seen: nobody could label it.
_SEEN = 0.15
_DEPTH_OF_BODY = 0.06


@dataclass(frozen=True, eq=False)
class Seen:
    """What there is to see at one instant.

    Attributes:
        image: The picture.
        people: ``(1, N, ...)`` with boxes and areas of what is seen, and tracks; without keypoints where hardly
            anything of somebody is seen.
        hidden: Where those without keypoints are; None where nobody is.
    """

    image: UInt8[np.ndarray, "H W 3"]
    people: Instances
    hidden: Mask | None


class CrowdScene:
    """A square that people cross; one camera. A joint is occluded when anything is in front of it.

    Args:
        seed: Of the people, their ways, the square and the camera's noise.
        people: At most so many are there at a time, 1 to 50.
        joints: A key of :data:`FIGURES`.
        size: Width and height in pixels.
        objects: Things that stand about and hide people.

    Raises:
        InputError: There is no such figure.
    """

    def __init__(
        self,
        seed: int = 0,
        people: int = 5,
        joints: int = 17,
        size: tuple[int, int] = (320, 256),
        objects: int = 3,
    ) -> None:
        if joints not in FIGURES:
            raise InputError(f"crowd: joints={joints}; figures have {', '.join(map(str, FIGURES))} of them")
        self._seed, self._size = seed, size
        self._skeleton = FIGURES[joints]
        width, height = size
        self._focal, self._horizon = 1.2 * height, 0.22 * height
        furthest = 7.0 + 0.22 * people
        rng = np.random.default_rng([seed, 0])
        self._walkers: list[Walker] = []
        for place in range(people):
            self._walkers += self._in_turn(np.random.default_rng([seed, 1, place]), place, people, furthest)
        self._floor = _square(rng, size, self._horizon, self._ground(furthest + 1))
        self._cloth = noise_texture(rng, (64, 64), (1.2, 1.2))
        depths = rng.uniform(_NEAREST - 0.3, furthest, objects)
        across = rng.uniform(-0.45, 0.45, objects) * width / self._focal * depths
        self._objects = [
            (float(z), float(x), rng.uniform(0.5, 1.15), rng.uniform(0.08, 0.4), rng.uniform(40, 200, 3))
            for x, z in zip(across, depths, strict=True)
        ]

    def _in_turn(self, rng: np.random.Generator, place: int, people: int, furthest: float) -> list[Walker]:
        """Those who cross the square one after the other; tracks of several such rows stay apart."""
        slope = 0.5 * self._size[0] / self._focal
        found: list[Walker] = []
        start = -float(rng.uniform(0, 8))
        while start < _DURATION:
            found.append(Walker(rng, place + people * len(found), start, (_NEAREST, furthest), slope))
            start = found[-1].end + float(rng.exponential(1.0))
        return found

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of each figure."""
        return self._skeleton

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._size

    @property
    def duration(self) -> float:
        """How long people come and go, in seconds."""
        return _DURATION

    def render(self, time: float) -> tuple[UInt8[np.ndarray, "1 H W 3"], Instances]:
        """The image and the truth of one instant; see :meth:`vitruve.synthetic.scene.Scene.render`."""
        seen = self.look(time)
        return seen.image[None], seen.people

    def look(self, time: float) -> Seen:
        """What there is to see at one instant.

        Args:
            time: Seconds, from 0 to the duration.

        Returns:
            Image and people.

        Raises:
            InputError: The time is out of range.
        """
        if not 0 <= time <= _DURATION:
            raise InputError(f"scene: time {time} s; people walk from 0 to {_DURATION:g} s")
        here = [walker for walker in self._walkers if walker.start <= time <= walker.end]
        placed = [(walker, walker.joints(time)) for walker in here]
        placed.sort(key=lambda each: -each[1]["pelvis"][2])
        canvas = Canvas(self._floor)
        whole = {}
        things = sorted(self._objects, key=lambda each: -each[0])
        for number, (walker, joints) in enumerate(placed, 1):
            while things and things[0][0] > joints["pelvis"][2]:
                self._paint_object(canvas, *things.pop(0))
            self._paint_walker(canvas, walker, joints, number)
            whole[number] = int((canvas.owners == number).sum())
        for thing in things:
            self._paint_object(canvas, *thing)
        rng = np.random.default_rng([self._seed, 2, round(time * 1e6)])
        height, width = canvas.pixels.shape[:2]
        noise = rng.standard_normal((height, width, 3), np.float32) + rng.standard_normal(
            (height, width, 1), np.float32
        )
        image = np.rint(np.clip(canvas.pixels + 2.0 * noise, 0, 255)).astype(np.uint8)
        return Seen(image, *self._truth(canvas, [walker for walker, _ in placed], whole))

    def _truth(self, canvas: Canvas, walkers: list[Walker], whole: dict[int, int]) -> tuple[Instances, Mask | None]:
        points, visible, boxes, areas, tracks = [], [], [], [], []
        hidden = np.zeros(canvas.owners.shape, bool)
        for number, walker in enumerate(walkers, 1):
            mine = canvas.owners == number
            rows, columns = np.flatnonzero(mine.any(1)), np.flatnonzero(mine.any(0))
            place, seen = canvas.truth((walker.track, name) for name in self._skeleton.names)
            if not mine.any():
                continue
            if mine.sum() < max(_SEEN * whole[number], 12) or not (seen > UNLABELLED).any():
                place, seen = np.full_like(place, np.nan), np.zeros_like(seen)
                hidden |= mine
            points.append(place)
            visible.append(seen)
            boxes.append([columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5])
            areas.append(mine.sum())
            tracks.append(walker.track)
        count, joints = len(points), len(self._skeleton)
        people = Instances(
            np.array(points, np.float64).reshape(1, count, joints, 2),
            np.array(visible, np.int8).reshape(1, count, joints),
            boxes=np.array(boxes, np.float64).reshape(1, count, 4),
            areas=np.array(areas, np.float64).reshape(1, count),
            tracks=np.array(tracks, np.int64).reshape(1, count),
        )
        return people, Mask.from_array(hidden) if hidden.any() else None

    def _pixel(self, point: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 2"]:
        scale = self._focal / point[2]
        return np.array([self._size[0] / 2 + scale * point[0], self._horizon + scale * (_CAMERA_HEIGHT - point[1])])

    def _ground(self, depth: float) -> float:
        return self._horizon + self._focal * _CAMERA_HEIGHT / depth

    def _paint_object(
        self, canvas: Canvas, depth: float, across: float, tall: float, thick: float, color: np.ndarray
    ) -> None:
        foot, top = (self._pixel(np.array([across, y, depth])) for y in (0.0, tall))
        radius = 0.5 * thick * self._focal / depth
        paint = (float(color[0]), float(color[1]), float(color[2]))
        canvas.paint(Ellipse(foot, (1.3 * radius, 0.4 * radius)), (30.0, 28.0, 26.0), feather=3.0, opacity=0.4)
        canvas.paint(Tube(np.stack([foot, top]), np.full(2, radius)), paint, shade=partial(_round, radius))

    def _paint_walker(self, canvas: Canvas, walker: Walker, joints: dict[str, np.ndarray], owner: int) -> None:
        """Limb by limb, the furthest first; a joint is marked behind whatever may hide it."""
        look, scale = walker.look, self._focal / joints["pelvis"][2] * walker.look.height / 1.75
        at = {name: self._pixel(point) for name, point in joints.items()}
        foot = self._pixel(joints["pelvis"] * [1, 0, 1])
        canvas.paint(Ellipse(foot, (0.3 * scale, 0.09 * scale)), (30.0, 28.0, 26.0), feather=4.0, opacity=0.4)
        middle = joints["pelvis"][2]
        depth = {"body": middle, "head": joints["head"][2] - 0.01}
        for side in SIDES:
            depth[f"{side}_arm"] = (joints[f"{side}_elbow"][2] + joints[f"{side}_shoulder"][2]) / 2
            depth[f"{side}_leg"] = joints[f"{side}_knee"][2] + 0.05
        order = sorted(depth, key=lambda part: -depth[part])
        before: dict[str, list[str]] = {part: [] for part in order}
        after: dict[str, list[str]] = {part: [] for part in order}
        for name in self._skeleton.names:
            side, _, kind = name.partition("_")
            if name in _FACE:
                (after if joints[name][2] < joints["head"][2] + 0.03 else before)["head"].append(name)
            elif name in _TRUNK:
                after[max(("body", "head"), key=order.index)].append(name)
            else:
                limb = f"{side}_{'arm' if kind in ('shoulder', 'elbow', 'wrist') else 'leg'}"
                near = kind in ("shoulder", "hip") and joints[name][2] < middle + _DEPTH_OF_BODY
                after[max((limb, "body"), key=order.index) if near else limb].append(name)
        cloth = partial(_cloth, self._cloth, at["pelvis"], scale)
        for part in order:
            for name in before[part]:
                canvas.mark((walker.track, name), at[name])
            side, _, kind = part.partition("_")
            if part == "head":
                self._paint_head(canvas, walker, at, joints, scale, owner)
            elif part == "body":
                trunk = np.stack([at["neck"], (at["neck"] + at["pelvis"]) / 2, at["pelvis"]])
                wide = [abs(at[f"left_{j}"][0] - at[f"right_{j}"][0]) / 2 for j in ("shoulder", "hip")]
                radii = np.maximum([0.75 * wide[0], 0.7 * wide[0], 0.9 * wide[1]], [0.10 * scale] * 3)
                canvas.paint(
                    Tube(trunk + np.array([[0, 0.08 * scale], [0, 0], [0, 0]]), radii, blend=0.05 * scale),
                    look.shirt,
                    shade=partial(cloth, look.stripes),
                    owner=owner,
                )
            elif kind == "arm":
                arm = np.stack([at[f"{side}_shoulder"], at[f"{side}_elbow"], at[f"{side}_wrist"]])
                sleeve = Tube(arm, scale * look.width * np.array([0.055, 0.045, 0.036]))
                canvas.paint(sleeve, look.shirt, shade=partial(cloth, look.stripes), owner=owner)
                hand = arm[2] + 0.25 * (arm[2] - arm[1])
                canvas.paint(Ellipse(hand, (0.045 * scale, 0.045 * scale)), look.skin, owner=owner)
            else:
                leg = np.stack([at[f"{side}_hip"], at[f"{side}_knee"], at[f"{side}_ankle"]])
                shoe = Tube(np.stack([leg[2], at[f"{side}_big_toe"]]), scale * np.array([0.05, 0.04]))
                canvas.paint(shoe, look.shoes, owner=owner)
                trouser = Tube(leg, scale * look.width * np.array([0.085, 0.06, 0.047]))
                canvas.paint(trouser, look.trousers, shade=partial(cloth, 0.0), owner=owner)
            for name in after[part]:
                canvas.mark((walker.track, name), at[name])

    def _paint_head(
        self,
        canvas: Canvas,
        walker: Walker,
        at: dict[str, np.ndarray],
        joints: dict[str, np.ndarray],
        scale: float,
        owner: int,
    ) -> None:
        look, head = walker.look, at["head"]
        neck = Tube(np.stack([at["neck"], head]), scale * np.array([0.055, 0.05]))
        canvas.paint(neck, look.skin, owner=owner)
        canvas.paint(Ellipse(head - [0, 0.02 * scale], (0.105 * scale, 0.135 * scale)), look.hair, owner=owner)
        ahead = (joints["nose"] - joints["head"]) / 0.12
        if ahead[2] < 0.5:
            face = head + np.array([0.045 * scale * ahead[0], 0.025 * scale])
            across = (0.055 + 0.03 * max(-ahead[2], 0)) * scale
            canvas.paint(Ellipse(face, (across, 0.11 * scale)), look.skin, owner=owner)
        for name, radius, color in (
            *(((f"{side}_ear"), 0.025, look.skin) for side in SIDES),
            *(((f"{side}_eye"), 0.016, (25.0, 20.0, 20.0)) for side in SIDES),
            ("nose", 0.02, tuple(0.8 * part for part in look.skin)),
        ):
            if joints[name][2] < joints["head"][2] + 0.03:
                paint = (float(color[0]), float(color[1]), float(color[2]))
                canvas.paint(Ellipse(at[name], (radius * scale, radius * scale)), paint, owner=owner)


def _round(radius: float, x: np.ndarray, y: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return np.asarray(0.55 + 0.5 * np.clip(depth / radius, 0, 1) ** 0.7)


def _cloth(
    texture: np.ndarray,
    origin: np.ndarray,
    scale: float,
    stripes: float,
    x: np.ndarray,
    y: np.ndarray,
    depth: np.ndarray,
) -> np.ndarray:
    across, down = (x - float(origin[0])) / scale, (y - float(origin[1])) / scale
    rows, columns = np.rint(down * 60).astype(int) % 64, np.rint(across * 60).astype(int) % 64
    folds = 0.72 + 0.3 * np.sqrt(np.clip(depth / (0.08 * scale), 0, 1)) + 0.07 * texture[rows, columns]
    return np.asarray(folds * (1 + (0.25 * np.sign(np.sin(2 * np.pi * stripes * down)) if stripes else 0.0)))


def _square(rng: np.random.Generator, size: tuple[int, int], horizon: float, foot: float) -> Float[np.ndarray, "H W 3"]:
    """Paving that runs to a wall with windows and posters."""
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    near = np.clip((y - horizon) / (height - horizon), 0.02, 1)
    stones = np.sign(np.sin(9 / near)) * np.sign(np.sin(0.05 * (x - width / 2) / near))
    floor = (0.85 + 0.2 * near + 0.025 * stones)[..., None] * rng.uniform(110, 190, 3)
    wall = np.broadcast_to(rng.uniform(70, 200, 3), floor.shape)
    canvas = Canvas(np.where((y < foot)[..., None], wall, floor))
    for _ in range(14):
        low = rng.uniform((0, 0), (width, max(foot, 4)))
        half = rng.uniform((0.015 * width, 0.02 * height), (0.06 * width, 0.1 * height))
        high = min(float(low[1] + half[1]), foot - half[0])
        if high > 0:
            poster = Tube(np.array([[low[0], high - half[1]], [low[0], high]]), np.full(2, float(half[0])))
            red, green, blue = rng.uniform(20, 230, 3).tolist()
            canvas.paint(poster, (red, green, blue), opacity=0.8)
    mottled = 0.03 * noise_texture(rng, (height, width), (9.0, 9.0))
    mottled += 0.04 * noise_texture(rng, (height, width), (1.0, 1.0))
    return np.asarray(canvas.pixels * (1 + mottled)[..., None], np.float32)
