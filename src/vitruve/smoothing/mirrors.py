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
    parts: dict[tuple[str, ...], dict[str, int]] = {}
    for index, name in enumerate(names):
        words = _SEPARATORS.split(name)
        found = [view for view in views if view in words]
        if len(found) == 1:
            words.remove(found[0])
            parts.setdefault(tuple(words), {})[found[0]] = index
    rows = [[found[view] for view in views] for found in parts.values() if len(found) == len(views)]
    if not rows:
        raise InputError(
            f"camera names {', '.join(views)}: part neither of the file names nor of the keypoints {', '.join(names)}; "
            "give the words that tell the views apart, or the columns of each view (--mirrored-columns)"
        )
    return np.array(rows)


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
