"""Limbs as a graph: which of them are missing to reach every keypoint, and in what order a tree reaches them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from vitruve.structures.skeleton import Skeleton

Edge = tuple[int, int]

_MOST_AROUND = 6
_ANCHORS = ("instance", "neck")


def connected(count: int, edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """Limbs by which every keypoint can be reached from every other.

    Args:
        count: Number of keypoints.
        edges: Limbs, as pairs of keypoints.

    Returns:
        The limbs without repetitions, and one more from the middle of the largest connected part (the first of several)
        to the middle of each other part.
    """
    known: dict[Edge, Edge] = {}
    for a, b in edges:
        if a != b:
            known.setdefault((min(a, b), max(a, b)), (a, b))
    parts = _parts(count, edges)
    middles = [_middle(part, edges) for part in parts]
    largest = max(range(len(parts)), key=lambda i: len(parts[i])) if parts else 0
    joins = [(middles[largest], middle) for i, middle in enumerate(middles) if i != largest]
    return (*known.values(), *joins)


def bridges(count: int, edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """Pairs of keypoints with one other between them: the ways around one that is not there.

    Args:
        count: Number of keypoints.
        edges: Limbs.

    Returns:
        The pairs that are no limbs themselves. Keypoints at which more than six limbs meet are no middle of any: pairs
        around them would be too many.
    """
    neighbours = _neighbours(count, edges)
    limbs = {frozenset(edge) for edge in edges}
    found: dict[frozenset[int], Edge] = {}
    for around in neighbours:
        if len(around) <= _MOST_AROUND:
            for a, b in combinations(sorted(around), 2):
                if frozenset((a, b)) not in limbs:
                    found.setdefault(frozenset((a, b)), (a, b))
    return tuple(found.values())


def anchor(skeleton: Skeleton) -> int:
    """The keypoint that stands for the whole: one named ``instance`` or ``neck``, else the middle of the limbs.

    Args:
        skeleton: The keypoints and their limbs.

    Returns:
        Its index.
    """
    for name in _ANCHORS:
        if name in skeleton.names:
            return skeleton.names.index(name)
    return _middle(range(len(skeleton)), connected(len(skeleton), skeleton.edges))


def outward(count: int, edges: Sequence[Edge], start: int) -> tuple[Edge, ...]:
    """The tree of shortest ways along limbs.

    Args:
        count: Number of keypoints.
        edges: Limbs that connect all of them.
        start: Where the ways begin.

    Returns:
        ``count - 1`` pairs of a keypoint and the next one outward, nearest to the start first.
    """
    neighbours = _neighbours(count, edges)
    tree: list[Edge] = []
    reached, seen = [start], {start}
    for here in reached:
        for other in neighbours[here]:
            if other not in seen:
                seen.add(other)
                reached.append(other)
                tree.append((here, other))
    return tuple(tree)


def _neighbours(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        found[a].append(b)
        found[b].append(a)
    return found


def _parts(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    parts: list[list[int]] = []
    seen: set[int] = set()
    for start in range(count):
        if start not in seen:
            part = sorted([start, *(end for _, end in outward(count, edges, start))])
            parts.append(part)
            seen.update(part)
    return parts


def _middle(part: Sequence[int], edges: Sequence[Edge]) -> int:
    """The keypoint from which the way to the farthest is shortest; of several, the one nearest to all."""
    inside = [edge for edge in edges if edge[0] in part]
    count = max(part) + 1

    def cost(start: int) -> tuple[int, int]:
        far = {start: 0}
        for here, there in outward(count, inside, start):
            far[there] = far[here] + 1
        return max(far.values()), sum(far.values())

    return min(part, key=cost)
