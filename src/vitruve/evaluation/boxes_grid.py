"""Precision, recall and F1 of each class over thresholds on confidence and on intersection over union; confusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from vitruve.evaluation.boxes import Images
from vitruve.evaluation.oks import instance_classes, instance_scores
from vitruve.evaluation.verdicts import ALIKE, Kind, judge_boxes

CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""OBDB's thresholds on confidence."""
IOUS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""OBDB's thresholds on intersection over union."""
METRICS = ("precision", "recall", "f1")
"""What is drawn for each class."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Right, wrong and missing predictions of each class over all images.

    Attributes:
        confidences: The least confidence of a prediction that counts.
        ious: From which intersection over union it is right.
        right: ``(C, S, I)`` by class, confidence and intersection over union.
        wrong: ``(C, S, I)`` the others; those within a crowd are none.
        missing: ``(C, S, I)`` labelled objects that no prediction is right about.
    """

    confidences: tuple[float, ...]
    ious: tuple[float, ...]
    right: Int[np.ndarray, "C S I"]
    wrong: Int[np.ndarray, "C S I"]
    missing: Int[np.ndarray, "C S I"]

    @cached_property
    def precision(self) -> Float[np.ndarray, "C S I"]:
        """Which share of predictions is right; NaN where nothing is predicted."""
        return _share(self.right, self.right + self.wrong)

    @cached_property
    def recall(self) -> Float[np.ndarray, "C S I"]:
        """Which share of objects is found; NaN where nothing is labelled."""
        return _share(self.right, self.right + self.missing)

    @cached_property
    def f1(self) -> Float[np.ndarray, "C S I"]:
        """The harmonic mean of precision and recall; NaN where nothing is predicted nor labelled."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missing)

    def content(self, names: Sequence[str]) -> dict[str, Any]:
        """What OBDB writes to ``class_metrics.json``.

        Args:
            names: Of the classes.

        Returns:
            ``{class: {metric: {confidence: {iou: value}}}}`` with the metrics ``TP``, ``FP``, ``FN``, ``precision``,
            ``recall`` and ``f1``; None where a metric is not defined.
        """
        arrays = {"TP": self.right, "FP": self.wrong, "FN": self.missing}
        arrays |= {name: getattr(self, name) for name in METRICS}
        return {
            label: {
                metric: {
                    f"{confidence:g}": {f"{iou:g}": _plain(values[c, s, i]) for i, iou in enumerate(self.ious)}
                    for s, confidence in enumerate(self.confidences)
                }
                for metric, values in arrays.items()
            }
            for c, label in enumerate(names)
        }


def score_grid(
    images: Images, classes: int, confidences: Sequence[float] = CONFIDENCES, ious: Sequence[float] = IOUS
) -> Grid:
    """Count over a grid of thresholds. Each object is found once, by a prediction of its class.

    Args:
        images: All images.
        classes: How many classes there are.
        confidences: The least confidence of a prediction that counts, for each row.
        ious: From which intersection over union it is right, for each column.

    Returns:
        The counts.
    """
    least = np.array(confidences, np.float64)
    right, wrong, missing = np.zeros((3, classes, len(confidences), len(ious)), np.int64)
    for truth, found in images:
        labelled, predicted, scores = instance_classes(truth), instance_classes(found), instance_scores(found)
        enough = scores[:, None] >= least
        for place, iou in enumerate(ious):
            # Better predictions choose first, so that worse ones may be left out afterwards.
            verdicts = judge_boxes(truth, found, iou, min(iou, 0.1))
            hit = verdicts.kinds == Kind.CORRECT
            miss = verdicts.kinds > Kind.IGNORED
            np.add.at(right[..., place], predicted[hit], enough[hit])
            np.add.at(wrong[..., place], predicted[miss], enough[miss])
            np.add.at(missing[..., place], labelled[verdicts.counted], 1)
    return Grid(tuple(confidences), tuple(ious), right, wrong, missing - right)


def confusion(images: Images, names: Sequence[str], confidence: float = 0.5, iou: float = ALIKE) -> pd.DataFrame:
    """How often objects of each class are found as which.

    Each labelled object stands in one cell: where it was found, or else where it was mistaken for another class by the
    best prediction that is alike and of nothing else, or else in the last column.

    Args:
        images: All images.
        names: Of the classes.
        confidence: The least confidence of a prediction that counts.
        iou: From which intersection over union a prediction is of an object.

    Returns:
        One row a labelled class, one column a predicted one. The last row, ``(nothing)``, counts predictions of nothing
        that is labelled or that was found already; the last column, ``(missed)``, objects without a prediction.
    """
    count = len(names)
    table = np.zeros((count + 1, count + 1), np.int64)
    for truth, found in images:
        found = found[instance_scores(found) >= confidence]
        verdicts = judge_boxes(truth, found, iou, min(iou, 0.1))
        predicted = np.append(instance_classes(found), count)
        by = np.where(verdicts.found >= 0, verdicts.found, verdicts.mistaken)
        np.add.at(table, (instance_classes(truth)[verdicts.counted], predicted[by[verdicts.counted]]), 1)
        beside = verdicts.kinds > Kind.IGNORED
        beside[verdicts.mistaken[verdicts.mistaken >= 0]] = False
        np.add.at(table[count], predicted[:-1][beside], 1)
    return pd.DataFrame(table, index=[*names, "(nothing)"], columns=[*names, "(missed)"]).rename_axis("labelled")


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _plain(value: Any) -> int | float | None:
    number = value.item()
    return None if number != number else number
