"""What the benchmarks of crowds share: algorithms, all images as one batch, and outputs that are the truth's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from common import mirror_mouse

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Outputs, Targets, Task
from vitruve.data.dataset import PoseDataset
from vitruve.data.images import ImageCache
from vitruve.data.loaders import EpochBatches, loader
from vitruve.structures.batch import Batch
from vitruve.structures.labels import Labels

_SURE = 8.0
"""The logit of what is certain."""


def photographs(name: str) -> Path:
    """The labels of ``coco_mini`` or ``mpii_mini``, which lie beside ``mirror_mouse``."""
    return mirror_mouse().parent / f"{name}_mini" / f"test_{name}.json"


def build(name: str, labels: Labels, size: tuple[int, int], settings: Mapping[str, Any]) -> Algorithm:
    """An algorithm for these labels, from random weights."""
    kind = registry.get(name)
    return kind(kind.Config(model_type=name, **settings), Task(labels.skeleton, size))


def whole(labels: Labels, algorithm: Algorithm) -> Batch:
    """All frames as one batch, as they are."""
    dataset = PoseDataset(labels, algorithm.task.input_size, algorithm.needs, ImageCache(1))
    return next(iter(loader(dataset, EpochBatches(len(dataset), len(dataset), shuffle=False), 0)))


def known_outputs(targets: Targets) -> Outputs:
    """What a network gives that knows the truth, from the targets of any algorithm for several instances."""
    if "conf" in targets:
        return {f"{name}_1": targets[name] for name in ("conf", "paf")}
    if "joints" in targets:
        return {name: known_field(targets[name], ends).flatten(-4, -3) for name, ends in (("joints", 1), ("limbs", 2))}
    return {name: value.flatten(2, -3) for name, value in known_boxes(targets).items()}


def known_field(target: torch.Tensor, ends: int) -> torch.Tensor:
    """Raw channels ``(..., C, h, w)`` of composite fields whose cells point at so many places."""
    sure, away, size = (part.clone() for part in target.split([1, 2 * ends, ends], -3))
    size = size.nan_to_num(0.5).clamp_min(1e-3)
    raw = [_SURE * (2 * sure.nan_to_num(0) - 1), away.nan_to_num(0), torch.zeros_like(size), size.expm1().log()]
    return torch.cat(raw, -3)


def known_boxes(targets: Targets) -> Outputs:
    """Raw maps of grids; boxes fit as surely as they are there."""
    exact, unsure = 1e-6, 1 - float(torch.tensor(_SURE).sigmoid())
    least = {"response": unsure, "place": exact, "size": exact, "limbs": unsure}
    maps = {name: targets[name].logit(eps) for name, eps in least.items()}
    return {**maps, "iou": maps["response"]}
