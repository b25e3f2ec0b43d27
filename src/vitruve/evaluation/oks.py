"""Object keypoint similarity, and the average precision that COCO measures with it.

The definitions are those of https://cocodataset.org/#keypoints-eval, and the numbers those of its reference
implementation; see :mod:`vitruve.evaluation.average_precision`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from vitruve.evaluation.average_precision import THRESHOLDS, Compared, measure
from vitruve.structures.instances import Instances

MOST = 20
"""Predictions an image that count, the best by score."""
AREAS: dict[str, tuple[float, float]] = {"all": (0, 1e10), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
"""Sizes of people that are looked at apart, in square pixels."""

_TINY = np.spacing(1)


def similarity(
    found: Float[np.ndarray, "M K 2"], truth: Instances, sigmas: Float[np.ndarray, " K"]
) -> Float[np.ndarray, "M N"]:
    """Object keypoint similarity (OKS) of each prediction with each labelled instance.

    It is the mean over the labelled keypoints of ``exp(-d^2 / (2 area (2 sigma)^2))``. Instances without a labelled
    keypoint are compared by their box: what lies within one three times as wide and high is wholly similar.

    Args:
        found: ``(M, K, 2)`` in pixels; a keypoint that is NaN is as far off as can be.
        truth: ``(N, ...)`` of one view.
        sigmas: One constant a keypoint.

    Returns:
        ``(M, N)`` from 0 to 1.
    """
    points = np.asarray(found, np.float64)
    labelled = np.asarray(np.asarray(truth.visible) > 0)
    wanted = np.where(labelled[..., None], np.asarray(truth.keypoints, np.float64), 0)
    square = (np.nan_to_num(points, nan=np.inf)[:, None] - wanted) ** 2
    bare = np.asarray(~labelled.any(-1))
    if bare.any():
        boxes = instance_boxes(truth)[bare]
        sides = boxes[:, 2:] - boxes[:, :2]
        low, high = boxes[:, :2] - sides, boxes[:, 2:] + sides
        beyond = np.maximum(low[:, None] - points[:, None], 0) + np.maximum(points[:, None] - high[:, None], 0)
        square[:, bare] = np.nan_to_num(beyond, nan=np.inf) ** 2
        labelled = labelled | bare[:, None]
    scale = (2 * np.asarray(sigmas, np.float64)) ** 2 * (instance_areas(truth)[:, None] + _TINY) * 2
    each = np.exp(-square.sum(-1) / scale)
    return np.asarray((each * labelled).sum(-1) / np.maximum(labelled.sum(-1), 1))


def instance_boxes(instances: Instances) -> Float[np.ndarray, "N 4"]:
    """The box of each instance, or else the one around its keypoints.

    Args:
        instances: ``(N, ...)`` of one view.

    Returns:
        ``(N, 4)`` as ``x1 y1 x2 y2`` in pixels, NaN where neither is there.
    """
    points = np.asarray(instances.keypoints, np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        around = np.concatenate([np.nanmin(points, 1, initial=np.inf), np.nanmax(points, 1, initial=-np.inf)], -1)
    around = np.where(np.isfinite(around).all(-1, keepdims=True), around, np.nan)
    if instances.boxes is None:
        return around
    return np.where(np.isnan(instances.boxes).any(-1, keepdims=True), around, np.asarray(instances.boxes, np.float64))


def instance_areas(instances: Instances) -> Float[np.ndarray, " N"]:
    """What each instance covers; where that is unknown, the area of its box (:func:`instance_boxes`).

    Args:
        instances: ``(N, ...)`` of one view.

    Returns:
        ``(N,)`` in square pixels, 0 where nothing is known.
    """
    boxes = instance_boxes(instances)
    sides = np.nan_to_num(boxes[:, 2:] - boxes[:, :2])
    area = sides.prod(-1)
    return area if instances.areas is None else np.where(np.isnan(instances.areas), area, instances.areas)


def instance_scores(instances: Instances) -> Float[np.ndarray, " N"]:
    """The confidence of each predicted instance, or else the mean one of its keypoints.

    Args:
        instances: ``(N, ...)`` of one view.

    Returns:
        ``(N,)``; 1 where there is neither.
    """
    if instances.scores is not None:
        return np.asarray(instances.scores, np.float64)
    if instances.keypoint_scores is None:
        return np.ones(len(instances.keypoints))
    scores = np.asarray(instances.keypoint_scores, np.float64)
    return np.asarray(np.nansum(scores, -1) / np.maximum((~np.isnan(scores)).sum(-1), 1))


def instance_crowds(instances: Instances) -> Bool[np.ndarray, " N"]:
    """Which instances stand for many: those marked as such.

    Args:
        instances: ``(N, ...)`` of one view.

    Returns:
        ``(N,)``.
    """
    count = len(instances.keypoints)
    return np.zeros(count, bool) if instances.crowds is None else np.asarray(instances.crowds, bool)


def instance_classes(instances: Instances) -> Int[np.ndarray, " N"]:
    """The class of each instance; 0 where there are no classes.

    Args:
        instances: ``(N, ...)`` of one view.

    Returns:
        ``(N,)``.
    """
    count = len(instances.keypoints)
    return np.zeros(count, np.int64) if instances.categories is None else np.asarray(instances.categories, np.int64)


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """How well people were found, over all images.

    Attributes:
        table: One row an area and threshold: ``area``, ``oks``, ``people`` (labelled ones of that size), ``precision``
            (averaged over 101 recalls) and ``recall`` (the highest reached); NaN where nobody of that size is labelled.
        curves: ``(A, T, 101)`` precision of each area and threshold at recalls from 0 to 1, NaN where there is none.
    """

    table: pd.DataFrame
    curves: Float[np.ndarray, "A T 101"]

    @property
    def summary(self) -> dict[str, float]:
        """``AP``, ``AP50``, ``AP75``, ``APm``, ``APl``, and the same of ``AR``; from 0 to 1, NaN where undefined."""
        result = {}
        for short, column in (("AP", "precision"), ("AR", "recall")):
            every = self.table[self.table["area"] == "all"].set_index("oks")[column]
            result[short] = float(every.mean())
            result |= {f"{short}{round(100 * t)}": float(every.get(t, np.nan)) for t in (0.5, 0.75)}
            for area, letter in (("medium", "m"), ("large", "l")):
                result[short + letter] = float(self.table.loc[self.table["area"] == area, column].mean())
        return result


def average_precision(
    images: Iterable[tuple[Instances, Instances]],
    sigmas: Float[np.ndarray, " K"],
    thresholds: Sequence[float] = THRESHOLDS,
    most: int = MOST,
) -> AveragePrecision:
    """Average precision and recall by object keypoint similarity, as COCO has them.

    Args:
        images: Truth and predictions of *every* image of the set, ``(N, ...)`` and ``(M, ...)`` of one view. An image
            in which nobody is predicted counts: whoever is labelled there is missed.
        sigmas: One constant a keypoint.
        thresholds: The similarities from which a prediction is right.
        most: Predictions an image that count.

    Returns:
        The figures.
    """
    limits = np.array(list(AREAS.values()), np.float64)
    compared = [compare_keypoints(truth, found, sigmas) for truth, found in images]
    measured = measure(compared, limits, thresholds, (most,))
    rows = [
        (area, threshold, int(measured.counts[a]), measured.curves[a, t].mean(), measured.recalls[0, a, t])
        for a, area in enumerate(AREAS)
        for t, threshold in enumerate(thresholds)
    ]
    table = pd.DataFrame(rows, columns=["area", "oks", "people", "precision", "recall"])
    return AveragePrecision(table, measured.curves)


def compare_keypoints(truth: Instances, found: Instances, sigmas: Float[np.ndarray, " K"]) -> Compared:
    """Predicted instances of an image beside the labelled ones, by their keypoints.

    Args:
        truth: ``(N, ...)`` of one view. Who has no labelled keypoint need not be found.
        found: ``(M, ...)`` of the same view.
        sigmas: One constant a keypoint.

    Returns:
        Those that are there.
    """
    columns, known = np.flatnonzero(_is_there(truth)), instance_scores(found)
    rows = np.flatnonzero(_is_there(found))
    rows = rows[np.argsort(-known[rows], kind="stable")]
    truth, found = truth[columns], found[rows]
    crowds = instance_crowds(truth)
    return Compared(
        similarity(found.keypoints, truth, sigmas),
        known[rows],
        _spans(found),
        instance_areas(truth),
        crowds | ~np.asarray((np.asarray(truth.visible) > 0).any(-1)),
        crowds,
        instance_classes(found),
        instance_classes(truth),
        rows,
        columns,
    )


def _spans(found: Instances) -> Float[np.ndarray, " M"]:
    """Areas of the boxes around predicted keypoints: what COCO takes for their size."""
    boxes = instance_boxes(Instances(found.keypoints, found.visible))
    return np.asarray(np.nan_to_num(boxes[:, 2:] - boxes[:, :2]).prod(-1))


def _is_there(instances: Instances) -> Bool[np.ndarray, " N"]:
    """Which places are not only there to fill an axis; a crowd needs no keypoints to be there."""
    here = np.asarray(instances.present)
    for values in (instances.crowds, instances.areas):
        here = here if values is None else here | (np.nan_to_num(np.asarray(values, np.float64)) > 0)
    return here
