"""When everything that training needs to go on is written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vitruve.algorithms.base import Needs
from vitruve.run import RunFiles
from vitruve.training.callbacks import Keeper
from vitruve.training.precision import judged_by, validation_cost


@pytest.mark.parametrize(("seconds", "epochs"), [(1e9, [0]), (0.0, [0, 1, 2])])
def test_the_first_checkpoint_follows_the_first_epoch(tmp_path: Path, seconds: float, epochs: list[int]) -> None:
    saved: list[int] = []
    trainer: Any = SimpleNamespace(current_epoch=0, global_step=0, should_stop=False)
    trainer.strategy = SimpleNamespace(broadcast=lambda value: value)
    trainer.save_checkpoint = lambda path: saved.append(trainer.current_epoch)
    module: Any = SimpleNamespace(algorithm=torch.nn.Identity())
    keeper = Keeper(RunFiles(tmp_path), None, seconds, steps=100)
    for epoch in range(3):
        trainer.current_epoch = epoch
        keeper.on_train_epoch_end(trainer, module)
    assert saved == epochs


def test_detectors_are_judged_by_average_precision_and_others_by_their_loss() -> None:
    """A detector's loss rises while it gets better: OBDB kept the weights of its lowest."""
    kinds: list[Any] = [SimpleNamespace(needs=Needs(boxes=boxes)) for boxes in (True, False)]
    detector, pose = kinds
    metrics = {"val_AP": torch.tensor(0.25), "val_supervised_loss": torch.tensor(3.0)}
    assert validation_cost(metrics, detector) == 0.75 and validation_cost(metrics, pose) == 3.0
    assert validation_cost({"val_supervised_loss": 3.0}, detector) is None
    assert judged_by(detector) == ("val_AP", "max") and judged_by(pose) == ("val_supervised_loss", "min")
