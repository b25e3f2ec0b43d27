"""How much memory training takes: what a step keeps for its backward pass, measured on a small image."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psutil
import torch

from vitruve.algorithms.base import Algorithm, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.inference.device import pick_device
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

# Of float32 parameters: the weight, its gradient and the two moments of Adam.
_BYTES_A_PARAMETER = 16
# Convolutions want room to work in, and memory is handed out in pieces that leave gaps.
_OVERHEAD = 1.3
_SMALL = 128
_MEASURED = 2


@dataclass(frozen=True)
class Machine:
    """What there is to train on.

    Attributes:
        device: ``cuda``, ``mps`` or ``cpu``.
        name: Of the accelerator; empty where the processor trains.
        memory: Bytes of the accelerator's memory, or of main memory.
        cores: Processor cores that this process may use.
    """

    device: str
    name: str
    memory: int
    cores: int


@dataclass(frozen=True)
class StepMemory:
    """Bytes of a training step: ``fixed + images * per_image``.

    Attributes:
        fixed: Parameters, gradients and the optimiser's moments.
        per_image: What one labelled image (with its context and views) keeps for the backward pass, in float32.
    """

    fixed: int
    per_image: int

    def images(self, budget: float) -> int:
        """How many images fit.

        Args:
            budget: Bytes.

        Returns:
            A number of at least 0.
        """
        return max(0, int((budget - self.fixed) // self.per_image))


def this_machine() -> Machine:
    """The device that training would choose here, and its memory."""
    device = pick_device("auto", "training.device")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if device == "cuda":
        card = torch.cuda.get_device_properties(0)
        return Machine(device, card.name, int(card.total_memory), cores)
    return Machine(device, "", int(psutil.virtual_memory().total), cores)


def step_memory(kind: type[Algorithm], settings: ModelSettings, task: Task) -> StepMemory:
    """Find out what a training step of an algorithm keeps in memory.

    A network for small images is built, with random weights, and the tensors that its forward pass saves for the
    backward pass are counted; their size grows with the number of pixels.

    Args:
        kind: The algorithm's class.
        settings: Its settings.
        task: What it would be built for.

    Returns:
        The memory.
    """
    width, height = (min(_SMALL, side) for side in task.input_size)
    algorithm = kind(settings, replace(task, input_size=(width, height))).train()
    saved: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        losses: dict[str, Any] = algorithm.training_losses(_batch(algorithm, width, height))
    del losses
    held = {each.untyped_storage().data_ptr() for each in (*algorithm.parameters(), *algorithm.buffers())}
    kept = sum(size for place, size in saved.items() if place not in held)
    growth = task.input_size[0] * task.input_size[1] / (width * height)
    parameters = sum(each.numel() for each in algorithm.parameters())
    return StepMemory(_BYTES_A_PARAMETER * parameters, max(1, int(_OVERHEAD * growth * kept / _MEASURED)))


def _batch(algorithm: Algorithm, width: int, height: int) -> Batch:
    """Grey images with every keypoint in their middle."""
    task, needs = algorithm.task, algorithm.needs
    views, joints = task.views if needs.views else 1, len(task.skeleton)
    shape = (_MEASURED, views, 2 * needs.context + 1, 3, height, width)
    points = np.broadcast_to(np.array([width / 2, height / 2], np.float32), (_MEASURED, views, 1, joints, 2))
    truth = Instances.from_keypoints(torch.from_numpy(points.copy()))
    matrices = torch.eye(3).expand(_MEASURED, views, 3, 3)
    return Batch(torch.full(shape, 127, dtype=torch.uint8), matrices, truth)
