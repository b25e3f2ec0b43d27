"""Instances out of the fields of :mod:`vitruve.codecs.fields`, compiled (Kreiss, Bertoni, Alahi 2019, PifPaf).

All that part intensity fields say is drawn into one map a keypoint of the input's resolution. Its height at the places
the fields point at says where instances begin (seeds) and how far to trust what the association fields say
(connections). From each seed an instance grows, its surest next keypoint first; one is accepted where the connection
also leads back.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

_CONFIDENT = 0.1
"""Cells below this confidence say nothing."""
_REGRESSED = 0.9
"""How much of a seed's or connection's confidence comes from the map."""
_REDUCTION = 2
"""Input pixels in one of the map of places that are taken."""
_LEAST_TAKEN = 4.0
"""Least distance of two keypoints of a kind, in input pixels."""
_SIDE = 4
"""The square of cells that point at a keypoint: those within the field, of full confidence, make a height of one."""
_DOUBLE = 0.5
"""An instance is there twice when more than this share of its keypoints lies where a better one's do."""
_BRIDGE = 0.25
_REACH = 2.5
"""A Gaussian ends here, in standard deviations."""


class Graph(NamedTuple):
    """Limbs as the decoder walks along them.

    Attributes:
        edges: ``(L, 2)`` keypoints at both ends.
        begin: ``(K + 1,)`` for each keypoint, where its ways begin in ``ways``.
        ways: Numbers of ways: ``2 * limb`` from its first end to its second, ``2 * limb + 1`` back.
        weights: ``(L,)`` what the scores of a limb's connections are multiplied by.
    """

    edges: Int[np.ndarray, "L 2"]
    begin: Int[np.ndarray, " K1"]
    ways: Int[np.ndarray, " W"]
    weights: Float[np.ndarray, " L"]


def graph(count: int, edges: tuple[tuple[int, int], ...], bridges: tuple[tuple[int, int], ...] = ()) -> Graph:
    """The graph of limbs.

    Args:
        count: Number of keypoints.
        edges: Keypoints at both ends of each limb.
        bridges: Further limbs, which are followed where those do not lead.

    Returns:
        The ways from each keypoint.
    """
    sources = np.array(edges + bridges, np.int64).reshape(-1)
    weights = np.repeat([1.0, _BRIDGE], [len(edges), len(bridges)])
    begin = np.searchsorted(np.sort(sources), np.arange(count + 1))
    return Graph(sources.reshape(-1, 2), begin, np.argsort(sources, kind="stable"), weights)


def decode(
    joints: Float[np.ndarray, "K 5 h w"],
    limbs: Float[np.ndarray, "L 9 h w"],
    limb_graph: Graph,
    stride: int,
    seed_threshold: float = 0.2,
    keypoint_threshold: float = 0.15,
    instance_threshold: float = 0.1,
    min_keypoints: int = 3,
) -> tuple[Float[np.ndarray, "N K 2"], Float[np.ndarray, "N K"], Float[np.ndarray, " N"]]:
    """The instances of one image.

    Args:
        joints: Raw part intensity fields; see :data:`vitruve.codecs.fields.JOINT_CHANNELS`.
        limbs: Raw part association fields; see :data:`vitruve.codecs.fields.LIMB_CHANNELS`.
        limb_graph: Of :func:`graph`.
        stride: Input pixels a cell.
        seed_threshold: Least score of a keypoint that an instance begins with.
        keypoint_threshold: Least score of any keypoint.
        instance_threshold: Least score of an instance: the mean over all keypoints, where missing ones count as 0.
        min_keypoints: Instances with fewer are left out.

    Returns:
        Keypoints in input pixels, NaN where there is none; their scores, 0 where there is none; scores of the
        instances. Best first.
    """
    count, _, height, width = joints.shape
    joints, limbs = (np.ascontiguousarray(each, np.float32) for each in (joints, limbs))
    # Pages of zeros cost nothing before something is drawn on them.
    heights = np.zeros((count, height * stride, width * stride), np.float32)
    taken = np.zeros((2, count, height * stride // _REDUCTION + 1, width * stride // _REDUCTION + 1), np.bool_)
    found = _instances(joints, limbs, *limb_graph, float(stride), heights, taken, seed_threshold)
    points, scores = found[..., :2], found[..., 2]
    _drop_doubles(found, taken[1], keypoint_threshold)
    points[scores == 0] = np.nan
    mean = scores.mean(-1)
    order = np.argsort(-mean, kind="stable")
    order = order[(mean[order] >= instance_threshold) & ((scores[order] > 0).sum(-1) >= min(min_keypoints, count))]
    return points[order], scores[order], mean[order]


@njit(cache=True)
@no_type_check
def _sigmoid(value):
    return 1 / (1 + np.exp(-value))


@njit(cache=True)
@no_type_check
def _softplus(value):
    return value if value > 20 else np.log1p(np.exp(value))


@njit(cache=True)
@no_type_check
def _place(field, first, y, x, stride):
    """Where a cell points, in input pixels; the field's channels of x and y begin with ``first``."""
    return (x + field[first, y, x] + 0.5) * stride - 0.5, (y + field[first + 1, y, x] + 0.5) * stride - 0.5


@njit(cache=True)
@no_type_check
def _add_gaussian(target, x, y, sigma, value):
    height, width = target.shape
    reach = _REACH * sigma
    left, right = max(0, int(np.ceil(x - reach))), min(width - 1, int(np.floor(x + reach)))
    top, bottom = max(0, int(np.ceil(y - reach))), min(height - 1, int(np.floor(y + reach)))
    if right < left or bottom < top:
        return
    across = np.empty(right - left + 1, np.float32)
    for i in range(len(across)):
        across[i] = np.exp(-((left + i - x) ** 2) / (2 * sigma**2))
    for row in range(top, bottom + 1):
        down = np.float32(value * np.exp(-((row - y) ** 2) / (2 * sigma**2)))
        line = target[row]
        for i in range(len(across)):
            line[left + i] += down * across[i]


@njit(cache=True)
@no_type_check
def _height(heights, x, y):
    """The map at the nearest pixel, at most 1; 0 outside."""
    column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
    if column < 0 or row < 0 or row >= heights.shape[0] or column >= heights.shape[1]:
        return 0.0
    return min(1.0, float(heights[row, column]))


@njit(cache=True)
@no_type_check
def _take(taken, x, y, radius):
    left, right = int((x - radius) / _REDUCTION), int((x + radius) / _REDUCTION)
    top, bottom = int((y - radius) / _REDUCTION), int((y + radius) / _REDUCTION)
    taken[max(0, top) : max(0, bottom + 1), max(0, left) : max(0, right + 1)] = True


@njit(cache=True)
@no_type_check
def _is_taken(taken, x, y):
    row, column = int(y / _REDUCTION), int(x / _REDUCTION)
    if x < 0 or y < 0 or row >= taken.shape[0] or column >= taken.shape[1]:
        return False
    return taken[row, column]


@njit(cache=True)
@no_type_check
def _draw(joints, stride, heights):
    least = np.log(_CONFIDENT / (1 - _CONFIDENT))
    for k in range(len(joints)):
        for y in range(joints.shape[2]):
            for x in range(joints.shape[3]):
                if joints[k, 0, y, x] > least:
                    px, py = _place(joints[k], 1, y, x, stride)
                    sigma = max(1.0, 0.5 * stride * _softplus(joints[k, 4, y, x]))
                    share = 1 / (_cells(px, stride, joints.shape[3]) * _cells(py, stride, joints.shape[2]))
                    _add_gaussian(heights[k], px, py, sigma, share * _sigmoid(joints[k, 0, y, x]))


@njit(cache=True)
@no_type_check
def _cells(place, stride, count):
    """How many cells of a row, or column, of so many can point at a place: at an edge, half as many."""
    first = np.rint((place + 0.5) / stride - _SIDE / 2)
    return max(min(first + _SIDE, count) - max(first, 0), _SIDE / 2)


@njit(cache=True)
@no_type_check
def _seeds(joints, stride, heights, threshold):
    """Score, keypoint, place and scale of each seed, best first."""
    least = np.log(_CONFIDENT / (1 - _CONFIDENT))
    count = 0
    for k in range(len(joints)):
        for value in joints[k, 0].ravel():
            if value > least:
                count += 1
    found = np.empty((count, 5), np.float64)
    count = 0
    for k in range(len(joints)):
        for y in range(joints.shape[2]):
            for x in range(joints.shape[3]):
                if joints[k, 0, y, x] > least:
                    px, py = _place(joints[k], 1, y, x, stride)
                    score = _REGRESSED * _height(heights[k], px, py)
                    score += (1 - _REGRESSED) * _sigmoid(joints[k, 0, y, x])
                    if score > threshold:
                        found[count, 0], found[count, 1], found[count, 2], found[count, 3] = score, k, px, py
                        found[count, 4] = stride * _softplus(joints[k, 4, y, x])
                        count += 1
    return found[np.argsort(-found[:count, 0], kind="mergesort")]


@njit(cache=True)
@no_type_check
def _connections(limbs, edges, weights, stride, heights):
    """Connections by way, and within a way by the row of cells that they begin in.

    Returns the first connection of each way and row, and of each connection its score, where it begins and where it
    ends, and the scale of its end.
    """
    count, _, rows, columns = limbs.shape
    least = np.log(_CONFIDENT / (1 - _CONFIDENT))
    begin = np.zeros((2 * count, rows + 1), np.int64)
    total = 0
    for fill in range(2):
        if fill:
            for way in range(2 * count):
                for row in range(rows + 1):
                    here = begin[way, row]
                    begin[way, row] = total
                    total += here
            free = begin.copy()
            found = np.empty((total, 6), np.float64)
        for limb in range(count):
            field = limbs[limb]
            for y in range(rows):
                for x in range(columns):
                    if field[0, y, x] <= least:
                        continue
                    confidence = weights[limb] * _sigmoid(field[0, y, x])
                    for back in range(2):
                        sx, sy = _place(field, 1 + 2 * back, y, x, stride)
                        row = min(rows - 1, max(0, int((sy + 0.5) / stride)))
                        way = 2 * limb + back
                        if not fill:
                            begin[way, row] += 1
                            continue
                        tx, ty = _place(field, 3 - 2 * back, y, x, stride)
                        target = edges[limb, 1 - back]
                        score = confidence * (1 - _REGRESSED + _REGRESSED * _height(heights[target], tx, ty))
                        entry = found[free[way, row]]
                        entry[0], entry[1], entry[2], entry[3], entry[4] = score, sx, sy, tx, ty
                        entry[5] = stride * _softplus(field[8 - back, y, x])
                        free[way, row] += 1
    return begin, found


@njit(cache=True)
@no_type_check
def _follow(begin, found, way, x, y, scale, stride):
    """Where a way leads from a keypoint: place, scale and score, the score 0 where it leads nowhere.

    The best connection, blended with the second best where both end near one another.
    """
    rows = begin.shape[1] - 1
    reach, width = 2 * scale, 0.25 * scale**2
    top = min(rows - 1, max(0, int((y - reach + 0.5) / stride)))
    bottom = min(rows - 1, max(0, int((y + reach + 0.5) / stride)))
    first, second = -1, -1
    best, next_best = 0.0, 0.0
    for i in range(begin[way, top], begin[way, bottom + 1]):
        dx, dy = found[i, 1] - x, found[i, 2] - y
        if abs(dx) > reach or abs(dy) > reach or found[i, 0] <= next_best:
            continue
        score = found[i, 0] * np.exp(-0.5 * (dx**2 + dy**2) / width)
        if score > best:
            second, next_best = first, best
            first, best = i, score
        elif score > next_best:
            second, next_best = i, score
    if first < 0 or best < 1e-3:
        return 0.0, 0.0, 0.0, 0.0
    a = found[first]
    if second < 0 or next_best < 0.5 * best:
        return a[3], a[4], a[5], best
    b = found[second]
    if (a[3] - b[3]) ** 2 + (a[4] - b[4]) ** 2 > 0.25 * a[5] ** 2:
        return a[3], a[4], a[5], best
    total = best + next_best
    share = best / total
    return (
        share * a[3] + (1 - share) * b[3],
        share * a[4] + (1 - share) * b[4],
        share * a[5] + (1 - share) * b[5],
        0.5 * total,
    )


@njit(cache=True)
@no_type_check
def _grow(seed, edges, way_begin, ways, begin, found, stride, instance):
    """Fill an instance (K, 4: x, y, score, scale) from its seed."""
    start = int(seed[1])
    instance[start, 0], instance[start, 1], instance[start, 2], instance[start, 3] = seed[2], seed[3], seed[0], seed[4]
    # What an instance may grow by: place, scale, score, and the way there. Each way is opened once.
    open_ways = np.empty((2 * len(edges) + 1, 5), np.float64)
    count = 0
    new = start
    while True:
        x, y, score, scale = instance[new]
        for way in ways[way_begin[new] : way_begin[new + 1]]:
            target = edges[way // 2, 1 - way % 2]
            if instance[target, 2] == 0:
                tx, ty, ts, strength = _follow(begin, found, way, x, y, max(scale, 0.5 * stride), stride)
                if strength > 0:
                    entry = open_ways[count]
                    entry[0], entry[1], entry[2], entry[3], entry[4] = tx, ty, ts, np.sqrt(score * strength), way
                    count += 1
        new = -1
        while count > 0 and new < 0:
            top = 0
            for i in range(1, count):
                if open_ways[i, 3] > open_ways[top, 3]:
                    top = i
            tx, ty, ts, score = open_ways[top, 0], open_ways[top, 1], open_ways[top, 2], open_ways[top, 3]
            way = int(open_ways[top, 4])
            count -= 1
            open_ways[top] = open_ways[count]
            source, target = edges[way // 2, way % 2], edges[way // 2, 1 - way % 2]
            if instance[target, 2] > 0:
                continue
            back = way + 1 - 2 * (way % 2)
            bx, by, _, strength = _follow(begin, found, back, tx, ty, max(ts, 0.5 * stride), stride)
            away = abs(bx - instance[source, 0]) + abs(by - instance[source, 1])
            if strength > 0 and away <= max(instance[source, 3], 0.5 * stride):
                instance[target, 0], instance[target, 1] = tx, ty
                instance[target, 2], instance[target, 3] = score, ts
                new = target
        if new < 0:
            return


@njit(cache=True)
@no_type_check
def _instances(joints, limbs, edges, way_begin, ways, weights, stride, heights, taken, threshold):
    """Keypoints of instances in the order of their seeds: ``(N, K, 4)`` x, y, score, scale."""
    _draw(joints, stride, heights)
    seeds = _seeds(joints, stride, heights, threshold)
    begin, found = _connections(limbs, edges, weights, stride, heights)
    instances = np.zeros((len(seeds), len(joints), 4), np.float64)
    count = 0
    for seed in seeds:
        if _is_taken(taken[0, int(seed[1])], seed[2], seed[3]):
            continue
        instance = instances[count]
        count += 1
        _grow(seed, edges, way_begin, ways, begin, found, stride, instance)
        for k in range(len(joints)):
            if instance[k, 2] > 0:
                _take(taken[0, k], instance[k, 0], instance[k, 1], max(_LEAST_TAKEN, instance[k, 3]))
    return instances[:count]


@njit(cache=True)
@no_type_check
def _drop_doubles(instances, taken, threshold):
    """Take from the worse of two instances that are one the keypoints that the better one has at the same place.

    Two people who cross have a few keypoints in one place, and keep them.
    """
    total = np.zeros(len(instances))
    for i in range(len(instances)):
        total[i] = instances[i, :, 2].sum()
    for i in np.argsort(-total, kind="mergesort"):
        instance = instances[i]
        double = np.zeros(len(instance), np.bool_)
        there = 0
        for k in range(len(instance)):
            if instance[k, 2] < threshold:
                instance[k, 2] = 0
            else:
                there += 1
                double[k] = _is_taken(taken[k], instance[k, 0], instance[k, 1])
        if double.sum() > _DOUBLE * there:
            instance[double, 2] = 0
        for k in range(len(instance)):
            if instance[k, 2] > 0:
                _take(taken[k], instance[k, 0], instance[k, 1], max(_LEAST_TAKEN, 0.5 * instance[k, 3]))
