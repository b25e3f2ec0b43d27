"""People out of peaks and part affinity fields, compiled (Cao et al. 2017; 2021 for the order by strength).

All limbs between all peaks of an image are scored at once, each by the integral of its field along the line. Then the
strongest first, each limb that is free at both ends joins what hangs on them, unless two keypoints of a kind would meet
in one person. Limbs may be redundant: what others have joined already stays so. Where a keypoint is missing and no limb
can lead past it, what is left of the person on its other side is found by its distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from vitruve.codecs.peaks import Peaks

SAMPLES = 10
"""Points along a limb at which its field is read."""
_FAR = 2.5
"""Parts of one person around a missing keypoint are at most this many of its longest limbs apart."""


class People(NamedTuple):
    """The people of an image, the surest first.

    Attributes:
        keypoints: ``(N, K, 2)`` in cells, NaN where missing.
        keypoint_scores: ``(N, K)`` from 0 to 1, 0 where missing.
        scores: ``(N,)`` the mean of those of all K keypoints: of two who are as clear, the one seen whole comes first.
    """

    keypoints: Float[np.ndarray, "N K 2"]
    keypoint_scores: Float[np.ndarray, "N K"]
    scores: Float[np.ndarray, " N"]


def gaps(count: int, limbs: Sequence[tuple[int, int]]) -> Int[np.ndarray, "G 3"]:
    """Keypoints with another between them, across which people are joined where that one is missing.

    Args:
        count: Number of keypoints.
        limbs: Keypoints at both ends.

    Returns:
        One end, the keypoint in the middle, the other end.
    """
    around: list[set[int]] = [set() for _ in range(count)]
    for a, b in limbs:
        around[a].add(b)
        around[b].add(a)
    found = [(a, middle, b) for middle in range(count) for a, b in combinations(sorted(around[middle]), 2)]
    return np.array(found, np.int64).reshape(-1, 3)


def assemble(
    peaks: Peaks,
    fields: Float[np.ndarray, "L2 h w"],
    limbs: Int[np.ndarray, "L 2"],
    around: Int[np.ndarray, "G 3"],
    *,
    limb_threshold: float = 0.05,
    limb_share: float = 0.8,
    min_keypoints: int = 3,
    min_score: float = 0.2,
) -> People:
    """The people of one image.

    Args:
        peaks: Of the confidence maps.
        fields: x and y of each limb.
        limbs: Keypoints at both ends.
        around: Of :func:`gaps`.
        limb_threshold: How far a field must point along a limb at a point to speak for it.
        limb_share: The share of points that must do so.
        min_keypoints: People with fewer are left out; never more than there are keypoints.
        min_score: So are those whose keypoints have a lower mean score.

    Returns:
        The people.
    """
    count = len(peaks.begin) - 1
    fields = np.ascontiguousarray(fields, np.float32)
    candidates = _candidates(*peaks, fields, limbs, float(limb_threshold), float(limb_share))
    members = _join(*peaks, limbs, around, *candidates)
    found = members >= 0
    scores = np.where(found, np.append(peaks.scores, 0.0)[members], 0.0)
    number = found.sum(1)
    keep = (number >= min(min_keypoints, count)) & (scores.sum(1) >= min_score * np.maximum(number, 1))
    keep = np.flatnonzero(keep)
    keep = keep[np.argsort(-scores[keep].sum(1), kind="stable")]
    places = np.stack([np.append(peaks.x, np.nan), np.append(peaks.y, np.nan)], -1)[members[keep]]
    return People(places, scores[keep], scores[keep].mean(1))


@njit(cache=True)
@no_type_check
def _candidates(begin, x, y, scores, fields, limbs, threshold, share):
    """Limbs between peaks: which limb, which peaks, how strong, how long; the strongest first."""
    most = 0
    for limb in range(len(limbs)):
        a, b = limbs[limb]
        most += (begin[a + 1] - begin[a]) * (begin[b + 1] - begin[b])
    which = np.empty((most, 3), np.int64)
    strength = np.empty(most)
    lengths = np.empty(most)
    far = 0.5 * max(fields.shape[1], fields.shape[2])
    allowed = int((1 - share) * SAMPLES + 1e-6)
    total = 0
    for limb in range(len(limbs)):
        a, b = limbs[limb]
        across, down = fields[2 * limb], fields[2 * limb + 1]
        for i in range(begin[a], begin[a + 1]):
            for j in range(begin[b], begin[b + 1]):
                dx, dy = x[j] - x[i], y[j] - y[i]
                length = np.hypot(dx, dy)
                if length < 1e-6:
                    continue
                ux, uy = dx / length, dy / length
                misses, sum_along = 0, 0.0
                for sample in range(SAMPLES):
                    # Every third, and round again: a limb that is none shows itself soon.
                    part = (4 + 3 * sample) % SAMPLES / (SAMPLES - 1)
                    px, py = x[i] + part * dx, y[i] + part * dy
                    along = _read(across, px, py) * ux + _read(down, px, py) * uy
                    misses += along < threshold
                    sum_along += along
                    if misses > allowed:
                        break
                # Limbs longer than half the image are held against them, as in OpenPose.
                mean = sum_along / SAMPLES + min(0.0, far / length - 1)
                if misses <= allowed and mean > 0:
                    which[total] = limb, i, j
                    strength[total] = min(1.0, mean) * np.sqrt(scores[i] * scores[j])
                    lengths[total] = length
                    total += 1
    order = np.argsort(-strength[:total], kind="mergesort")
    return which[order], lengths[order]


@njit(cache=True)
@no_type_check
def _read(field, x, y):
    """A field between cells; beyond the outermost cells as at them."""
    height, width = field.shape
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    a, b = x - left, y - top
    upper = (1 - a) * field[top, left] + a * field[top, right]
    lower = (1 - a) * field[bottom, left] + a * field[bottom, right]
    return (1 - b) * upper + b * lower


@njit(cache=True)
@no_type_check
def _join(begin, x, y, scores, limbs, around, which, lengths):
    """The peaks of each person, ``(N, K)``, -1 where it has none."""
    count, number = len(begin) - 1, len(x)
    members = np.full((number, count), -1, np.int64)
    owner = np.arange(number)
    longest = np.zeros(number)
    for k in range(count):
        for i in range(begin[k], begin[k + 1]):
            members[i, k] = i
    taken = np.zeros((2, len(limbs), number), np.bool_)
    for place in range(len(which)):
        limb, i, j = which[place]
        if taken[0, limb, i] or taken[1, limb, j]:
            continue
        one, two = owner[i], owner[j]
        if _merge(members, owner, one, two):
            taken[0, limb, i] = taken[1, limb, j] = True
            longest[one] = max(longest[one], longest[two], lengths[place])
    _bridge(begin, x, y, around, members, owner, longest)
    alive = np.zeros(number, np.bool_)
    for i in range(number):
        alive[owner[i]] = True
    return members[alive]


@njit(cache=True)
@no_type_check
def _merge(members, owner, one, two):
    """Make one person of two, where they have no keypoint of a kind twice."""
    if one == two:
        return True
    for k in range(members.shape[1]):
        if members[one, k] >= 0 and members[two, k] >= 0:
            return False
    for k in range(members.shape[1]):
        if members[two, k] >= 0:
            members[one, k] = members[two, k]
            owner[members[two, k]] = one
            members[two, k] = -1
    return True


@njit(cache=True)
@no_type_check
def _bridge(begin, x, y, around, members, owner, longest):
    """Join people across a keypoint that both lack, the nearest first."""
    room = 64
    found = np.empty((room, 3), np.int64)
    shares = np.empty(room)
    total = 0
    for gap in range(len(around)):
        a, middle, b = around[gap]
        for i in range(begin[a], begin[a + 1]):
            if members[owner[i], middle] >= 0:
                continue
            for j in range(begin[b], begin[b + 1]):
                if owner[j] == owner[i] or members[owner[j], middle] >= 0:
                    continue
                share = np.hypot(x[i] - x[j], y[i] - y[j])
                if share > _FAR * max(longest[owner[i]], longest[owner[j]]):
                    continue
                if total == room:
                    room *= 2
                    found = np.concatenate((found, np.empty_like(found)))
                    shares = np.concatenate((shares, np.empty_like(shares)))
                found[total] = i, middle, j
                shares[total] = share
                total += 1
    for place in np.argsort(shares[:total], kind="mergesort"):
        i, middle, j = found[place]
        one, two = owner[i], owner[j]
        lack = members[one, middle] < 0 and members[two, middle] < 0
        if lack and one != two and _merge(members, owner, one, two):
            longest[one] = max(longest[one], longest[two])
