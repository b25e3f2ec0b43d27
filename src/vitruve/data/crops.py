"""Boxes of labelled images: from tables, or around the labels themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitruve.data.augment import Augmentation
from vitruve.data.crop_settings import CropSettings
from vitruve.errors import ConfigError, InputError
from vitruve.formats.bbox_file import BoxTable, read_boxes, write_boxes
from vitruve.geometry.boxes import boxes_around, edges, fill_gaps, whole_image
from vitruve.structures.labels import ImageRef, Labels


def with_table_boxes(labels: Labels, files: Sequence[Path]) -> Labels:
    """Labels whose images have the boxes of tables.

    Args:
        labels: The frames.
        files: One table a view.

    Returns:
        The same frames.

    Raises:
        ConfigError: There are more or fewer tables than views.
        InputError: A table is not as it should be, or has no box for an image.
    """
    views = len(labels[0].images)
    if len(files) != views:
        raise ConfigError(f"data.bbox_file: {len(files)} tables of boxes for {views} views; give one a view")
    tables = [read_boxes(file) for file in files]
    boxes = [
        [_box_of(table, image) for table, image in zip(tables, frame.images, strict=True)] for frame in labels.frames
    ]
    return _with(labels, np.array(boxes))


def with_label_boxes(labels: Labels, settings: CropSettings, anchors: Sequence[int], aspect: float) -> Labels:
    """Labels whose images have boxes around what is labelled in them.

    A frame without any labelled anchor shows the whole image. Where one alone is labelled, which has no extent, the box
    has the size that is usual in that view.

    Args:
        labels: The frames, with the sizes of their images; of several instances all are in the box.
        settings: The section ``crop``.
        anchors: Columns of the keypoints that count.
        aspect: Width over height of the network's input.

    Returns:
        The same frames.
    """
    rule = settings.rule(aspect)
    points = labels.keypoints()[..., list(anchors), :]
    count, views = points.shape[:2]
    boxes = np.empty((count, views, 4))
    for view in range(views):
        made = boxes_around(points[:, view].reshape(count, -1, 2), None, rule)
        usual = np.full(2, np.nan) if np.isnan(made[:, 2]).all() else np.nanmedian(made[:, 2:], 0)
        made[:, 2:] = np.where(np.isnan(made[:, 2:]), usual, made[:, 2:])
        for row, frame in enumerate(labels.frames):
            size = frame.images[view].size
            if np.isnan(made[row]).any() and size is not None:
                made[row] = whole_image(size, aspect)
        boxes[:, view] = edges(fill_gaps(made))
    return _with(labels, boxes)


def jittered(changes: Augmentation, settings: CropSettings) -> Augmentation:
    """Augmentation that also moves the borders of boxes, where those come from labels, which know no error.

    Args:
        changes: As ``training.imgaug`` asks for.
        settings: The section ``crop``.

    Returns:
        The augmentation.
    """
    if not settings.from_labels or settings.jitter == 0:
        return changes
    share = max(settings.jitter, changes.crop_pad_share if changes.crop_pad else 0.0)
    return replace(changes, crop_pad=1.0, crop_pad_share=share)


def boxes_files(folder: Path, labels: Labels) -> list[Path]:
    """Where the boxes of labelled images are kept, one table a view: ``bbox.csv``, or ``bboxes_<view>.csv``."""
    if len(labels[0].images) == 1:
        return [folder / "bbox.csv"]
    names = labels.view_names or [str(view) for view in range(len(labels[0].images))]
    return [folder / f"bboxes_{name}.csv" for name in names]


def keep_boxes(labels: Labels, folder: Path) -> None:
    """Write the boxes of labelled images, where they have some.

    Args:
        labels: The frames.
        folder: Where to; see :func:`boxes_files`.

    Raises:
        InputError: A file cannot be written.
    """
    if any(image.box is None for frame in labels for image in frame.images):
        return
    for view, file in enumerate(boxes_files(folder, labels)):
        images = [frame.images[view] for frame in labels if not frame.images[view].missing]
        write_boxes(file, [_key(image) for image in images], np.array([image.box for image in images]))


def _with(labels: Labels, boxes: np.ndarray) -> Labels:
    frames = []
    for frame, row in zip(labels.frames, boxes.tolist(), strict=True):
        images = tuple(replace(image, box=tuple(box)) for image, box in zip(frame.images, row, strict=True))
        frames.append(replace(frame, images=images))
    return replace(labels, frames=tuple(frames))


def _box_of(table: BoxTable, image: ImageRef) -> np.ndarray:
    if image.missing:
        width, height = image.size or (1, 1)
        return np.array([-0.5, -0.5, width - 0.5, height - 0.5])
    try:
        return table.of_image(_key(image))
    except InputError as error:
        raise InputError(f"data.bbox_file: {error}") from error


def _key(image: ImageRef) -> str:
    """How tables name an image; several videos may have a frame of the same number."""
    return image.path.as_posix() if image.index is None else f"{image.path.as_posix()}:{image.index}"
