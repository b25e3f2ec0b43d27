"""What every algorithm must do, whoever wrote it: run over all that are found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from dots import SIDE, build, dots
from pydantic import ValidationError

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Task
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

ALL = registry.available()
everyone = pytest.mark.parametrize("name", ALL)


def _views(name: str) -> int:
    return 2 if ALL[name].needs.views else 1


def _truth(name: str, batch: Batch) -> Instances:
    truth = batch.truth_3d if ALL[name].needs.truth_3d else batch.truth
    assert truth is not None
    return truth


def _overlaps_of_their_classes(found: Instances, truth: Instances) -> torch.Tensor:
    """Of each object, its IoU with the detection of its class that fits best."""
    assert found.boxes is not None and truth.boxes is not None
    assert found.categories is not None and truth.categories is not None
    boxes, wanted = found.boxes[..., None, :, :].nan_to_num(), truth.boxes[..., :, None, :]
    sides = torch.minimum(boxes[..., 2:], wanted[..., 2:]) - torch.maximum(boxes[..., :2], wanted[..., :2])
    common = sides.clamp_min(0).prod(-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(-1) for each in (boxes, wanted)]
    alike = found.categories[..., None, :] == truth.categories[..., :, None]
    return (common / (areas[0] + areas[1] - common) * alike).amax(-1)


def _total(algorithm: Algorithm, batch: Batch) -> torch.Tensor:
    losses = algorithm.training_losses(batch)
    assert losses and all(value.shape == () for value in losses.values())
    return torch.stack(list(losses.values())).sum()


@everyone
@pytest.mark.parametrize("views", [1, 2])
def test_shapes_from_images_to_instances(name: str, views: int) -> None:
    kind = ALL[name]
    views = max(views, _views(name))
    batch = dots(kind, 2, views)
    algorithm = build(kind, name, views).eval()
    with torch.no_grad():
        outputs, targets = algorithm(batch), algorithm.encode(batch)
        losses = algorithm.loss(outputs, targets)
        found = algorithm.decode(outputs, batch)
    assert all(len(value) == 2 for value in (*outputs.values(), *targets.values()))
    assert all(bool(torch.isfinite(value)) for value in losses.values())
    lead = (2,) if kind.needs.truth_3d else (2, views)
    assert found.keypoints.shape[:-3] == lead and found.keypoints.shape[-2] == len(algorithm.task.skeleton)
    assert found.keypoints.shape[-1] == (3 if kind.needs.truth_3d else 2)
    if not kind.needs.instances and not kind.needs.classes:
        assert found.keypoints.shape[-3] == 1 and bool(torch.isfinite(found.keypoints).all())
    for scores in (found.scores,) if kind.needs.classes or kind.needs.boxes else (found.keypoint_scores, found.scores):
        assert scores is not None
        known = scores[~scores.isnan()]
        assert bool(((known >= 0) & (known <= 1)).all())


@everyone
def test_views_of_single_images_are_looked_at_one_by_one(name: str) -> None:
    if ALL[name].needs.views:
        pytest.skip("it works on the views of an instant together")
    batch = dots(ALL[name], 3, 2)
    algorithm = build(ALL[name], name, 2).eval()
    with torch.no_grad():
        together = algorithm.decode(algorithm(batch), batch).keypoints
        for view in range(2):
            assert batch.truth is not None
            alone = Batch(batch.images[:, [view]], batch.to_image[:, [view]], batch.truth[:, [view]])
            found = algorithm.decode(algorithm(alone), alone).keypoints
            torch.testing.assert_close(together[:, [view]], found, atol=1e-3, rtol=0)


@everyone
def test_the_network_takes_the_example_input_and_gives_what_forward_gives(name: str) -> None:
    algorithm = build(ALL[name], name, _views(name)).eval()
    example = algorithm.example_input(2)
    assert example.dtype == torch.uint8 and len(example) == 2 and not example.any()
    with torch.no_grad():
        outputs = algorithm.network(example)
        batch = dots(ALL[name], 2, _views(name))
        wanted = algorithm(batch.with_images(torch.zeros_like(batch.images)))
    assert outputs and outputs.keys() <= wanted.keys()
    for key, value in outputs.items():
        torch.testing.assert_close(value.flatten(), wanted[key].flatten()[: value.numel()], atol=1e-4, rtol=1e-4)


@everyone
def test_the_loss_reaches_every_weight(name: str) -> None:
    algorithm = build(ALL[name], name, _views(name)).train()
    with torch.no_grad():
        for parameter in algorithm.parameters():
            parameter += 0.01  # some networks start their branches at exactly zero
    _total(algorithm, dots(ALL[name], 4, _views(name))).backward()
    unreached = [n for n, p in algorithm.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert unreached == []
    assert all(bool(torch.isfinite(p.grad).all()) for p in algorithm.parameters() if p.grad is not None)


@everyone
def test_floats_and_bytes_are_the_same_picture(name: str) -> None:
    algorithm = build(ALL[name], name, _views(name)).eval()
    batch = dots(ALL[name], 2, _views(name))
    with torch.no_grad():
        one, two = algorithm(batch), algorithm(batch.with_images(batch.images.float()))
    for key in one:
        torch.testing.assert_close(one[key], two[key])


@everyone
def test_what_is_unlabelled_teaches_nothing(name: str) -> None:
    if ALL[name].needs.instances or ALL[name].needs.classes:
        pytest.skip("an image without instances teaches it that there are none, and every image has a class")
    algorithm = build(ALL[name], name, _views(name)).train()
    batch = dots(ALL[name], 3, _views(name))

    def blank(truth: Instances | None) -> Instances | None:
        if truth is None:
            return None
        return replace(
            truth, keypoints=torch.full_like(truth.keypoints, torch.nan), visible=torch.zeros_like(truth.visible)
        )

    loss = _total(algorithm, replace(batch, truth=blank(batch.truth), truth_3d=blank(batch.truth_3d)))
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is None or not p.grad.nan_to_num(nan=1).any() for p in algorithm.parameters())


@everyone
def test_an_unlabelled_keypoint_does_not_change_what_the_others_teach(name: str) -> None:
    if ALL[name].needs.instances or ALL[name].needs.classes:
        pytest.skip("its targets depend on all keypoints of an instance, or on none")
    algorithm = build(ALL[name], name, _views(name)).eval()
    batch = dots(ALL[name], 3, _views(name))
    truth = _truth(name, batch)
    visible = truth.visible.clone()
    visible[..., 1] = 0
    changed = []
    for value in (torch.nan, 7.0):  # what stands at an unlabelled place has no meaning
        keypoints = truth.keypoints.clone()
        keypoints[..., 1, :] = value
        part = replace(truth, keypoints=keypoints, visible=visible)
        key = "truth_3d" if ALL[name].needs.truth_3d else "truth"
        changed.append(float(_total(algorithm, replace(batch, **{key: part})).detach()))
    assert changed[0] == pytest.approx(changed[1]) and changed[0] > -100


@everyone
def test_the_same_seed_builds_the_same_network(name: str) -> None:
    one, two = build(ALL[name], name, _views(name)), build(ALL[name], name, _views(name))
    for (key, first), second in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(first, second), key


@everyone
def test_weights_carry_over_to_a_network_of_the_same_task(name: str) -> None:
    algorithm = build(ALL[name], name, _views(name)).eval()
    torch.manual_seed(1)
    task = Task.from_dict(json.loads(json.dumps(algorithm.task.to_dict())))
    assert task == algorithm.task
    other = ALL[name](algorithm.config, task)
    other.load_state_dict(algorithm.state_dict())
    batch = dots(ALL[name], 2, _views(name))
    with torch.no_grad():
        one, two = algorithm(batch), other.eval()(batch)
    for key in one:
        torch.testing.assert_close(one[key], two[key])


@everyone
def test_it_says_what_it_is_and_refuses_settings_it_does_not_know(name: str) -> None:
    kind = ALL[name]
    assert kind.description and "\n" not in kind.description
    assert all(field.description for field in kind.Config.model_fields.values())
    with pytest.raises(ValidationError):
        kind.Config(model_type=name, no_such_key=1)  # type: ignore[call-arg]
    assert build(kind, name, _views(name)).backbone is not None


@everyone
def test_four_pictures_are_learned_by_heart(name: str) -> None:
    """Must end below 2 original pixels, which are one pixel of the input."""
    views = _views(name)
    algorithm, batch = build(ALL[name], name, views), dots(ALL[name], 4, views)
    steps = 60 if ALL[name].needs.boxes else 80
    optimizer = torch.optim.Adam(algorithm.parameters(), lr=0.006 if ALL[name].needs.boxes else 0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    algorithm.train()
    for _ in range(steps):
        optimizer.zero_grad()
        _total(algorithm, batch).backward()
        optimizer.step()
        schedule.step()
    algorithm.eval()
    with torch.no_grad():
        found = algorithm.decode(algorithm(batch), batch)
    truth = _truth(name, batch)
    if ALL[name].needs.classes:
        assert found.categories is not None and truth.categories is not None
        assert torch.equal(found.categories[..., 0], truth.categories[..., 0])
        return
    if ALL[name].needs.boxes:
        overlaps = _overlaps_of_their_classes(found, truth)
        print(f"{name}: IoU {float(overlaps.mean()):.2f} after {steps} steps")
        assert float(overlaps.mean()) > 0.65 and float(overlaps.min()) > 0.4
        return
    error = (found.keypoints[..., None, :, :, :] - truth.keypoints[..., :, None, :, :]).norm(dim=-1).mean(-1).amin(-1)
    print(f"{name}: {float(error.mean()):.2f} px after 80 steps")
    assert float(error.mean()) < (5 if ALL[name].needs.truth_3d else 2)
    assert batch.input_size == (SIDE, SIDE)
