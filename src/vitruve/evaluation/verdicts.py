"""What is to be said of each prediction and of each labelled instance: one rule for figures, confusion and proposals.

The kinds of errors are those of TIDE (Bolya, Foley, Hays and Hoffman 2020, "TIDE: a general toolbox for identifying
object detection errors").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from vitruve.evaluation.average_precision import Compared, assign
from vitruve.evaluation.boxes import compare_boxes
from vitruve.evaluation.oks import compare_keypoints
from vitruve.structures.instances import Instances

ALIKE, NEAR = 0.5, 0.1
"""From which likeness on a prediction is of an instance, and from which on it is meant for one."""


class Kind(IntEnum):
    """What a prediction is, the first of these that is true of it."""

    ABSENT = -1
    """A place that no prediction takes."""
    CORRECT = 0
    """The best one of an instance of its class."""
    IGNORED = 1
    """It lies within a crowd of its class."""
    DUPLICATE = 2
    """It is like an instance of its class that a better prediction has found."""
    WRONG_CLASS = 3
    """It is like an instance of another class."""
    MISLOCALISED = 4
    """It is a little like an instance of its class."""
    SPURIOUS = 5
    """Nothing of its class is near."""

    @property
    def text(self) -> str:
        """In words: ``wrong class``."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What is to be said of one image. Instances are numbered as they were given.

    Attributes:
        kinds: ``(M,)`` a :class:`Kind` each.
        nearest: ``(M,)`` the labelled instance that the verdict speaks of, or else the one that is most like the
            prediction; -1 where none is like it at all.
        similar: ``(M,)`` how like it is, 0 to 1: intersection over union, or object keypoint similarity.
        found: ``(N,)`` the prediction that is right about each labelled instance, -1 where it is missing.
        mistaken: ``(N,)`` the prediction that takes an instance that is missing for another class, -1 where none does;
            each takes one.
        counted: ``(N,)`` which labelled instances are to be found: neither crowds nor places that nobody takes.
    """

    kinds: Int[np.ndarray, " M"]
    nearest: Int[np.ndarray, " M"]
    similar: Float[np.ndarray, " M"]
    found: Int[np.ndarray, " N"]
    mistaken: Int[np.ndarray, " N"]
    counted: Bool[np.ndarray, " N"]

    @property
    def missing(self) -> Bool[np.ndarray, " N"]:
        """Which labelled instances no prediction is right about."""
        return self.counted & (self.found < 0)


def judge_boxes(truth: Instances, found: Instances, alike: float = ALIKE, near: float = NEAR) -> Verdicts:
    """Judge predicted boxes with classes by intersection over union.

    Each labelled object is found once, by the best prediction of its class that is alike enough, as COCO assigns them;
    where the labels of an image are not complete, ``SPURIOUS`` predictions are those that may be missing in them.

    Args:
        truth: ``(N, ...)`` of one view.
        found: ``(M, ...)`` of the same view; leave out those of too low a score before.
        alike: From which likeness on a prediction is of an object, above 0 to 1.
        near: From which likeness on a prediction is meant for an object, 0 to ``alike``.

    Returns:
        The verdicts.
    """
    return _judge(compare_boxes(truth, found), len(truth.keypoints), len(found.keypoints), alike, near)


def judge_keypoints(
    truth: Instances,
    found: Instances,
    sigmas: Float[np.ndarray, " K"],
    alike: float = ALIKE,
    near: float = NEAR,
) -> Verdicts:
    """Judge predicted poses by object keypoint similarity, as :func:`judge_boxes` does boxes.

    Args:
        truth: ``(N, ...)`` of one view.
        found: ``(M, ...)`` of the same view.
        sigmas: One constant a keypoint.
        alike: As for :func:`judge_boxes`.
        near: As for :func:`judge_boxes`.

    Returns:
        The verdicts.
    """
    compared = compare_keypoints(truth, found, sigmas)
    return _judge(compared, len(truth.keypoints), len(found.keypoints), alike, near)


def _judge(seen: Compared, truths: int, predictions: int, alike: float, near: float) -> Verdicts:
    count, wanted = seen.similar.shape
    own = seen.classes[:, None] == seen.true_classes
    match = assign(np.where(own, seen.similar, -1.0), seen.ignored[None], seen.crowds, (alike,))[0, 0]
    hit = np.where(match >= 0, ~seen.ignored[match] if wanted else False, False)
    ours = np.where(own & ~seen.ignored, seen.similar, 0.0)
    others = np.where(~own & ~seen.ignored, seen.similar, 0.0)
    # Instances that a class has found are left out: whoever takes one of the rest for another class takes it alone.
    repeats, within = _best(ours) >= alike, (match >= 0) & ~hit
    free = np.ones(wanted, bool)
    free[match[hit]] = False
    open_to = np.where((hit | within | repeats)[:, None] | ~free, -1.0, others)
    taken = assign(open_to, seen.ignored[None], np.zeros(wanted, bool), (alike,))[0, 0]
    kinds = np.select(
        [hit, within, repeats, _best(others) >= alike, _best(ours) >= near],
        [Kind.CORRECT, Kind.IGNORED, Kind.DUPLICATE, Kind.WRONG_CLASS, Kind.MISLOCALISED],
        Kind.SPURIOUS,
    )
    nearest = np.full(count, -1)
    similar = np.zeros(count)
    if wanted:
        every = np.where(seen.ignored, 0.0, seen.similar)
        by_kind = {Kind.DUPLICATE: ours, Kind.MISLOCALISED: ours, Kind.WRONG_CLASS: others, Kind.SPURIOUS: every}
        for kind, values in by_kind.items():
            nearest = np.where(kinds == kind, values.argmax(1), nearest)
        nearest = np.where(match >= 0, match, np.where(taken >= 0, taken, nearest))
        similar = seen.similar[np.arange(count), nearest]
        nearest = np.where(similar > 0, nearest, -1)
    return Verdicts(
        _placed(kinds, seen.rows, predictions, int(Kind.ABSENT)),
        _placed(np.append(seen.columns, -1)[nearest], seen.rows, predictions, -1),
        _placed(similar, seen.rows, predictions, 0.0),
        _placed(_holders(np.where(hit, match, -1), wanted, seen.rows), seen.columns, truths, -1),
        _placed(_holders(taken, wanted, seen.rows), seen.columns, truths, -1),
        _placed(~seen.ignored, seen.columns, truths, False),
    )


def _best(similar: np.ndarray) -> np.ndarray:
    return np.asarray(similar.max(1, initial=0.0))


def _holders(match: np.ndarray, wanted: int, rows: np.ndarray) -> np.ndarray:
    """For each instance the prediction that was assigned it, by its number as it was given."""
    result = np.full(wanted, -1)
    result[match[match >= 0]] = rows[match >= 0]
    return result


def _placed(values: np.ndarray, places: np.ndarray, count: int, otherwise: float) -> np.ndarray:
    result = np.full(count, otherwise, values.dtype)
    result[places] = values
    return result
