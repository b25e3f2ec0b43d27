"""Large images as overlapping tiles. A tile is an image reference with a box, as a crop is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vitruve.data.tile_settings import TileSettings
from vitruve.geometry.affine import Size
from vitruve.structures.labels import Frame, Labels

Edges = tuple[float, float, float, float]


def tiles_of(size: Size, settings: TileSettings) -> list[Edges]:
    """The tiles of an image, the whole image last where it is one of them.

    They are as few as cover it with the overlap, spread evenly; where they cannot be, the overlap is larger.

    Args:
        size: Width and height of the image.
        settings: Of tiles.

    Returns:
        Edges ``x1 y1 x2 y2``, row by row. An image that is no larger than a tile is one.
    """
    whole = (-0.5, -0.5, size[0] - 0.5, size[1] - 0.5)
    columns, rows = (_starts(side, settings) for side in size)
    if len(columns) * len(rows) == 1:
        return [whole]
    width, height = (min(side, settings.size) for side in size)
    found = [(x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5) for y in rows for x in columns]
    return [*found, whole] if settings.whole else found


def _starts(side: int, settings: TileSettings) -> list[int]:
    rest = side - settings.size
    if rest <= 0:
        return [0]
    count = math.ceil(rest / (settings.size * (1 - settings.overlap))) + 1
    return np.linspace(0, rest, count).round().astype(int).tolist()


def tiled(labels: Labels, settings: TileSettings, seed: int = 0) -> Labels:
    """Labels in which each tile of an image is a frame, with all that is labelled in the image.

    Args:
        labels: One view; the sizes of their images are known.
        settings: Of tiles. Those in which the middle of no object lies are kept in part.
        seed: Of which are.

    Returns:
        The tiles of the first frame, then those of the next. A frame that has a box stays as it is.
    """
    rng = np.random.default_rng([seed, len(labels)])
    frames: list[Frame] = []
    for frame in labels:
        image = frame.images[0]
        if image.box is not None or image.size is None:
            frames.append(frame)
            continue
        edges = tiles_of(image.size, settings)
        keep = holding(frame, np.array(edges)) | (rng.random(len(edges)) < settings.empty)
        # Where an image shows nothing at all, that is learned from one of its tiles.
        keep[-1] |= not keep.any()
        frames += [
            replace(frame, images=(replace(image, box=each),)) for each, kept in zip(edges, keep, strict=True) if kept
        ]
    return replace(labels, frames=tuple(frames))


def holding(frame: Frame, edges: Float[np.ndarray, "n 4"]) -> np.ndarray:
    """In which boxes of an image the middle of an object lies.

    Args:
        frame: With boxes of objects in its first view.
        edges: The boxes.

    Returns:
        Bool ``(n,)``.
    """
    boxes = frame.instances.boxes
    if boxes is None:
        return np.ones(len(edges), bool)
    middles = (boxes[0, :, :2] + boxes[0, :, 2:]) / 2
    inside = (middles >= edges[:, None, :2]) & (middles <= edges[:, None, 2:])
    return np.asarray(inside.all(-1).any(1))
