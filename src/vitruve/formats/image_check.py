"""Labels beside their images: which images are not there, which keypoints cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vitruve.errors import InputError
from vitruve.media.images import image_size
from vitruve.structures.labels import ImageRef, Labels


def missing_images(labels: Labels, embedded: Callable[[ImageRef], object | None] | None = None) -> list[str]:
    """One sentence if images or videos that labels name are not there, else none.

    Predictions are not judged: they are of use without their images.

    Args:
        labels: The labels.
        embedded: Gives the pixels of images that lie inside the label file, None where there are none.

    Returns:
        The sentence, with how many there are and the first of them.
    """
    labelled = [frame for frame in labels if frame.instances.keypoint_scores is None]
    lost, named = absent_images(replace(labels, frames=tuple(labelled)))
    missing = [image for image in lost if embedded is None or embedded(image) is None]
    if not missing:
        return []
    first = labels.path(missing[0])
    return [f"{len(missing)} of {named} images are not there (first: {first}); the labels still name them"]


def absent_images(labels: Labels) -> tuple[list[ImageRef], int]:
    """The images that labels name and that are not there.

    Args:
        labels: The labels.

    Returns:
        These images, and how many are named in all.
    """
    named = [image for frame in labels for image in frame.images if not image.missing]
    there = {path: path.is_file() for path in {labels.path(image) for image in named}}
    return [image for image in named if not there[labels.path(image)]], len(named)


def impossible_keypoints(labels: Labels) -> list[str]:
    """One sentence if labelled keypoints lie outside their image, else none.

    Predictions are not judged: a network may well put a hidden part beyond the edge.

    Args:
        labels: The labels. Where an image is not there, coordinates below zero are outside.

    Returns:
        The sentence, with how many there are and the first of them.
    """
    count, first = 0, ""
    for frame in labels:
        if frame.instances.keypoint_scores is not None:
            continue
        limits = np.array([_size(labels, image) for image in frame.images])[:, None, None, :] - 0.5
        points = frame.instances.keypoints[..., :2]
        with np.errstate(invalid="ignore"):
            outside = ((points < -0.5) | (points > limits)).any(-1)
        if outside.any() and not first:
            view, instance, keypoint = np.argwhere(outside)[0]
            x, y = points[view, instance, keypoint]
            first = f"{frame.images[view].name}: {labels.skeleton.names[keypoint]} at x = {x:g}, y = {y:g}"
        count += int(outside.sum())
    if not count:
        return []
    return [f"{count} keypoints lie outside their image (first: {first}); training treats them as unlabelled"]


def _size(labels: Labels, image: ImageRef) -> tuple[float, float]:
    """Width and height, infinite where they are not known."""
    if image.size is not None:
        return image.size
    path = labels.path(image)
    if image.index is not None or not path.is_file():
        return np.inf, np.inf
    try:
        return image_size(path)
    except InputError:
        return np.inf, np.inf
