"""Keypoints in a cube: there and back, against sums written out."""

from __future__ import annotations

import numpy as np
import torch

from vitruve.codecs import volume

SPACING = 4.0


def test_a_keypoint_comes_back_from_its_own_target() -> None:
    points = torch.rand(50, 3, dtype=torch.float64).float() * 40 - 20
    target, learned = volume.encode(points, 16, SPACING)
    found, likelihood = volume.decode(target.clamp_min(1e-30).log(), SPACING)
    assert bool(learned.all())
    torch.testing.assert_close(target.sum((-1, -2, -3)), torch.ones(50))
    # A sampled Gaussian has its mean where its centre is, to far less than a voxel.
    assert float((found - points).norm(dim=-1).max()) < 0.01 * SPACING
    assert float(likelihood.min()) > 0.9


def test_decoding_is_the_expected_place_written_out() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 5, 5, 5))
    probability = np.exp(logits) / np.exp(logits).sum((1, 2, 3), keepdims=True)
    places = (np.arange(5) - 2) * SPACING
    for number, each in enumerate(probability):
        wanted, near = np.zeros(3), 0.0
        for index in np.ndindex(5, 5, 5):
            wanted += each[index] * places[list(index)]
        for index in np.ndindex(5, 5, 5):
            near += each[index] * (np.abs(places[list(index)] - wanted) <= volume.REACH * SPACING).all()
        found, likelihood = volume.decode(torch.from_numpy(logits[number]), SPACING)
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)
        np.testing.assert_allclose(float(likelihood), near, atol=1e-5)


def test_the_grid_is_in_the_order_in_which_volumes_are_flattened() -> None:
    points = volume.grid(3, SPACING)
    peak = torch.full((3, 3, 3), -50.0)
    peak[2, 0, 1] = 50.0
    found, _ = volume.decode(peak, SPACING)
    torch.testing.assert_close(found, points[int(peak.flatten().argmax())])
    torch.testing.assert_close(found, torch.tensor([SPACING, -SPACING, 0.0]))


def test_what_lies_outside_or_is_unknown_is_not_learned() -> None:
    points = torch.tensor([[0.0, 0.0, 0.0], [33.0, 0.0, 0.0], [torch.nan, 0.0, 0.0]])
    target, learned = volume.encode(points, 16, SPACING)
    assert learned.tolist() == [True, False, False]
    assert not target[1:].any()


def test_places_are_not_rounded_in_mixed_precision() -> None:
    points = torch.tensor([[1.37, -9.21, 13.05]])
    target, _ = volume.encode(points, 16, SPACING)
    logits = target.clamp_min(1e-30).log()
    exact = volume.decode(logits, SPACING)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = volume.decode(logits, SPACING)
    for one, other in zip(mixed, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
