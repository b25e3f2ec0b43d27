"""What all algorithms that find several instances must do with what is labelled, and with what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from dots import SIDE, build, dots

from vitruve.algorithms import registry
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

ALL = registry.available()
NAMES = [name for name, kind in ALL.items() if kind.needs.instances and kind.needs.limbs]
everyone = pytest.mark.parametrize("name", NAMES)


def _with(batch: Batch, keypoints: torch.Tensor, visible: torch.Tensor) -> Batch:
    return replace(batch, truth=Instances(keypoints, visible))


def test_all_five_are_here() -> None:
    papers = {"openpose", "lightweight_openpose", "mobilenet_thin_openpose", "pose_proposal", "pifpaf"}
    assert papers <= set(NAMES)


@everyone
@pytest.mark.parametrize("value", [-1000.0, 0.0, 1e9])
def test_what_stands_at_a_missing_keypoint_comes_into_no_target(name: str, value: float) -> None:
    """It was computed with: a mark of -1000 gave ghosts once images were moved."""
    algorithm, batch = build(ALL[name], name), dots(ALL[name], 2)
    assert batch.truth is not None
    keypoints, visible = batch.truth.keypoints.clone(), batch.truth.visible.clone()
    keypoints[0, 0, 0, 1], visible[0, 0, 0, 1] = torch.nan, 0
    wanted = algorithm.encode(_with(batch, keypoints, visible))
    keypoints[0, 0, 0, 1] = value
    found = algorithm.encode(_with(batch, keypoints, visible))
    for key, target in wanted.items():
        torch.testing.assert_close(found[key], target, rtol=0, atol=0, equal_nan=True)


@everyone
def test_every_term_of_the_loss_moves_the_network_and_a_picture_to_ignore_moves_none(name: str) -> None:
    algorithm, batch = build(ALL[name], name).train(), dots(ALL[name], 2)
    ignore = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.bool)
    ignore[0] = True
    outputs = {key: value.detach().requires_grad_() for key, value in algorithm(batch).items()}
    losses = algorithm.loss(outputs, algorithm.encode(replace(batch, ignore=ignore)))
    for term, loss in losses.items():
        gradients = torch.autograd.grad(loss, list(outputs.values()), allow_unused=True, retain_graph=True)
        reached = [gradient for gradient in gradients if gradient is not None]
        assert any(bool(gradient[1].any()) for gradient in reached), term
        assert not any(bool(gradient[0].any()) for gradient in reached), term
