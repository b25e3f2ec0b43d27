"""Which frames come before and after a labelled one: Lightning Pose's rule, by the number in an image's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vitruve.algorithms.base import Needs
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.structures.labels import ImageRef, Labels

Exists = Callable[[ImageRef], bool]

_NUMBER = re.compile(r"(\d+)(?!.*\d)")
_COMPARED = 24
"""About how many labelled images are compared with their neighbours."""
_FEWEST = 4
"""Fewer tell nothing."""
_SIDE = 16
"""Of the small pictures that are compared, px: small enough for noise to average out."""
_ALIKE = 0.85
"""Share of the difference between any two images of a folder from which on two are no neighbours."""
_VISIBLE = 3.0
"""Levels: in a recording where everything differs by less, noise is all that is compared."""


def window(image: ImageRef, reach: int, exists: Exists) -> list[ImageRef]:
    """An image with its neighbours in time.

    The last number in the name of an image is that of its frame; its neighbours have the numbers before and after it,
    written with as many digits, and lie beside it. Numbers stop at 0. A neighbour that is not there is replaced by
    the image itself. Of a frame of a video they are the frames before and after it; beyond the video's ends, its first
    and its last one.

    Args:
        image: The one in the middle.
        reach: How many frames before it, and after it.
        exists: Whether an image, or a frame of a video, is there.

    Returns:
        ``2 * reach + 1`` images in the order of time.
    """
    found = (neighbour(image, step, exists) if step else image for step in range(-reach, reach + 1))
    return [image if each is None else each for each in found]


def neighbour(image: ImageRef, step: int, exists: Exists) -> ImageRef | None:
    """The image some frames before or after another; see :func:`window`.

    Args:
        image: The other one.
        step: How many frames later.
        exists: Whether an image, or a frame of a video, is there.

    Returns:
        The image; None where it is not there.
    """
    if image.index is not None:
        wanted = max(0, image.index + step)
        for index in range(wanted, min(wanted, image.index) - 1, -1):  # back from beyond the video's end
            if exists(replace(image, index=index)):
                return replace(image, index=index)
        return None
    digits = _NUMBER.search(image.path.stem)
    if digits is None:
        return None
    number = max(0, int(digits[0]) + step)
    padded, plain = f"{number:0{len(digits[0])}d}", str(number)
    # img10 comes after img09, or after img9; but img010 only after img009.
    for written in (padded,) if digits[0].startswith("0") else (padded, plain):
        stem = image.path.stem[: digits.start()] + written + image.path.stem[digits.end() :]
        other = replace(image, path=image.path.with_name(stem + image.path.suffix))
        if exists(other):
            return other
    return None


def check_context(labels: Labels, needs: Needs, cache: ImageCache, name: str) -> str | None:
    """Look for the neighbours of all labelled frames before the first batch does.

    Args:
        labels: All frames.
        needs: What the algorithm asks for.
        cache: Knows what is there.
        name: The algorithm's name, for messages.

    Returns:
        A line that says how many frames lack neighbours; None where none does, or none are asked for.

    Raises:
        InputError: No frame has a single one.
    """
    if needs.context == 0:
        return None
    steps = [step for step in range(-needs.context, needs.context + 1) if step]
    images = [image for frame in labels if frame.split != "unused" for image in frame.images]
    lacking, missing = [], 0
    for image in images:
        gone = sum(neighbour(image, step, lambda each: cache.holds(labels, each)) is None for step in steps)
        missing += gone
        lacking += [image] * (gone > 0)
    if not lacking:
        return None
    first = labels.path(lacking[0])
    advice = f"copy the {needs.context} frames before and after each beside it, with as many digits in their names"
    if missing == len(images) * len(steps):
        raise InputError(
            f"{first}: has no context frames, nor has any other of the {len(images)} labelled images, but "
            f"model.model_type={name} learns from neighbouring frames; {advice}, or take an algorithm of single frames"
        )
    return (
        f"context frames: {len(lacking)} of {len(images)} labelled images lack some ({missing} in all; first: "
        f"{first}), and are seen themselves in their place; {advice}"
    )


def check_neighbours(labels: Labels, needs: Needs, cache: ImageCache) -> str | None:
    """Look whether images that are neighbours by their numbers look like neighbours in time.

    Where images were numbered while they were labelled, a neighbour is no more like a labelled image than any other
    labelled image of its folder is. A few images, evenly chosen, and small pictures of them are enough to tell.

    Args:
        labels: All frames.
        needs: What the algorithm asks for.
        cache: Decoded images.

    Returns:
        A line that says so; None where neighbours look like neighbours, too little is there to tell, or none are
        asked for.

    Raises:
        InputError: An image cannot be read.
    """
    if needs.context == 0:
        return None
    # The first view will do: the others were recorded and numbered with it. Frames of videos are what they say.
    images = [frame.images[0] for frame in labels if frame.split != "unused"]
    images = [image for image in images if image.index is None and not image.missing]
    images = images[:: max(1, len(images) // _COMPARED)]
    small = [_thumbnail(cache.read(labels, image)) for image in images]
    near, far = [], []
    for image, own in zip(images, small, strict=True):
        beside = [neighbour(image, step, lambda each: cache.holds(labels, each)) for step in (-1, 1)]
        to_near = [
            _difference(own, _thumbnail(cache.read(labels, each))) for each in beside if each not in (None, image)
        ]
        to_far = [
            _difference(own, other)
            for each, other in zip(images, small, strict=True)
            if each.path.parent == image.path.parent and each not in (image, *beside)
        ]
        if to_near and to_far:
            near.append(np.median(to_near))
            far.append(np.median(to_far))
    if len(near) < _FEWEST or np.median(near) < max(_ALIKE * np.median(far), _VISIBLE):
        return None
    return (
        f"context frames: the images numbered before and after a labelled one look as different from it as other "
        f"labelled images do (by {np.median(near):.0f} and {np.median(far):.0f} of 255 levels), so they seem not to be "
        "its neighbours in a video; copy the true neighbours beside them, or take model.model_type=heatmap"
    )


def _thumbnail(image: np.ndarray) -> np.ndarray:
    small = image
    for axis in (0, 1):
        starts = np.arange(_SIDE) * image.shape[axis] // _SIDE
        sizes = np.diff(starts, append=image.shape[axis]).clip(1)
        small = np.add.reduceat(small, starts, axis, np.float32) / np.expand_dims(sizes, tuple({0, 1, 2} - {axis}))
    return small


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())
