"""The augmentor that users derive from: rotation, zoom, mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vitruve.geometry.affine import about_center, flip, letterbox, rotation, scaling
from vitruve.geometry.warp import Warp
from vitruve.structures.instances import Instances


class BasicAugmentor:
    """Changes images at random; users derive from it.

    Args:
        hin: Height of the result in pixels.
        win: Width of the result in pixels.
        angle_min: Least angle, in degrees.
        angle_max: Greatest angle, in degrees.
        zoom_min: Least zoom.
        zoom_max: Greatest zoom.
        flip_list: For each keypoint its partner in a mirror image; None for no mirror images.
        *args: Not looked at.
        **more: ``seed`` of the chance.
    """

    def __init__(
        self,
        hin: int,
        win: int,
        angle_min: float = -30,
        angle_max: float = 30,
        zoom_min: float = 0.5,
        zoom_max: float = 0.8,
        flip_list: Sequence[int] | None = None,
        *args: Any,
        **more: Any,
    ) -> None:
        self.hin, self.win = hin, win
        self.angles, self.zooms, self.flip_list = (angle_min, angle_max), (zoom_min, zoom_max), flip_list
        self._rng = np.random.default_rng(more.get("seed"))

    def process(self, image: Any, annos: Any, mask: Any, bbxs: Any = None) -> tuple[Any, ...]:
        """Change an image with what is known of it.

        Args:
            image: ``(H, W, 3)`` from 0 to 1.
            annos: ``(N, parts, 2)`` in pixels, -1000 where missing.
            mask: ``(H, W)`` 1 where something is known.
            bbxs: ``(N, 4)`` boxes ``x y w h``, or None.

        Returns:
            The same four of ``hin`` by ``win`` pixels. What was missing stays so.
        """
        height, width = np.shape(image)[:2]
        size = (self.win, self.hin)
        turn, zoom = self._rng.uniform(*self.angles), self._rng.uniform(*self.zooms)
        matrix = about_center(rotation(turn) @ scaling(1 / zoom, 1 / zoom), size) @ letterbox((width, height), size)
        mirrored = self.flip_list is not None and self._rng.random() < 0.5
        if mirrored:
            matrix = flip(size) @ matrix
        warp = Warp(matrix, size)
        pixels = warp.image(np.clip(np.rint(np.asarray(image) * 255), 0, 255).astype(np.uint8))
        known = warp.image(np.asarray(mask, np.uint8).reshape(height, width, 1) * 255)[..., 0] > 127
        people = np.asarray(annos, np.float64)
        people = people.reshape(len(people), -1, people.shape[-1]) if people.size else np.zeros((0, 1, 2))
        moved, boxes = _moved(people, matrix), None
        if mirrored and self.flip_list is not None:
            moved = moved[:, list(self.flip_list)]
        if bbxs is not None:
            corners = np.asarray(bbxs, np.float64).reshape(-1, 4)
            corners = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], 1)
            ends = Instances(np.zeros((len(corners), 1, 2)), np.zeros((len(corners), 1)), boxes=corners)
            found = np.asarray(ends.transformed(matrix).boxes)
            boxes = np.concatenate([found[:, :2], found[:, 2:] - found[:, :2]], 1)
        return pixels.astype(np.float32) / 255, moved, known.astype(np.uint8), boxes

    def process_only_image(self, image: Any) -> Any:
        """Change an image of which nothing is known."""
        none = np.zeros((0, 1, 2))
        return self.process(image, none, np.ones(np.shape(image)[:2], np.uint8))[0]


def _moved(people: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Keypoints elsewhere; those that are missing stay as they are, and so do further columns."""
    there = people[..., 0] > -500
    points = people[..., :2] @ matrix[:2, :2].T + matrix[:2, 2]
    return np.concatenate([np.where(there[..., None], points, people[..., :2]), people[..., 2:]], -1)
