"""Limbs for skeletons that have too few, learned from the labels."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from vitruve.structures.labels import Labels


def with_limbs(labels: Labels) -> Labels:
    """Labels whose skeleton's edges reach all keypoints.

    Edges that are missing are those of the tree of least variation: the length of a limb of a body that moves stays
    the same, that of a line between any two keypoints does not. Lengths are taken relative to the instance, which may
    be near or far away.

    Args:
        labels: All frames; a skeleton whose edges reach every keypoint from every other is left as it is.

    Returns:
        The labels. A warning lists edges that were added.
    """
    skeleton = labels.skeleton
    count = len(skeleton)
    part = np.arange(count)
    added = []
    for a, b in skeleton.edges:
        part[part == part[b]] = part[a]
    points = [frame.instances.keypoints.reshape(-1, count, 2) for frame in labels]
    cost = _variation(np.concatenate(points) if points else np.zeros((0, count, 2)))
    for a, b in zip(*np.unravel_index(np.argsort(cost, axis=None, kind="stable"), cost.shape), strict=True):
        if part[a] != part[b]:
            part[part == part[b]] = part[a]
            added.append((int(a), int(b)))
    if not added:
        return labels
    shown = ", ".join(f"{skeleton.names[a]}-{skeleton.names[b]}" for a, b in added)
    lacks = "has no edges" if not skeleton.edges else "has edges that do not reach all keypoints"
    warnings.warn(
        f"data.skeleton: {lacks}; limbs to learn were chosen by how little their lengths vary: {shown}. "
        "Give edges in data.skeleton to choose them yourself",
        stacklevel=2,
    )
    return replace(labels, skeleton=replace(skeleton, edges=(*skeleton.edges, *added)))


def _variation(points: Float[np.ndarray, "M K 2"]) -> Float[np.ndarray, "K K"]:
    """How much the distance of each two keypoints varies, relative to the instance; infinite for the lower half.

    Of few labels the spread says little; the mean length over their number is added, so that short ones are preferred.
    """
    count = points.shape[1]
    known = np.isfinite(points).all(-1)
    points = points[known.sum(1) > 1]
    known = known[known.sum(1) > 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.sqrt(np.nanmean(np.square(points - np.nanmean(points, 1, keepdims=True)).sum(-1), 1))
        cost = np.full((count, count), np.inf)
        for a in range(count):
            both = known[:, [a]] & known[:, a + 1 :] & (size > 0)[:, None]
            length = np.linalg.norm(points[:, a + 1 :] - points[:, [a]], axis=-1) / size[:, None]
            number = both.sum(0)
            mean = np.where(both, length, 0).sum(0) / number
            spread = np.sqrt(np.where(both, np.square(length - mean), 0).sum(0) / number)
            # Keypoints never labelled together are joined last.
            cost[a, a + 1 :] = np.where(number > 0, spread + mean / np.maximum(number, 1), np.finfo(float).max)
    return cost
