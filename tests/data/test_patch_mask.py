from __future__ import annotations

import numpy as np
import pytest
import torch

from vitruve.data.patch_mask import SIDE, mask_patches
from vitruve.training.settings import PatchMask


def _masked(seed: int, share: float = 0.5, shape: tuple[int, ...] = (2, 3, 1, 3, 64, 96)) -> torch.Tensor:
    """Which squares are gone: ``(B, V, rows, columns)``."""
    images = torch.full(shape, 255, dtype=torch.uint8)
    changed = mask_patches(images, share, torch.Generator().manual_seed(seed))
    assert changed.dtype == images.dtype and changed.shape == images.shape
    gone = (changed != images).all(3)[:, :, 0]
    squares = gone[..., ::SIDE, ::SIDE]
    whole = squares.repeat_interleave(SIDE, -2).repeat_interleave(SIDE, -1)[..., : shape[-2], : shape[-1]]
    assert torch.equal(gone, whole)  # nothing but whole squares
    return squares


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_every_view_loses_the_same_share(share: float) -> None:
    count = _masked(0, share).flatten(-2).sum(-1)
    assert torch.equal(count, torch.full_like(count, round(share * 24)))


def test_sides_that_squares_do_not_divide() -> None:
    assert _masked(0, 0.5, (1, 2, 1, 3, 40, 56)).shape == (1, 2, 3, 4)


def test_no_step_repeats_the_draw_of_another_view() -> None:
    """Lightning Pose seeds step t of view v as step t - 100 of view v + 1."""
    seen = {tuple(_masked(step)[b, v].flatten().tolist()) for step in range(210) for b in range(2) for v in range(3)}
    assert len(seen) == 210 * 2 * 3


def test_the_same_step_masks_the_same_squares() -> None:
    assert torch.equal(_masked(5), _masked(5)) and not torch.equal(_masked(5), _masked(6))


def test_no_share_leaves_the_images_alone() -> None:
    images = torch.rand(1, 2, 1, 3, 32, 32)
    assert mask_patches(images, 0.0, torch.Generator()) is images


def test_the_share_grows_in_a_straight_line() -> None:
    mask = PatchMask(init_epoch=40, final_epoch=300, init_ratio=0.1, final_ratio=0.5)
    assert [mask.share(epoch) for epoch in (0, 39)] == [0, 0]
    wanted = np.interp([40, 100, 170, 300, 1000], [40, 300], [0.1, 0.5])
    assert [mask.share(epoch) for epoch in (40, 100, 170, 300, 1000)] == pytest.approx(wanted)
    assert PatchMask(init_epoch=5, final_epoch=5).share(5) == 0.5
