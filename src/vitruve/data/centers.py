"""Labels of where animals are, from labels of their keypoints: what a locator for crops learns from."""

from __future__ import annotations

from dataclasses import replace

from vitruve.structures.instances import Instances
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton

CENTER = Skeleton.from_names(("center",))
"""The skeleton of an animal of which only the place matters."""


def center_labels(labels: Labels) -> Labels:
    """The middle of the box around the labelled keypoints of each instance, as its only keypoint.

    Args:
        labels: Of any keypoints.

    Returns:
        The same frames with :data:`CENTER`; without points in space, because the middle in an image is none.
    """
    middles = labels.centers()
    frames = []
    for frame, middle in zip(labels.frames, middles, strict=True):
        given = frame.instances
        points = middle[:, : given.keypoints.shape[1], None].astype(given.keypoints.dtype)
        kept = {name: getattr(given, name) for name in ("boxes", "categories", "tracks")}
        instances = replace(Instances.from_keypoints(points), **kept)
        frames.append(replace(frame, instances=instances, instances_3d=None))
    return replace(labels, skeleton=CENTER, frames=tuple(frames))
