"""How the replicas of a network that several processes train stay one network."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import nn

from vitruve.training.settings import TrainingSettings


def strategy_for(settings: TrainingSettings) -> DDPStrategy:
    """The strategy that ``training.parallel.strategy`` names; processes are there already.

    Args:
        settings: The section ``training``.

    Returns:
        Lightning's, or one of this module.
    """
    place = TorchElasticEnvironment()
    if settings.parallel.strategy == "sync_avg":
        return SyncAverage(cluster_environment=place)
    if settings.parallel.strategy == "pair_avg":
        return PairAverage(settings.rng_seed_model_pt, cluster_environment=place)
    # A frozen backbone has no gradients, and statistics are averaged by Consensus, not taken from one process.
    return DDPStrategy(cluster_environment=place, find_unused_parameters=True, broadcast_buffers=False)


class _Average(DDPStrategy):  # type: ignore[misc]
    """Replicas that share weights instead of gradients: they are averaged between a gradient and its step."""

    def configure_ddp(self) -> None:
        """Begin with the first process's weights; gradients stay each process's own."""
        assert self.model is not None
        broadcast(self.model.state_dict().values())

    def optimizer_step(self, optimizer: Any, closure: Any, model: Any = None, **kwargs: Any) -> Any:
        """Find the gradient at this process's own weights, average, and apply the gradient."""

        def averaged() -> Any:
            result = closure()
            self.average()
            return result

        return super().optimizer_step(optimizer, averaged, model, **kwargs)

    @abstractmethod
    def average(self) -> None:
        """Replace weights and statistics by an average over processes."""

    def _shared(self) -> list[torch.Tensor]:
        assert self.lightning_module is not None
        learning = [p for p in self.lightning_module.parameters() if p.requires_grad]
        return [*learning, *statistics(self.lightning_module)]


class SyncAverage(_Average):
    """All replicas become their mean before each step: synchronous averaging (CrossBow, Koliousis et al. 2019)."""

    def average(self) -> None:
        """Replace weights and statistics by the mean of all processes."""
        average(self._shared())


class PairAverage(_Average):
    """Pairs of replicas become their mean before each step: gossip, as AD-PSGD (Lian et al. 2018), but in step.

    Args:
        seed: Seed of the pairs; the step is the other half of it.
        **more: As for Lightning's own strategy.
    """

    def __init__(self, seed: int, **more: Any) -> None:
        super().__init__(**more)
        self._seed = seed

    def average(self) -> None:
        """Replace weights and statistics by the mean of this process's and its partner's."""
        assert self.lightning_module is not None
        step = self.lightning_module.trainer.global_step
        partner = partners(self.world_size, self._seed, step)[self.global_rank]
        if partner != self.global_rank:
            average(self._shared(), partner)


def partners(size: int, seed: int, step: int) -> list[int]:
    """Who averages with whom.

    Args:
        size: Number of processes; of an odd number, one is alone.
        seed: Seed of all pairs.
        step: Optimiser step.

    Returns:
        Each process's partner; itself when it is alone.
    """
    order = np.random.default_rng([seed, step]).permutation(size).tolist()
    found = list(range(size))
    for one, other in zip(order[::2], order[1::2], strict=False):
        found[one], found[other] = other, one
    return found


@torch.no_grad()
def broadcast(tensors: Iterable[torch.Tensor]) -> None:
    """Replace tensors by those of the first process.

    Args:
        tensors: The same ones in each process, in one order.
    """
    for tensor in tensors:
        # Not all backends take tensors in another layout, such as channels_last.
        whole = tensor.contiguous()
        dist.broadcast(whole, 0)
        tensor.copy_(whole)


@torch.no_grad()
def average(tensors: Iterable[torch.Tensor], partner: int | None = None) -> float:
    """Replace tensors by their mean over processes.

    Args:
        tensors: The same ones in each process.
        partner: The one other process to average with; None for all.

    Returns:
        The squared distance of what was here to that mean, summed over all elements.
    """
    away = 0.0
    kinds: dict[torch.dtype, list[torch.Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault(tensor.dtype, []).append(tensor)
    for members in kinds.values():
        own = torch.cat([member.reshape(-1) for member in members])
        mean = own.clone()
        if partner is None:
            dist.all_reduce(mean)
            mean /= dist.get_world_size()
        else:
            theirs = torch.empty_like(own)
            for work in dist.batch_isend_irecv(
                [dist.P2POp(dist.isend, own, partner), dist.P2POp(dist.irecv, theirs, partner)]
            ):
                work.wait()
            # In one order on both sides, so that both have the same bits.
            mean = (own + theirs) / 2
        away += float((own - mean).double().square().sum())
        for member, part in zip(members, torch.split(mean, [m.numel() for m in members]), strict=True):
            member.copy_(part.view(member.shape))
    return away


def statistics(module: nn.Module) -> list[torch.Tensor]:
    """The running means and variances of batch normalisation."""
    names = ("running_mean", "running_var")
    return [buffer for name, buffer in module.named_buffers() if name.rpartition(".")[2] in names]


class Consensus(pl.Callback):  # type: ignore[misc]
    """Makes one network of the replicas before they are validated, and at the end of each epoch.

    Weights (where they differ), statistics and, at the end of an epoch, the optimisers' state become their mean over
    all processes. So what is validated, kept and predicted with is the mean, and a checkpoint, which holds one network,
    is all that every process needs to go on. The root of the replicas' mean squared distance from their mean, as a
    share of its length, is logged as ``replica_spread``.

    Args:
        settings: The section ``training``.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._weights_differ = settings.parallel.strategy != "sync_sgd"
        self._spread = 0.0

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Agree on weights and statistics."""
        self._spread = self._agree(module) or self._spread

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Agree on everything that training goes on with."""
        self._spread = self._agree(module) or self._spread
        if self._weights_differ:
            for optimizer in trainer.optimizers:
                average(_moments(optimizer))
            module.log("replica_spread", self._spread, on_step=False, on_epoch=True)
        self._spread = 0.0

    def _agree(self, module: pl.LightningModule) -> float:
        average(statistics(module))
        if not self._weights_differ:
            return 0.0
        weights = list(module.parameters())
        away = torch.tensor(average(weights), dtype=torch.float64, device=module.device)
        dist.all_reduce(away)
        length = sum(float(weight.detach().double().square().sum()) for weight in weights)
        return math.sqrt(float(away) / dist.get_world_size() / max(length, 1e-30))


def _moments(optimizer: torch.optim.Optimizer) -> Sequence[torch.Tensor]:
    """What an optimiser remembers of earlier gradients, in the order of its parameters."""
    states = [optimizer.state.get(p, {}) for group in optimizer.param_groups for p in group["params"]]
    return [value for state in states for value in state.values() if isinstance(value, torch.Tensor) and value.ndim]
