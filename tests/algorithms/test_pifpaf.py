"""What the contract does not know of PifPaf: its losses, masks and scales."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from vitruve.algorithms.base import Task
from vitruve.algorithms.pifpaf import ALGORITHM
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("a", "b", "c"), ((0, 1), (1, 2)), sigmas=(0.05, 0.1, 0.2))
SIZE = (128, 96)
TERMS = {
    "pif_confidence": ("joints", 5, {0}),
    "pif_place": ("joints", 5, {1, 2, 3}),
    "pif_scale": ("joints", 5, {4}),
    "paf_confidence": ("limbs", 9, {0}),
    "paf_place": ("limbs", 9, {1, 2, 3, 4, 5, 6}),
    "paf_scale": ("limbs", 9, {7, 8}),
}


def _algorithm(skeleton: Skeleton = SKELETON, **settings: object) -> ALGORITHM:
    torch.manual_seed(0)
    config = ALGORITHM.Config(model_type="pifpaf", backbone="test_resnet", **settings)
    return ALGORITHM(config, Task(skeleton, SIZE))


def _batch() -> Batch:
    points = torch.tensor([[[20.0, 20], [40, 30], [60, 70]], [[90, 70], [100, 40], [torch.nan, torch.nan]]])
    truth = Instances.from_keypoints(points.repeat(2, 1, 1, 1, 1))
    return Batch(torch.zeros(2, 1, 1, 3, *SIZE[::-1], dtype=torch.uint8), torch.eye(3).repeat(2, 1, 1, 1), truth)


def _outputs(algorithm: ALGORITHM) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    joints, limbs = algorithm.network.channels
    shapes = {"joints": joints, "limbs": limbs}
    return {n: (3 * torch.randn(2, 1, c, 12, 16, generator=generator)).requires_grad_() for n, c in shapes.items()}


def _clamped(value: float) -> float:
    return value if value <= 5 else 5 + np.log(1 + value - 5)


def test_losses_are_those_of_the_paper() -> None:
    algorithm, batch = _algorithm(), _batch()
    raw, targets = _outputs(algorithm), algorithm.encode(batch)
    losses = {name: float(value.detach()) for name, value in algorithm.loss(raw, targets).items()}
    wanted = dict.fromkeys(TERMS, 0.0)

    def place(away: np.ndarray, spread: float) -> float:
        width = 3 * np.tanh(spread / 3)
        return _clamped(np.hypot(np.hypot(*away), 0.1 / 8) * np.exp(-width)) + width

    for kind, prefix, ends in (("joints", "pif", 1), ("limbs", "paf", 2)):
        truth = targets[kind].double().numpy()[:, 0]
        found = raw[kind].detach().double().numpy()[:, 0].reshape(2, truth.shape[1], -1, 12, 16)
        for b, field, y, x in np.ndindex(2, truth.shape[1], 12, 16):
            goal, given = truth[b, field, :, y, x], found[b, field, :, y, x]
            if not np.isnan(goal[0]):
                right = 1 / (1 + np.exp(-given[0] * (2 * goal[0] - 1)))
                wanted[f"{prefix}_confidence"] += _clamped(-np.log(right)) * 0.5 * (1 - right) / 2
            for end in range(ends):
                aim = goal[1 + 2 * end : 3 + 2 * end]
                if not np.isnan(aim[0]):
                    away = given[1 + 2 * end : 3 + 2 * end] - aim
                    wanted[f"{prefix}_place"] += place(away, given[1 + 2 * ends + end]) / 2
                scale = goal[1 + 2 * ends + end]
                if not np.isnan(scale):
                    off = abs(np.log1p(np.exp(given[1 + 3 * ends + end])) - scale)
                    wanted[f"{prefix}_scale"] += off / (10 * (0.1 + scale)) / 2
    assert losses == pytest.approx(wanted, rel=1e-4)


def test_each_term_has_a_gradient_in_its_own_channels_and_in_no_other() -> None:
    algorithm, batch = _algorithm(), _batch()
    targets = algorithm.encode(batch)
    for term, (maps, channels, own) in TERMS.items():
        raw = _outputs(algorithm)
        algorithm.loss(raw, targets)[term].backward()
        assert [name for name, value in raw.items() if value.grad is not None and bool(value.grad.any())] == [maps]
        gradient = raw[maps].grad.reshape(2, -1, channels, 12, 16)
        assert {c for c in range(channels) if bool(gradient[:, :, c].any())} == own, term


def test_ignored_cells_have_no_gradient() -> None:
    algorithm, batch = _algorithm(), _batch()
    ignore = torch.zeros(2, 1, *SIZE[::-1], dtype=torch.bool)
    ignore[0, 0, 8:32, 8:48] = True
    ignore[0, 0, 80:83, 80:88] = True  # less than half of its cell
    raw = _outputs(algorithm)
    losses = algorithm.loss(raw, algorithm.encode(replace(batch, ignore=ignore)))
    torch.stack(list(losses.values())).sum().backward()
    for value in raw.values():
        assert not bool(value.grad[0, 0, :, 1:4, 1:6].any())
        assert bool(value.grad[0, 0, 0, 10, 10] != 0) and bool(value.grad[1, 0, 0, 2, 3] != 0)


def test_a_person_with_few_keypoints_is_learned_but_for_its_size() -> None:
    """It was left out, which taught that nobody is there."""
    algorithm, batch = _algorithm(), _batch()
    targets = algorithm.encode(batch)
    joint = targets["joints"][0, 0, 1, :, 4, 12]  # the second person's, at (100, 40)
    assert float(joint[0]) == 1 and bool(joint[1:3].isfinite().all()) and bool(joint[3].isnan())
    assert batch.truth is not None
    boxes = torch.tensor([[torch.nan] * 4, [80.0, 30, 120, 70]]).repeat(2, 1, 1, 1)
    known = algorithm.encode(replace(batch, truth=replace(batch.truth, boxes=boxes)))["joints"][0, 0, 1, 3, 4, 12]
    assert float(known) == pytest.approx(40 * 0.1 / 8)


def test_scales_are_of_the_skeleton() -> None:
    """Those of COCO's 17 joints were used for any other."""
    batch = _batch()
    targets = _algorithm().encode(batch)["joints"][0, 0, :, 3]
    each = [float(targets[k][~targets[k].isnan()].max()) for k in range(3)]
    assert each == pytest.approx([np.sqrt(40 * 50) * sigma / 8 for sigma in (0.05, 0.1, 0.2)])
    plain = _algorithm(replace(SKELETON, sigmas=None)).encode(batch)["joints"][0, 0, :, 3]
    assert float(plain.nan_to_num().max()) == pytest.approx(np.sqrt(40 * 50) * 0.05 / 8)


def test_crowds_are_no_targets() -> None:
    algorithm, batch = _algorithm(), _batch()
    assert batch.truth is not None
    crowds = torch.ones(2, 1, 2, dtype=torch.bool)
    targets = algorithm.encode(replace(batch, truth=replace(batch.truth, crowds=crowds)))
    assert not bool(targets["joints"].nan_to_num().any())


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("stride", [4, 8, 16])
def test_fields_have_the_stride_that_is_asked_for_whatever_the_backbone(stride: int, shuffle: bool) -> None:
    """With a backbone of one's own it silently was 16."""
    algorithm = _algorithm(stride=stride, pixel_shuffle=shuffle).eval()
    batch = _batch()
    outputs, targets = algorithm(batch), algorithm.encode(batch)
    size = (SIZE[1] // stride, SIZE[0] // stride)
    assert all(value.shape[-2:] == size for value in (*outputs.values(), *targets.values()))
    assert algorithm.network.backbone.stride == stride * (2 if shuffle else 1)


def test_what_it_finds_is_in_original_pixels_and_moves_with_the_fields() -> None:
    algorithm, batch = _algorithm(min_keypoints=2), _batch()
    targets = algorithm.encode(batch)
    raw = {}
    for name, ends in (("joints", 1), ("limbs", 2)):
        goal = targets[name]
        sure, away = 24 * goal[:, :, :, :1].nan_to_num(0) - 12, goal[:, :, :, 1 : 1 + 2 * ends].nan_to_num(0)
        scales = goal[:, :, :, 1 + 2 * ends :].nan_to_num(0.5).expm1().log()
        raw[name] = torch.cat([sure, away, torch.zeros_like(scales), scales], 3).flatten(2, 3)
    raw["joints"].requires_grad_()
    to_image = torch.tensor([[2.0, 0, 5], [0, 2, -7], [0, 0, 1]]).repeat(2, 1, 1, 1)
    found = algorithm.decode(raw, replace(batch, to_image=to_image))
    assert batch.truth is not None and found.scores is not None
    wanted = batch.truth.transformed(to_image).keypoints
    torch.testing.assert_close(found.keypoints.detach(), wanted, atol=0.1, rtol=0, equal_nan=True)
    assert bool((found.scores[:, :, 0] > found.scores[:, :, 1]).all())
    found.keypoints[0, 0, 0, 0, 0].backward()
    assert raw["joints"].grad is not None and int((raw["joints"].grad != 0).sum()) == 1


def test_a_single_keypoint_needs_no_limbs() -> None:
    algorithm = _algorithm(Skeleton(("a",)))
    batch = _batch()
    assert batch.truth is not None
    one = replace(batch, truth=Instances.from_keypoints(batch.truth.keypoints[..., :1, :]))
    losses = algorithm.training_losses(one)
    assert float(losses["pif_confidence"].detach()) > 0 and float(losses["paf_confidence"].detach()) == 0
    assert algorithm.eval().decode(algorithm(one), one).num_keypoints == 1
