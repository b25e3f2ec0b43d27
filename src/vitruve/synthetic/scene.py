"""What every rendered scene offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import UInt8

from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton


class Scene(Protocol):
    """Something that moves, seen in V views, whose keypoints are known exactly at any time."""

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of each instance."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every view, in pixels."""
        ...

    @property
    def duration(self) -> float:
        """How long the scene lasts, in seconds."""
        ...

    def render(self, time: float) -> tuple[UInt8[np.ndarray, "V H W 3"], Instances]:
        """Images and truth of one instant; the same time always gives the same pixels.

        Args:
            time: Seconds, from 0 to :attr:`duration`.

        Returns:
            RGB images ``(V, H, W, 3)`` and their truth ``(V, N, K, 2)`` in pixels. A keypoint outside its
            image is NaN and unlabelled; one behind something else is occluded.

        Raises:
            InputError: The time lies outside the scene.
        """
        ...
