"""The parts of labelled images that are looked at: instances by their boxes, or whole images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from vitruve.data.images import ImageCache
from vitruve.data.object_boxes import box_labels
from vitruve.errors import InputError
from vitruve.geometry.affine import Size, area
from vitruve.geometry.warp import Warp
from vitruve.structures.labels import Labels

Of = Literal["instances", "images"]

_LEAST = 8.0
"""Side of the square around an instance at least, in pixels: less has no content."""


@dataclass(frozen=True)
class Crop:
    """A part of one view of one frame.

    Attributes:
        frame: Number of the frame in its labels.
        view: Number of the view.
        box: Edges ``x1 y1 x2 y2`` of the part in pixels; None for the whole image.
        category: Number of the instance's class; -1 where that is not known.
    """

    frame: int
    view: int
    box: tuple[float, float, float, float] | None = None
    category: int = -1


def crops_of(labels: Labels, of: Of = "instances", most: int | None = None, seed: int = 0) -> list[Crop]:
    """The parts of labelled images that are looked at.

    An instance is the square around the middle of its box, as wide as the box's longer side; without a box, that of
    the box around its labelled keypoints. Crowds are left out. A view without instances gives its whole image.

    Args:
        labels: Any labels.
        of: ``instances``, or ``images`` for each view's whole image.
        most: Crops at most; of more, so many are drawn, but at least one of every frame.
        seed: Of the draw.

    Returns:
        The crops, frame by frame.

    Raises:
        InputError: There is no frame.
    """
    if not len(labels):
        raise InputError(f"{labels.root}: these labels hold no frame; there is nothing to look at")
    boxed = box_labels(labels) if of == "instances" else labels
    found: list[Crop] = []
    for number, frame in enumerate(boxed):
        for view, image in enumerate(frame.images):
            if image.missing:
                continue
            before = len(found)
            if of == "instances":
                found += _instances(boxed, number, view)
            if len(found) == before:
                found.append(Crop(number, view))
    return found if most is None or len(found) <= most else _drawn(found, most, seed)


def crop_images(
    labels: Labels, crops: Sequence[Crop], size: int, cache: ImageCache | None = None
) -> Iterator[UInt8[np.ndarray, "{size} {size} 3"]]:
    """The pixels of crops, each stretched to a square.

    A crop that sticks out of its image is moved inside, and is no larger than it: black borders would be what tells
    pictures apart.

    Args:
        labels: Where the crops are from.
        crops: In the order of their frames, so that each image is read once.
        size: Side of the square in pixels.
        cache: Decoded images; None keeps none but the last.

    Yields:
        RGB.

    Raises:
        InputError: An image cannot be read.
    """
    cache = cache or ImageCache(0)
    last: tuple[int, int] | None = None
    pixels = np.zeros((0, 0, 3), np.uint8)
    for crop in crops:
        if (crop.frame, crop.view) != last:
            pixels = cache.read(labels, labels[crop.frame].images[crop.view])
            last = (crop.frame, crop.view)
        whole = (pixels.shape[1], pixels.shape[0])
        box = None if crop.box is None else _inside(crop.box, whole)
        yield Warp(area(whole, (size, size), box), (size, size)).image(pixels)


def _inside(box: tuple[float, float, float, float], size: Size) -> tuple[float, float, float, float]:
    low, high = np.array(box[:2]), np.array(box[2:])
    side = np.minimum(high - low, size)
    low = np.clip(low + (high - low - side) / 2, -0.5, np.array(size) - 0.5 - side)
    x1, y1, x2, y2 = (float(value) for value in (*low, *(low + side)))
    return x1, y1, x2, y2


def _instances(labels: Labels, number: int, view: int) -> list[Crop]:
    instances = labels[number].instances
    assert instances.boxes is not None
    crops = []
    for place, box in enumerate(instances.boxes[view].astype(np.float64)):
        crowd = instances.crowds is not None and bool(instances.crowds[view, place])
        if np.isnan(box).any() or crowd:
            continue
        middle = (box[:2] + box[2:]) / 2
        half = max(float((box[2:] - box[:2]).max()), _LEAST) / 2
        x1, y1, x2, y2 = (float(value) for value in (*(middle - half), *(middle + half)))
        category = -1 if instances.categories is None else int(instances.categories[view, place])
        crops.append(Crop(number, view, (x1, y1, x2, y2), category))
    return crops


def _drawn(crops: Sequence[Crop], most: int, seed: int) -> list[Crop]:
    order = np.random.default_rng(seed).permutation(len(crops))
    _, first = np.unique([crops[i].frame for i in order], return_index=True)
    more = np.delete(order, first)[: max(0, most - len(first))]
    return [crops[i] for i in np.sort(np.concatenate([order[first], more]))]
