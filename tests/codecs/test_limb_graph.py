"""Limbs as a graph, by hand."""

from __future__ import annotations

import pytest

from vitruve.codecs import limb_graph
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_skeleton_can_be_walked(name: str) -> None:
    skeleton = KNOWN[name]
    count = len(skeleton)
    edges = limb_graph.connected(count, skeleton.edges)
    assert set(skeleton.edges) <= set(edges) and len({frozenset(edge) for edge in edges}) == len(edges)
    start = limb_graph.anchor(skeleton)
    tree = limb_graph.outward(count, edges, start)
    reached = [start]
    for here, there in tree:  # never before the one it hangs on, and only along limbs
        assert here in reached and there not in reached
        assert (here, there) in edges or (there, here) in edges
        reached.append(there)
    assert sorted(reached) == list(range(count))


def test_parts_are_joined_in_their_middles() -> None:
    chain = ((0, 1), (1, 2), (3, 4))
    assert limb_graph.connected(6, chain) == (*chain, (1, 3), (1, 5))
    assert limb_graph.connected(3, ()) == ((0, 1), (0, 2))
    assert limb_graph.connected(1, ()) == ()
    assert limb_graph.connected(3, ((0, 1), (1, 0), (2, 2), (1, 2))) == ((0, 1), (1, 2))


def test_a_neck_stands_for_the_whole_else_the_middle_does() -> None:
    chain = ((0, 1), (1, 2), (2, 3), (3, 4))
    assert limb_graph.anchor(Skeleton(tuple("abcde"), chain)) == 2
    assert limb_graph.anchor(Skeleton(("a", "b", "c", "d", "neck"), chain)) == 4
    assert limb_graph.anchor(Skeleton(("a", "neck", "c", "d", "instance"), chain)) == 4


def test_bridges_lead_around_one_keypoint() -> None:
    assert limb_graph.bridges(4, ((0, 1), (1, 2), (2, 3))) == ((0, 2), (1, 3))
    assert limb_graph.bridges(3, ((0, 1), (1, 2), (0, 2))) == ()
    hub = tuple((0, i) for i in range(1, 9))
    assert limb_graph.bridges(9, hub) == ()
