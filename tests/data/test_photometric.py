"""Photometric changes: what each does to a picture, how often, and that chance comes from the generator alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vitruve.data.augment import PRESETS, Augmentation
from vitruve.data.photometric import augment_batch

STEPS = ("motion_blur", "dropout", "salt", "pepper", "equalize", "clahe", "emboss")


def _only(step: str, probability: float = 1.0) -> Augmentation:
    return replace(Augmentation(), **{step: probability})


def _often(step: str, probability: float = 1.0) -> Augmentation:
    """With so many blocks that even a small picture has one."""
    return replace(_only(step, probability), dropout_share=0.3, salt_share=0.3)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pictures(count: int = 2, views: int = 1, frames: int = 1, side: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    waves = torch.stack([torch.sin(x / 5 + y / 9), torch.cos(x / 7 - y / 6), torch.sin((x + y) / 8)])
    return (90 + 40 * waves).round().to(torch.uint8).expand(count, views, frames, 3, side, side).clone()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_changes_pictures_within_their_range(step: str) -> None:
    images = _pictures(3, 2)
    before = images.clone()
    changed = augment_batch(images, _often(step), _generator())
    assert changed.shape == images.shape and changed.dtype == torch.float32
    assert float(changed.min()) >= 0 and float(changed.max()) <= 255
    assert torch.equal(images, before)
    assert (changed - images).abs().mean() > 0.5
    assert bool((changed - images).abs().flatten(2).amax(-1).gt(1).all())  # each of them


@pytest.mark.parametrize("step", STEPS)
def test_the_same_generator_state_gives_the_same_pictures(step: str) -> None:
    images = _pictures(4)
    one, two = (augment_batch(images, _often(step, 0.5), _generator(3)) for _ in range(2))
    assert torch.equal(one, two)
    torch.manual_seed(99)  # the global generator has no part in it
    state = torch.get_rng_state()
    assert torch.equal(augment_batch(images, _often(step, 0.5), _generator(3)), one)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("preset", ["none", "default"])
def test_none_is_the_identity(preset: str) -> None:
    images = _pictures()
    assert augment_batch(images, PRESETS[preset], _generator()) is images


def test_all_steps_together_stay_in_range_and_change_alike_for_floats() -> None:
    images = _pictures(8, 2)
    changed = augment_batch(images, PRESETS["dlc"], _generator())
    assert float(changed.min()) >= 0 and float(changed.max()) <= 255
    torch.testing.assert_close(augment_batch(images.float(), PRESETS["dlc"], _generator()), changed)


@pytest.mark.parametrize("step", STEPS)
def test_it_happens_as_often_as_it_should(step: str) -> None:
    probability = getattr(PRESETS["dlc"], step)
    images = _pictures(400, side=32)
    changed = augment_batch(images, _often(step, probability), _generator(1))
    share = ((changed - images).abs().flatten(1).amax(-1) > 0.01).float().mean()
    assert float(share) == pytest.approx(probability, abs=0.07)


@pytest.mark.parametrize("step", STEPS)
def test_frames_of_one_window_change_alike_and_others_do_not(step: str) -> None:
    images = _pictures(2, 2, frames=3)
    changed = augment_batch(images, _often(step), _generator())
    for t in (1, 2):
        torch.testing.assert_close(changed[:, :, t], changed[:, :, 0])
    if step not in ("equalize", "clahe"):  # these hold no chance
        assert not torch.equal(changed[0, 0], changed[0, 1]) and not torch.equal(changed[0, 0], changed[1, 0])
    alone = augment_batch(images[:, :, :1], _often(step), _generator())
    torch.testing.assert_close(changed[:, :, :1], alone)


def _dots(side: int = 64) -> tuple[torch.Tensor, np.ndarray]:
    y, x = np.mgrid[:side, :side]
    at = np.array([(16.3, 20.8), (44.6, 15.2), (30.1, 47.5)])
    image = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in at)
    picture = torch.from_numpy(20 + 180 * np.asarray(image)).float()
    return picture.expand(16, 1, 1, 3, side, side).clone(), at


@pytest.mark.parametrize("step", ["motion_blur", "equalize", "clahe"])
def test_what_is_seen_stays_where_it_is(step: str) -> None:
    images, at = _dots()
    changed = augment_batch(images, _only(step), _generator()).mean(3)[:, 0, 0].double().numpy()
    y, x = np.mgrid[:64, :64]
    for picture in changed:
        for px, py in at:
            near = np.hypot(x - px, y - py) <= 7
            weight = np.where(near, picture - np.median(picture), 0).clip(0)
            found = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
            np.testing.assert_allclose(found, (px, py), atol=0.25)


def test_motion_blur_keeps_the_light_and_spreads_it_over_its_kernel() -> None:
    image = torch.zeros(40, 1, 1, 3, 21, 21)
    image[..., 10, 10] = 200
    blurred = augment_batch(image, _only("motion_blur"), _generator())[:, 0, 0, 0]
    torch.testing.assert_close(blurred.sum((-2, -1)), torch.full((40,), 200.0), rtol=1e-4, atol=0.1)
    assert not blurred[:, :8].any() and not blurred[:, 13:].any()
    assert not blurred[..., :8].any() and not blurred[..., 13:].any()
    spread = (blurred > 0).flatten(1).sum(-1)
    assert int(spread.min()) >= 3 and int(spread.max()) <= 7
    assert len({tuple(b.flatten().tolist()) for b in blurred}) > 4  # many directions


def test_dropout_blackens_its_share_in_coarse_blocks() -> None:
    white = torch.full((60, 1, 1, 3, 100, 100), 255, dtype=torch.uint8)
    black = augment_batch(white, _only("dropout"), _generator())[:, 0, 0] == 0
    assert float(black.float().mean()) == pytest.approx(0.02, abs=0.004)
    coloured = (black.any(1) & ~black.all(1)).flatten(1).any(-1).float().mean()
    assert float(coloured) == pytest.approx(0.5, abs=0.2)  # half of them channel by channel
    # A block is 100 / 30 pixels wide: most black pixels have a black neighbour.
    beside = black[..., 1:] & black[..., :-1]
    assert float(beside.float().mean() / black.float().mean()) > 0.6


@pytest.mark.parametrize(("step", "value"), [("salt", 255.0), ("pepper", 0.0)])
def test_salt_and_pepper_set_their_share_of_blocks(step: str, value: float) -> None:
    grey = torch.full((120, 1, 1, 3, 100, 100), 128, dtype=torch.uint8)
    changed = augment_batch(grey, _only(step), _generator())[:, 0, 0]
    hit = (changed - 128).abs() > 1
    assert float(hit.float().mean()) == pytest.approx(0.01, abs=0.003)
    assert bool((changed[hit] == value).all())
    assert torch.equal(hit[:, 0], hit[:, 1]) and torch.equal(hit[:, 0], hit[:, 2])


def test_equalisation_fills_the_range() -> None:
    dull = (100 + 0.2 * _pictures(1).float()).round().to(torch.uint8)
    for step in ("equalize", "clahe"):
        changed = augment_batch(dull, _only(step), _generator())
        assert float(changed.std()) > 2 * float(dull.float().std())
    equal = augment_batch(dull, _only("equalize"), _generator())
    assert float(equal.max() - equal.min()) > 240


def test_emboss_leaves_flat_areas_and_marks_edges() -> None:
    image = torch.full((8, 1, 1, 3, 32, 32), 100, dtype=torch.uint8)
    torch.testing.assert_close(augment_batch(image, _only("emboss"), _generator()), image.float())
    image[..., 16:] = 150
    changed = (augment_batch(image, _only("emboss"), _generator()) - image).abs()
    assert float(changed[..., :15].max()) < 0.01 and float(changed[..., 17:].max()) < 0.01
    assert bool((changed[..., 15:17].flatten(1).amax(-1) > 1).all())
