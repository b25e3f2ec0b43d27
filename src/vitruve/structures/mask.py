"""Parts of an image, as lengths of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True, eq=False)
class Mask:
    """A part of an image.

    Attributes:
        size: Width and height of the image, in pixels.
        runs: How many pixels in turn do not belong to it and do, beginning with those that do not, column by column
            from the top left: COCO's uncompressed run-length code.

    Raises:
        ValueError: The runs do not add up to the image.
    """

    size: tuple[int, int]
    runs: Int[np.ndarray, " R"]

    def __post_init__(self) -> None:
        width, height = self.size
        if int(self.runs.sum()) != width * height or (self.runs < 0).any():
            raise ValueError(f"runs of {int(self.runs.sum())} pixels for an image of {width} x {height}")

    @classmethod
    def from_array(cls, inside: Bool[np.ndarray, "H W"]) -> Mask:
        """The mask of an image's true pixels."""
        flat = inside.T.ravel()
        edges = np.flatnonzero(np.diff(flat)) + 1
        runs = np.diff(np.concatenate([[0], edges, [flat.size]]))
        if flat.size and flat[0]:
            runs = np.concatenate([[0], runs])
        return cls((inside.shape[1], inside.shape[0]), runs)

    @classmethod
    def from_intervals(cls, size: tuple[int, int], starts: Int[np.ndarray, " I"], ends: Int[np.ndarray, " I"]) -> Mask:
        """The mask of all pixels in any of some intervals.

        Args:
            size: Width and height of the image.
            starts: Numbers of first pixels, counted column by column from the top left.
            ends: Of each interval, the number after its last pixel. Intervals may overlap, and be empty.

        Returns:
            The mask.
        """
        places = np.concatenate([starts, ends])
        steps = np.repeat([1, -1], [len(starts), len(ends)])
        order = np.argsort(places, kind="stable")
        places, depth = places[order], np.cumsum(steps[order])
        # Where several begin or end at one pixel, what holds behind all of them counts.
        last = np.flatnonzero(np.diff(places, append=-1))
        inside = depth[last] > 0
        edges = places[last][np.diff(inside, prepend=False)]
        return cls(size, np.diff(np.concatenate([[0], edges, [size[0] * size[1]]])))

    @classmethod
    def union(cls, masks: Sequence[Mask]) -> Mask:
        """What belongs to any of several masks of the same image."""
        bounds = [np.cumsum(mask.runs) for mask in masks]
        starts = np.concatenate([ends[:-1:2] for ends in bounds])
        ends = np.concatenate([ends[1::2] for ends in bounds])
        return cls.from_intervals(masks[0].size, starts, ends)

    def array(self) -> Bool[np.ndarray, "H W"]:
        """True for each pixel that belongs to it."""
        width, height = self.size
        belongs = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(belongs, self.runs).reshape(width, height).T

    @property
    def area(self) -> int:
        """How many pixels belong to it."""
        return int(self.runs[1::2].sum())

    def __or__(self, other: Mask) -> Mask:
        """What belongs to one or the other, of the same image."""
        return Mask.union([self, other])

    def __and__(self, other: Mask) -> Mask:
        """What belongs to both, of the same image."""
        return ~(~self | ~other)

    def __invert__(self) -> Mask:
        """What does not belong to it."""
        runs = self.runs[1:] if len(self.runs) > 1 and self.runs[0] == 0 else np.concatenate([[0], self.runs])
        return Mask(self.size, runs)
