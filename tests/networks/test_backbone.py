"""One contract over many networks: channels and strides are as stated, whatever the name."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from vitruve.errors import ConfigError, RunError
from vitruve.networks.backbone import Backbone, list_backbones, resolve_name
from vitruve.networks.heads import PyramidHead
from vitruve.networks.weights import load_matching

SIZES = {"vit_small_patch14_dinov2": (112, 56)}
NAMES = (
    "test_resnet",
    "resnet18",
    "mobilenetv3_small_050",
    "efficientnet_b0",
    "convnext_atto",
    "vit_tiny_patch16_224",
    "vit_small_patch14_dinov2",
    "swin_tiny_patch4_window7_224",  # a fixed grid, and channels last
)


def _images(size: tuple[int, int], count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size[1], size[0]), dtype=torch.uint8, generator=generator)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection, and nothing in the cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize("name", NAMES)
def test_channels_strides_and_a_head_on_top(name: str) -> None:
    width, height = size = SIZES.get(name, (96, 64))
    backbone = Backbone(name, size).eval()
    assert backbone.training is False and backbone.pretrained is False
    assert backbone.strides == sorted(set(backbone.strides)) and backbone.strides[0] >= 4
    with torch.no_grad():
        maps = backbone(_images(size))
        shapes = [tuple(each.shape) for each in maps]
        assert shapes == [
            (2, c, height // s, width // s) for c, s in zip(backbone.channels, backbone.strides, strict=True)
        ]
        assert all(bool(torch.isfinite(each).all()) for each in maps)
        for stride in (4, 8):
            head = PyramidHead(backbone.channels, backbone.strides, stride, 5, width=8).eval()
            assert head(maps).shape == (2, 5, height // stride, width // stride)


@pytest.mark.parametrize(("finest", "strides"), [(2, [2, 4, 8, 16, 32]), (4, [4, 8, 16, 32]), (8, [8, 16, 32])])
def test_maps_finer_than_asked_for_are_left_out(finest: int, strides: list[int]) -> None:
    assert Backbone("test_resnet", (64, 64), finest_stride=finest).strides == strides


def test_a_plain_transformer_is_used_to_its_last_block() -> None:
    blocks = Backbone("vit_tiny_patch16_224", (32, 32)).net.model.blocks
    assert len(blocks) == len(timm.create_model("vit_tiny_patch16_224").blocks) == 12


@pytest.mark.parametrize(("name", "mean", "std"), [("resnet18", 0.485, 0.229), ("vit_tiny_patch16_224", 0.5, 0.5)])
def test_images_are_normalised_as_the_network_was_trained(name: str, mean: float, std: float) -> None:
    backbone = Backbone(name, (32, 32))
    seen: list[torch.Tensor] = []
    backbone.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = _images((32, 32))
    with torch.no_grad():
        backbone(images), backbone(images.float())
    torch.testing.assert_close(seen[0][:, 0], (images[:, 0].float() / 255 - mean) / std, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(seen[0], seen[1])


def test_building_takes_the_seed_alone_and_leaves_statistics_untouched() -> None:
    nets = []
    for _ in range(2):
        torch.manual_seed(5)
        nets.append(Backbone("test_resnet", (64, 64)))
    for (name, one), two in zip(nets[0].state_dict().items(), nets[1].state_dict().values(), strict=True):
        assert torch.equal(one, two)
        if name.endswith("running_mean"):
            assert not one.any()
    assert nets[0].training


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone='resnet81': no such network \(did you mean '.*resnet.*'"):
        Backbone("resnet81", (64, 64))
    assert resolve_name("resnet50_animal_ap10k") == "resnet50"
    with pytest.raises(ConfigError, match=r"model\.backbone='resnet18\.nonsense'"):
        Backbone("resnet18.nonsense", (64, 64))


@pytest.mark.parametrize(("name", "size"), [("crossvit_tiny_240", (96, 64)), ("vit_small_patch14_dinov2", (96, 64))])
def test_a_size_a_network_cannot_take_is_one_line(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=rf"model\.backbone='{name}'.* 96 x 64 pixels") as caught:
        Backbone(name, size)
    assert "\n" not in str(caught.value) and "data.image_resize_dims to multiples of" in str(caught.value)


def test_every_alias_is_a_network_of_timm() -> None:
    aliases = [name for name, kind in list_backbones() if " name for " in kind]
    assert len(aliases) > 10
    for name in aliases:
        assert timm.is_model(resolve_name(name).split(".")[0])


def test_listing_takes_a_part_of_a_name_or_a_pattern() -> None:
    part = dict(list_backbones("resnet50_a"))
    assert "resnet50_animal_ap10k" in part and all("resnet50_a" in name for name in part)
    pattern = [name for name, _ in list_backbones("*_sam2")]
    assert pattern == ["vitt_sam2", "vits_sam2", "vitb_sam2"]
    assert ("resnet18", "timm") in list_backbones("resnet18")
    assert list_backbones("nothing like this") == []


@pytest.mark.usefixtures("offline")
def test_without_a_connection_the_weights_are_random_and_a_warning_says_so() -> None:
    torch.manual_seed(0)
    with pytest.warns(
        UserWarning, match=r"'test_resnet': no published weights could be had .*backbone_checkpoint="
    ) as w:
        backbone = Backbone("test_resnet", (64, 64), pretrained=True)
    assert all("\n" not in str(each.message) for each in w)
    assert backbone.pretrained is False and backbone.origin == "random"
    assert backbone(_images((64, 64)))[0].shape == (2, 32, 16, 16)


def test_a_hub_that_does_not_answer_is_asked_once_and_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    # Nothing listens on the discard port: the client itself would try each file six times, with pauses of seconds.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waited {seconds} s"))
    with pytest.warns(UserWarning, match="no published weights could be had"):
        Backbone("test_resnet", (64, 64), pretrained=True)
    assert constants.HF_HUB_OFFLINE is False and logging.getLogger("huggingface_hub").level != logging.CRITICAL
    assert not caplog.records and capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("offline")
def test_weights_that_are_not_published_for_timm_are_named() -> None:
    with pytest.warns(UserWarning, match="has under this name are not published for timm; starting from random ones"):
        Backbone("resnet50_animal_ap10k", (32, 32), pretrained=True)


def test_weights_under_another_name_are_said_to_be_others(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **options: create(name, **options))
    with pytest.warns(UserWarning, match="not published for timm; starting from resnet50's, learned from photographs"):
        backbone = Backbone("resnet50_animal_ap10k", (32, 32), pretrained=True)
    assert backbone.origin == "published resnet50"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Backbone("resnet50_animal_ap10k", (32, 32)).origin == "random"
        assert Backbone("vits_dino", (32, 32), pretrained=True).origin == "published"
    listed = dict(list_backbones("resnet50_animal")) | dict(list_backbones("vits_dino"))
    assert "not published for timm (model.backbone_checkpoint)" in listed["resnet50_animal_ap10k"]
    assert listed["vits_dino"] == "Lightning Pose's name for vit_small_patch16_224.dino"


@pytest.mark.parametrize("name", ["test_resnet", "convnext_atto", "test_vit"])
@pytest.mark.parametrize("prefix", ["", "backbone.", "network.backbone.net."])
def test_weights_of_the_whole_network_fit_under_any_prefix(tmp_path: Path, name: str, prefix: str) -> None:
    whole = timm.create_model(name, img_size=64) if "vit" in name else timm.create_model(name)
    file = tmp_path / "w.safetensors"
    save_file({prefix + key: value for key, value in whole.state_dict().items()}, file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = Backbone(name, (64, 64), weights_file=file, pretrained=True)
    assert loaded.pretrained is True and loaded.origin == str(file)
    images = _images((64, 64))
    with torch.no_grad():
        found = loaded.eval()(images)[-1]
        normal = (images - loaded.mean) / loaded.std
        expected = whole.eval().forward_intermediates(normal, intermediates_only=True)[-1]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "deit3_small_patch16_224", "test_vit2", "eva02_tiny_patch14_224"]
)
def test_positions_learned_on_images_of_another_size_are_resampled_as_timm_does(tmp_path: Path, name: str) -> None:
    """They are one tensor in 150: left at its random start, it would spoil the others unseen."""
    size = (70, 42) if "14" in name else (96, 48)
    torch.manual_seed(0)
    weights = timm.create_model(name).state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    loaded = Backbone(name, size, weights_file=tmp_path / "w.safetensors").net.state_dict()
    expected = timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay={"state_dict": weights, "num_classes": 1000},
        features_only=True,
        img_size=size[::-1],
    ).state_dict()
    assert loaded["model.pos_embed"].shape != weights["pos_embed"].shape
    for key, value in loaded.items():
        torch.testing.assert_close(value, expected[key])


def test_published_weights_that_timm_does_not_fit_to_a_size_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Segment Anything's encoder, whose tables timm does not resample: it ended with random weights."""
    create, published = timm.create_model, timm.create_model("test_vit").state_dict()

    def refusing(name: str, pretrained: bool = False, **options: object) -> torch.nn.Module:
        if pretrained and "img_size" in options:
            raise RuntimeError("size mismatch for pos_embed")
        net: torch.nn.Module = create(name, **options)
        if pretrained:
            load_matching(net, published, Path("published"))
        return net

    monkeypatch.setattr(timm, "create_model", refusing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone = Backbone("test_vit", (96, 64), pretrained=True)
    assert backbone.origin == "published"
    state = backbone.net.state_dict()
    torch.testing.assert_close(state["model.patch_embed.proj.weight"], published["patch_embed.proj.weight"])
    assert state["model.pos_embed"].shape[1] == 6 * 4 + 1
    torch.testing.assert_close(state["model.pos_embed"][:, 0], published["pos_embed"][:, 0])


def test_relative_positions_are_resampled_too(tmp_path: Path) -> None:
    """Segment Anything's encoder has a table of them a block, and a grid of absolute ones with two axes."""
    from timm.models.vision_transformer_sam import VisionTransformerSAM

    def encoder(size: tuple[int, int]) -> VisionTransformerSAM:
        shape = {"embed_dim": 32, "depth": 2, "num_heads": 2, "window_size": 2, "global_attn_indexes": (1,)}
        return VisionTransformerSAM(img_size=size, patch_size=16, num_classes=0, use_rel_pos=True, **shape)

    torch.manual_seed(0)
    source, target = encoder((128, 128)), encoder((64, 96))
    weights = {name: torch.randn_like(value) for name, value in source.state_dict().items()}
    weights["blocks.1.attn.rel_pos_h"] = torch.linspace(0, 14, 15)[:, None].expand(15, 16).contiguous()
    report = load_matching(target, weights, tmp_path)
    assert report == f"{len(weights)} of {len(weights)} tensors taken, the others keep their initial values"
    found = target.state_dict()
    assert found["pos_embed"].shape == (1, 4, 6, 32)
    # A straight line stays one: half as many places, each the middle of what it covers.
    torch.testing.assert_close(found["blocks.1.attn.rel_pos_h"][:, 0], (torch.arange(7) + 0.5) * 15 / 7 - 0.5)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(timm.create_model("mobilenetv3_small_050").state_dict(), file)
    with pytest.raises(RunError, match=r"w\.safetensors: only \d+ of \d+ tensors fit this network"):
        Backbone("test_resnet", (64, 64), weights_file=file)
