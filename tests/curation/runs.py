"""Runs with weights of chance, as training leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml

from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton
from vitruve.training.callbacks import save_weights


def write_run(
    place: Path, kind: str, skeleton: Skeleton, categories: tuple[str, ...] = ("object",), seed: int = 0, **model: Any
) -> Path:
    """The run of a network for images of 64 x 64 pixels."""
    torch.manual_seed(seed)
    algorithm_type = registry.get(kind)
    named = {"model_type": kind, "backbone": "test_resnet", **model}
    algorithm = algorithm_type(algorithm_type.Config(**named), Task(skeleton, (64, 64), categories=categories))
    files = RunFiles(place)
    save_weights(algorithm, files.weights)
    record = {"model": algorithm.config.model_dump(mode="json"), "task": algorithm.task.to_dict(), "scorer": "net"}
    files.write_model(record)
    settings = {"data": {"data_dir": str(place), "csv_file": "none.csv"}, "model": named}
    files.config.write_text(yaml.safe_dump({**settings, "inference": {"runtime": "torch", "batch_size": 4}}))
    files.write_status("COMPLETED", 1, 1)
    return place
