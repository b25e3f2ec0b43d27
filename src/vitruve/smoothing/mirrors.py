"""Which keypoints of one image show the same body part, directly and in mirrors."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from vitruve.errors import InputError

_SEPARATORS = re.compile(r"[\s._-]+")


def by_names(views: Sequence[str], names: Sequence[str]) -> Int[np.ndarray, "C V"]:
    """Keypoints whose names differ in nothing but the view, as ``paw_top`` and ``paw_bot``.

    Args:
        views: The words that name the V views.
        names: Of the K keypoints.

    Returns:
        Indices, one row a body part that all views show.

    Raises:
        InputError: There is no such body part.
    """
    rows = list(matched(views, names).values())
    if not rows:
        raise InputError(
            f"camera names {', '.join(views)}: part neither of the file names nor of the keypoints {', '.join(names)}; "
            "give the words that tell the views apart, or the columns of each view (--mirrored-columns)"
        )
    return np.array(rows)


def matched(words: Sequence[str], names: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """Keypoints whose names differ in one of some words and nothing else.

    Args:
        words: The words, such as ``top`` and ``bot``.
        names: Of the keypoints.

    Returns:
        By the words that the names share, indices in the order of the words; only where there is one for each.
    """
    parts: dict[tuple[str, ...], dict[str, int]] = {}
    for index, name in enumerate(names):
        own = _SEPARATORS.split(name)
        found = [word for word in words if word in own]
        if len(found) == 1:
            own.remove(found[0])
            parts.setdefault(tuple(own), {})[found[0]] = index
    return {key: [found[word] for word in words] for key, found in parts.items() if len(found) == len(words)}


def other_sides(names: Sequence[str]) -> Int[np.ndarray, " K"]:
    """The keypoint of the body's other side for each keypoint: ``paw_l`` and ``paw_r``, ``left_ear`` and ``right_ear``.

    Args:
        names: Of the K keypoints.

    Returns:
        Indices; that of the keypoint itself where it has no other side.
    """
    order = np.arange(len(names))
    for sides in (("l", "r"), ("left", "right")):
        for left, right in matched(sides, names).values():
            order[[left, right]] = right, left
    return order


def by_columns(columns: Sequence[Sequence[int]], names: Sequence[str]) -> Int[np.ndarray, "C V"]:
    """Keypoints by lists of indices, as in ``data.mirrored_column_matches`` of Lightning Pose.

    Args:
        columns: One list a view; the same places show the same body parts.
        names: Of the K keypoints.

    Returns:
        Indices, one row a body part.

    Raises:
        InputError: The lists are too few, differ in length, or hold an index twice or one that is not there.
    """
    lengths = {len(column) for column in columns}
    if len(columns) < 2 or len(lengths) != 1 or 0 in lengths:
        raise InputError("mirrored columns: give one list of keypoint indices a view, all equally long (0,1,2;7,8,9)")
    rows = np.array(columns, int).T
    wrong = [int(index) for index in rows.ravel() if not 0 <= index < len(names)]
    if wrong:
        raise InputError(f"mirrored columns: no keypoint {wrong[0]}; indices go from 0 to {len(names) - 1}")
    if len(np.unique(rows)) < rows.size:
        raise InputError("mirrored columns: a keypoint stands in two places; each belongs to one view")
    return rows
