"""Average precision on validation frames, of algorithms that find several instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from vitruve.algorithms.base import Algorithm
from vitruve.evaluation.boxes import box_average_precision
from vitruve.evaluation.oks import average_precision
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances, apply_matrix

Pair = tuple[Instances, Instances]
"""What is labelled and what is found in one view of one frame, in original pixels."""

_LEAST = 0.25
"""Share of an object that must lie in what is looked at (a tile, for instance) for it to be missed."""


def pairs(found: Instances, batch: Batch) -> list[Pair]:
    """Truth and predictions of each frame and view of a batch.

    Args:
        found: ``(B, V, N, ...)`` as decoded.
        batch: With truth, not augmented.

    Returns:
        One a view.
    """
    assert batch.truth is not None
    truth, found, to_image = batch.truth.numpy(), found.numpy(), batch.to_image.cpu().numpy()
    size = batch.input_size
    return [
        (_shown(truth[place], to_image[place], size), found[place]) for place in np.ndindex(*truth.keypoints.shape[:2])
    ]


def _shown(truth: Instances, to_image: np.ndarray, size: tuple[int, int]) -> Instances:
    """Boxes cut off where the input ends; one that is cut off too far need not be found."""
    if truth.boxes is None or truth.num_keypoints:
        return truth
    corners = np.array([[[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5]]])
    (low, high), whole = apply_matrix(to_image, corners)[0], truth.boxes
    boxes = np.concatenate([np.clip(whole[:, :2], low, high), np.clip(whole[:, 2:], low, high)], 1)
    areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (boxes, whole)]
    crowds = np.zeros(len(boxes), bool) if truth.crowds is None else truth.crowds
    with np.errstate(invalid="ignore"):
        gone = ~(areas[0] > 0)
        crowds = crowds | (areas[0] < _LEAST * areas[1])
    return replace(truth, boxes=boxes, areas=None, crowds=crowds)[~gone]


def figures(seen: list[Pair], algorithm: Algorithm) -> dict[str, float]:
    """``AP`` and ``AP50`` of boxes or keypoints, from 0 to 1; nothing of algorithms that find one instance.

    Args:
        seen: Of all validation frames.
        algorithm: Says what was found.

    Returns:
        Numbers by name.
    """
    if algorithm.needs.boxes:
        found = box_average_precision(seen, len(algorithm.task.categories)).summary
    elif algorithm.needs.instances:
        found = average_precision(seen, algorithm.task.skeleton.oks_sigmas).summary
    else:
        return {}
    return {name: found[name] for name in ("AP", "AP50") if found[name] == found[name]}


def judged_by(algorithm: Algorithm) -> tuple[str, Literal["min", "max"]]:
    """What tells the best epoch.

    Losses of detectors rise while they get better: the more regions show an object, the more there is to be told of
    them.

    Args:
        algorithm: What is trained.

    Returns:
        The name of a figure of validation, and whether its lowest or its highest value is the best.
    """
    return ("val_AP", "max") if algorithm.needs.boxes else ("val_supervised_loss", "min")


def validation_cost(metrics: Mapping[str, Any], algorithm: Algorithm) -> float | None:
    """The figure of :func:`judged_by` as something to be lowered.

    Args:
        metrics: The trainer's latest figures.
        algorithm: What is trained.

    Returns:
        The loss, or how much the average precision lacks to 1; None where there is no such figure.
    """
    name, mode = judged_by(algorithm)
    value = metrics.get(name)
    if value is None:
        return None
    return float(value) if mode == "min" else 1 - float(value)
