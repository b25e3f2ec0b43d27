"""``Human`` and ``BodyPart``: what HyperPose's post-processors give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

import numpy as np

from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton


@dataclass
class BodyPart:
    """One keypoint of one person.

    Attributes:
        parts: The enumeration of all keypoints.
        u_idx: Its number among all that were found.
        part_idx: Which keypoint it is.
        x: In pixels.
        y: In pixels.
        score: From 0 to 1.
        w: Width of its box in pixels, -1 where it has none.
        h: Height of its box in pixels, -1 where it has none.
    """

    parts: Any
    u_idx: int
    part_idx: int
    x: float
    y: float
    score: float
    w: float = -1
    h: float = -1

    def get_part_name(self) -> Any:
        """The keypoint's member of the enumeration."""
        return self.parts(self.part_idx)

    def get_x(self) -> float:
        """In pixels."""
        return float(self.x)

    def get_y(self) -> float:
        """In pixels."""
        return float(self.y)


@dataclass
class Human:
    """One person.

    Attributes:
        parts: The enumeration of all keypoints.
        limbs: Pairs of keypoint numbers that are drawn.
        colors: One ``[r, g, b]`` a keypoint; None for a palette.
        body_parts: The keypoints that were found, by their numbers.
        score: Of the whole person; None for the mean over its keypoints.
        local_id: Number within the image.
        global_id: Number among all.
    """

    parts: Any
    limbs: Sequence[Sequence[int]]
    colors: Sequence[Sequence[int]] | None = None
    body_parts: dict[int, BodyPart] = field(default_factory=dict)
    score: float | None = None
    local_id: int = -1
    global_id: int = -1

    def get_global_id(self) -> int:
        """Number among all."""
        return int(self.global_id)

    def get_score(self) -> float:
        """From 0 to 1, the same each time."""
        if self.score is not None:
            return float(self.score)
        scores = [part.score for part in self.body_parts.values()]
        return float(np.mean(scores)) if scores else 0.0

    def get_partnum(self) -> int:
        """How many keypoints were found."""
        return len(self.body_parts)

    def get_bbx(self) -> list[float]:
        """Centre, width and height of the box around the keypoints, in pixels; NaN without any."""
        points = np.array([(part.x, part.y) for part in self.body_parts.values()], np.float64).reshape(-1, 2)
        if not len(points):
            return [float("nan")] * 4
        low, high = points.min(0), points.max(0)
        return [float(value) for value in (*((low + high) / 2), *(high - low))]

    def get_area(self) -> float:
        """Of that box, in square pixels."""
        _, _, width, height = self.get_bbx()
        return width * height

    def scale(self, scale_w: float, scale_h: float) -> None:
        """Multiply all coordinates."""
        for part in self.body_parts.values():
            part.x, part.y = part.x * scale_w, part.y * scale_h
            if part.w >= 0:
                part.w, part.h = part.w * scale_w, part.h * scale_h

    def bias(self, bias_w: float, bias_h: float) -> None:
        """Move by so many pixels."""
        for part in self.body_parts.values():
            part.x, part.y = part.x + bias_w, part.y + bias_h

    def unpad(self, pad: Sequence[float]) -> None:
        """Take back a padding of ``[top, bottom, left, right]`` pixels."""
        self.bias(-pad[2], -pad[0])

    def unscale(self, scale: float | Sequence[float]) -> None:
        """Take back a scaling by one factor, or by one for x and one for y."""
        sx, sy = (scale, scale) if isinstance(scale, (int, float)) else scale
        self.scale(1 / sx, 1 / sy)

    def draw(self, img: np.ndarray) -> np.ndarray:
        """Draw the person into an image, which is changed.

        Args:
            img: ``(H, W, 3)`` or ``(3, H, W)``; numbers from 0 to 255 where they are whole, else from 0 to 1.

        Returns:
            The same array.
        """
        from vitruve.visualize.draw import draw_instances

        first = img.shape[0] == 3 and img.shape[-1] != 3
        view = img.transpose(1, 2, 0) if first else img
        whole = img.dtype.kind in "iu"
        pixels = view if img.dtype == np.uint8 else np.clip(np.rint(view * (1 if whole else 255)), 0, 255)
        people = instances_of([self], len(self.parts))
        names = tuple(member.name for member in self.parts)
        skeleton = Skeleton(names, tuple((int(a), int(b)) for a, b in self.limbs))
        colors = None if self.colors is None else np.array(self.colors, np.uint8)
        drawn = draw_instances(pixels.astype(np.uint8), people, skeleton, threshold=0.0, colors=colors)
        view[...] = drawn if whole else drawn / 255
        return img

    draw_human = draw

    def print(self) -> None:
        """Print one line a keypoint."""
        for part in self.body_parts.values():
            print(f"body-part:{part.get_part_name()} x:{part.x} y:{part.y} score:{part.score}")

    def __str__(self) -> str:
        return " ".join(str(part) for part in self.body_parts.values())


def humans_of(
    people: Instances, parts: type[Enum], limbs: Sequence[Sequence[int]], colors: Sequence[Sequence[int]] | None
) -> list[Human]:
    """Predicted instances of one view as HyperPose's objects.

    Args:
        people: ``(N, ...)``; those without any keypoint only fill up an axis and are left out.
        parts: The enumeration of the keypoints.
        limbs: What is drawn between them.
        colors: One a keypoint.

    Returns:
        One a person.
    """
    arrays = people.numpy()
    found: list[Human] = []
    for n in np.flatnonzero((arrays.visible > 0).any(-1)).tolist():
        body: dict[int, BodyPart] = {}
        for k in np.flatnonzero(np.isfinite(arrays.keypoints[n]).all(-1)).tolist():
            sure = 1.0 if arrays.keypoint_scores is None else float(arrays.keypoint_scores[n, k])
            x, y = (float(value) for value in arrays.keypoints[n, k])
            body[k] = BodyPart(parts, len(body), k, x, y, sure)
        score = None if arrays.scores is None else float(arrays.scores[n])
        found.append(Human(parts, limbs, colors, body, score, len(found), len(found)))
    return found


def instances_of(humans: Iterable[Any], count: int) -> Instances:
    """HyperPose's objects as instances of one view, the surest first.

    Args:
        humans: Objects with ``body_parts`` and ``get_score``, as :class:`Human` has them.
        count: Number of keypoints; parts beyond are left out.

    Returns:
        ``(N, K, 2)`` with scores.
    """
    order = sorted(humans, key=lambda human: -float(human.get_score()))
    keypoints = np.full((len(order), count, 2), np.nan, np.float32)
    scores = np.zeros((len(order), count), np.float32)
    for row, human in enumerate(order):
        for k, part in cast(Mapping[int, Any], human.body_parts).items():
            if 0 <= int(k) < count:
                keypoints[row, int(k)] = part.x, part.y
                scores[row, int(k)] = part.score
    total = np.array([human.get_score() for human in order], np.float32)
    return Instances.from_keypoints(keypoints, keypoint_scores=scores, scores=total)
