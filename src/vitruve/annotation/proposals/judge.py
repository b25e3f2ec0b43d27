"""What labels lack or have wrong, as a network sees it: objects, and keypoints of poses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from vitruve.evaluation.oks import instance_areas, instance_boxes, instance_scores
from vitruve.evaluation.verdicts import ALIKE, NEAR, Kind, Verdicts, judge_boxes, judge_keypoints
from vitruve.geometry.boxes import overlaps
from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE, Instances
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton

MISSING, SPURIOUS, MISLOCALISED, WRONG_CLASS = "missing", "spurious", "mislocalised", "wrong class"
MISSING_KEYPOINT, MISPLACED, SWAPPED = "missing keypoint", "misplaced keypoint", "swapped"
KINDS = (MISSING, SPURIOUS, MISLOCALISED, WRONG_CLASS, MISSING_KEYPOINT, MISPLACED, SWAPPED)
"""What may be wrong with labels: an object lacks, or nothing confirms one; it lies elsewhere or is another; and of a
pose, keypoints lack, lie elsewhere, or left and right are exchanged."""
POSE_KINDS = (MISSING_KEYPOINT, MISPLACED, SWAPPED)
"""Those that speak of keypoints of a pose that is labelled."""

_TOUCHING = 0.3


@dataclass(frozen=True)
class Limits:
    """From where on something counts.

    Attributes:
        score: Predictions less sure than this propose nothing, 0 to 1.
        keypoint_score: Keypoints less sure than this propose nothing, 0 to 1.
        alike: Likeness (intersection over union, or object keypoint similarity) from which on two are one object.
        near: Likeness from which on one is meant for the other; below, a keypoint is misplaced.
        gate: In place of matching, OBDB's rule: what overlaps no label of any class by more than this is missing.
    """

    score: float = 0.5
    keypoint_score: float = 0.5
    alike: float = ALIKE
    near: float = NEAR
    gate: float | None = None


@dataclass(frozen=True, eq=False)
class Finding:
    """Something that may be wrong with a label, or a label that may lack.

    Attributes:
        kind: One of :data:`KINDS`.
        frame: Index of the image in the labels.
        score: How sure the network is, 0 to 1; of what nothing confirms, 1.
        similar: How like the prediction is to the label it is compared with, 0 to 1.
        labelled: Index of the labelled instance, -1 where one lacks.
        instance: ``(1, ...)`` what should be there; of what nothing confirms, what is labelled.
        keypoints: Indices of the keypoints it speaks of.
    """

    kind: str
    frame: int
    score: float
    similar: float
    labelled: int
    instance: Instances
    keypoints: tuple[int, ...] = ()


def judge_labels(truth: Labels, found: Labels, limits: Limits) -> list[Finding]:
    """Compare labels with predictions.

    Args:
        truth: The labels, of one view.
        found: Predictions of the same images in the same order, with the same classes and keypoints.
        limits: From where on something counts.

    Returns:
        What was found, the surest first.
    """
    result: list[Finding] = []
    for number, (ours, theirs) in enumerate(zip(truth, found, strict=True)):
        labelled, predicted = ours.instances[0].numpy(), theirs.instances[0].numpy()
        predicted = predicted[np.asarray(predicted.present)]
        if limits.gate is not None:
            kept = _lone(labelled, predicted, limits)
            each: Iterator[Finding] = (_found(MISSING, number, predicted, m, 0.0) for m in kept)
        elif len(found.skeleton):
            each = _poses(number, labelled, predicted, found.skeleton, limits)
        else:
            each = _boxes(number, labelled, predicted, limits)
        result += each
    return sorted(result, key=lambda item: (-item.score, item.frame))


def _found(kind: str, frame: int, predicted: Instances, m: int, similar: float, labelled: int = -1) -> Finding:
    return Finding(kind, frame, float(instance_scores(predicted)[m]), similar, labelled, predicted[m : m + 1])


def _lone(labelled: Instances, predicted: Instances, limits: Limits) -> list[int]:
    """OBDB's rule: the score is greater than the limit, the overlap with each label at most the gate."""
    shared = overlaps(instance_boxes(predicted), instance_boxes(labelled)).max(1, initial=0.0)
    return np.flatnonzero((instance_scores(predicted) > limits.score) & (shared <= (limits.gate or 0.0))).tolist()


def _boxes(frame: int, labelled: Instances, predicted: Instances, limits: Limits) -> Iterator[Finding]:
    sure = predicted[instance_scores(predicted) >= limits.score]
    verdicts = judge_boxes(labelled, sure, limits.alike, limits.near)
    yield from _objects(frame, labelled, sure, verdicts, limits)
    yield from _unconfirmed(
        frame, labelled, predicted, overlaps(instance_boxes(labelled), instance_boxes(predicted)), limits
    )


def _objects(frame: int, labelled: Instances, sure: Instances, verdicts: Verdicts, limits: Limits) -> Iterator[Finding]:
    """Objects that lack, lie elsewhere or are of another class."""
    elsewhere = _meant(verdicts)
    for n, m in elsewhere.items():
        yield _found(MISLOCALISED, frame, sure, m, float(verdicts.similar[m]), n)
    for n, m in enumerate(verdicts.mistaken.tolist()):
        if m >= 0:
            yield _found(WRONG_CLASS, frame, sure, m, float(verdicts.similar[m]), n)
    for m in _distinct(sure, _alone(verdicts, elsewhere.values()), limits.alike):
        yield _found(MISSING, frame, sure, m, float(verdicts.similar[m]))


def _meant(verdicts: Verdicts) -> dict[int, int]:
    """For each label that is neither found nor taken for another class, the prediction that is a little like it."""
    result: dict[int, int] = {}
    order = np.argsort(-verdicts.similar, kind="stable")
    for m in order[verdicts.kinds[order] == Kind.MISLOCALISED].tolist():
        n = int(verdicts.nearest[m])
        if n >= 0 and verdicts.missing[n] and verdicts.mistaken[n] < 0:
            result.setdefault(n, m)
    return result


def _alone(verdicts: Verdicts, taken: Collection[int]) -> list[int]:
    """Predictions that are of no label: nothing is near, or what they touch has a better one."""
    touching = (verdicts.kinds == Kind.MISLOCALISED) & (verdicts.similar < _TOUCHING)
    lone = np.flatnonzero((verdicts.kinds == Kind.SPURIOUS) | touching)
    return [m for m in lone.tolist() if m not in taken]


def _distinct(sure: Instances, numbers: list[int], alike: float) -> list[int]:
    """Of predictions that are one object, whatever their classes, the surest."""
    boxes, kept = instance_boxes(sure), list[int]()
    for m in sorted(numbers, key=lambda m: -instance_scores(sure)[m]):
        if overlaps(boxes[m][None], boxes[kept]).max(initial=0.0) < alike:
            kept.append(m)
    return kept


def _unconfirmed(
    frame: int, labelled: Instances, predicted: Instances, shared: np.ndarray, limits: Limits
) -> Iterator[Finding]:
    """Labels near which the network sees nothing of any class, however unsure."""
    crowds = np.zeros(len(labelled.keypoints), bool) if labelled.crowds is None else np.asarray(labelled.crowds)
    nothing = (shared.max(1, initial=0.0) < limits.near) & ~crowds & np.asarray(labelled.present)
    for n in np.flatnonzero(nothing).tolist():
        yield Finding(SPURIOUS, frame, 1.0, float(shared[n].max(initial=0.0)), n, labelled[n : n + 1])


def _poses(
    frame: int, labelled: Instances, predicted: Instances, skeleton: Skeleton, limits: Limits
) -> Iterator[Finding]:
    sigmas = skeleton.oks_sigmas
    sure = predicted[instance_scores(predicted) >= limits.score]
    verdicts = judge_keypoints(labelled, sure, sigmas, limits.alike, limits.near)
    mirrored = _mirrored_pairs(labelled, sure, verdicts, skeleton, limits)
    elsewhere = {n: m for n, m in _meant(verdicts).items() if n not in mirrored and m not in mirrored.values()}
    right = {n: m for n, m in enumerate(verdicts.found.tolist()) if m >= 0}
    for n, m in {**right, **elsewhere, **mirrored}.items():
        wrong = list(_keypoints(frame, labelled, sure, n, m, skeleton, limits))
        yield from wrong
        if n in elsewhere and not wrong:
            yield _found(MISLOCALISED, frame, sure, m, float(verdicts.similar[m]), n)
    for m in _apart(sure, _alone(verdicts, {*elsewhere.values(), *mirrored.values()}), skeleton, limits):
        yield _found(MISSING, frame, sure, m, float(verdicts.similar[m]))
    for n, m in enumerate(verdicts.mistaken.tolist()):
        if m >= 0:
            yield _found(WRONG_CLASS, frame, sure, m, float(verdicts.similar[m]), n)
    shared = overlaps(instance_boxes(labelled), instance_boxes(predicted))
    yield from _unconfirmed(frame, labelled, predicted, shared, limits)


def _mirrored_pairs(
    labelled: Instances, sure: Instances, verdicts: Verdicts, skeleton: Skeleton, limits: Limits
) -> dict[int, int]:
    """Labels that are alike a prediction only with left and right exchanged, with that prediction."""
    if not skeleton.swaps:
        return {}
    ours = np.flatnonzero(verdicts.missing)
    theirs = np.flatnonzero((verdicts.kinds == Kind.SPURIOUS) | (verdicts.kinds == Kind.MISLOCALISED))
    turned = labelled[ours].reordered(skeleton.flip_permutation.tolist())
    again = judge_keypoints(turned, sure[theirs], skeleton.oks_sigmas, limits.alike, limits.near)
    return {int(ours[n]): int(theirs[m]) for n, m in enumerate(again.found.tolist()) if m >= 0}


def _apart(sure: Instances, numbers: list[int], skeleton: Skeleton, limits: Limits) -> list[int]:
    """Of predictions that are one pose, the surest."""
    kept: list[int] = []
    for m in sorted(numbers, key=lambda m: -instance_scores(sure)[m]):
        verdict = judge_keypoints(sure[kept], sure[[m]], skeleton.oks_sigmas, limits.alike, limits.near)
        if (verdict.kinds != Kind.CORRECT).all():
            kept.append(m)
    return kept


def _keypoints(
    frame: int, labelled: Instances, sure: Instances, n: int, m: int, skeleton: Skeleton, limits: Limits
) -> Iterator[Finding]:
    """What differs between a labelled pose and the prediction of it."""
    own, seen = np.asarray(labelled.keypoints[n], np.float64), np.asarray(sure.keypoints[m], np.float64)
    there = (np.asarray(labelled.visible[n]) > UNLABELLED) & np.isfinite(own).all(-1)
    scores = np.ones(len(own)) if sure.keypoint_scores is None else np.asarray(sure.keypoint_scores[m], np.float64)
    known = np.isfinite(seen).all(-1) & (np.nan_to_num(scores) >= limits.keypoint_score)
    scale = 2 * (2 * skeleton.oks_sigmas) ** 2 * max(float(instance_areas(labelled)[n]), 1.0)
    similar = np.exp(-_square(own, seen) / scale)
    swapped = _exchanged(own, seen, there & known, scale, skeleton, limits)
    by_kind = {
        SWAPPED: swapped,
        MISPLACED: there & known & (similar < limits.near) & ~swapped,
        MISSING_KEYPOINT: ~there & known,
    }
    for kind, which in by_kind.items():
        numbers = np.flatnonzero(which)
        if len(numbers):
            yield Finding(
                kind,
                frame,
                float(scores[numbers].mean()),
                0.0 if kind == MISSING_KEYPOINT else float(similar[numbers].mean()),
                n,
                _corrected(labelled[n : n + 1], seen, scores, kind, which, skeleton),
                tuple(numbers.tolist()),
            )


def _square(some: np.ndarray, others: np.ndarray) -> Float[np.ndarray, " K"]:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(((some - others) ** 2).sum(-1), nan=np.inf)


def _exchanged(
    own: np.ndarray, seen: np.ndarray, both: np.ndarray, scale: np.ndarray, skeleton: Skeleton, limits: Limits
) -> Bool[np.ndarray, " K"]:
    """Keypoints that are labelled where the prediction has their partner of the other side, and the other way round."""
    turned = np.exp(-_square(own, seen[skeleton.flip_permutation]) / scale)
    straight = np.exp(-_square(own, seen) / scale)
    result = np.zeros(len(own), bool)
    for a, b in skeleton.swaps:
        alike = min(turned[a], turned[b]) >= limits.alike and max(straight[a], straight[b]) < limits.alike
        result[[a, b]] = both[a] and both[b] and alike
    return result


def _corrected(
    label: Instances, seen: np.ndarray, scores: np.ndarray, kind: str, which: np.ndarray, skeleton: Skeleton
) -> Instances:
    """The labelled pose without what is wrong: exchanged keypoints are put back, others taken from the prediction."""
    keypoints, visible = np.array(label.keypoints), np.array(label.visible)
    if kind == SWAPPED:
        other = skeleton.flip_permutation
        keypoints[0, which], visible[0, which] = keypoints[0, other[which]], visible[0, other[which]]
    else:
        keypoints[0, which] = seen[which]
        visible[0, which] = np.where(visible[0, which] == OCCLUDED, OCCLUDED, VISIBLE)
    sure = np.where(which, scores, 1.0)
    return replace(label, keypoints=keypoints, visible=visible, keypoint_scores=sure[None])
