"""Correct keypoints by the size of the head (PCKh): the metrics of MPII, for one and for several people an image.

Andriluka et al., "2D Human Pose Estimation: New Benchmark and State of the Art Analysis" (CVPR 2014). The size of a
head is 0.6 times the diagonal of its box. For several people, Pishchulin et al., "DeepCut" (CVPR 2016) give each
labelled one the prediction with most correct keypoints, and measure the average precision of each keypoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from vitruve.evaluation.matching import labelled_keypoints
from vitruve.evaluation.metrics import pixel_error
from vitruve.structures.instances import Instances

HEAD_FACTOR = 0.6
"""What the diagonal of a head's box is multiplied by: the box is wider than the head."""
THRESHOLD = 0.5
"""Share of the head's size within which a keypoint is correct."""

_STRICT = 0.1
_NO_MEAN = ("pelvis", "thorax")
_GROUPS = {"head_top": "Head", "headtop": "Head", "head": "Head"}


def head_sizes(instances: Instances) -> Float[np.ndarray, " N"]:
    """The size of each labelled head.

    Args:
        instances: ``(N, ...)`` of one view.

    Returns:
        ``(N,)`` in pixels, NaN where there is no box of the head.
    """
    if instances.head_boxes is None:
        return np.full(len(instances.keypoints), np.nan)
    boxes = np.asarray(instances.head_boxes, np.float64)
    return np.asarray(HEAD_FACTOR * np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=-1))


@dataclass(frozen=True, eq=False)
class HeadRelative:
    """What predictions are worth beside the size of heads.

    Attributes:
        table: One row a kind of keypoint (both sides together): ``keypoint``, ``labelled``, ``PCKh`` (share correct at
            0.5), ``PCKh@0.1``, and ``AP`` (average precision at 0.5); NaN where none is labelled.
        summary: ``PCKh`` by kind of keypoint, such as ``Head`` and ``Shoulder``; ``Mean``, over all labelled keypoints
            but pelvis and thorax; ``Mean@0.1``, the same at a tenth of the head; and ``mAP``, the mean of all kinds.
    """

    table: pd.DataFrame
    summary: dict[str, float]


def head_relative(images: Iterable[tuple[Instances, Instances]], names: tuple[str, ...]) -> HeadRelative:
    """PCKh and the average precision of keypoints under it.

    Args:
        images: Truth and predictions of *every* image of the set, ``(N, ...)`` and ``(M, ...)`` of one view. Labelled
            people without a box of the head are left out.
        names: Of the keypoints.

    Returns:
        The figures. A labelled person without a prediction has no correct keypoint; a prediction of nobody has wrong
        ones, and so has one of a keypoint that is not labelled, as in the official evaluation.
    """
    offsets, scores, right = [np.zeros((0, len(names)))], [np.zeros((0, len(names)))], [np.zeros((0, len(names)))]
    labelled = [np.zeros((0, len(names)), bool)]
    for truth, found in images:
        sizes = head_sizes(truth)
        truth = truth[np.isfinite(sizes) & np.asarray(truth.present)]
        sizes = head_sizes(truth)
        target = labelled_keypoints(truth.map(lambda array: array[None]))[0]
        apart = pixel_error(np.asarray(found.keypoints, np.float64)[:, None], target[None]) / sizes[:, None]
        chosen = _matched(apart, ~np.isnan(target[..., 0]))
        # A missing keypoint counts as labelled and beyond any distance.
        own = np.full(target.shape[:2], np.inf)
        own[chosen >= 0] = apart[chosen[chosen >= 0], np.flatnonzero(chosen >= 0)]
        offsets.append(np.where(np.isnan(own), np.inf, own))
        labelled.append(~np.isnan(target[..., 0]))
        hit = np.zeros(apart.shape[::2], bool)
        hit[chosen[chosen >= 0]] = own[chosen >= 0] <= THRESHOLD
        guess = found.keypoint_scores
        known = np.ones(hit.shape) if guess is None else np.asarray(guess, np.float64)
        scores.append(np.where(np.isnan(found.keypoints).any(-1), np.nan, known))
        right.append(hit)
    arrays = [np.concatenate(each) for each in (offsets, labelled, scores, right)]
    return _figures(names, *arrays)


def _matched(apart: Float[np.ndarray, "M N K"], labelled: np.ndarray) -> np.ndarray:
    """``(N,)`` predictions, -1 for none: each takes the person it fits best, then each person the best of those."""
    chosen = np.full(apart.shape[1], -1)
    if not apart.size:
        return chosen
    share = (apart <= THRESHOLD).sum(-1) / np.maximum(labelled.sum(-1), 1)
    fits = np.where(np.arange(apart.shape[1]) == share.argmax(1)[:, None], share, 0)
    best = fits.argmax(0)
    return np.where(fits.max(0) > 0, best, chosen)


def _figures(
    names: tuple[str, ...], offsets: np.ndarray, labelled: np.ndarray, scores: np.ndarray, right: np.ndarray
) -> HeadRelative:
    kinds: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        kinds.setdefault(_kind(name), []).append(place)
    rows, precisions = [], [_precision(scores[:, k], right[:, k], int(labelled[:, k].sum())) for k in range(len(names))]
    for kind, places in kinds.items():
        figures = [_mean([_share(offsets[:, k], labelled[:, k], t) for k in places]) for t in (THRESHOLD, _STRICT)]
        rows.append((kind, int(labelled[:, places].sum()), *figures, _mean(precisions[k] for k in places)))
    table = pd.DataFrame(rows, columns=["keypoint", "labelled", "PCKh", "PCKh@0.1", "AP"])
    usual = [k for k, name in enumerate(names) if name.lower() not in _NO_MEAN]
    summary = dict(zip(table["keypoint"], table["PCKh"].astype(float), strict=True))
    summary["Mean"] = _share(offsets[:, usual], labelled[:, usual], THRESHOLD)
    summary["Mean@0.1"] = _share(offsets[:, usual], labelled[:, usual], _STRICT)
    return HeadRelative(table, {**summary, "mAP": _mean(table["AP"])})


def _kind(name: str) -> str:
    """The name without its side, as tables of MPII have it."""
    parts = [part for part in re.split(r"[_\s.-]+", name) if part.lower() not in ("l", "r", "left", "right")]
    plain = "_".join(parts).lower()
    return _GROUPS.get(plain, plain.replace("_", " ").capitalize())


def _share(offsets: np.ndarray, labelled: np.ndarray, threshold: float) -> float:
    return float((offsets[labelled] <= threshold).mean()) if labelled.any() else float("nan")


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def _precision(scores: np.ndarray, right: np.ndarray, count: int) -> float:
    """Area under precision, each the best of that recall or more, over recall."""
    if not count:
        return float("nan")
    there = ~np.isnan(scores)
    order = np.argsort(-scores[there], kind="stable")
    hits = np.cumsum(right[there][order])
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((np.diff(hits / count, prepend=0) * precision).sum())
