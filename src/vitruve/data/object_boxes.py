"""Labels as a detector learns them: boxes with classes, and what follows from how large they are."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vitruve.data.tile_settings import TileSettings
from vitruve.errors import ConfigError
from vitruve.geometry.affine import Size
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton

_MULTIPLE = 32
_LONGEST = 1333.0
"""Longer side of the input at most, as of torchvision's detectors, where no object would become too small by it."""
_SMALLEST = 16.0
"""Side of an object in the input, below which it is hardly seen; one in twenty may be smaller."""
_QUANTILE = 0.05
_MARGIN = 0.1


def box_labels(labels: Labels) -> Labels:
    """The same frames without keypoints, their instances as boxes with classes.

    Where an instance has no box, it is the one around its keypoints, a tenth of its sides wider on each of them. Those
    of which neither is known are left out, and so are boxes of no extent.

    Args:
        labels: With boxes, keypoints or both; without categories all instances are of the first.

    Returns:
        The labels, whose skeleton has no keypoint.
    """
    frames, flat = [], 0
    for frame in labels:
        given = frame.instances
        boxes = _boxes(given)
        with np.errstate(invalid="ignore"):
            sides = boxes[..., 2:] - boxes[..., :2]
            good = (sides > 0).all(-1)
        flat += int((np.isfinite(sides).all(-1) & ~good).sum())
        kept = good.any(0)
        boxes = np.where(good[..., None], boxes, np.nan)[:, kept].astype(np.float32)
        categories = np.zeros(good.shape, np.int64) if given.categories is None else given.categories
        nothing = np.zeros((*boxes.shape[:2], 0, 2), np.float32)
        arrays = {
            name: array[:, kept]
            for name in ("scores", "tracks", "areas", "crowds", "ids")
            if (array := getattr(given, name)) is not None
        }
        instances = Instances(
            nothing,
            np.zeros(nothing.shape[:-1], np.int8),
            boxes=boxes,
            categories=np.where(good, categories, -1)[:, kept],
            **arrays,
        )
        frames.append(replace(frame, instances=instances, instances_3d=None))
    if flat:
        warnings.warn(f"{flat} labelled boxes have no width or no height and are left out", stacklevel=2)
    return replace(labels, skeleton=Skeleton(()), frames=tuple(frames))


def _boxes(given: Instances) -> Float[np.ndarray, "V N 4"]:
    shape = given.keypoints.shape
    around = np.full((*shape[:2], 4), np.nan)
    if shape[2]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            points = np.where((given.visible > 0)[..., None], given.keypoints[..., :2], np.nan)
            low, high = np.nanmin(points, 2), np.nanmax(points, 2)
        around = np.concatenate([low - _MARGIN * (high - low), high + _MARGIN * (high - low)], -1)
    if given.boxes is None:
        return around
    return np.where(np.isnan(given.boxes).any(-1, keepdims=True), around, given.boxes)


def check_boxes(labels: Labels, name: str) -> None:
    """Make sure that there is something for a detector to learn.

    Args:
        labels: As :func:`box_labels` gives them.
        name: Of the algorithm, for messages.

    Raises:
        ConfigError: No box is labelled.
    """
    if not any(np.isfinite(frame.instances.boxes).any() for frame in labels if frame.instances.boxes is not None):
        raise ConfigError(
            f"model.model_type={name}: learns boxes, but no object is labelled with a box or with keypoints; give "
            "COCO's json with bbox, for instance"
        )


def input_size(labels: Labels, tiles: TileSettings | None) -> Size:
    """Width and height of a detector's input that suit the labels.

    It is the usual size of the images, made smaller where they are large and the objects in them stay large enough.

    Args:
        labels: As :func:`box_labels` gives them, with the sizes of their images.
        tiles: Where they are looked at in tiles, which keep their size.

    Returns:
        Multiples of 32 pixels.
    """
    if tiles is not None:
        side = -(-tiles.size // _MULTIPLE) * _MULTIPLE
        return side, side
    sizes = np.array([image.shown_size for frame in labels for image in frame.images if image.size is not None])
    width, height = np.median(sizes, 0)
    sides = np.sqrt(np.concatenate([np.prod(each, -1) for each in _sides(labels)]))
    needed = _SMALLEST / float(np.quantile(sides, _QUANTILE)) if len(sides) else 0.0
    scale = min(1.0, max(_LONGEST / max(width, height), needed))
    across, down = (max(_MULTIPLE, round(scale * side / _MULTIPLE) * _MULTIPLE) for side in (width, height))
    return across, down


def box_sizes(labels: Labels, size: Size, tiles: TileSettings | None) -> Float[np.ndarray, "n 2"]:
    """Widths and heights of all labelled objects in pixels of the network's input.

    Args:
        labels: As :func:`box_labels` gives them, with the sizes of their images.
        size: Width and height of the input.
        tiles: Where images are looked at in tiles. Objects that are larger than the overlap count in the whole image
            as well, where that is looked at; others in tiles alone.

    Returns:
        All above 0.
    """
    found = [np.zeros((0, 2))]
    for frame, sides in zip(labels, _sides(labels), strict=True):
        shown = frame.images[0].shown_size
        if shown is None:
            continue
        whole = min(size[0] / shown[0], size[1] / shown[1])
        if tiles is None or max(shown) <= tiles.size:
            found.append(sides * whole)
            continue
        longer = sides.max(1, initial=0)
        found.append(sides[longer <= tiles.size] * min(size) / tiles.size)
        if tiles.whole:
            found.append(sides[longer > tiles.overlap * tiles.size] * whole)
    return np.concatenate(found)


def _sides(labels: Labels) -> list[Float[np.ndarray, "n 2"]]:
    result = []
    for frame in labels:
        boxes = np.zeros((0, 4)) if frame.instances.boxes is None else frame.instances.boxes.reshape(-1, 4)
        sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
        result.append(sides[np.isfinite(sides).all(-1)])
    return result
