"""The processes that train one network together: who one is among them, and what they tell one another."""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from vitruve.errors import ConfigError
from vitruve.inference.device import pick_device
from vitruve.training.settings import TrainingSettings

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

# Long, because one process reads images or predicts while the others wait; whoever is gone is noticed at once.
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True)
class Team:
    """A process's place among those that train together. ``torchrun``'s variables of the environment tell it.

    Attributes:
        rank: Number of this process, from 0 on. The first one writes all files.
        size: How many there are.
        local_rank: Number of this process among those of this machine.
        local_size: How many there are on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def of_environment(cls) -> Team:
        """The team that this process was started for; one alone without ``torchrun``'s variables."""
        if not all(os.environ.get(name) for name in _VARIABLES):
            return cls()
        return cls(*(int(os.environ[name]) for name in _VARIABLES[:4]))

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.rank == 0

    @property
    def machines(self) -> int:
        """How many machines there are; each has as many processes."""
        return self.size // self.local_size

    def join(self) -> None:
        """Meet the others, and stay with them until this process ends."""
        if self.size > 1 and not dist.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=_PATIENCE)
            atexit.register(_leave)

    def share(self, value: Any = None) -> Any:
        """What the first process has; every process has to call this.

        Args:
            value: Plain values; those of other processes than the first do not matter.

        Returns:
            The first process's.
        """
        if self.size == 1:
            return value
        self.join()
        values = [value]
        dist.broadcast_object_list(values, 0)
        return values[0]

    def gather(self, value: Any) -> list[Any]:
        """What each process has, in their order; every process has to call this.

        Args:
            value: Plain values or arrays.

        Returns:
            One value a process.
        """
        if self.size == 1:
            return [value]
        values = [None] * self.size
        dist.all_gather_object(values, value)
        return values


def processes_of(settings: TrainingSettings) -> int:
    """How many processes settings ask for.

    Args:
        settings: The section ``training``.

    Returns:
        ``parallel.processes``, or else one for each accelerator that ``num_gpus`` allows.
    """
    if settings.parallel.processes is not None:
        return settings.parallel.processes
    if settings.num_gpus < 2 or pick_device(settings.device, "training.device") != "cuda":
        return 1
    return max(1, min(settings.num_gpus, torch.cuda.device_count()))


def check_team(team: Team, settings: TrainingSettings, device: str) -> None:
    """Compare the processes there are with the settings and with the machine.

    Args:
        team: The processes.
        settings: The section ``training``.
        device: ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ConfigError: There are others than asked for, or not enough accelerators.
    """
    wanted = settings.parallel.processes
    if wanted is not None and wanted != team.size:
        raise ConfigError(
            f"training.parallel.processes={wanted}: {team.size} were started; give torchrun "
            f"--nproc-per-node {wanted // team.machines or 1}, or leave the setting out"
        )
    there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(device, team.local_size)
    if team.local_size > there:
        raise ConfigError(
            f"training.parallel.processes: {team.local_size} on a machine with {there} of training.device={device}; "
            f"take {there}, or training.device=cpu"
        )


def lost(error: BaseException) -> bool:
    """Whether an error says that another process of the team is gone."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
