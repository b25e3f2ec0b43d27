"""Optimisers and the course of the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from vitruve.algorithms.base import Algorithm
from vitruve.training.settings import Plateau, TrainingSettings

# How Lightning Pose lets an unfrozen backbone catch up: a tenth of the head's rate, growing by half each epoch.
_FIRST_SHARE = 0.1
_GROWTH = 1.5

# A loss must fall by this share to count as lower.
_LEAST_FALL = 1e-4


@dataclass(frozen=True)
class Plan:
    """How long training takes and when the backbone joins.

    Attributes:
        steps: Optimiser steps in all.
        steps_per_epoch: Optimiser steps an epoch.
        unfreeze: Step at which the backbone begins to learn.
    """

    steps: int
    steps_per_epoch: int
    unfreeze: int

    @classmethod
    def of(cls, settings: TrainingSettings, batches: int, waits: bool) -> Plan:
        """The plan that settings ask for.

        Args:
            settings: The section ``training``.
            batches: Training batches an epoch.
            waits: The backbone begins to learn after the head, unless the settings say when.

        Returns:
            The plan.
        """
        per_epoch = math.ceil(batches / settings.accumulate_grad_batches)
        bounds = [
            settings.max_steps,
            None if settings.max_epochs is None else settings.max_epochs * per_epoch,
        ]
        steps = min(bound for bound in bounds if bound is not None)
        epoch = settings.unfreezing_epoch if settings.unfreezing_epoch is not None else (20 if waits else 0)
        unfreeze = settings.unfreezing_step if settings.unfreezing_step is not None else epoch * per_epoch
        return cls(steps, per_epoch, unfreeze)

    @property
    def epochs(self) -> int:
        """Epochs that are begun."""
        return math.ceil(self.steps / self.steps_per_epoch)

    def backbone_share(self, step: int) -> float:
        """The backbone's learning rate as a share of the head's.

        Args:
            step: Optimiser step.

        Returns:
            0 while frozen, then from 0.1 upwards by half each epoch until 1. Always 1 when it was never frozen.
        """
        if self.unfreeze == 0:
            return 1.0
        if step < self.unfreeze:
            return 0.0
        return min(1.0, _FIRST_SHARE * _GROWTH ** ((step - self.unfreeze) // self.steps_per_epoch))


def build_optimizer(
    algorithm: Algorithm, settings: TrainingSettings, beside: nn.Module | None = None
) -> torch.optim.Optimizer:
    """An optimiser whose groups tell backbone from head, and weights from biases and norms.

    Args:
        algorithm: Its parameters are optimised. Biases and normalisation are not decayed.
        settings: The section ``training``.
        beside: What learns with it, as the head does, and is no part of it.

    Returns:
        The optimiser; each group carries ``part``: ``backbone`` or ``head``.
    """
    backbone = set() if algorithm.backbone is None else {id(p) for p in algorithm.backbone.parameters()}
    groups = []
    for part in ("backbone", "head"):
        everything = [*algorithm.parameters(), *(() if beside is None else beside.parameters())]
        own = [p for p in everything if (id(p) in backbone) == (part == "backbone")]
        for decay, members in (
            (settings.weight_decay, [p for p in own if p.ndim > 1]),
            (0.0, [p for p in own if p.ndim <= 1]),
        ):
            if members:
                groups.append({"params": members, "weight_decay": decay, "part": part})
    numbers = settings.optimizer_params
    rate = numbers.learning_rate
    # One fused step over all parameters is several times as fast as one small operation each.
    if settings.optimizer == "SGD":
        return torch.optim.SGD(
            groups, lr=rate, momentum=numbers.momentum, nesterov=numbers.nesterov and numbers.momentum > 0, fused=True
        )
    if settings.optimizer == "RMSprop":
        return torch.optim.RMSprop(groups, lr=rate)
    kind = torch.optim.AdamW if settings.optimizer == "AdamW" else torch.optim.Adam
    return kind(groups, lr=rate, fused=True)


def align_state(optimizer: torch.optim.Optimizer) -> None:
    """Lay an optimiser's state out in memory as its parameters are.

    Fused steps walk through both in the order of memory: state that was read back in another layout than a
    parameter's (channels innermost) would be added to the wrong weights.

    Args:
        optimizer: Its state is laid out anew where that differs.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            like = isinstance(value, torch.Tensor) and value.shape == parameter.shape
            if like and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def learning_rate_factor(settings: TrainingSettings, plan: Plan, step: int) -> float:
    """The head's learning rate at a step, as a share of ``optimizer_params.learning_rate``.

    Args:
        settings: The section ``training``. Its schedule ``plateau`` depends on the validation loss and gives 1 here.
        plan: Length of the training.
        step: Optimiser step, from 0.

    Returns:
        The factor, from 0 to 1.
    """
    params = settings.lr_scheduler_params
    if settings.lr_scheduler == "multisteplr":
        steps = params.multisteplr.milestone_steps
        if steps is None:
            steps = tuple(epoch * plan.steps_per_epoch for epoch in params.multisteplr.milestones)
        return float(params.multisteplr.gamma ** sum(step >= milestone for milestone in steps))
    if settings.lr_scheduler == "step":
        return float(params.step.gamma ** (step // (params.step.step_size * plan.steps_per_epoch)))
    if settings.lr_scheduler == "cosine":
        warmup = params.cosine.warmup_epochs * plan.steps_per_epoch
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return _cosine(1.0, params.cosine.final_factor, (step - warmup) / max(1, plan.steps - warmup))
    if settings.lr_scheduler == "onecycle":
        cycle = params.onecycle
        rise = cycle.pct_start * plan.steps
        first = 1 / cycle.div_factor
        if step < rise:
            return _cosine(first, 1.0, step / rise)
        return _cosine(1.0, first / cycle.final_div_factor, (step - rise) / max(1, plan.steps - rise))
    return 1.0


class PlateauFactor:
    """Shrinks the learning rate when the validation loss stops falling, by the rule of torch's ReduceLROnPlateau.

    A factor instead of a learning rate, so that it goes together with the backbone's own share.

    Args:
        params: Factor, patience and lowest learning rate.
        rate: The highest learning rate.

    Attributes:
        factor: The learning rate as a share of the highest, from 0 to 1.
    """

    def __init__(self, params: Plateau, rate: float) -> None:
        self.factor = 1.0
        self._params = params
        self._floor = min(1.0, params.min_lr / rate)
        self._best = math.inf
        self._stalled = 0

    def step(self, loss: float) -> None:
        """Take notice of a validation loss."""
        if loss < self._best - (_LEAST_FALL * abs(self._best) if math.isfinite(self._best) else 0.0):
            self._best, self._stalled = loss, 0
        else:
            self._stalled += 1
        if self._stalled > self._params.patience:
            self.factor, self._stalled = max(self.factor * self._params.factor, self._floor), 0

    def state_dict(self) -> dict[str, float]:
        """Everything that a checkpoint has to keep."""
        return {"factor": self.factor, "best": self._best, "stalled": self._stalled}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self.factor, self._best, self._stalled = state["factor"], state["best"], int(state["stalled"])


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2


def freeze(backbone: nn.Module, frozen: bool) -> None:
    """Stop or start learning of a module: no gradients are computed and no statistics move while it is frozen."""
    for parameter in backbone.parameters():
        parameter.requires_grad_(not frozen)
    backbone.train(not frozen)
