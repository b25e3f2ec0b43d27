"""Predictions of labelled images as files: tables, COCO's json, its results and submissions, pictures."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitruve.atomic import atomic_path, atomic_write
from vitruve.evaluation.oks import instance_boxes, instance_classes
from vitruve.formats import coco
from vitruve.formats.box_table import detections_of, write_boxes
from vitruve.formats.coco_results import results_name, write_results
from vitruve.formats.hub import write_labels
from vitruve.formats.table import to_frame, write_h5
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, Labels
from vitruve.visualize.boxes import draw_boxes
from vitruve.visualize.draw import draw_instances, instance_colors

_IMAGES = re.compile(r"(?:train|val|test-dev|test)20\d\d")
_USUAL = "val2017"


def write_table(
    predictions: Labels,
    table: Path,
    *,
    several: bool,
    view: int = 0,
    split: bool = False,
    formats: Sequence[str] = ("csv",),
) -> None:
    """Write the predictions of one view.

    Args:
        predictions: The frames.
        table: The CSV file; HDF5 and COCO's json go beside it.
        several: Any number of instances is found an image.
        view: Which of the views.
        split: Add the split of each image, where one instance is found.
        formats: ``csv`` is always written; ``h5`` and ``coco`` where named.

    Raises:
        InputError: A file cannot be written.
    """
    one = predictions if len(predictions[0].images) == 1 else predictions.views([view])
    if not len(predictions.skeleton):
        write_boxes(table, detections_of(one), predictions.categories)
    elif several:
        write_labels(one, table, "deeplabcut")
    else:
        frame = to_frame(predictions, likelihood=True, split=split, view=view)
        atomic_write(table, frame.to_csv(float_format="%.4f"))
    if "h5" in formats and several:
        write_labels(one, table.with_suffix(".h5"), "deeplabcut")
    elif "h5" in formats:
        write_h5(table, table.with_suffix(".h5"))
    if "coco" in formats:
        write_labels(replace(one, view_names=()), table.with_suffix(".json"), "coco")


def write_coco_results(predictions: Labels, folder: Path, labels: Path | None, algorithm: str) -> list[Path]:
    """Write what COCO's evaluation takes, and of ``test-dev`` what its server does.

    Images and categories have the numbers that a COCO file gives them. Where the images are those of a file of another
    format, or of several files, whose numbers may clash, they are 1, 2, 3 in the order of the labels.

    Args:
        predictions: One view of the frames.
        folder: Where to.
        labels: The one label file that all of them are from, or None. Its name says the set of images; ``val2017``
            where it does not.
        algorithm: What made them.

    Returns:
        ``person_keypoints_<set>_<algorithm>_results.json``, ``detections_...`` of boxes, and for ``test-dev`` the zip
        file with it alone.

    Raises:
        InputError: A file cannot be written.
    """
    truth = labels if labels is not None and coco.sniff(labels) else None
    if truth is None:
        frames = tuple(replace(frame, id=number) for number, frame in enumerate(predictions, 1))
        predictions = replace(predictions, frames=frames)
    found = None if labels is None else _IMAGES.search(labels.stem)
    images = found.group() if found else _USUAL
    file = folder / results_name(images, algorithm, boxes=not len(predictions.skeleton))
    write_results(predictions, file, truth)
    if not images.startswith("test-dev"):
        return [file]
    archive = file.with_suffix(".zip")
    with atomic_path(archive) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as out:
        out.write(file, file.name)
    return [file, archive]


def write_pictures(
    predictions: Labels, folder: Path, read: Callable[[Frame], np.ndarray], count: int, threshold: float
) -> list[Path]:
    """Draw predictions of the first images: each instance in a colour of its own, boxes in that of their class.

    Args:
        predictions: The frames.
        folder: Where ``<image>_result.png`` go.
        read: Gives the pixels of the first view of a frame.
        count: How many at most.
        threshold: Likelihood from which keypoints, and score from which boxes are drawn, 0 to 1.

    Returns:
        The files.

    Raises:
        InputError: An image cannot be read or written.
    """
    files = []
    for frame in predictions.frames[:count]:
        drawn = _drawn(read(frame), frame.instances[0], predictions, threshold)
        image = frame.first_image
        name = image.path.stem if image.index is None else f"{image.path.stem}_{image.index:06d}"
        files.append(folder / f"{name}_result.png")
        write_image(files[-1], drawn)
    return files


def _drawn(image: np.ndarray, found: Instances, predictions: Labels, threshold: float) -> np.ndarray:
    if not len(predictions.skeleton):
        boxes, classes = instance_boxes(found), instance_classes(found)
        return draw_boxes(image, boxes, classes, predictions.categories, found.scores, threshold)
    colors = np.repeat(instance_colors(range(len(found.keypoints)))[:, None], found.num_keypoints, 1)
    return draw_instances(image, found, predictions.skeleton, threshold=threshold, colors=colors)
