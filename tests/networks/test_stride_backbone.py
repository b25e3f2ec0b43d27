"""One contract over many networks: one map of the stride asked for, whatever the name."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from vitruve.errors import ConfigError, RunError
from vitruve.networks.backbone import Backbone, list_backbones
from vitruve.networks.stride_backbone import StrideBackbone

HYPERPOSE = {  # channels at stride 8 and 32
    "vggtiny": (384, 384),
    "vgg16": (512, 512),
    "vgg19": (512, 512),
    "resnet18": (512, 512),
    "resnet50": (2048, 2048),
    "mobilenetv1": (512, 1024),
    "mobilenetv2": (64, 320),
    "mobilenet_dilated": (512, 512),
    "mobilenet_thin": (1152, 1152),
    "mobilenet_small": (704, 704),
}
SIZE = (96, 64)


def _images(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, SIZE[1], SIZE[0]), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("name", HYPERPOSE)
def test_the_networks_of_hyperpose_have_its_channels(name: str) -> None:
    for stride, channels in zip((8, 32), HYPERPOSE[name], strict=True):
        backbone = StrideBackbone(name, SIZE, stride).eval()
        assert (backbone.channels, backbone.stride) == (channels, stride)
        assert (backbone.pretrained, backbone.origin) == (False, "random")
        with torch.no_grad():
            found = backbone(_images())
        assert found.shape == (2, channels, SIZE[1] // stride, SIZE[0] // stride)
        assert bool(torch.isfinite(found).all())


@pytest.mark.parametrize("stride", [4, 8, 16, 32])
@pytest.mark.parametrize(
    "name",
    ["test_resnet", "convnext_atto", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "densenet121", "vggtiny"],
)
def test_any_network_gives_any_stride(name: str, stride: int) -> None:
    backbone = StrideBackbone(name, SIZE, stride)
    found = backbone(_images())
    assert found.shape == (2, backbone.channels, SIZE[1] // stride, SIZE[0] // stride)
    found.square().sum().backward()
    assert [key for key, value in backbone.named_parameters() if value.grad is None] == []


def test_steps_down_become_dilations_where_the_network_can_do_that() -> None:
    for stride, wide in ((8, {1, 2, 4}), (16, {1, 2}), (32, {1})):
        backbone = StrideBackbone("resnet18", SIZE, stride)
        found = {m.dilation[0] for m in backbone.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)}
        assert found == wide
        assert backbone.channels == 512


def test_one_block_of_the_dilated_mobilenet_is_dilated() -> None:
    for name, count in (("mobilenet_dilated", 1), ("mobilenet_thin", 0)):
        backbone = StrideBackbone(name, SIZE, 8)
        wide = [m for m in backbone.modules() if isinstance(m, nn.Conv2d) and m.dilation == (2, 2)]
        assert len(wide) == count and all(m.padding == (2, 2) and m.groups == 512 for m in wide)


def test_vgg_is_left_where_openpose_leaves_it() -> None:
    whole = timm.create_model("vgg19")
    backbone = StrideBackbone("vgg19", SIZE, 8).eval()
    kept = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    theirs = [m for m in whole.modules() if isinstance(m, nn.Conv2d)][: len(kept)]
    assert len(kept) == 10 and [m.weight.shape for m in kept] == [m.weight.shape for m in theirs]
    # The cut network gives what timm's has at that place.
    with torch.no_grad():
        for own, other in zip(kept, theirs, strict=True):
            other.load_state_dict(own.state_dict())
        torch.testing.assert_close(backbone(_images()), whole.features[:23](backbone.normalized(_images())))


def test_thin_joins_three_depths() -> None:
    torch.manual_seed(0)
    net = timm.create_model("mobilenetv1_100", features_only=True).eval()
    backbone = StrideBackbone("mobilenet_thin", SIZE, 16).eval()
    # At stride 16 nothing of the network is changed, so timm's own maps must come out.
    for part, other in zip(
        [m for m in backbone.modules() if isinstance(m, nn.Conv2d)],
        [m for m in net.modules() if isinstance(m, nn.Conv2d)],
        strict=False,
    ):
        other.load_state_dict(part.state_dict())
    with torch.no_grad():
        maps = net(backbone.normalized(_images()))
        found = backbone(_images())
    torch.testing.assert_close(found[:, :128], nn.functional.max_pool2d(maps[1], 4))
    torch.testing.assert_close(found[:, 640:], maps[3])


def test_images_are_normalised_once() -> None:
    for name in ("test_resnet", "mobilenet_small"):
        backbone = StrideBackbone(name, SIZE, 8)
        seen: list[torch.Tensor] = []
        first = next(m for m in backbone.modules() if isinstance(m, nn.Conv2d))
        first.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        with torch.no_grad():
            backbone(_images())
        torch.testing.assert_close(seen[0], backbone.normalized(_images()))
        assert float(seen[0].abs().max()) < 5


def test_weights_come_from_files_of_the_network_or_of_timm(tmp_path: Path) -> None:
    for number, (name, network) in enumerate((("mobilenet_thin", "mobilenetv1_100"), ("test_resnet", "test_resnet"))):
        torch.manual_seed(1)
        theirs, own = timm.create_model(network), StrideBackbone(name, SIZE, 8)
        files = tmp_path / f"timm{number}.safetensors", tmp_path / f"own{number}.safetensors"
        save_file(theirs.state_dict(), files[0])
        save_file(own.state_dict(), files[1])
        loaded = [StrideBackbone(name, SIZE, 8, pretrained=True, weights_file=file) for file in files]
        assert [each.origin for each in loaded] == [str(file) for file in files]
        assert all(each.pretrained for each in loaded)
        stem = next(m for m in theirs.modules() if isinstance(m, nn.Conv2d))
        torch.testing.assert_close(next(m for m in loaded[0].modules() if isinstance(m, nn.Conv2d)).weight, stem.weight)
        for key, value in own.state_dict().items():
            assert torch.equal(loaded[1].state_dict()[key], value), key
    with pytest.raises(RunError, match="tensors fit this network"):
        StrideBackbone("vggtiny", SIZE, 8, weights_file=files[0])


def test_without_published_weights_a_warning_says_so() -> None:
    with pytest.warns(UserWarning, match="no weights are published"):
        assert StrideBackbone("vggtiny", SIZE, 8, pretrained=True).origin == "random"


def test_unknown_names_and_sizes_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"no such network .did you mean 'mobilenet_thin'"):
        StrideBackbone("mobilenet_thim", SIZE, 8)
    with pytest.raises(ConfigError, match="do not cover images of 100 x 64 pixels"):
        StrideBackbone("vggtiny", (100, 64), 8)
    with pytest.raises(ConfigError, match="gives one map, for algorithms that find several"):
        Backbone("mobilenet_thin", SIZE)


def test_all_ten_are_listed() -> None:
    listed = dict(list_backbones())
    assert not HYPERPOSE.keys() - listed.keys()
    assert listed["mobilenetv2"] == "HyperPose's name for mobilenetv2_100"
    assert listed["mobilenet_thin"].startswith("HyperPose's")
