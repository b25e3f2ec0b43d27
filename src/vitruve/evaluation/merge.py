"""Instances that were found in several looks at one image, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vitruve.evaluation.oks import instance_scores, similarity
from vitruve.structures.instances import Instances

SAME = 0.5
"""Object keypoint similarity from which two looks have found the same instance."""


def merged(looks: Sequence[Instances], sigmas: Float[np.ndarray, " K"], single: bool = False) -> Instances:
    """One instance for each that was found, its keypoints the means of those found, weighted by their scores.

    The best instance of all looks takes from each other look the one most like it, and so on with what is left. Of L
    looks each has a share of 1 / L in a score: what only one of them shows is less sure.

    Args:
        looks: ``(N, ...)`` of one view each, numpy, with ``keypoint_scores``.
        sigmas: One OKS constant a keypoint.
        single: Each look has the same one instance, wherever it saw it.

    Returns:
        The instances, the best first.
    """
    looks = [look[np.asarray(look.present)] for look in looks]
    left = [np.ones(len(look.keypoints), bool) for look in looks]
    scores = [instance_scores(look) for look in looks]
    groups: list[Instances] = []
    while any(each.any() for each in left):
        first = max(range(len(looks)), key=lambda n: scores[n][left[n]].max(initial=-1))
        best = int(np.where(left[first], scores[first], -1).argmax())
        seed = looks[first][best : best + 1]
        group = []
        for number, look in enumerate(looks):
            place = best if number == first else _like(look, left[number], seed, sigmas, single)
            if place is not None:
                left[number][place] = False
                group.append(look[place : place + 1])
        groups.append(_mean(group, len(looks)))
    if not groups:
        return looks[0]
    names = [name for name, value in vars(groups[0]).items() if value is not None]
    together = Instances(**{name: np.concatenate([getattr(each, name) for each in groups]) for name in names})
    return together[np.argsort(-instance_scores(together), kind="stable")]


def _like(look: Instances, left: np.ndarray, seed: Instances, sigmas: np.ndarray, single: bool) -> int | None:
    if not left.any():
        return None
    if single:
        return int(left.argmax())
    # Boxes of predictions may be around anything; the keypoints' own extent says how large the instance is.
    alike = np.where(left, similarity(look.keypoints, replace(seed, boxes=None, areas=None), sigmas)[:, 0], -1)
    place = int(alike.argmax())
    return place if alike[place] >= SAME else None


def _mean(group: Sequence[Instances], looks: int) -> Instances:
    points = np.stack([each.keypoints for each in group])
    known = np.isfinite(points).all(-1)
    weights = np.stack([np.asarray(each.keypoint_scores, np.float64) for each in group])
    weights = np.where(known, np.nan_to_num(weights) + 1e-9, 0.0)
    total = weights.sum(0)
    mean = (np.nan_to_num(points) * weights[..., None]).sum(0) / np.maximum(total, 1e-12)[..., None]
    boxes = [each.boxes for each in group if each.boxes is not None]
    return Instances.from_keypoints(
        np.where(known.any(0)[..., None], mean, np.nan).astype(points.dtype),
        keypoint_scores=(total / looks).astype(np.float32).clip(0, 1),
        scores=(np.sum([instance_scores(each) for each in group], 0) / looks).astype(np.float32),
        boxes=np.mean(boxes, 0) if len(boxes) == len(group) else None,
    )
