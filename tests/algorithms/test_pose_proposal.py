"""What the contract does not know of Pose Proposal Networks: their losses, masks and boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from vitruve.algorithms.base import Task
from vitruve.algorithms.pose_proposal import ALGORITHM
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("head", "neck", "tail"), ((0, 1), (1, 2)))
SIZE = (128, 96)
TERMS = {"response": "response", "iou": "iou", "place": "place", "size": "size", "limbs": "limbs"}


def _algorithm(**settings: object) -> ALGORITHM:
    torch.manual_seed(0)
    config = ALGORITHM.Config(
        model_type="pose_proposal", backbone="test_resnet", head_channels=8, neighbourhood=5, **settings
    )
    return ALGORITHM(config, Task(SKELETON, SIZE))


def _batch() -> Batch:
    points = torch.tensor(
        [[[20.0, 20], [40, 30], [60, 50]], [[90, 70], [100, 40], [torch.nan, torch.nan]]],
    )
    boxes = torch.tensor([[10.0, 10, 70, 60], [80, 30, 110, 90]])
    truth = Instances.from_keypoints(points.repeat(2, 1, 1, 1, 1), boxes=boxes.repeat(2, 1, 1, 1))
    return Batch(torch.zeros(2, 1, 1, 3, *SIZE[::-1], dtype=torch.uint8), torch.eye(3).repeat(2, 1, 1, 1), truth)


def _outputs(algorithm: ALGORITHM) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    channels = algorithm.network.channels
    return {n: torch.randn(2, 1, c, 3, 4, generator=generator).requires_grad_() for n, c in channels.items()}


def test_losses_are_those_of_the_paper() -> None:
    algorithm, batch = _algorithm(spokes=False), _batch()
    raw, targets = _outputs(algorithm), algorithm.encode(batch)
    losses = {name: float(value.detach()) for name, value in algorithm.loss(raw, targets).items()}
    sure = {name: value.detach().double().sigmoid().numpy()[:, 0] for name, value in raw.items()}
    truth = {name: value.double().numpy()[:, 0] for name, value in targets.items()}
    delta = truth["response"]
    place, size = (sure[name].reshape(2, 4, 2, 3, 4) for name in ("place", "size"))
    wanted = dict.fromkeys(TERMS, 0.0)
    wanted["response"] = 0.25 * ((delta - sure["response"]) ** 2).sum() / 2
    for b, k, y, x in np.argwhere(delta > 0):
        cell = np.array([x, y])
        boxes = []
        for center, extent in ((place, size), (truth["place"], truth["size"])):
            middle = (cell + center[b, k, :, y, x]) * 32
            half = extent[b, k, :, y, x] * SIZE / 2
            boxes.append((middle - half, middle + half))
        (low, high), (true_low, true_high) = boxes
        common = np.clip(np.minimum(high, true_high) - np.maximum(low, true_low), 0, None).prod()
        fit = common / ((high - low).prod() + (true_high - true_low).prod() - common)
        guess = sure["iou"][b, k, y, x]
        for p, q in ((fit, guess), (1 - fit, 1 - guess)):
            wanted["iou"] += (p * np.log(p / q) if p else 0) / 2
        wanted["place"] += 5 * ((place[b, k, :, y, x] - truth["place"][b, k, :, y, x]) ** 2).sum() / 2
        roots = np.sqrt(size[b, k, :, y, x]) - np.sqrt(truth["size"][b, k, :, y, x])
        wanted["size"] += 5 * (roots**2).sum() / 2
    limbs = sure["limbs"].reshape(2, -1, 5, 5, 3, 4)
    for b, limb, i, j, y, x in np.ndindex(limbs.shape):
        begin, end = algorithm.layout.limbs[limb]
        to = y + i - 2, x + j - 2
        inside = 0 <= to[0] < 3 and 0 <= to[1] < 4
        if inside and max(delta[b, begin, y, x], delta[b, end, to[0], to[1]]):
            away = truth["limbs"][b, limb, i, j, y, x] - limbs[b, limb, i, j, y, x]
            wanted["limbs"] += 0.5 * away**2 / 2
    assert losses == pytest.approx(wanted, rel=1e-4)


def test_each_term_has_a_gradient_in_its_own_maps_and_in_no_other() -> None:
    algorithm, batch = _algorithm(), _batch()
    targets = algorithm.encode(batch)
    for term, maps in TERMS.items():
        raw = _outputs(algorithm)
        algorithm.loss(raw, targets)[term].backward()
        reached = {name for name, value in raw.items() if value.grad is not None and bool(value.grad.any())}
        assert reached == {maps}, term


def test_the_truth_itself_has_no_loss() -> None:
    algorithm, batch = _algorithm(), _batch()
    targets = algorithm.encode(batch)
    raw = {name: targets[name].logit(1e-6).flatten(2, -3) for name in ("place", "size", "limbs")}
    raw |= {"response": targets["response"].logit(1e-6), "iou": torch.full_like(targets["response"], 14.0)}
    losses = {name: float(value.detach()) for name, value in algorithm.loss(raw, targets).items()}
    assert losses == pytest.approx(dict.fromkeys(TERMS, 0.0), abs=1e-4)


def test_ignored_cells_have_no_gradient() -> None:
    algorithm, batch = _algorithm(), _batch()
    ignore = torch.zeros(2, 1, *SIZE[::-1], dtype=torch.bool)
    ignore[0, 0, :32, :64] = True
    ignore[1, 0, :32, :12] = True  # less than half of its cell
    raw = _outputs(algorithm)
    losses = algorithm.loss(raw, algorithm.encode(replace(batch, ignore=ignore)))
    torch.stack(list(losses.values())).sum().backward()
    for name, value in raw.items():
        assert value.grad is not None
        assert not bool(value.grad[0, 0, :, 0, :2].any()), name
    assert bool(raw["response"].grad[1, 0, :, 0, 0].all())
    limbs = raw["limbs"].grad.reshape(2, -1, 5, 5, 3, 4)
    assert not bool(limbs[0, :, 1, 2, 1, 1].any())  # from a cell that is known to one above that is not
    assert bool(raw["limbs"].grad[0].any())


def test_crowds_and_people_without_keypoints_are_no_targets() -> None:
    algorithm, batch = _algorithm(), _batch()
    assert batch.truth is not None
    crowds = torch.tensor([False, True]).repeat(2, 1, 1)
    alone = algorithm.encode(replace(batch, truth=replace(batch.truth, crowds=crowds)))
    assert alone["response"].sum((0, 1, 3, 4)).tolist() == [2, 2, 2, 2]
    bare = replace(batch.truth, keypoints=torch.full_like(batch.truth.keypoints, torch.nan))
    assert not bool(algorithm.encode(replace(batch, truth=bare))["response"].any())


def test_boxes_are_moved_with_the_image() -> None:
    """They were left where they stood while the keypoints were scaled and moved."""
    algorithm, batch = _algorithm(), _batch()
    to_image = torch.tensor([[2.0, 0, 5], [0, 2, -7], [0, 0, 1]]).repeat(2, 1, 1, 1)
    assert batch.truth is not None
    moved = replace(batch, to_image=to_image, truth=batch.truth.transformed(to_image))
    for name, value in algorithm.encode(batch).items():
        torch.testing.assert_close(algorithm.encode(moved)[name], value, atol=1e-4, rtol=0)


def test_what_it_finds_is_in_original_pixels_with_boxes_and_moves_with_the_maps() -> None:
    algorithm, batch = _algorithm(min_keypoints=1), _batch()
    targets = algorithm.encode(batch)
    raw = {name: targets[name].logit(1e-4).flatten(2, -3) for name in ("place", "size", "limbs")}
    raw |= {name: targets["response"].logit(1e-4) for name in ("response", "iou")}
    raw["place"].requires_grad_()
    to_image = torch.tensor([[2.0, 0, 5], [0, 2, -7], [0, 0, 1]]).repeat(2, 1, 1, 1)
    found = algorithm.decode(raw, replace(batch, to_image=to_image))
    assert batch.truth is not None and found.boxes is not None and found.scores is not None
    wanted = batch.truth.transformed(to_image)
    torch.testing.assert_close(found.keypoints.detach(), wanted.keypoints, atol=0.1, rtol=0, equal_nan=True)
    torch.testing.assert_close(found.boxes.detach(), wanted.boxes, atol=0.5, rtol=0)
    assert bool((found.scores[:, :, 0] > found.scores[:, :, 1]).all())  # a keypoint is missing
    found.keypoints[0, 0, 0, 0, 0].backward()
    gradient = raw["place"].grad
    assert gradient is not None and int((gradient != 0).sum()) == 1 and bool(gradient[0, 0, 0, 0, 0] > 0)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValidationError, match="must be odd, such as 9"):
        ALGORITHM.Config(model_type="pose_proposal", neighbourhood=8)
