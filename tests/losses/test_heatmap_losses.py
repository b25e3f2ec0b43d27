"""Heatmap losses against float64 loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vitruve.losses.heatmap import HEATMAP_LOSSES, js, kl, mse
from vitruve.losses.masked import masked_mean

SHAPE = (2, 3, 5, 6)  # batch, keypoints, height, width


def _maps(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=SHAPE)
    targets = rng.uniform(size=SHAPE) * (rng.uniform(size=SHAPE) < 0.5)  # with zeros, as a Gaussian's tail has
    targets[..., 0, 0] += 0.1
    targets /= targets.sum((-2, -1), keepdims=True)
    learned = np.array([[True, False, True], [False, True, True]])
    targets[~learned] = 0
    return torch.from_numpy(logits).float(), torch.from_numpy(targets).float(), torch.from_numpy(learned)


def _slow(kind: str, logits: np.ndarray, targets: np.ndarray, learned: np.ndarray) -> float:
    losses = []
    for b, k in np.argwhere(learned):
        z = logits[b, k].astype(np.float64).ravel()
        t = targets[b, k].astype(np.float64).ravel()
        total = sum(math.exp(v - z.max()) for v in z)
        p = [math.exp(v - z.max()) / total for v in z]
        if kind == "mse":
            losses.append(sum((a - b) ** 2 for a, b in zip(p, t, strict=True)))
        elif kind == "kl":
            losses.append(sum(b * math.log(b / a) for a, b in zip(p, t, strict=True) if b > 0))
        else:
            m = [(a + b) / 2 for a, b in zip(p, t, strict=True)]
            to_target = sum(b * math.log(b / c) for b, c in zip(t, m, strict=True) if b > 0)
            to_prediction = sum(a * math.log(a / c) for a, c in zip(p, m, strict=True) if a > 0)
            losses.append((to_target + to_prediction) / 2)
    return sum(losses) / len(losses)


@pytest.mark.parametrize("kind", HEATMAP_LOSSES)
@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_that_of_the_slow_reference(kind: str, seed: int) -> None:
    logits, targets, learned = _maps(seed)
    found = HEATMAP_LOSSES[kind](logits, targets, learned)
    assert float(found) == pytest.approx(_slow(kind, logits.numpy(), targets.numpy(), learned.numpy()), rel=1e-5)


@pytest.mark.parametrize("kind", HEATMAP_LOSSES)
def test_a_perfect_map_costs_nothing_and_a_wrong_one_much(kind: str) -> None:
    targets = _maps(0)[1][:1, :1] + 1e-6
    targets = targets / targets.sum()
    learned = torch.ones(1, 1, dtype=torch.bool)
    logits = targets.log().requires_grad_()
    perfect = HEATMAP_LOSSES[kind](logits, targets, learned)
    perfect.backward()
    assert abs(float(perfect.detach())) < 1e-6
    assert logits.grad is not None and float(logits.grad.abs().max()) < 1e-6
    wrong = HEATMAP_LOSSES[kind](-targets.log(), targets, learned)
    assert float(wrong) > {"mse": 0.1, "kl": 5, "js": 0.6}[kind]


@pytest.mark.parametrize("kind", HEATMAP_LOSSES)
@pytest.mark.parametrize("place", ["targets", "logits"])
def test_what_is_not_learned_reaches_neither_loss_nor_gradient(kind: str, place: str) -> None:
    logits, targets, learned = _maps(1)
    expected = HEATMAP_LOSSES[kind](logits, targets, learned)
    if place == "targets":
        targets = torch.where(learned[..., None, None], targets, torch.nan)
    else:
        logits = torch.where(learned[..., None, None], logits, 1e4)
    logits.requires_grad_()
    loss = HEATMAP_LOSSES[kind](logits, targets, learned)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    assert logits.grad is not None and bool(torch.isfinite(logits.grad[learned]).all())
    assert bool((logits.grad[learned].abs().sum((-2, -1)) > 0).all())
    assert not logits.grad[~learned].nan_to_num(nan=1).any()


@pytest.mark.parametrize("kind", HEATMAP_LOSSES)
def test_nothing_to_learn_is_zero_with_a_gradient_of_zero(kind: str) -> None:
    logits, targets, learned = _maps(2)
    logits.requires_grad_()
    loss = HEATMAP_LOSSES[kind](logits, targets, torch.zeros_like(learned))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None and not logits.grad.any()


@pytest.mark.parametrize("kind", HEATMAP_LOSSES)
def test_extreme_logits_stay_finite(kind: str) -> None:
    logits = torch.zeros(1, 1, 5, 6)
    logits[..., 0, 0], logits[..., 1, 1] = 1e4, -1e4
    logits.requires_grad_()
    targets = torch.zeros(1, 1, 5, 6)
    targets[..., 2, 2] = 1
    loss = HEATMAP_LOSSES[kind](logits, targets, torch.ones(1, 1, dtype=torch.bool))
    loss.backward()
    assert bool(torch.isfinite(loss)) and logits.grad is not None and bool(torch.isfinite(logits.grad).all())


@pytest.mark.parametrize("kind", HEATMAP_LOSSES)
def test_half_precision_logits_are_compared_in_full_precision(kind: str) -> None:
    logits, targets, learned = _maps(3)
    half = logits.bfloat16()
    found = HEATMAP_LOSSES[kind](half, targets, learned)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, HEATMAP_LOSSES[kind](half.float(), targets, learned))


def test_ranges() -> None:
    apart = torch.full((1, 2, 2), -60.0)
    apart[0, 0, 0] = 60
    target = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    one = torch.ones(1, dtype=torch.bool)
    assert float(mse(apart, target, one)) == pytest.approx(2)
    assert float(js(apart, target, one)) == pytest.approx(math.log(2), rel=1e-5)
    assert float(kl(apart, target, one)) == pytest.approx(120, rel=1e-5)


def test_masked_mean() -> None:
    values = torch.tensor([1.0, math.nan, 3.0], requires_grad=True)
    mean = masked_mean(values, torch.tensor([True, False, True]))
    mean.backward()
    assert float(mean.detach()) == 2
    assert values.grad is not None and values.grad.tolist() == [0.5, 0, 0.5]
