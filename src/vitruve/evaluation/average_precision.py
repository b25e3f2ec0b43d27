"""Average precision and recall as COCO measures them, whatever likeness predictions are compared by.

The definitions are those of https://cocodataset.org/#detection-eval, and the numbers those of its reference
implementation: areas, crowds, what is not to be found, and ties are treated in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
"""The likenesses from which a prediction counts as right."""
RECALLS = np.linspace(0, 1, 101)
"""Where curves are read."""

_TINY = np.spacing(1)


@dataclass(frozen=True, eq=False)
class Compared:
    """What is predicted in one image beside what is labelled there.

    Attributes:
        similar: ``(M, N)`` likeness of each prediction, the best first, with each labelled instance, 0 to 1.
        scores: ``(M,)`` confidence, descending.
        sizes: ``(M,)`` of predictions, in square pixels.
        true_sizes: ``(N,)`` of labelled instances, in square pixels.
        ignored: ``(N,)`` which need not be found.
        crowds: ``(N,)`` which may be found any number of times; they need not be found.
        classes: ``(M,)`` predicted.
        true_classes: ``(N,)`` labelled.
        rows: ``(M,)`` which of the predictions as they were given each is.
        columns: ``(N,)`` which of the labelled instances as they were given each is.
    """

    similar: Float[np.ndarray, "M N"]
    scores: Float[np.ndarray, " M"]
    sizes: Float[np.ndarray, " M"]
    true_sizes: Float[np.ndarray, " N"]
    ignored: Bool[np.ndarray, " N"]
    crowds: Bool[np.ndarray, " N"]
    classes: Int[np.ndarray, " M"]
    true_classes: Int[np.ndarray, " N"]
    rows: Int[np.ndarray, " M"]
    columns: Int[np.ndarray, " N"]

    def of_class(self, number: int) -> Compared:
        """Predictions and instances of one class alone."""
        return self._taken(self.classes == number, self.true_classes == number)

    def best(self, count: int) -> Compared:
        """The best predictions alone."""
        return self._taken(np.arange(len(self.scores)) < count, np.ones(len(self.crowds), bool))

    def _taken(self, rows: np.ndarray, columns: np.ndarray) -> Compared:
        return replace(
            self,
            similar=self.similar[rows][:, columns],
            **{name: getattr(self, name)[rows] for name in ("scores", "sizes", "classes", "rows")},
            **{
                name: getattr(self, name)[columns]
                for name in ("true_sizes", "ignored", "crowds", "true_classes", "columns")
            },
        )


@dataclass(frozen=True, eq=False)
class Measured:
    """How well instances were found, over all images.

    Attributes:
        counts: ``(A,)`` labelled instances of each size.
        curves: ``(A, T, 101)`` precision of each size and threshold at recalls from 0 to 1, NaN where nothing is
            labelled.
        recalls: ``(L, A, T)`` the highest recall reached with each number of predictions an image, NaN likewise.
    """

    counts: Int[np.ndarray, " A"]
    curves: Float[np.ndarray, "A T 101"]
    recalls: Float[np.ndarray, "L A T"]


def measure(
    images: Sequence[Compared],
    areas: Float[np.ndarray, "A 2"],
    thresholds: Sequence[float],
    limits: Sequence[int],
) -> Measured:
    """Precision at 101 recalls, and the recall reached.

    Args:
        images: *Every* image of the set. One in which nothing is predicted counts: whatever is labelled there is
            missed.
        areas: The least and the largest size of instances that are looked at apart, in square pixels.
        thresholds: The likenesses from which a prediction is right.
        limits: Predictions an image that count, ascending; curves are of the last.

    Returns:
        The figures.
    """
    counts = np.zeros(len(areas), int)
    scores, ranks, right, ignored = [], [], [], []
    for image in images:
        image = image.best(limits[-1])
        beside = image.ignored | (image.true_sizes < areas[:, :1]) | (image.true_sizes > areas[:, 1:])
        counts += (~beside).sum(1)
        match = assign(image.similar, beside, image.crowds, thresholds)
        outside = (image.sizes < areas[:, :1]) | (image.sizes > areas[:, 1:])
        hit = match >= 0
        passed = np.take_along_axis(np.pad(beside, ((0, 0), (0, 1)))[:, None], np.where(hit, match, beside.shape[1]), 2)
        scores.append(image.scores)
        ranks.append(np.arange(len(image.scores)))
        right.append(hit)
        ignored.append(passed | (~hit & outside[:, None]))
    order = np.argsort(-np.concatenate([np.zeros(0), *scores]), kind="stable")
    rank = np.concatenate([np.zeros(0, int), *ranks])[order]
    nothing = np.zeros((len(areas), len(thresholds), 0), bool)
    hits, beside = (np.concatenate([nothing, *each], 2)[..., order] for each in (right, ignored))
    counted = np.where(counts, counts, np.nan)[:, None]
    recalls = np.stack([(hits & ~beside & (rank < most)).sum(-1) / counted for most in limits])
    curves = np.full((*nothing.shape[:2], len(RECALLS)), np.nan)
    for a, t in np.ndindex(*nothing.shape[:2]):
        if counts[a]:
            curves[a, t] = _curve(hits[a, t], beside[a, t], int(counts[a]))
    return Measured(counts, curves, recalls)


def assign(
    similar: Float[np.ndarray, "M N"],
    ignored: Bool[np.ndarray, "A N"],
    crowds: Bool[np.ndarray, " N"],
    thresholds: Sequence[float] = THRESHOLDS,
) -> Int[np.ndarray, "A T M"]:
    """Whom each prediction finds: greedily, the best prediction first, each instance once.

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
        if row.max() < least.min():
            continue
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


def _curve(right: np.ndarray, ignored: np.ndarray, count: int) -> np.ndarray:
    """Precision at 101 recalls, each the best of that recall or more."""
    hits, misses = np.cumsum(right & ~ignored), np.cumsum(~right & ~ignored)
    recall = hits / count
    precision = np.maximum.accumulate((hits / (hits + misses + _TINY))[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return np.where(places < len(precision), np.append(precision, 0)[places], 0)
