"""Persons out of the maps of :mod:`vitruve.codecs.grid`, compiled.

Boxes of each kind are those cells whose response times IoU is high enough, without those that overlap a better one.
Each box around a person starts a person; along the limbs, from the root outward, each keypoint's boxes are dealt to the
persons, the pair with the highest product of both boxes' scores and the limb between them first.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from vitruve.codecs.grid import Layout


class Persons(NamedTuple):
    """The persons of one image, in the order of their boxes' scores.

    Attributes:
        points: In input pixels, NaN where there is none.
        scores: Of keypoints, 0 where there is none.
        boxes: ``x1 y1 x2 y2``.
        box_scores: Of the boxes.
        cells: Number of the cell that each keypoint was read from, -1 where there is none.
    """

    points: Float[np.ndarray, "N K 2"]
    scores: Float[np.ndarray, "N K"]
    boxes: Float[np.ndarray, "N 4"]
    box_scores: Float[np.ndarray, " N"]
    cells: Int[np.ndarray, "N K"]


def decode(
    response: Float[np.ndarray, "kinds h w"],
    iou: Float[np.ndarray, "kinds h w"],
    place: Float[np.ndarray, "kinds 2 h w"],
    size: Float[np.ndarray, "kinds 2 h w"],
    limbs: Float[np.ndarray, "L n n h w"],
    layout: Layout,
    threshold: float = 0.2,
    limb_threshold: float = 0.2,
    part_overlap: float = 0.3,
    person_overlap: float = 0.6,
) -> Persons:
    """The persons of one image.

    Args:
        response: As all maps, before the sigmoid.
        iou: How well the box of the cell fits.
        place: From a cell's left and top edge.
        size: Shares of the input's width and height.
        limbs: In the order of :func:`vitruve.codecs.grid.encode`.
        layout: What the maps are of.
        threshold: Least response times IoU of a box.
        limb_threshold: Least value of a limb.
        part_overlap: Of two boxes of a keypoint with a larger IoU than this, the better one stays.
        person_overlap: The same of boxes around persons, which overlap where persons do.

    Returns:
        Its keypoints and boxes.
    """
    maps = (np.ascontiguousarray(each, np.float32) for each in (response, iou, place, size, limbs))
    ends = np.array(layout.limbs, np.int64).reshape(-1, 2)
    overlap = np.full(layout.kinds, part_overlap)
    overlap[layout.root] = person_overlap
    with np.errstate(divide="ignore"):
        least = float(np.log(limb_threshold) - np.log1p(-limb_threshold))
    return Persons(*_persons(*maps, ends, float(layout.stride), threshold, least, overlap))


@njit(cache=True)
@no_type_check
def _sigmoid(value):
    return 1 / (1 + np.exp(-value))


@njit(cache=True)
@no_type_check
def _iou(a, b):
    """Of two boxes given as centre and size."""
    across = min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2)
    down = min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2)
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (a[2] * a[3] + b[2] * b[3] - across * down)


@njit(cache=True)
@no_type_check
def _boxes(kind, response, iou, place, size, stride, threshold, overlap):
    """Centre, size, score and cell of the boxes of a kind, best first."""
    height, width = response.shape[1:]
    cells = np.empty(height * width, np.int64)
    scores = np.empty(height * width, np.float64)
    count = 0
    for y in range(height):
        for x in range(width):
            score = _sigmoid(response[kind, y, x]) * _sigmoid(iou[kind, y, x])
            if score > threshold:
                cells[count], scores[count] = y * width + x, score
                count += 1
    found = np.empty((count, 6), np.float64)
    kept = 0
    for i in np.argsort(-scores[:count], kind="mergesort"):
        y, x = cells[i] // width, cells[i] % width
        box = found[kept]
        box[0] = (x + _sigmoid(place[kind, 0, y, x])) * stride - 0.5
        box[1] = (y + _sigmoid(place[kind, 1, y, x])) * stride - 0.5
        box[2] = _sigmoid(size[kind, 0, y, x]) * width * stride
        box[3] = _sigmoid(size[kind, 1, y, x]) * height * stride
        box[4], box[5] = scores[i], cells[i]
        alone = True
        for j in range(kept):
            if _iou(found[j], box) > overlap:
                alone = False
                break
        if alone:
            kept += 1
    return found[:kept]


@njit(cache=True)
@no_type_check
def _dealt(cells, strength, boxes, limbs, begins, least, width):
    """Which boxes of a kind go to which persons, along the limbs that end in it: pairs, the surest first."""
    side = limbs.shape[1]
    pairs = np.zeros((len(cells), len(boxes)), np.float64)
    for limb in range(len(limbs)):
        for person in range(len(cells)):
            begin = cells[person, begins[limb]]
            if begin < 0:
                continue
            y, x = begin // width, begin % width
            for box in range(len(boxes)):
                cell = int(boxes[box, 5])
                i, j = cell // width - y + side // 2, cell % width - x + side // 2
                if 0 <= i < side and 0 <= j < side and limbs[limb, i, j, y, x] > least:
                    total = strength[person, begins[limb]] * _sigmoid(limbs[limb, i, j, y, x]) * boxes[box, 4]
                    pairs[person, box] = max(pairs[person, box], total)
    persons, columns = np.nonzero(pairs)
    scores = np.empty(len(persons), np.float64)
    for i in range(len(persons)):
        scores[i] = pairs[persons[i], columns[i]]
    found = np.empty((min(len(cells), len(boxes)), 2), np.int64)
    served, taken = np.zeros(len(cells), np.bool_), np.zeros(len(boxes), np.bool_)
    count = 0
    for i in np.argsort(-scores, kind="mergesort"):
        if not served[persons[i]] and not taken[columns[i]]:
            served[persons[i]] = taken[columns[i]] = True
            found[count, 0], found[count, 1] = persons[i], columns[i]
            count += 1
    return found[:count]


@njit(cache=True)
@no_type_check
def _persons(response, iou, place, size, limbs, ends, stride, threshold, least, overlap):
    kinds, _, width = response.shape
    root = kinds - 1
    roots = _boxes(root, response, iou, place, size, stride, threshold, overlap[root])
    count = len(roots)
    cells = np.full((count, kinds), -1, np.int64)
    strength = np.zeros((count, kinds), np.float64)
    points = np.full((count, root, 2), np.nan)
    cells[:, root] = roots[:, 5].astype(np.int64)
    strength[:, root] = roots[:, 4]
    first = 0
    while first < len(ends):
        child = ends[first, 1]
        last = first
        while last < len(ends) and ends[last, 1] == child:
            last += 1
        boxes = _boxes(child, response, iou, place, size, stride, threshold, overlap[child])
        for person, box in _dealt(cells, strength, boxes, limbs[first:last], ends[first:last, 0], least, width):
            cells[person, child] = int(boxes[box, 5])
            strength[person, child] = boxes[box, 4]
            points[person, child, 0], points[person, child, 1] = boxes[box, 0], boxes[box, 1]
        first = last
    around = np.empty((count, 4), np.float64)
    around[:, :2] = roots[:, :2] - roots[:, 2:4] / 2
    around[:, 2:] = roots[:, :2] + roots[:, 2:4] / 2
    return points, strength[:, :root].copy(), around, roots[:, 4].copy(), cells[:, :root].copy()
