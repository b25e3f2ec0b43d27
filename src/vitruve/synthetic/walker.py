"""People as jointed figures: bones of constant length that walk, stand and swing their arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitruve.synthetic.texture import Wobble

SIDES = ("left", "right")

# Metres of somebody 1.75 m tall; forward, up, to the left.
_PELVIS, _CHEST = 0.93, 0.50
_HIP, _SHOULDER = 0.10, 0.19
_THIGH, _SHANK, _FOOT, _SOLE = 0.43, 0.42, 0.17, 0.08
_UPPER_ARM, _FOREARM = 0.29, 0.26
_HEAD = {
    "head": (0.02, 0.17, 0.0),
    "head_top": (0.02, 0.32, 0.0),
    "nose": (0.13, 0.15, 0.0),
    "left_eye": (0.10, 0.19, 0.036),
    "right_eye": (0.10, 0.19, -0.036),
    "left_ear": (0.01, 0.17, 0.085),
    "right_ear": (0.01, 0.17, -0.085),
}
_STRIDE = 1.35


@dataclass(frozen=True)
class Look:
    """What somebody looks like; colours are RGB from 0 to 255.

    Attributes:
        height: In metres.
        width: How broad, times the usual.
        skin: Face and hands.
        hair: Hair.
        shirt: Trunk and arms.
        trousers: Legs.
        shoes: Feet.
        stripes: Stripes a metre on the shirt; 0 for none.
    """

    height: float
    width: float
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    shirt: tuple[float, float, float]
    trousers: tuple[float, float, float]
    shoes: tuple[float, float, float]
    stripes: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Look:
        """Somebody at random."""

        def color(low: float, high: float) -> tuple[float, float, float]:
            red, green, blue = rng.uniform(low, high, 3).tolist()
            return red, green, blue

        tone, dark = rng.uniform(0.35, 1.0), rng.uniform(0.15, 1.0)
        return cls(
            float(rng.uniform(1.5, 1.95)),
            float(rng.uniform(0.85, 1.25)),
            (235 * tone, 190 * tone, 165 * tone),
            (130 * dark, 100 * dark, 70 * dark),
            color(25, 235),
            color(20, 170),
            color(15, 110),
            float(rng.choice([0.0, 0.0, 9.0, 14.0])),
        )


class Walker:
    """Somebody who crosses a square once, at times standing still and turning to the camera.

    The square is a plane: x to the right of the camera, z away from it, in metres.

    Args:
        rng: Draws looks, way and manner.
        track: A number of their own.
        start: Second at which the way begins.
        depths: The nearest and the furthest way from the camera.
        slope: Half the width that the camera sees, over the distance.

    Attributes:
        track: The number.
        start: The second.
        look: What they look like.
    """

    def __init__(
        self, rng: np.random.Generator, track: int, start: float, depths: tuple[float, float], slope: float
    ) -> None:
        self.track = track
        self.look = Look.drawn(rng)
        self.start = start
        first, last = rng.uniform(*depths, 2).tolist()
        side = float(rng.choice([-1.0, 1.0]))
        # Nobody is seen at the ends of the way.
        ends = np.array([[-side * (slope * first + 0.8), first], [side * (slope * last + 0.8), last]])
        self._from, self._way = ends[0], ends[1] - ends[0]
        self._bend = float(rng.uniform(-1.5, 1.5)) * min(1.0, (depths[1] - depths[0]) / 4)
        self._depths = depths
        self._pace = float(rng.uniform(0.7, 1.6))
        self._length = float(np.linalg.norm(self._way))
        stands = rng.random() < 0.5
        self._pause_at = float(rng.uniform(0.3, 0.7)) * self._length / self._pace
        self._pause = float(rng.uniform(1.5, 6.0)) if stands else 0.0
        self._turn = float(rng.uniform(-1.2, 1.2))
        self._phase = float(rng.uniform(0, 2 * np.pi))
        self._arms = [
            (Wobble(rng, 2.5), Wobble(rng, 2.1), Wobble(rng, 1.9), float(rng.uniform(0.1, 0.9))) for _ in SIDES
        ]
        self._nod, self._shake, self._lean = Wobble(rng, 3.0), Wobble(rng, 2.6), Wobble(rng, 4.0)

    @property
    def end(self) -> float:
        """Second at which the way is over."""
        return self.start + self._length / self._pace + self._pause

    def joints(self, time: float) -> dict[str, Float[np.ndarray, " 3"]]:
        """Where the joints are.

        Args:
            time: Seconds.

        Returns:
            ``x y z`` in metres by name, y up from the ground: those of :data:`vitruve.synthetic.crowd.FIGURES`,
            and ``head``, the middle of the head.
        """
        gone, standing = self._gone(time)
        place, ahead = self._place(gone)
        turned = np.arctan2(ahead[1], ahead[0])
        toward = -np.pi / 2 + self._turn
        heading = turned + standing * np.angle(np.exp(1j * (toward - turned)))
        forward = np.array([np.cos(heading), 0.0, np.sin(heading)])
        frame = np.stack([forward, [0.0, 1.0, 0.0], [-forward[2], 0.0, forward[0]]])
        scale = self.look.height / 1.75
        local = self._pose(time, 2 * np.pi * gone / (_STRIDE * scale) + self._phase, 1 - standing)
        origin = np.array([place[0], 0.0, place[1]])
        return {name: origin + scale * (point @ frame) for name, point in local.items()}

    def _gone(self, time: float) -> tuple[float, float]:
        """Metres on the way, and how far somebody has come to a standstill, 0 to 1."""
        since = time - self.start
        walking = min(since, self._pause_at) + max(since - self._pause_at - self._pause, 0)
        into, left = since - self._pause_at, self._pause_at + self._pause - since
        standing = float(np.clip(min(into, left) / 0.5, 0, 1)) if self._pause else 0.0
        return self._pace * walking, standing * standing * (3 - 2 * standing)

    def _place(self, gone: float) -> tuple[np.ndarray, np.ndarray]:
        def at(distance: float) -> np.ndarray:
            share = distance / self._length
            point = self._from + share * self._way + np.array([0.0, self._bend * np.sin(2 * np.pi * share)])
            return np.array([point[0], np.clip(point[1], *self._depths)])

        return at(gone), at(gone + 0.2) - at(gone - 0.2)

    def _pose(self, time: float, phase: float, moving: float) -> dict[str, np.ndarray]:
        """Joints as forward, up and left of the ground below the pelvis."""
        points = {"pelvis": np.array([0.0, 0.0, 0.0])}
        lean = 0.06 + 0.05 * float(self._lean(time))
        chest = _CHEST * np.array([np.sin(lean), np.cos(lean), 0.0])
        points["neck"] = chest
        for number, side in enumerate(SIDES):
            sign, step = 1.0 - 2.0 * number, phase + np.pi * number
            hip = np.array([0.0, 0.0, sign * _HIP])
            swing = moving * 0.48 * np.sin(step)
            knee = hip + _THIGH * np.array([np.sin(swing), -np.cos(swing), 0.02 * sign])
            fold = swing - moving * (0.12 + 0.75 * max(np.cos(step + 0.4), 0.0)) - 0.03
            ankle = knee + _SHANK * np.array([np.sin(fold), -np.cos(fold), 0.0])
            points |= {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": ankle}
            points[f"{side}_big_toe"] = ankle + np.array([_FOOT, -0.5 * _SOLE, 0.02 * sign])
            forth, apart, bent, lively = self._arms[number]
            shoulder = chest + np.array([0.0, -0.05, sign * _SHOULDER * self.look.width])
            raised = -moving * 0.4 * np.sin(step) + 0.7 * lively * float(forth(time))
            spread = 0.12 + 0.8 * lively * max(float(apart(time)) - 0.3, 0.0)
            elbow = shoulder + _UPPER_ARM * _arm(raised, spread, sign)
            bend = 0.25 + 1.1 * lively * max(float(bent(time)) + 0.3, 0.0)
            wrist = elbow + _FOREARM * _arm(raised + bend, 0.6 * spread, sign)
            points |= {f"{side}_shoulder": shoulder, f"{side}_elbow": elbow, f"{side}_wrist": wrist}
        nod, shake = 0.15 * float(self._nod(time)), 0.4 * float(self._shake(time))
        for name, (ahead, up, left) in _HEAD.items():
            tilted = np.array([ahead * np.cos(nod) + up * np.sin(nod), up * np.cos(nod) - ahead * np.sin(nod)])
            turned = np.array([tilted[0] * np.cos(shake) - left * np.sin(shake), tilted[0] * np.sin(shake)])
            points[name] = chest + np.array([turned[0], tilted[1], turned[1] + left * np.cos(shake)])
        # The lower foot stands on the ground.
        ground = _SOLE - min(points["left_ankle"][1], points["right_ankle"][1])
        return {name: point + np.array([0.0, ground, 0.0]) for name, point in points.items()}


def _arm(raised: float, spread: float, sign: float) -> np.ndarray:
    return np.array([np.sin(raised), -np.cos(raised) * np.cos(spread), sign * np.cos(raised) * np.sin(spread)])
