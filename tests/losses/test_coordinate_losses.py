"""Losses of coordinates against float64 loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vitruve.losses.coordinates import COORDINATE_LOSSES, laplace


def _values(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    points, log_scale, targets = (torch.from_numpy(rng.normal(size=(2, 4, 2))).float() for _ in range(3))
    learned = torch.tensor([[True, False, True, True], [False, True, False, True]])
    targets[0, 1] = torch.nan
    targets[1, 0, 1] = torch.nan  # half unknown; 1, 2 is known, but is not to be learned
    return points, log_scale, targets, learned


def _slow(kind: str, points: np.ndarray, log_scale: np.ndarray, targets: np.ndarray, learned: np.ndarray) -> float:
    losses = []
    for b, k in np.argwhere(learned):
        pairs = zip(*(a[b, k].astype(np.float64) for a in (points, log_scale, targets)), strict=True)
        if kind == "mse":
            losses.append(sum((p - t) ** 2 for p, _, t in pairs))
        else:
            losses.append(-sum(math.log(math.exp(-abs(p - t) / math.exp(s)) / (2 * math.exp(s))) for p, s, t in pairs))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("kind", COORDINATE_LOSSES)
@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_that_of_the_slow_reference(kind: str, seed: int) -> None:
    values = _values(seed)
    expected = _slow(kind, *(value.numpy() for value in values))
    assert float(COORDINATE_LOSSES[kind](*values)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", COORDINATE_LOSSES)
def test_missing_targets_give_no_gradient(kind: str) -> None:
    points, log_scale, targets, learned = _values(0)
    points.requires_grad_(), log_scale.requires_grad_()
    COORDINATE_LOSSES[kind](points, log_scale, targets, learned).backward()
    assert points.grad is not None
    assert not points.grad[~learned].any() and bool((points.grad[learned] != 0).all())
    if kind == "laplace":
        assert log_scale.grad is not None
        assert not log_scale.grad[~learned].any() and bool((log_scale.grad[learned] != 0).all())


@pytest.mark.parametrize("kind", COORDINATE_LOSSES)
def test_nothing_to_learn_is_zero_with_a_gradient_of_zero(kind: str) -> None:
    points, log_scale, targets, learned = _values(1)
    points.requires_grad_()
    loss = COORDINATE_LOSSES[kind](points, log_scale, torch.full_like(targets, torch.nan), torch.zeros_like(learned))
    loss.backward()
    assert float(loss.detach()) == 0 and points.grad is not None and not points.grad.any()


def test_a_perfect_point_costs_nothing_in_squares() -> None:
    points = torch.randn(3, 2)
    assert float(COORDINATE_LOSSES["mse"](points, points, points, torch.ones(3, dtype=torch.bool))) == 0


def test_the_best_scale_is_the_mean_distance() -> None:
    targets = torch.tensor([[0.0, 0.0], [4.0, 4.0], [1.0, 1.0]])
    points = torch.zeros(3, 2)  # mean distance 5 / 3 in x and in y
    learned = torch.ones(3, dtype=torch.bool)
    scales = torch.linspace(0.5, 4, 400)
    losses = [float(laplace(points, torch.full((3, 2), math.log(s)), targets, learned)) for s in scales.tolist()]
    assert float(scales[int(np.argmin(losses))]) == pytest.approx(5 / 3, abs=0.01)
