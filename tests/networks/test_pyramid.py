from __future__ import annotations

import pytest
import torch

from vitruve.networks.backbone import Backbone
from vitruve.networks.pyramid import Pyramid


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext"])
@pytest.mark.parametrize(("wanted", "coarser"), [((4, 8, 16, 32, 64), "pool"), ((8, 16, 32, 64, 128), "convolution")])
def test_any_backbone_has_the_strides_that_are_wanted(backbone: str, wanted: tuple[int, ...], coarser: str) -> None:
    size = (128, 96)
    net = Backbone(backbone, size, finest_stride=wanted[0])
    pyramid = Pyramid(net.channels, net.strides, wanted, 8, coarser)
    levels = pyramid(net(torch.zeros(2, 3, size[1], size[0])), (size[1], size[0]))
    assert [tuple(level.shape) for level in levels] == [(2, 8, -(-size[1] // s), -(-size[0] // s)) for s in wanted]


def test_a_pooled_level_is_every_second_cell_of_the_last() -> None:
    pyramid = Pyramid([4, 6], [4, 8], (4, 8, 16), 5)
    levels = pyramid([torch.rand(1, 4, 8, 8), torch.rand(1, 6, 4, 4)], (32, 32))
    assert torch.equal(levels[2], levels[1][..., ::2, ::2])
