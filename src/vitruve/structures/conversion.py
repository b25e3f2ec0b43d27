"""Labels of one skeleton as labels of another: joints by their names, and joints that follow from others."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from vitruve.errors import InputError
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
_SHORT = {"sho": "shoulder", "elb": "elbow", "wri": "wrist", "kne": "knee", "ank": "ankle"}
_SAME = {
    "head": "head_top",
    "headtop": "head_top",
    "top_head": "head_top",
    "top_of_head": "head_top",
    "hip": "pelvis",
    "mid_hip": "pelvis",
    "midhip": "pelvis",
    "centre": "center",
}


def convert(labels: Labels, skeleton: Skeleton) -> Labels:
    """The same labels, or predictions, with the joints of another skeleton.

    A joint is taken from the one of the same name (``right_shoulder``, ``RShoulder`` and ``r-sho`` are the same). One
    that the labels lack, but for which either skeleton has a rule (:attr:`Skeleton.derived`), is the mean of its parts
    in those instances that have all of them. All other joints are missing.

    Args:
        labels: Any labels.
        skeleton: The joints that are wanted.

    Returns:
        The labels with that skeleton. A derived joint is occluded where one of its parts is, and as certain as the
        least certain of them.

    Raises:
        InputError: The skeletons have no joint in common.
    """
    sources = sources_of(labels.skeleton, skeleton)
    if not any(sources):
        raise InputError(
            f"labels of {', '.join(labels.skeleton.names)} cannot become {', '.join(skeleton.names)}: no joint of one "
            "is in the other; give a skeleton with the same joints"
        )
    if labels.skeleton.names == skeleton.names:
        return replace(labels, skeleton=skeleton)
    frames = tuple(
        replace(
            frame,
            instances=_converted(frame.instances, sources),
            instances_3d=None if frame.instances_3d is None else _converted(frame.instances_3d, sources),
        )
        for frame in labels
    )
    return replace(labels, frames=frames, skeleton=skeleton)


def sources_of(given: Skeleton, wanted: Skeleton) -> list[tuple[int, ...]]:
    """What each joint of a skeleton is made of in another.

    Args:
        given: The skeleton of the labels.
        wanted: The skeleton that they are to have.

    Returns:
        For each wanted joint the given joints whose mean it is: one where it is there itself, none where it is missing.
    """
    place: dict[str, int] = {}
    for index, name in enumerate(given.names):
        place.setdefault(_plain(name), index)
    # A name as it is written comes before one that means the same.
    exact = {name: index for index, name in enumerate(given.names)}

    def find(name: str) -> int | None:
        return exact.get(name, place.get(_plain(name)))

    rules = {_plain(name): parts for skeleton in (given, wanted) for name, parts in skeleton.derived.items()}
    sources: list[tuple[int, ...]] = []
    for name in wanted.names:
        itself = find(name)
        parts = [find(part) for part in rules.get(_plain(name), ())] if itself is None else [itself]
        there = tuple(part for part in parts if part is not None)
        sources.append(there if len(there) == len(parts) else ())
    return sources


def _plain(name: str) -> str:
    """One spelling for all names of a joint: words in lower case, the side first."""
    if not name.isascii():
        return name
    words = [word.lower() for word in _WORD.findall(name)]
    sides = [_SIDES[word] for word in words if word in _SIDES]
    rest = "_".join(_SHORT.get(word, word) for word in words if word not in _SIDES)
    if len(sides) != 1 or not rest:
        return _SAME.get(rest, rest) if rest and not sides else name
    return f"{sides[0]}_{rest}"


def _converted(instances: Instances, sources: list[tuple[int, ...]]) -> Instances:
    lead, dims = instances.keypoints.shape[:-2], instances.keypoints.shape[-1]
    keypoints = np.full((*lead, len(sources), dims), np.nan, instances.keypoints.dtype)
    visible = np.full((*lead, len(sources)), UNLABELLED, instances.visible.dtype)
    given = instances.keypoint_scores
    scores = None if given is None else np.full(visible.shape, np.nan, given.dtype)
    kept = [joint for joint, parts in enumerate(sources) if len(parts) == 1]
    origin = [sources[joint][0] for joint in kept]
    keypoints[..., kept, :], visible[..., kept] = instances.keypoints[..., origin, :], instances.visible[..., origin]
    if scores is not None and given is not None:
        scores[..., kept] = given[..., origin]
    for joint, parts in enumerate(sources):
        if len(parts) < 2:
            continue
        index = list(parts)
        points, seen = instances.keypoints[..., index, :].mean(-2), instances.visible[..., index].min(-1)
        there = (seen > UNLABELLED) & np.isfinite(points).all(-1)
        keypoints[..., joint, :] = np.where(there[..., None], points, np.nan)
        visible[..., joint] = np.where(there, seen, UNLABELLED)
        if scores is not None and given is not None:
            scores[..., joint] = np.where(there, given[..., index].min(-1), np.nan)
    return replace(instances, keypoints=keypoints, visible=visible, keypoint_scores=scores)
