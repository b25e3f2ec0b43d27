"""Every result of the pyramid knows of every level."""

from __future__ import annotations

import pytest
import torch

from vitruve.networks.bifpn import BiFPN


@pytest.mark.parametrize("outputs", [1, 3, 4])
def test_sizes_are_those_of_the_maps_also_where_they_do_not_halve(outputs: int) -> None:
    net = BiFPN((5, 6, 7), 8, 2, outputs)
    maps = [torch.rand(1, *shape) for shape in ((5, 20, 22), (6, 10, 11), (7, 5, 6))]
    found = net(maps)
    wanted = [(1, 8, 20, 22), (1, 8, 10, 11), (1, 8, 5, 6), (1, 8, 3, 3)]
    assert [tuple(each.shape) for each in found] == wanted[:outputs]


def test_each_level_reaches_each_result() -> None:
    net = BiFPN((4, 4, 4), 8, 1, 3).eval()
    maps = [torch.rand(1, 4, side, side, requires_grad=True) for side in (16, 8, 4)]
    for found in net(maps):
        reached = torch.autograd.grad(found.sum(), maps, retain_graph=True)
        assert all(bool(gradient.any()) for gradient in reached)


def test_a_level_with_a_negative_weight_is_left_out() -> None:
    net = BiFPN((4, 4), 8, 1, 1, coarser=0).eval()
    with torch.no_grad():
        net.layers[0].downward[0].weights[1] = -1.0
    fine, coarse = torch.rand(1, 4, 8, 8), torch.rand(1, 4, 4, 4)
    torch.testing.assert_close(net([fine, coarse])[0], net([fine, coarse + 1])[0])
