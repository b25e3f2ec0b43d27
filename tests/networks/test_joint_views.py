from __future__ import annotations

import pytest
import torch

from vitruve.errors import ConfigError
from vitruve.networks.backbone import Backbone
from vitruve.networks.joint_views import join_views, joint_features

SIZE = (48, 32)
# Class token and learned positions; a register; registers with rotary positions (DINOv3); rotary positions, depth 12.
NETWORKS = ["test_vit", "test_vit2", "vit_small_patch16_dinov3", "eva02_tiny_patch14_224"]


def _images(count: int, views: int, size: tuple[int, int] = SIZE) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, views, 3, size[1], size[0]), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_view_alone_is_the_network_as_it_is(name: str) -> None:
    """Registers, class tokens and rotary positions are treated as timm treats them."""
    size = (56, 42) if "14" in name else SIZE
    torch.manual_seed(0)
    backbone = Backbone(name, size).eval()
    images = _images(2, 1, size)
    with torch.no_grad():
        wanted = backbone(images[:, 0])[-1]
        join_views(backbone, 1)
        found = joint_features(backbone, images, torch.zeros(1, backbone.channels[-1]))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS[:3])
def test_views_look_at_one_another_but_entries_do_not(name: str) -> None:
    torch.manual_seed(0)
    backbone = (
        Backbone(name, SIZE).eval().double()
    )  # where blocks start with a scale of 1e-5, single would round it off
    join_views(backbone, 3)
    embedding = 0.02 * torch.randn(3, backbone.channels[-1], dtype=torch.float64)
    images = _images(2, 3)
    changed = images.clone()
    changed[0, 2] = 0
    with torch.no_grad():
        before, after = (joint_features(backbone, each, embedding) for each in (images, changed))
    assert before.shape == (6, backbone.channels[-1], 2, 3)
    different = (before - after).abs().amax((-3, -2, -1)) > 0
    assert different.tolist() == [True, True, True, False, False, False]


@pytest.mark.parametrize("name", NETWORKS[1:3])
def test_views_in_another_order_give_the_same_maps_in_that_order(name: str) -> None:
    """Without embeddings nothing but its pixels tells one view from another, wherever it stands in the sequence."""
    torch.manual_seed(0)
    backbone = Backbone(name, SIZE).eval()
    join_views(backbone, 3)
    zero = torch.zeros(3, backbone.channels[-1])
    images, order = _images(1, 3), [2, 0, 1]
    with torch.no_grad():
        first, second = joint_features(backbone, images, zero), joint_features(backbone, images[:, order], zero)
        told = joint_features(backbone, images[:, order], 0.02 * torch.randn_like(zero))
    torch.testing.assert_close(first[order], second, atol=1e-4, rtol=1e-4)
    assert float((told - second).abs().max()) > 1e-3


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_other_networks_are_refused(name: str) -> None:
    backbone = Backbone(name, (64, 64))
    with pytest.raises(ConfigError, match=rf"model\.backbone='{name}': several views .* plain vision transformer"):
        join_views(backbone, 2)
