from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from tiny_project import settings
from vitruve.algorithms.heatmap.algorithm import Heatmap
from vitruve.config.schema import Config
from vitruve.data.dataset import Pick, PoseDataset
from vitruve.errors import ConfigError, InputError, Interrupted, RunError, TrainingError
from vitruve.inference.device import pick_device
from vitruve.run import RunFiles
from vitruve.training.callbacks import Interruption
from vitruve.training.fit import fit
from vitruve.training.module import PoseModule
from vitruve.training.prepare import prepare

Train = Callable[..., RunFiles]


def equal(one: Path, other: Path) -> bool:
    a, b = load_file(one), load_file(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_seed_decides_the_weights(train: Train) -> None:
    first = train(imgaug="dlc", max_epochs=2)
    assert equal(train(imgaug="dlc", max_epochs=2).weights, first.weights)
    # A process that prepares the images changes nothing.
    assert equal(train(imgaug="dlc", max_epochs=2, num_workers=1).weights, first.weights)
    assert not equal(train(imgaug="dlc", max_epochs=2, rng_seed_model_pt=1).weights, first.weights)


def test_every_epoch_has_its_own_order_and_its_own_changes(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    picks: list[Pick] = []
    read = PoseDataset.__getitem__

    def noted(self: PoseDataset, pick: Any) -> Any:
        if isinstance(pick, Pick) and self.augmentation is not None:
            picks.append(pick)
        return read(self, pick)

    monkeypatch.setattr(PoseDataset, "__getitem__", noted)
    train(max_epochs=3)
    epochs = [[pick.index for pick in picks if pick.epoch == epoch] for epoch in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(12))] * 3
    assert epochs[0] != epochs[1] != epochs[2] and epochs[0] != epochs[2]
    assert [pick.epoch for pick in picks] == sorted(pick.epoch for pick in picks)


def test_a_frozen_backbone_is_frozen(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[dict[str, torch.Tensor]] = []
    gradients: list[bool] = []

    def note_state(self: PoseModule) -> None:
        states.append({name: value.clone() for name, value in self.algorithm.backbone.state_dict().items()})

    def note_gradients(self: PoseModule) -> None:
        gradients.append(any(p.grad is not None for p in self.algorithm.backbone.parameters()))

    monkeypatch.setattr(PoseModule, "on_train_epoch_end", note_state)
    monkeypatch.setattr(PoseModule, "on_fit_start", note_state, raising=False)
    monkeypatch.setattr(PoseModule, "on_after_backward", note_gradients)
    run = train(max_epochs=5, unfreezing_epoch=2, lr_scheduler="none", check_val_every_n_epoch=1)
    start, *ends = states
    for end in ends[:2]:
        assert all(torch.equal(end[name], value) for name, value in start.items())
    assert any("running_mean" in name for name in start), "statistics are part of what is compared"
    for name, value in start.items():
        assert torch.equal(ends[2][name], value) == (name in ("mean", "std")), name
    assert gradients == [False] * 6 + [True] * 9
    rows = run.read_metrics()
    assert [float(row["learning_rate"]) for row in rows] == [0.01] * 5
    shares = [float(row["learning_rate_backbone"]) / 0.01 for row in rows]
    assert shares == pytest.approx([0, 0, 0.1, 0.15, 0.225], rel=1e-5)


def test_plateau_slows_the_backbone_too(train: Train) -> None:
    run = train(
        max_epochs=5,
        unfreezing_epoch=1,
        lr_scheduler="plateau",
        lr_scheduler_params={"plateau": {"patience": 0, "factor": 0.5}},
        optimizer_params={"learning_rate": 1.0},
    )
    rows = run.read_metrics()
    head = [float(row["learning_rate"]) for row in rows]
    backbone = [float(row["learning_rate_backbone"]) for row in rows]
    assert head[0] == 1.0 and head[-1] < 1.0
    for epoch in range(5):
        share = 0.0 if epoch == 0 else 0.1 * 1.5 ** (epoch - 1)
        assert backbone[epoch] == pytest.approx(head[epoch] * share, rel=1e-4)


class Plain(Heatmap):
    """Without batch normalisation, whose statistics depend on how images are batched."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.network = Maps(len(self.task.skeleton))


class Maps(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.Conv2d(8, count, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"heatmaps": self.layers(images.float() / 255)}


def test_two_batches_of_four_are_one_of_eight(project: Path, tmp_path: Path) -> None:
    ends = []
    for size, count in ((8, 1), (4, 2)):
        config = Config.from_mapping(
            settings(
                project,
                train_prob=0.5,
                val_prob=0.5,
                max_epochs=4,
                train_batch_size=size,
                accumulate_grad_batches=count,
                optimizer="SGD",
                optimizer_params={"learning_rate": 0.5},
            )
        )
        ready, run = prepare(config), RunFiles(tmp_path / str(size))
        fit(config, replace(ready, kind=Plain), run, quiet=True)
        assert run.read_metrics()[-1]["step"] == "4"
        ends.append(load_file(run.weights))
    start = Plain(config.model, ready.task).state_dict()
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, atol=1e-6, rtol=1e-4)
        if value.is_floating_point() and "weight" in name:
            assert (value - start[name]).abs().max() > 1e-3, "it has learned"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # An interval of epochs; the last epoch is validated whatever it is.
        ({"check_val_every_n_epoch": 2, "max_epochs": 5}, [0, 1, 0, 1, 1]),
        ({"check_val_every_n_epoch": 9, "max_epochs": 2}, [0, 1]),
        ({"max_steps": 4, "check_val_every_n_epoch": 5}, [0, 1]),
        # A share of an epoch; a number of batches, counted across epochs of three.
        ({"val_check_interval": 0.34, "max_epochs": 2}, [3, 3]),
        ({"val_check_interval": 2, "max_epochs": 3}, [1, 2, 2]),
        ({"val_check_interval": 5, "max_epochs": 3}, [0, 1, 1]),
    ],
)
def test_when_it_is_validated(
    train: Train, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], expected: list[int]
) -> None:
    epochs: list[int] = []
    before = PoseModule.on_validation_epoch_end

    def noted(self: PoseModule) -> None:
        epochs.append(self.current_epoch)
        before(self)

    monkeypatch.setattr(PoseModule, "on_validation_epoch_end", noted)
    run = train(**asked)
    assert [epochs.count(epoch) for epoch in range(len(expected))] == expected
    rows = run.read_metrics()
    assert [bool(row["val_supervised_loss"]) for row in rows] == [bool(count) for count in expected]
    assert rows[-1]["step"] == str(asked.get("max_steps", 3 * len(expected)))


def test_early_stopping(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    # The validation loss is what this says it is, epoch by epoch.
    course = iter([5.0, 4.0, 4.5, 4.6, 4.7, 1.0])

    def loss(self: PoseModule, batch: Any, batch_idx: int) -> None:
        self.log("val_supervised_loss", next(course), batch_size=len(batch))

    monkeypatch.setattr(PoseModule, "validation_step", loss)
    run = train(max_epochs=20, early_stopping=True, early_stop_patience=2, ckpt_every_n_epochs=1)
    assert len(run.read_metrics()) == 4
    assert equal(run.weights, run.best.with_name("epoch=2.safetensors")), "the weights kept are the best, not the last"
    course = iter([5.0, 4.0, 4.5, 4.6, 4.7, 1.0])
    assert len(train(max_epochs=20, min_epochs=5, early_stopping=True, early_stop_patience=2).read_metrics()) == 5


def test_what_is_kept(train: Train) -> None:
    run = train(max_epochs=5, ckpt_every_n_epochs=2)
    names = {path.name for path in run.last.parent.iterdir()}
    assert names == {"best.safetensors", "last.safetensors", "epoch=2.safetensors", "epoch=4.safetensors"}
    assert equal(run.best, run.weights)
    status = json.loads(run.status.read_text())
    assert status["status"] == "EVALUATING"
    assert (status["progress"]["completed"], status["progress"]["total"]) == (5, 5)
    record = run.read_model()
    assert record["model"]["model_type"] == "heatmap"
    assert sorted(record["split"].values()) == ["train"] * 12 + ["validation"] * 4
    assert record["task"]["skeleton"]["names"] == ["red", "green"]


def test_scalars_of_tensorboard(train: Train) -> None:
    run = train(max_epochs=2, log_every_n_steps=1)
    (folder,) = {path.parent for path in run.tensorboard.rglob("events.out.tfevents.*")}
    assert folder.parent.name == "test", "model.model_name"
    events = EventAccumulator(str(folder))
    events.Reload()
    names = set(events.Tags()["scalars"])
    assert names >= {
        "train_supervised_loss",
        "train_heatmap_kl_loss",
        "val_supervised_loss",
        "val_heatmap_kl_loss",
        "val_supervised_rmse",
        "val_pixel_error",
        "total_loss",
        "learning_rate",
        "learning_rate_backbone",
    }
    assert len(events.Scalars("total_loss")) == 6 and len(events.Scalars("train_supervised_loss")) == 2
    rows = run.read_metrics()
    assert events.Scalars("val_pixel_error")[-1].value == pytest.approx(float(rows[-1]["val_pixel_error"]), rel=1e-5)


def test_nan_is_reported_and_the_best_weights_are_kept(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls, names = Heatmap.loss, 0, []

    def poisoned(self: Heatmap, outputs: Any, targets: Any) -> dict[str, torch.Tensor]:
        nonlocal calls
        losses = whole(self, outputs, targets)
        calls += self.training
        return {name: value * (float("nan") if calls == 5 else 1) for name, value in losses.items()}

    monkeypatch.setattr(Heatmap, "loss", poisoned)
    before = signal.getsignal(signal.SIGINT)
    folder: list[RunFiles] = []
    keep = RunFiles.write_metrics

    def noted(self: RunFiles, rows: Any) -> None:
        folder.append(self)
        keep(self, rows)

    monkeypatch.setattr(RunFiles, "write_metrics", noted)
    read = PoseDataset.__getitem__

    def named(self: PoseDataset, pick: Any) -> Any:
        if self.augmentation is not None and isinstance(pick, Pick) and pick.epoch == 1:
            names.append(self.labels[pick.index].name)
        return read(self, pick)

    monkeypatch.setattr(PoseDataset, "__getitem__", named)
    with pytest.raises(TrainingError) as caught:
        train(max_epochs=3)
    message, run = str(caught.value), folder[0]
    assert message.startswith("epoch 1, batch 1: the loss is not a number (heatmap_kl nan; images ")
    assert "\n" not in message
    for name in names[4:8]:
        assert name in message
    assert not any(name in message for name in names[:4])
    assert all(bool(torch.isfinite(value.float()).all()) for value in load_file(run.best).values())
    assert json.loads(run.status.read_text())["status"] == "FAILED"
    assert not run.weights.exists() and not run.model.exists()
    assert signal.getsignal(signal.SIGINT) == before, "Ctrl-C is given back"


def test_a_full_disk_ends_training_and_leaves_whole_files(
    train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sync, epochs = os.fsync, 0

    def full(handle: int) -> None:
        if epochs and "best" in Path(f"/proc/self/fd/{handle}").readlink().name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    before = PoseModule.on_train_epoch_end

    def count(self: PoseModule) -> None:
        nonlocal epochs
        epochs += 1
        before(self)

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(PoseModule, "on_train_epoch_end", count)
    with pytest.raises(InputError, match=r"best\.safetensors: the disk is full; nothing was replaced"):
        train(max_epochs=9)
    run = RunFiles(tmp_path / "run1")
    assert load_file(run.best) and not run.weights.exists()
    assert not list(run.path.rglob(".*"))
    assert json.loads(run.status.read_text())["status"] == "FAILED"


def test_warm_start(train: Train, tmp_path: Path) -> None:
    first = train(max_epochs=2)
    # A learning rate of nearly nothing: what it ends with is what it began with, but for running statistics.
    rate = {"learning_rate": 1e-12, "weight_decay": 0.0}
    for source in (first.path, first.weights):
        second = train(model={"checkpoint": str(source)}, max_epochs=1, optimizer_params=rate, rng_seed_model_pt=7)
        one, other = load_file(first.weights), load_file(second.weights)
        for name in one:
            if "running" not in name and "batches" not in name:
                torch.testing.assert_close(one[name], other[name], atol=1e-6, rtol=0)
    with pytest.raises(RunError, match=r"only \d+ of \d+ tensors fit this network"):
        train(model={"checkpoint": str(first.weights), "backbone": "test_efficientnet"}, max_epochs=1)
    (tmp_path / "old.ckpt").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(RunError, match="Python pickle"):
        train(model={"checkpoint": str(tmp_path / "old.ckpt")}, max_epochs=1)


def test_it_learns(train: Train) -> None:
    run = train(max_epochs=30, check_val_every_n_epoch=30, lr_scheduler="cosine")
    (row,) = [row for row in run.read_metrics() if row["val_pixel_error"]]
    assert float(row["val_pixel_error"]) < 2.5
    assert float(row["val_supervised_rmse"]) <= np.sqrt(0.5) * 20


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    interruption = Interruption(RunFiles(tmp_path))
    interruption._ask(signal.SIGINT, None)
    with pytest.raises(Interrupted, match="stopped in epoch 0; it goes on with: vitruve train resume="):
        interruption._ask(signal.SIGINT, None)


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto", "training.device") == "cpu"
    with pytest.raises(ConfigError, match=r"training\.device=cuda: this machine has none; it has cpu"):
        pick_device("cuda", "training.device")
