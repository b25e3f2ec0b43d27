"""What is labelled, counted: classes, sizes, keypoints, images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from vitruve.data.object_boxes import box_labels
from vitruve.errors import InputError
from vitruve.media.images import image_size
from vitruve.media.video import is_video
from vitruve.structures.instances import OCCLUDED, VISIBLE
from vitruve.structures.labels import Frame, ImageRef, Labels

NO_SPLIT = "no split"
"""In place of the split of frames that have none."""

SMALL, LARGE = 32.0, 96.0
"""Sides between which COCO calls an object medium, in pixels."""

_ABOUT = ("frame", "image", "view", "session", "split")


def instance_table(labels: Labels) -> pd.DataFrame:
    """What is labelled, a row for each instance in each view.

    Sizes are those of boxes; without a box, of that around the labelled keypoints, a tenth wider on each side.

    Args:
        labels: Any labels.

    Returns:
        ``frame`` (its number), ``image``, ``view``, ``session``, ``split``, ``class``, ``width``, ``height`` and
        ``side`` (root of their product) in pixels, ``keypoints`` (how many are labelled), ``occluded`` (how many of
        them). Crowds, and what has neither box nor keypoints, are left out.
    """
    rows: list[dict[str, Any]] = []
    joints = len(labels.skeleton)
    for number, frame in enumerate(labels):
        # One frame at a time: only then does each instance keep its row.
        boxed = box_labels(replace(labels, frames=(_numbered(frame),)))[0].instances
        assert boxed.boxes is not None and boxed.categories is not None and boxed.ids is not None
        visible = np.asarray(frame.instances.visible)
        for view, image in enumerate(frame.images):
            for place, box in enumerate(np.asarray(boxed.boxes[view], np.float64)):
                crowd = boxed.crowds is not None and bool(boxed.crowds[view, place])
                if image.missing or crowd or np.isnan(box).any():
                    continue
                width, height = float(box[2] - box[0]), float(box[3] - box[1])
                seen = visible[view, int(boxed.ids[view, place])] if joints else visible[view, :0]
                category = int(boxed.categories[view, place])
                rows.append(
                    {
                        "frame": number,
                        "image": image.name if image.index is None else f"{image.path.as_posix()} {image.index}",
                        "view": _view(labels, view),
                        "session": frame.session,
                        "split": frame.split or NO_SPLIT,
                        "class": labels.categories[category] if category < len(labels.categories) else "",
                        "width": width,
                        "height": height,
                        "side": float(np.sqrt(width * height)),
                        "keypoints": int((seen > 0).sum()),
                        "occluded": int((seen == OCCLUDED).sum()),
                    }
                )
    columns = (
        "frame",
        "image",
        "view",
        "session",
        "split",
        "class",
        "width",
        "height",
        "side",
        "keypoints",
        "occluded",
    )
    return pd.DataFrame(rows, columns=list(columns))


def image_table(labels: Labels) -> pd.DataFrame:
    """The labelled images, a row for each view of each frame.

    Args:
        labels: Any labels.

    Returns:
        ``frame``, ``image``, ``view``, ``session``, ``split``, ``width`` and ``height`` in pixels (NaN where that takes
        more than a look at the head of the file).
    """
    sizes: dict[ImageRef, tuple[float, float]] = {}
    rows = [
        {
            "frame": number,
            "image": image.name,
            "view": _view(labels, view),
            "session": frame.session,
            "split": frame.split or NO_SPLIT,
            **dict(zip(("width", "height"), sizes.setdefault(image, _size(labels, image)), strict=True)),
        }
        for number, frame in enumerate(labels)
        for view, image in enumerate(frame.images)
        if not image.missing
    ]
    return pd.DataFrame(rows, columns=[*_ABOUT, "width", "height"])


def keypoint_table(labels: Labels) -> pd.DataFrame:
    """How often each keypoint is labelled.

    Args:
        labels: Any labels.

    Returns:
        A row each: ``keypoint``, ``visible``, ``occluded``, ``unlabelled``. Instances without any keypoint are left
        out.
    """
    joints = len(labels.skeleton)
    counts = np.zeros((3, joints), np.int64)
    for frame in labels:
        visible = np.asarray(frame.instances.visible)
        # A size of -1 cannot be told where there is no keypoint, as in labels of boxes.
        seen = visible.reshape(int(np.prod(visible.shape[:-1])), joints)
        seen = seen[(seen > 0).any(-1)]
        counts += np.stack([(seen == VISIBLE).sum(0), (seen == OCCLUDED).sum(0), (seen == 0).sum(0)])
    names = dict(zip(("visible", "occluded", "unlabelled"), counts, strict=True))
    return pd.DataFrame({"keypoint": list(labels.skeleton.names), **names})


def per_image(images: pd.DataFrame, instances: pd.DataFrame) -> pd.DataFrame:
    """How many instances each image has, none included.

    Args:
        images: As :func:`image_table` gives them.
        instances: As :func:`instance_table` gives them.

    Returns:
        The images with a column ``instances``.
    """
    counts = instances.groupby(["frame", "view"]).size()
    keys = pd.MultiIndex.from_frame(images[["frame", "view"]])
    return images.assign(instances=counts.reindex(keys, fill_value=0).to_numpy(np.int64))


def _numbered(frame: Frame) -> Frame:
    """A frame whose instances are numbered by their place, which outlives that some are left out."""
    views, count = frame.instances.keypoints.shape[:2]
    numbers = np.tile(np.arange(count, dtype=np.int64), (views, 1))
    return replace(frame, instances=replace(frame.instances, ids=numbers))


def _view(labels: Labels, view: int) -> str:
    return labels.view_names[view] if labels.view_names else str(view)


def _size(labels: Labels, image: ImageRef) -> tuple[float, float]:
    if image.size is not None:
        return float(image.size[0]), float(image.size[1])
    path = labels.path(image)
    if is_video(path) or not path.is_file():
        return float("nan"), float("nan")
    try:
        width, height = image_size(path)
    except InputError:
        return float("nan"), float("nan")
    return float(width), float(height)
