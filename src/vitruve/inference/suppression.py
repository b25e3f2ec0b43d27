"""Detections that several looks at one image, or several parts of it, show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from vitruve.geometry.boxes import overlaps
from vitruve.structures.instances import Instances

_WITHIN = 0.7
"""Share of what was cut off that lies in another box, for it to be a part of that."""


def suppressed(found: Instances, cut: Bool[np.ndarray, " N"], iou: float) -> Int[np.ndarray, " kept"]:
    """Detections without those that are there twice.

    Args:
        found: ``(N, ...)`` with boxes, scores and classes.
        cut: Bool ``(N,)``: which may be a part of an object alone. Whole ones come first, whatever their scores. A part
            that lies within a whole one is dropped, whatever its class: an object of its own that lies there is seen
            whole in the next tile.
        iou: Above which two of a class are one.

    Returns:
        The numbers of those that are left, the best first.
    """
    assert found.boxes is not None and found.scores is not None and found.categories is not None
    order, boxes = np.lexsort((-found.scores, cut)), found.boxes.astype(np.float64)
    kept: list[int] = []
    for number in order.tolist():
        alike = [other for other in kept if found.categories[other] == found.categories[number]]
        around = [other for other in kept if cut[number] and (not cut[other] or other in alike)]
        box = boxes[number][None]
        if overlaps(box, boxes[alike]).max(initial=0) > iou:
            continue
        if overlaps(box, boxes[around], np.ones(len(around), bool)).max(initial=0) > _WITHIN:
            continue
        kept.append(number)
    numbers = np.array(kept, np.int64)
    return numbers[np.argsort(-found.scores[numbers], kind="stable")]


def concatenated(found: Sequence[Instances]) -> Instances:
    """All instances of several looks or parts.

    Args:
        found: ``(N, ...)`` each, at least one, all with the same attributes.

    Returns:
        ``(N, ...)``, those of the first before those of the next.
    """
    names = [name for name, value in vars(found[0]).items() if value is not None]
    return Instances(**{name: np.concatenate([getattr(each, name) for each in found]) for name in names})
