"""Average precision and recall of boxes with classes, as COCO has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.evaluation.average_precision import THRESHOLDS, Compared, measure
from vitruve.evaluation.oks import (
    instance_areas,
    instance_boxes,
    instance_classes,
    instance_crowds,
    instance_scores,
)
from vitruve.geometry.boxes import overlaps
from vitruve.structures.instances import Instances

Images = Iterable[tuple[Instances, Instances]]
"""Truth and predictions of *every* image of a set, ``(N, ...)`` and ``(M, ...)`` of one view each."""

LIMITS = (1, 10, 100)
"""Predictions of a class an image that count, the best by score; all figures but recalls are of the last."""
AREAS: dict[str, tuple[float, float]] = {
    "all": (0, 1e10),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e10),
}
"""Sizes of objects that are looked at apart, in square pixels."""


@dataclass(frozen=True, eq=False)
class BoxPrecision:
    """How well objects were found, over all images.

    Attributes:
        table: One row a class (its number), area and threshold: ``class``, ``area``, ``iou``, ``objects`` (labelled
            ones of that size), ``precision`` (averaged over 101 recalls) and ``recall`` (the highest reached); NaN
            where none of the class and size is labelled.
        curves: ``(C, A, T, 101)`` precision of each at recalls from 0 to 1, NaN where there is none.
        recalls: The mean of the highest recall reached over classes and thresholds, by the number of predictions of a
            class an image.
    """

    table: pd.DataFrame
    curves: Float[np.ndarray, "C A T 101"]
    recalls: dict[int, float]

    @property
    def summary(self) -> dict[str, float]:
        """COCO's twelve figures, from 0 to 1, NaN where undefined.

        ``AP``, ``AP50``, ``AP75``, ``APs``, ``APm``, ``APl``, ``AR1``, ``AR10``, ``AR100`` (or other limits), ``ARs``,
        ``ARm``, ``ARl``: each the mean over the classes of which something is labelled.
        """
        figures = _figures(self.table)
        several = {f"AR{limit}": recall for limit, recall in self.recalls.items()}
        return {name: figures[name] for name in _PRECISIONS} | several | {name: figures[name] for name in _RECALLS}

    @property
    def by_class(self) -> pd.DataFrame:
        """One row a class: ``class``, ``objects``, and ``AP``, ``AP50``, ``AP75``, ``APs`` and so on, and of ``AR``."""
        rows = []
        for number, table in self.table.groupby("class"):
            objects = int(table.loc[table["area"] == "all", "objects"].iloc[0])
            rows.append({"class": number, "objects": objects, **_figures(table)})
        return pd.DataFrame(rows)


_PRECISIONS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
_RECALLS = ("ARs", "ARm", "ARl")


def box_average_precision(
    images: Images, classes: int, thresholds: Sequence[float] = THRESHOLDS, limits: Sequence[int] = LIMITS
) -> BoxPrecision:
    """Average precision and recall by intersection over union, as COCO has them.

    Args:
        images: All images. A labelled object that is a crowd need not be found; what lies within one is neither right
            nor wrong.
        classes: How many classes there are.
        thresholds: The intersections over union from which a prediction is right.
        limits: Predictions of a class an image that count, ascending.

    Returns:
        The figures.
    """
    areas = np.array(list(AREAS.values()), np.float64)
    measured = [measure(each, areas, thresholds, limits) for each in compared_by_class(images, classes)]
    rows = [
        (number, area, threshold, int(one.counts[a]), one.curves[a, t].mean(), one.recalls[-1, a, t])
        for number, one in enumerate(measured)
        for a, area in enumerate(AREAS)
        for t, threshold in enumerate(thresholds)
    ]
    recalls = np.array([one.recalls[:, 0] for one in measured]).reshape(classes, len(limits), len(thresholds))
    return BoxPrecision(
        pd.DataFrame(rows, columns=["class", "area", "iou", "objects", "precision", "recall"]),
        np.stack([one.curves for one in measured]) if measured else np.zeros((0, len(AREAS), len(thresholds), 101)),
        {limit: _mean(recalls[:, place].ravel()) for place, limit in enumerate(limits)},
    )


def compared_by_class(images: Images, classes: int) -> list[list[Compared]]:
    """Predictions beside labels, class by class.

    Args:
        images: All images.
        classes: How many classes there are.

    Returns:
        For each class the images in which there is any of it, labelled or predicted.
    """
    result: list[list[Compared]] = [[] for _ in range(classes)]
    for truth, found in images:
        compared = compare_boxes(truth, found)
        for number in np.union1d(compared.classes, compared.true_classes).tolist():
            if 0 <= number < classes:
                result[number].append(compared.of_class(number))
    return result


def compare_boxes(truth: Instances, found: Instances) -> Compared:
    """Predicted boxes of an image beside the labelled ones; of an instance without a box, that around its keypoints.

    Args:
        truth: ``(N, ...)`` of one view.
        found: ``(M, ...)`` of the same view.

    Returns:
        Those that have a box. How much of a prediction lies within a crowd is what makes them alike.
    """
    wanted, boxes, known = instance_boxes(truth), instance_boxes(found), instance_scores(found)
    columns = np.flatnonzero(np.isfinite(wanted).all(-1))
    rows = np.flatnonzero(np.isfinite(boxes).all(-1))
    rows = rows[np.argsort(-known[rows], kind="stable")]
    crowds, boxes = instance_crowds(truth)[columns], boxes[rows]
    return Compared(
        overlaps(boxes, wanted[columns], crowds),
        known[rows],
        np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(-1)),
        instance_areas(truth)[columns],
        crowds,
        crowds,
        instance_classes(found)[rows],
        instance_classes(truth)[columns],
        rows,
        columns,
    )


def _figures(table: pd.DataFrame) -> dict[str, float]:
    """Means over classes and thresholds."""
    result = {}
    for short, column in (("AP", "precision"), ("AR", "recall")):
        every = table[table["area"] == "all"]
        result[short] = _mean(every[column])
        result |= {f"{short}{round(100 * t)}": _mean(every.loc[every["iou"] == t, column]) for t in (0.5, 0.75)}
        for area in ("small", "medium", "large"):
            result[short + area[0]] = _mean(table.loc[table["area"] == area, column])
    return result


def _mean(values: pd.Series | np.ndarray) -> float:
    """Of those that are there."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")
