"""What a split lets through: validation frames that are nearly the same as frames that train."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8

from vitruve.curation.clusters import distances
from vitruve.data.images import ImageCache
from vitruve.structures.labels import Frame, Labels
from vitruve.visualize.draw import contact_sheet
from vitruve.visualize.sheets import shrunk

_BLOCK = 1000
_SIDE = 320


@dataclass(frozen=True, eq=False)
class Leakage:
    """How near the frames of a split come to those that train.

    Attributes:
        table: One row for each frame of validation and test: ``image``, ``split``, ``nearest`` (the training frame that
            looks most alike), ``distance`` (1 is the median distance of two frames), ``similar`` (whether they are near
            duplicates), ``same_clip`` (whether the clip trains, too) and ``frames_apart`` (from the nearest training
            frame of the clip by its number, NaN without one). The most alike first.
        pairs: Numbers of the frames of each row, and of its nearest.
    """

    table: pd.DataFrame
    pairs: tuple[tuple[int, int], ...]

    def share(self, column: str = "similar", split: str = "validation") -> float:
        """How many frames of a split leak, as a share.

        Args:
            column: ``similar`` by looks, or ``same_clip`` by names.
            split: Which frames.

        Returns:
            0 to 1; NaN where the split is empty.
        """
        return float(self.table.loc[self.table["split"] == split, column].mean())


def leakage_of(
    labels: Labels, points: Float[np.ndarray, "F Q"], limit: float, typical: float, clips: Sequence[str]
) -> Leakage:
    """Compare each frame of validation and test with the training frame that looks most alike.

    Args:
        labels: Frames with splits.
        points: What each frame looks like.
        limit: Distance below which two frames are near duplicates.
        typical: The median distance of two frames, the unit of the table.
        clips: Which clip each frame is of.

    Returns:
        What was found; without a training frame, nothing.
    """
    split = np.array([frame.split or "" for frame in labels])
    train, held = np.flatnonzero(split == "train"), np.flatnonzero(np.isin(split, ("validation", "test")))
    numbers = np.array([frame_number(frame) for frame in labels])
    clip = np.array(clips)
    rows: list[dict[str, object]] = []
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(held) if len(train) else 0, _BLOCK):
        part = held[start : start + _BLOCK]
        away = distances(points[part], points[train])
        for row, number in zip(away, part, strict=True):
            place = int(row.argmin())
            pairs.append((int(number), int(train[place])))
            own = numbers[train[clip[train] == clip[number]]]
            rows.append(
                {
                    "image": _name(labels[int(number)]),
                    "split": split[number],
                    "nearest": _name(labels[int(train[place])]),
                    "distance": round(float(row[place] / typical), 6) if typical else 0.0,
                    "similar": bool(row[place] <= limit),
                    "same_clip": len(own) > 0,
                    "frames_apart": float(np.abs(own - numbers[number]).min()) if len(own) else np.nan,
                }
            )
    columns = ["image", "split", "nearest", "distance", "similar", "same_clip", "frames_apart"]
    table = pd.DataFrame(rows, columns=columns)
    order = np.argsort(table["distance"].to_numpy(np.float64), kind="stable")
    return Leakage(table.iloc[order].reset_index(drop=True), tuple(pairs[i] for i in order))


def worst_pairs(
    labels: Labels, leakage: Leakage, count: int = 8, cache: ImageCache | None = None
) -> UInt8[np.ndarray, "H W 3"] | None:
    """The pairs that look most alike: left the frame that is held out, right the one that trains.

    Args:
        labels: Where the frames are from.
        leakage: What :func:`leakage_of` found.
        count: Pairs at most.
        cache: Decoded images.

    Returns:
        RGB; None where there is no pair.

    Raises:
        InputError: An image cannot be read.
    """
    cache = cache or ImageCache(0)
    some = [number for pair in leakage.pairs[:count] for number in pair]
    shown = [shrunk(cache.read(labels, labels[number].first_image), _SIDE) for number in some]
    return contact_sheet(shown, 4) if shown else None


def frame_number(frame: Frame) -> int:
    """The number of a frame in its clip: in the video, or the last one in its file's name; 0 without any.

    Args:
        frame: The frame.

    Returns:
        The number.
    """
    image = frame.first_image
    digits = re.search(r"(\d+)(?!.*\d)", image.path.stem)
    return image.index if image.index is not None else int(digits[0]) if digits else 0


def _name(frame: Frame) -> str:
    image = frame.first_image
    return image.path.as_posix() + ("" if image.index is None else f"#{image.index}")
