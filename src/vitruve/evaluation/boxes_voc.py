"""Average precision of boxes as PASCAL VOC has it, at any intersection over union.

M. Everingham, L. Van Gool, C. K. I. Williams, J. Winn and A. Zisserman, "The PASCAL Visual Object Classes (VOC)
Challenge" (2010): the area below the curve from 2010 on, eleven recalls before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from vitruve.evaluation.average_precision import Compared
from vitruve.evaluation.boxes import Images, compared_by_class

_ELEVEN = np.linspace(0, 1, 11)
# A recall of 3/10 reaches 0.3, whatever both are as binary fractions.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class VocPrecision:
    """How well objects of each class were found.

    Attributes:
        table: One row a class (its number): ``class``, ``objects`` (labelled), ``right`` and ``wrong`` predictions,
            ``AP`` (the area below the curve), ``AP11`` (the mean at eleven recalls); NaN where nothing of it is
            labelled.
        curves: ``(P, 2)`` recall and precision after each prediction, the best first, of each class.
    """

    table: pd.DataFrame
    curves: tuple[Float[np.ndarray, "_ 2"], ...]


def voc_average_precision(images: Images, classes: int, iou: float = 0.5) -> VocPrecision:
    """Average precision at one intersection over union.

    A prediction is of the object of its class that it overlaps most, right where it is the best one of it, wrong where
    another was better: unlike COCO's, it does not fall back on the next object. Within a crowd it does not count.

    Args:
        images: All images.
        classes: How many classes there are.
        iou: From which intersection over union a prediction is right.

    Returns:
        The figures.
    """
    rows, curves = [], []
    for number, compared in enumerate(compared_by_class(images, classes)):
        objects = sum(int((~each.ignored).sum()) for each in compared)
        right, counted = _right(compared, iou)
        hits = np.cumsum(right[counted])
        curve = np.stack([hits / max(objects, 1), hits / np.arange(1, len(hits) + 1)], 1)
        good = int(right[counted].sum())
        area, eleven = (_area(curve), _eleven(curve)) if objects else (np.nan, np.nan)
        rows.append((number, objects, good, int(counted.sum()) - good, area, eleven))
        curves.append(curve)
    columns = ["class", "objects", "right", "wrong", "AP", "AP11"]
    return VocPrecision(pd.DataFrame(rows, columns=columns), tuple(curves))


def _right(images: Sequence[Compared], iou: float) -> tuple[Bool[np.ndarray, " P"], Bool[np.ndarray, " P"]]:
    """Whether each prediction of all images, the best first, is right, and whether it counts."""
    scores, right, counted = [np.zeros(0)], [np.zeros(0, bool)], [np.zeros(0, bool)]
    for image in images:
        apart = np.where(image.ignored, -1.0, image.similar)
        best = apart.argmax(1) if apart.shape[1] else np.zeros(len(apart), int)
        alike = apart.max(1, initial=-1.0) >= iou
        # Predictions of an image come the best first: the first one of an object finds it.
        first = np.zeros(len(apart), bool)
        first[np.flatnonzero(alike)[np.unique(best[alike], return_index=True)[1]]] = True
        within = np.where(image.ignored, image.similar, -1.0).max(1, initial=-1.0) >= iou
        scores.append(image.scores)
        right.append(first)
        counted.append(alike | ~within)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return np.concatenate(right)[order], np.concatenate(counted)[order]


def _area(curve: Float[np.ndarray, "P 2"]) -> float:
    """Below the curve, precision being the best of that recall or more."""
    best = np.maximum.accumulate(curve[::-1, 1])[::-1]
    return float((np.diff(curve[:, 0], prepend=0.0) * best).sum())


def _eleven(curve: Float[np.ndarray, "P 2"]) -> float:
    """The mean at recalls of 0, .1, .2 and so on, of the best precision at that recall or more."""
    reached = curve[:, 0] >= _ELEVEN[:, None] - _ROUNDING
    return float(np.where(reached, curve[:, 1], 0.0).max(1, initial=0.0).mean())
