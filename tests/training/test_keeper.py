"""When everything that training needs to go on is written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vitruve.run import RunFiles
from vitruve.training.callbacks import Keeper


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
