"""Object keypoint similarity, and the average precision that COCO measures with it.

The definitions are those of https://cocodataset.org/#keypoints-eval, and the numbers those of its reference
implementation: areas, crowds, people without keypoints and ties are treated in the same way.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from vitruve.structures.instances import Instances

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""The similarities from which a prediction counts as right."""
MOST = 20
"""Predictions an image that count, the best by score."""
AREAS: dict[str, tuple[float, float]] = {"all": (0, 1e10), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
"""Sizes of people that are looked at apart, in square pixels."""

_RECALLS = np.linspace(0, 1, 101)
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
    limits = np.array(list(AREAS.values()))
    counted = np.zeros(len(limits), int)
    scores, right, ignored = [], [], []
    for truth, found in images:
        truth, found = _there(truth), _there(found)
        beside, known = _ignored(truth, limits), instance_scores(found)
        counted += (~beside).sum(1)
        order = np.argsort(-known, kind="stable")[:most]
        found = found[order]
        sizes = _spans(found)
        crowds = np.zeros(len(truth.keypoints), bool) if truth.crowds is None else np.asarray(truth.crowds, bool)
        match = assign(similarity(found.keypoints, truth, sigmas), beside, crowds, thresholds)
        outside = (sizes < limits[:, :1]) | (sizes > limits[:, 1:])
        hit = match >= 0
        passed = np.take_along_axis(np.pad(beside, ((0, 0), (0, 1)))[:, None], np.where(hit, match, beside.shape[1]), 2)
        scores.append(known[order])
        right.append(hit)
        ignored.append(passed | (~hit & outside[:, None]))
    together = np.concatenate(scores) if scores else np.zeros(0)
    shape = (len(limits), len(thresholds))
    order = np.argsort(-together, kind="stable")
    hits = np.concatenate([np.zeros((*shape, 0), bool), *right], 2)[..., order]
    beside = np.concatenate([np.zeros((*shape, 0), bool), *ignored], 2)[..., order]
    rows, curves = [], np.full((*shape, len(_RECALLS)), np.nan)
    for a, area in enumerate(AREAS):
        for t, threshold in enumerate(thresholds):
            precision, recall = np.nan, np.nan
            if counted[a]:
                curves[a, t], recall = _curve(hits[a, t], beside[a, t], counted[a])
                precision = curves[a, t].mean()
            rows.append((area, threshold, int(counted[a]), precision, recall))
    return AveragePrecision(pd.DataFrame(rows, columns=["area", "oks", "people", "precision", "recall"]), curves)


def assign(
    similar: Float[np.ndarray, "M N"],
    ignored: Bool[np.ndarray, "A N"],
    crowds: Bool[np.ndarray, " N"],
    thresholds: Sequence[float] = THRESHOLDS,
) -> Int[np.ndarray, "A T M"]:
    """Whom each prediction finds: greedily, the best prediction first, each person once.

    Args:
        similar: Of M predictions, the best first, with N labelled instances.
        ignored: Which of them need not be found, for each of A ways to look; they are taken only where nobody else is
            left.
        crowds: Which of them may be found any number of times.
        thresholds: The least similarity.

    Returns:
        ``(A, T, M)`` numbers of instances, -1 for nobody.
    """
    result = np.full((len(ignored), len(thresholds), len(similar)), -1)
    if not similar.size:
        return result
    least = np.minimum(np.array(thresholds), 1 - 1e-10)[:, None]
    taken = np.zeros((len(ignored), len(thresholds), similar.shape[1]), bool)
    last = similar.shape[1] - 1
    for number, row in enumerate(similar):
        free = (row >= least) & (~taken | crowds)
        wanted = free & ~ignored[:, None]
        pool = np.where(wanted.any(-1, keepdims=True), wanted, free)
        # Of equally similar ones the last is taken, as the reference implementation does.
        best = last - np.where(pool, row, -1.0)[..., ::-1].argmax(-1)
        found = pool.any(-1)
        result[..., number] = np.where(found, best, -1)
        a, t = np.nonzero(found)
        taken[a, t, best[a, t]] = True
    return result


def _ignored(truth: Instances, limits: Float[np.ndarray, "A 2"]) -> Bool[np.ndarray, "A N"]:
    sizes = instance_areas(truth)
    bare = ~(np.asarray(truth.visible) > 0).any(-1)
    crowds = bare if truth.crowds is None else bare | np.asarray(truth.crowds, bool)
    return np.asarray(crowds | (sizes < limits[:, :1]) | (sizes > limits[:, 1:]))


def _spans(found: Instances) -> Float[np.ndarray, " M"]:
    """Areas of the boxes around predicted keypoints: what COCO takes for their size."""
    boxes = instance_boxes(Instances(found.keypoints, found.visible))
    return np.asarray(np.nan_to_num(boxes[:, 2:] - boxes[:, :2]).prod(-1))


def _there(instances: Instances) -> Instances:
    """Without places that nobody takes; a crowd needs no keypoints to be there."""
    here = np.asarray(instances.present)
    for values in (instances.crowds, instances.areas):
        here = here if values is None else here | (np.nan_to_num(np.asarray(values, np.float64)) > 0)
    return instances if here.all() else instances[here]


def _curve(right: np.ndarray, ignored: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    """Precision at 101 recalls, each the best of that recall or more, and the recall reached."""
    hits, misses = np.cumsum(right & ~ignored), np.cumsum(~right & ~ignored)
    recall = hits / count
    precision = np.maximum.accumulate((hits / (hits + misses + _TINY))[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    values = np.where(places < len(precision), np.append(precision, 0)[places], 0)
    return values, float(recall[-1]) if len(recall) else 0.0
