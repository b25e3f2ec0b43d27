"""Instances followed through the frames of a window, so that terms on one animal learn from several."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from vitruve.structures.skeleton import Skeleton
from vitruve.tracking.tracker import Following, Tracker

_MOST_LOST = 1


def followed(
    points: Float[np.ndarray, "S T V N K 2"], scores: Float[np.ndarray, "S T V N"], skeleton: Skeleton
) -> Int[np.ndarray, "R T"]:
    """Who is who in the frames of each window; every view of it is followed on its own.

    Frame by frame all instances are assigned together, by object keypoint similarity, overlap and motion; an instance
    that fits none of those before begins a new one (:class:`vitruve.tracking.tracker.Tracker`).

    Args:
        points: What was found, in pixels: window, time, view, instance, keypoint; NaN where missing.
        scores: Of the instances.
        skeleton: The keypoints.

    Returns:
        A row for each one that was found in two frames at least: for each frame where it stands in ``points`` with the
        axes S, T, V, N as one, -1 where it was not found. One that was found once is as likely none.
    """
    places = np.arange(scores.size).reshape(scores.shape)
    rows = [np.zeros((0, scores.shape[1]), np.int64)]
    for window in range(len(points)):
        for view in range(points.shape[2]):
            tracker = Tracker(skeleton, Following(max_gap=_MOST_LOST))
            numbers = [
                tracker.step(time, points[window, time, view], scores[window, time, view])
                for time in range(points.shape[1])
            ]
            found = np.full((1 + max((each.max(initial=-1) for each in numbers), default=-1), len(numbers)), -1)
            for time, each in enumerate(numbers):
                there = each >= 0
                found[each[there], time] = places[window, time, view, there]
            rows.append(found[(found >= 0).sum(1) > 1])
    return np.concatenate(rows)
