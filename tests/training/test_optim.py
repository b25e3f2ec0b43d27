from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tiny_project import SKELETON
from vitruve.algorithms.base import Task
from vitruve.algorithms.heatmap import ALGORITHM
from vitruve.training.optim import Plan, PlateauFactor, align_state, build_optimizer, freeze, learning_rate_factor
from vitruve.training.settings import Plateau, TrainingSettings

PLAN = Plan(steps=60, steps_per_epoch=5, unfreeze=0)


def tiny() -> ALGORITHM:
    config = ALGORITHM.Config(backbone="test_resnet")
    return ALGORITHM(config, Task(SKELETON, (64, 64)))


def course(plan: Plan = PLAN, **settings: object) -> list[float]:
    section = TrainingSettings.model_validate(settings)
    return [learning_rate_factor(section, plan, step) for step in range(plan.steps)]


def scheduled(make: object, steps: int) -> list[float]:
    """What a schedule of torch does with a learning rate of 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("epochs", "batches", "accumulate", "max_steps", "expected"),
    [
        (4, 5, 1, None, Plan(20, 5, 0)),
        (4, 5, 2, None, Plan(12, 3, 0)),
        (4, 5, 1, 7, Plan(7, 5, 0)),
        (None, 5, 1, 7, Plan(7, 5, 0)),
    ],
)
def test_length_of_a_plan(
    epochs: int | None, batches: int, accumulate: int, max_steps: int | None, expected: Plan
) -> None:
    settings = TrainingSettings(max_epochs=epochs, max_steps=max_steps, accumulate_grad_batches=accumulate)
    assert Plan.of(settings, batches, waits=False) == expected
    assert expected.epochs == math.ceil(expected.steps / expected.steps_per_epoch)


@pytest.mark.parametrize(
    ("settings", "pretrained", "unfreeze"),
    [
        ({}, True, 100),
        ({}, False, 0),
        ({"unfreezing_epoch": 3}, False, 15),
        ({"unfreezing_epoch": 0}, True, 0),
        ({"unfreezing_epoch": 3, "unfreezing_step": 4}, True, 4),
    ],
)
def test_when_the_backbone_joins(settings: dict[str, int], pretrained: bool, unfreeze: int) -> None:
    assert Plan.of(TrainingSettings.model_validate(settings), 5, pretrained).unfreeze == unfreeze


def test_the_backbone_catches_up_by_half_an_epoch() -> None:
    plan = Plan(steps=100, steps_per_epoch=4, unfreeze=8)
    shares = [plan.backbone_share(step) for step in range(48)]
    assert shares[:8] == [0.0] * 8
    for epoch in range(2, 12):
        wanted = min(1.0, 0.1 * 1.5 ** (epoch - 2))
        assert shares[4 * epoch : 4 * epoch + 4] == pytest.approx([wanted] * 4, rel=1e-12)
    assert shares[-1] == 1.0
    assert Plan(100, 4, 0).backbone_share(0) == 1.0


def test_multistep() -> None:
    params = {"multisteplr": {"milestones": [2, 3, 7], "gamma": 0.3}}
    made = scheduled(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [10, 15, 35], 0.3), 60)
    assert course(lr_scheduler="multisteplr", lr_scheduler_params=params) == pytest.approx(made, rel=1e-12)
    params["multisteplr"]["milestone_steps"] = [1, 2]
    assert course(lr_scheduler="multisteplr", lr_scheduler_params=params)[:4] == pytest.approx([1, 0.3, 0.09, 0.09])


def test_cosine() -> None:
    rates = course(lr_scheduler="cosine", lr_scheduler_params={"cosine": {"warmup_epochs": 2.0, "final_factor": 0.1}})
    # A straight rise over ten steps to 1 in the eleventh, then half a cosine to a tenth.
    for step in range(10):
        assert rates[step] == pytest.approx((step + 1) / 11)
    made = scheduled(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 50, 0.1), 50)
    assert rates[10:] == pytest.approx(made, rel=1e-9)


def test_onecycle() -> None:
    cycle = {"pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0}
    rates = course(lr_scheduler="onecycle", lr_scheduler_params={"onecycle": cycle})
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[15] == 1.0
    assert rates[-1] < 0.004
    # Half a cosine either way, by hand.
    for step in range(60):
        if step < 15:
            wanted = 1 - 0.9 * (1 + math.cos(math.pi * step / 15)) / 2
        else:
            wanted = 0.001 + 0.999 * (1 + math.cos(math.pi * (step - 15) / 45)) / 2
        assert rates[step] == pytest.approx(wanted, abs=1e-12)


def test_none_and_plateau_leave_the_course_flat() -> None:
    assert set(course(lr_scheduler="none")) == set(course(lr_scheduler="plateau")) == {1.0}


@pytest.mark.parametrize("patience", [0, 2])
def test_plateau_is_the_one_of_torch(patience: int) -> None:
    generator = torch.Generator().manual_seed(patience)
    losses = (torch.rand(60, generator=generator) + torch.linspace(1, 0.7, 60)).tolist()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience, min_lr=0.004)
    ours = PlateauFactor(Plateau(factor=0.5, patience=patience, min_lr=0.004), 0.2)
    for turn, loss in enumerate(losses):
        theirs.step(loss)
        ours.step(loss)
        assert 0.2 * ours.factor == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        if turn == 20:  # it goes on from what it gives away
            state, ours = ours.state_dict(), PlateauFactor(Plateau(factor=0.5, patience=patience, min_lr=0.004), 0.2)
            ours.load_state_dict(state)
    assert ours.factor < 1


def test_plateau_of_negative_losses() -> None:
    # A likelihood may be below zero: a fall is a fall there, too, and standing still is none.
    falling = PlateauFactor(Plateau(patience=0), 1.0)
    for loss in (-1.0, -2.0, -3.0):
        falling.step(loss)
    assert falling.factor == 1.0
    falling.step(-3.0)
    assert falling.factor == 0.5


@pytest.mark.parametrize(("name", "kind"), [("Adam", "Adam"), ("AdamW", "AdamW"), ("SGD", "SGD")])
def test_optimizers(name: str, kind: str) -> None:
    settings = TrainingSettings.model_validate(
        {"optimizer": name, "optimizer_params": {"learning_rate": 0.03, "weight_decay": 0.2, "momentum": 0.7}}
    )
    algorithm = tiny()
    optimizer = build_optimizer(algorithm, settings)
    assert type(optimizer) is getattr(torch.optim, kind)
    parts: dict[str, set[int]] = {"backbone": set(), "head": set()}
    for group in optimizer.param_groups:
        assert group["lr"] == 0.03
        assert group["weight_decay"] == (0.2 if group["params"][0].ndim > 1 else 0.0)
        assert len({p.ndim > 1 for p in group["params"]}) == 1
        parts[group["part"]] |= {id(p) for p in group["params"]}
        if name == "SGD":
            assert group["momentum"] == 0.7
    assert parts["backbone"] == {id(p) for p in algorithm.backbone.parameters()}
    assert parts["backbone"] | parts["head"] == {id(p) for p in algorithm.parameters()}
    assert not parts["backbone"] & parts["head"]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_a_fused_step_is_that_of_the_formula(name: str) -> None:
    settings = TrainingSettings.model_validate(
        {"optimizer": name, "optimizer_params": {"learning_rate": 0.1, "weight_decay": 0.01}}
    )
    algorithm, start, gradient = tiny(), 0.5, 0.25
    weight = algorithm.network.head.state_dict(keep_vars=True)
    name_of, parameter = next((n, p) for n, p in weight.items() if p.ndim == 4)
    del name_of
    with torch.no_grad():
        parameter.fill_(start)
    optimizer = build_optimizer(algorithm, settings)
    parameter.grad = torch.full_like(parameter, gradient)
    optimizer.step()
    if name == "SGD":  # Nesterov's first step: the gradient once more by the momentum
        wanted = start - 0.1 * (gradient + 0.01 * start) * 1.9
    elif name == "Adam":
        wanted = start - 0.1
    else:
        wanted = start * (1 - 0.1 * 0.01) - 0.1
    assert float(parameter.detach().mean()) == pytest.approx(wanted, abs=1e-5)


def test_weight_decay_by_default() -> None:
    assert TrainingSettings(optimizer="AdamW").weight_decay == 0.01
    assert TrainingSettings(optimizer="Adam").weight_decay == TrainingSettings(optimizer="SGD").weight_decay == 0.0


def test_frozen() -> None:
    algorithm = tiny()
    backbone = algorithm.backbone
    freeze(backbone, True)
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(module.training for module in backbone.modules())
    assert all(p.requires_grad for p in algorithm.network.head.parameters())
    freeze(backbone, False)
    assert all(p.requires_grad for p in backbone.parameters()) and all(m.training for m in backbone.modules())


def test_state_is_laid_out_like_its_parameter() -> None:
    values = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    ends = []
    for change in (False, True):
        parameter = nn.Parameter(values.contiguous(memory_format=torch.channels_last))
        optimizer = torch.optim.AdamW([parameter], lr=0.1, fused=True)
        for step in range(3):
            parameter.grad = (values * (step + 1)).contiguous(memory_format=torch.channels_last)
            optimizer.step()
            if change:  # as a file gives it back
                for state in optimizer.state.values():
                    state.update({name: value.contiguous() for name, value in state.items()})
                align_state(optimizer)
        ends.append(parameter.detach().clone())
    assert torch.equal(*ends)
