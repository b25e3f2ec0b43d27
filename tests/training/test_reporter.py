"""What a training says of itself while it runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vitruve.run import RunFiles
from vitruve.training import callbacks
from vitruve.training.callbacks import Reporter
from vitruve.training.optim import Plan


class Clock:
    """Seconds that pass only when they are told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(callbacks.time, "monotonic", found.monotonic)
    return found


def trainer(**more: Any) -> Any:
    given = {"callback_metrics": {"total_loss": torch.tensor(2.0)}, "global_step": 0, "current_epoch": 0}
    fixed = {"world_size": 1, "is_global_zero": True, "num_training_batches": 10}
    return SimpleNamespace(**{**given, **fixed, **more})


def test_within_an_epoch_the_status_says_its_share_every_few_seconds(tmp_path: Path, clock: Clock) -> None:
    run = RunFiles(tmp_path)
    reporter = Reporter(run, Plan(steps=30, steps_per_epoch=10, unfreeze=0), lambda numbers: None)
    reporter.on_train_start(trainer(), None)  # type: ignore[arg-type]
    reporter.on_train_epoch_start(trainer(), None)  # type: ignore[arg-type]
    said = []
    for batch in range(10):
        clock.now += 0.9
        now = trainer(global_step=batch + 1)
        reporter.on_train_batch_end(now, None, None, [0] * 4, batch)  # type: ignore[arg-type]
        status = run.read_status()
        said.append((status.completed, status.epoch_share, status.seconds_left))
    # Told at the start; then after the first batch that ends more than 2 seconds later: 2.7, 5.4 and 8.1 seconds.
    shares = [share for _, share, _ in said]
    assert shares == pytest.approx([0, 0, 0.3, 0.3, 0.3, 0.6, 0.6, 0.6, 0.9, 0.9])
    # Before the first step nobody knows how long is left.
    assert [left is None for _, _, left in said[:3]] == [True, True, False]
    assert {completed for completed, _, _ in said} == {0}
    assert said[-1][2] == pytest.approx(0.9 * 21)


def test_a_whole_epoch_begins_the_next_one_at_nothing(tmp_path: Path, clock: Clock) -> None:
    run = RunFiles(tmp_path)
    reporter = Reporter(run, Plan(steps=30, steps_per_epoch=10, unfreeze=0), lambda numbers: None)
    reporter.on_train_start(trainer(), None)  # type: ignore[arg-type]
    clock.now += 5.0
    reporter.on_train_epoch_end(trainer(global_step=10), None)  # type: ignore[arg-type]
    status = run.read_status()
    assert (status.completed, status.total, status.epoch_share) == (1, 3, 0.0)
    assert [row["epoch"] for row in run.read_metrics()] == ["0"]
