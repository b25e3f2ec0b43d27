from __future__ import annotations

import pytest
import torch

from vitruve.networks.heads import PyramidHead


def _maps(channels: list[int], strides: list[int], size: tuple[int, int], count: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(count, c, size[1] // s, size[0] // s, generator=generator)
        for c, s in zip(channels, strides, strict=True)
    ]


@pytest.mark.parametrize(
    ("strides", "size"),
    [([4, 8, 16, 32], (96, 64)), ([8, 16, 32], (96, 64)), ([2, 4, 8], (64, 64)), ([16], (96, 64)), ([14], (224, 112))],
)
@pytest.mark.parametrize("stride", [2, 4, 8])
def test_one_map_a_keypoint_at_the_stride_asked_for(strides: list[int], size: tuple[int, int], stride: int) -> None:
    strides = [s for s in strides if s >= stride]
    channels = [6 * (i + 1) for i in range(len(strides))]
    head = PyramidHead(channels, strides, stride, 7, width=8)
    found = head(_maps(channels, strides, size))
    assert found.shape == (2, 7, size[1] // stride, size[0] // stride)


def test_every_map_and_every_weight_takes_part() -> None:
    channels, strides = [4, 6, 8, 10], [4, 8, 16, 32]
    head = PyramidHead(channels, strides, 4, 3, width=8)
    maps = [each.requires_grad_() for each in _maps(channels, strides, (64, 64))]
    head(maps).square().sum().backward()
    assert all(each.grad is not None and bool(each.grad.any()) for each in maps)
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_it_starts_with_nearly_flat_maps() -> None:
    torch.manual_seed(0)
    head = PyramidHead([4, 8], [4, 8], 4, 3)
    flat = head(_maps([4, 8], [4, 8], (64, 64))).flatten(-2).softmax(-1)
    assert float(flat.detach().max()) < 2 / 256


@pytest.mark.parametrize(("strides", "stride"), [([8], 4), ([14], 4)])
def test_what_is_seen_keeps_its_place(strides: list[int], stride: int) -> None:
    # With all weights alike, a lit patch must light the same part of the result.
    head = PyramidHead([1], strides, stride, 1, width=1).eval()
    for module in head.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1.0)
    side = 16
    patch = torch.zeros(1, 1, side, side)
    patch[0, 0, 5, 10] = 1
    with torch.no_grad():
        result = head([patch])[0, 0]
        result = result - head([torch.zeros_like(patch)])[0, 0]
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in result.shape), indexing="ij")
    found = torch.stack([(x * result).sum(), (y * result).sum()]) / result.sum()
    scale = strides[0] / stride
    torch.testing.assert_close(found, torch.tensor([10.5, 5.5]) * scale - 0.5, atol=0.02, rtol=0)
