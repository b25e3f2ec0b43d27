"""A rodent with bones of constant length and joints with limits, made of solids."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from vitruve.geometry.rotation import matrix_from_vector
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.raycast import Cone, Ellipsoid, Solid
from vitruve.synthetic.texture import Wobble
from vitruve.synthetic.walk import Walk

RODENT = Skeleton.from_names(
    (
        "nose",
        "ear_left",
        "ear_right",
        "neck",
        "spine",
        "tail_base",
        "tail_mid",
        "tail_tip",
        "elbow_left",
        "elbow_right",
        "fore_paw_left",
        "fore_paw_right",
        "knee_left",
        "knee_right",
        "hind_paw_left",
        "hind_paw_right",
    ),
    edges=(
        *((0, 1), (0, 2), (0, 3), (3, 4), (4, 5), (5, 6), (6, 7)),
        *((3, 8), (3, 9), (8, 10), (9, 11), (5, 12), (5, 13), (12, 14), (13, 15)),
    ),
)
"""The keypoints: joints of the bones, tip of the nose, middle of the ears."""

BONES = tuple(edge for edge in RODENT.edges if edge not in ((3, 8), (3, 9), (5, 12), (5, 13)))
"""Edges of :data:`RODENT` whose length never changes; between the others lie shoulder and hip."""

Color = tuple[float, float, float]

# Lengths in millimetres; x runs forward, y to the left, z up.
_LOWER, _UPPER, _TAIL = 52.0, 46.0, (36.0, 38.0)
_SHOULDER, _HIP = np.array([34.0, 15.0, -9.0]), np.array([7.0, 17.0, -8.0])
_FORE, _HIND = (27.0, 26.0), (32.0, 31.0)
_NOSE, _EAR = np.array([44.0, 0.0, -6.0]), np.array([13.0, 15.0, 16.0])

# Half of each joint's range in radians, and the middle of its periods in seconds.
_LIMITS = {
    "bend": (0.35, 2.3),
    "arch": (0.25, 1.9),
    "look": (0.75, 1.3),
    "nod": (0.5, 1.1),
    "tilt": (0.35, 1.7),
    "tail_swing": (0.7, 1.2),
    "tail_curl": (0.8, 1.6),
    "tail_lift": (0.3, 2.7),
}
_LEG_LIMITS = {"swing": (0.45, 0.9), "spread": (0.22, 1.4), "fold": (0.42, 0.8)}
_REAR, _REAR_PERIOD = 0.95, 3.5
_STRIDE, _STEP = 62.0, 0.42

# How much of the body lies over each keypoint at most. A joint is seen where nothing else is in front of that.
_FLESH = {
    **{"nose": 4.5, "ear": 10.0, "neck": 23.0, "spine": 30.0, "tail_base": 18.0, "tail_mid": 5.0, "tail_tip": 4.0},
    **{"elbow": 10.0, "fore_paw": 8.0, "knee": 13.5, "hind_paw": 8.5},
}


@dataclass(frozen=True, eq=False)
class Part:
    """A solid with its looks.

    Attributes:
        solid: Where it is.
        color: RGB from 0 to 255.
        rotation: ``(3, 3)`` its own directions as columns: fur turns with it.
        grain: How strongly its texture shows, from 0.
    """

    solid: Solid
    color: Color
    rotation: Float[np.ndarray, "3 3"]
    grain: float = 0.0


@dataclass(frozen=True, eq=False)
class Pose:
    """A body at one instant.

    Attributes:
        keypoints: ``(K, 3)`` in millimetres.
        parts: What there is to see.
    """

    keypoints: Float[np.ndarray, "K 3"]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Fur:
    """Colours of a rodent, RGB from 0 to 255.

    Attributes:
        back: Head and trunk.
        patch: A patch around the haunches.
        skin: Paws, ears, tail and nose.
    """

    back: Color = (112.0, 88.0, 66.0)
    patch: Color = (156.0, 132.0, 104.0)
    skin: Color = (198.0, 150.0, 138.0)


class Rodent:
    """Walks about, turns, rears and looks around; all smooth and random.

    Args:
        rng: Draws the motion.
        duration: Seconds.
        reach: How far from the origin it walks along x and y, in millimetres.
        fur: Its colours.

    Attributes:
        flesh: ``(K,)`` how much of the body lies over each keypoint at most, in millimetres.
    """

    def __init__(self, rng: np.random.Generator, duration: float, reach: float, fur: Fur | None = None) -> None:
        self._fur = fur or Fur()
        self._walk = Walk(rng, duration, (-reach, -reach), (reach, reach), speed=90.0)
        self._joints = {name: Joint(rng, *limits) for name, limits in _LIMITS.items()}
        self._legs = {
            (name, side): {joint: Joint(rng, *limits) for joint, limits in _LEG_LIMITS.items()}
            for name in ("fore", "hind")
            for side in (1, -1)
        }
        self._rear = Wobble(rng, _REAR_PERIOD)
        self.flesh = np.array([_FLESH[name.removesuffix("_left").removesuffix("_right")] for name in RODENT.names])

    def pose(self, time: float) -> Pose:
        """Where everything is.

        Args:
            time: Seconds.

        Returns:
            Keypoints and parts, in the world, whose floor is at z = 0.
        """
        build = _Build(self._fur)
        angle = {name: joint(time) for name, joint in self._joints.items()}
        at = self._walk.travelled(time)
        rearing = _REAR * float(0.5 + 0.5 * np.tanh(2.2 * (self._rear(time) - 0.9)))
        heading = self._heading(at - 15.0)
        ahead = 0.8 * np.tanh(_between(heading, self._heading(at + 60.0)) / 0.8)
        level = _turn(heading, 0, 0)
        lower = level @ _turn(0, -rearing - 0.12 - 0.4 * angle["arch"], 0)
        upper = lower @ _turn(0.6 * ahead + angle["bend"], 0.18 - 0.25 * rearing + angle["arch"], 0)
        look = _turn(0.4 * ahead + angle["look"], 0.1 + 0.7 * rearing + angle["nod"], angle["tilt"])
        base = np.append(self._walk.point(at), 0.0)
        spine = base + lower[:, 0] * _LOWER
        neck = spine + upper[:, 0] * _UPPER
        build.trunk(base, spine, neck, lower, upper)
        build.head(neck, upper @ look)
        build.tail(base, lower, level @ _turn(0, -0.25 * rearing, 0), angle)
        for side in (1, -1):
            mirror = np.array([1.0, side, 1.0])
            fore = {name: joint(time) for name, joint in self._legs["fore", side].items()}
            hind = {name: joint(time) for name, joint in self._legs["hind", side].items()}
            step = 2 * np.pi * (at / _STRIDE + (0.0 if side > 0 else 0.5))
            half = level @ _turn(0, -0.6 * rearing, 0)
            build.leg("fore", side, spine + upper @ (_SHOULDER * mirror), half, fore, _STEP * np.sin(step))
            build.leg("hind", side, base + lower @ (_HIP * mirror), level, hind, _STEP * np.sin(step + 2.6))
        return build.standing()

    def _heading(self, distance: float) -> float:
        x, y = self._walk.direction(distance).tolist()
        return float(np.arctan2(y, x))


class Joint:
    """An angle that wanders between its limits.

    Args:
        rng: Draws how.
        half: Half of the range, in radians.
        period: The middle of its periods, in seconds.
    """

    def __init__(self, rng: np.random.Generator, half: float, period: float) -> None:
        self._half = half
        self._wander = Wobble(rng, period)

    def __call__(self, time: float) -> float:
        """The angle in radians at a time in seconds; 0 is the middle of the range."""
        return self._half * float(np.tanh(self._wander(time)))


class _Build:
    """Puts the parts together, then stands them on the floor."""

    def __init__(self, fur: Fur) -> None:
        self._fur = fur
        self._points: dict[str, np.ndarray] = {}
        self._parts: list[Part] = []

    def trunk(
        self, base: np.ndarray, spine: np.ndarray, neck: np.ndarray, lower: np.ndarray, upper: np.ndarray
    ) -> None:
        self._points |= {"tail_base": base, "spine": spine, "neck": neck}
        self._ball(base + lower @ [24.0, 0.0, -2.0], lower, (36.0, 25.0, 26.0), self._fur.patch, 1.0)
        self._cone(base + lower @ [2.0, 0.0, 0.0], spine, (12.0, 26.0), self._fur.back, lower, 1.0)
        self._ball(spine + upper @ [10.0, 0.0, -3.0], upper, (36.0, 24.0, 25.0), self._fur.back, 1.0)
        self._cone(spine, neck, (24.0, 17.0), self._fur.back, upper, 1.0)

    def head(self, neck: np.ndarray, turn: np.ndarray) -> None:
        nose = neck + turn @ _NOSE
        self._points["nose"] = nose
        self._ball(neck + turn @ [12.0, 0.0, 0.0], turn, (22.0, 16.5, 16.5), self._fur.back, 1.0)
        self._cone(neck + turn @ [20.0, 0.0, -2.0], neck + turn @ [40.0, 0.0, -6.0], (11.5, 4.5), self._fur.back, turn)
        self._ball(nose, turn, (2.6, 3.0, 2.6), self._fur.skin)
        for side, name in ((1, "ear_left"), (-1, "ear_right")):
            mirror = np.array([1.0, side, 1.0])
            ear = neck + turn @ (_EAR * mirror)
            self._points[name] = ear
            flare = turn @ _turn(side * 0.5, -0.3, -side * 0.35)
            self._ball(ear, flare, (3.0, 8.5, 9.5), self._fur.skin)
            self._ball(neck + turn @ (np.array([28.0, 9.0, 5.0]) * mirror), turn, (3.0, 2.6, 3.0), (20.0, 17.0, 17.0))

    def tail(self, base: np.ndarray, lower: np.ndarray, level: np.ndarray, angle: dict[str, float]) -> None:
        back = level @ _turn(angle["tail_swing"], -0.1 + angle["tail_lift"], 0)
        middle = base - back[:, 0] * _TAIL[0]
        back_tip = back @ _turn(angle["tail_curl"], 0.15, 0)
        tip = middle - back_tip[:, 0] * _TAIL[1]
        self._points |= {"tail_mid": middle, "tail_tip": tip}
        self._cone(base, middle, (4.6, 3.2), self._fur.skin, back, 0.4)
        self._cone(middle, tip, (3.2, 1.8), self._fur.skin, back_tip, 0.4)

    def leg(
        self, name: str, side: int, root: np.ndarray, turn: np.ndarray, joint: dict[str, float], step: float
    ) -> None:
        fore = name == "fore"
        lengths = _FORE if fore else _HIND
        # From the root down: the elbow points back, the knee forward.
        bent, straight = (0.55, -0.95) if fore else (-0.75, 1.2)
        out = turn @ _turn(0, 0, side * (0.24 + joint["spread"]))
        first = out @ _turn(0, bent + 0.5 * step + joint["swing"] * 0.6, 0)
        second = first @ _turn(0, straight + 0.5 * step + joint["fold"], 0)
        middle = root - first[:, 2] * lengths[0]
        paw = middle - second[:, 2] * lengths[1]
        suffix = "left" if side > 0 else "right"
        self._points |= {f"{'elbow' if fore else 'knee'}_{suffix}": middle, f"{name}_paw_{suffix}": paw}
        thick = (10.5, 6.2, 4.0) if fore else (14.0, 8.2, 4.4)
        self._cone(root, middle, thick[:2], self._fur.back if fore else self._fur.patch, first, 1.0)
        self._cone(middle, paw, thick[1:], self._fur.patch, second, 0.6)
        toes = turn @ _turn(side * 0.2, 0, 0)
        long = 7.0 if fore else 11.0
        self._ball(paw + toes @ [long - 4.0, 0.0, -1.0], toes, (long, 4.6, 3.6), self._fur.skin)

    def standing(self) -> Pose:
        """The pose with its lowest place on the floor."""
        lift = np.array([0.0, 0.0, -min(part.solid.lowest for part in self._parts)])
        parts = tuple(replace(part, solid=part.solid.moved(lift)) for part in self._parts)
        return Pose(np.stack([self._points[name] for name in RODENT.names]) + lift, parts)

    def _cone(
        self,
        start: np.ndarray,
        end: np.ndarray,
        radii: tuple[float, float],
        color: Color,
        turn: np.ndarray,
        grain: float = 1.0,
    ) -> None:
        self._parts.append(Part(Cone(start, end, radii), color, turn, grain))

    def _ball(
        self,
        centre: np.ndarray,
        turn: np.ndarray,
        radii: tuple[float, float, float],
        color: Color,
        grain: float = 0.0,
    ) -> None:
        self._parts.append(Part(Ellipsoid(centre, turn, radii), color, turn, grain))


def _turn(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotations to the left, nose down and to the right side, the last one first."""
    matrices = matrix_from_vector(np.diag([roll, pitch, yaw]))
    return np.asarray(matrices[2] @ matrices[1] @ matrices[0])


def _between(first: float, second: float) -> float:
    return float((second - first + np.pi) % (2 * np.pi) - np.pi)
