from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tiny_project import settings
from vitruve.config.schema import Config
from vitruve.pipeline.train import train_run
from vitruve.run import RunFiles
from vitruve.training.strategies import partners

Team = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    """Calls a function of ranks.py in several processes."""
    path = os.pathsep.join(part for part in sys.path if part)
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("ranks.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "TORCH_CPP_LOG_LEVEL": "FATAL"},
    )

    def call(function: str, ranks: int = 2, **arguments: Any) -> list[Any]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"function": function, "ranks": ranks, "arguments": arguments}) + "\n")
        process.stdin.flush()
        return list(json.loads(process.stdout.readline()))

    yield call
    process.communicate(timeout=30)


def training(project: Path, strategy: str = "sync_sgd", **more: Any) -> dict[str, Any]:
    chosen = {"strategy": strategy}
    return settings(project, None, parallel=chosen, optimizer="SGD", lr_scheduler="none", **more)


def rows(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open() as stream:
        return [
            {key: float(value) for key, value in row.items() if key not in ("images_per_second", "seconds_left")}
            for row in csv.DictReader(stream)
        ]


def weights(run: Path) -> torch.Tensor:
    return torch.cat([tensor.ravel() for tensor in load_file(run / "model.safetensors").values()])


def test_sync_sgd_of_two_is_one_with_twice_the_batch(team: Team, project: Path, tmp_path: Path) -> None:
    one = training(project, train_batch_size=8, max_epochs=4, unfreezing_epoch=2)
    two = training(project, train_batch_size=4, max_epochs=4, unfreezing_epoch=2)
    assert team("train", 1, settings=one, run=str(tmp_path / "one")) == [None]
    assert team("train", 2, settings=two, run=str(tmp_path / "two")) == [None, None]
    assert (weights(tmp_path / "one") - weights(tmp_path / "two")).abs().max() < 1e-5
    alone, together = rows(tmp_path / "one"), rows(tmp_path / "two")
    for row, other in zip(alone, together, strict=True):
        assert row.keys() == other.keys()
        # What is on the display of the moment is the first process's; all else is over all images.
        assert all(row[key] == pytest.approx(other[key], rel=1e-4) for key in row if key != "total_loss")
    assert alone[-1]["train_far_loss"] < 0.7 * alone[0]["train_far_loss"]


def test_means_are_over_all_images_where_processes_have_unequal_numbers_of_them(
    team: Team, project: Path, tmp_path: Path
) -> None:
    """Lightning gave 5.5 images of each of two processes as 5: losses were a tenth too large."""
    eleven = {"train_frames": 11, "train_prob": 0.9, "val_prob": 0.1}
    still = {**eleven, "max_epochs": 1, "optimizer_params": {"learning_rate": 1e-12}}
    for ranks, size in ((1, 4), (2, 2)):
        chosen = training(project, train_batch_size=size, **still)
        assert team("train", ranks, settings=chosen, run=str(tmp_path / str(ranks))) == [None] * ranks
    (alone,), (together,) = rows(tmp_path / "1"), rows(tmp_path / "2")
    assert together["train_far_loss"] == pytest.approx(alone["train_far_loss"], rel=1e-4)


def test_sync_avg_has_equal_replicas_after_each_average(team: Team, project: Path, tmp_path: Path) -> None:
    away = team("watched_average", 3, settings=training(project, "sync_avg", train_batch_size=2), run=str(tmp_path))
    assert away[0] == away[1] == away[2] == [0.0] * 6
    assert all(row["replica_spread"] > 0 for row in rows(tmp_path))


def test_the_first_process_gives_its_weights_to_the_others(team: Team) -> None:
    first, *others = team("broadcast", 3)
    assert all(other["before"] != first["before"] for other in others)
    assert all(each["after"] == first["before"] for each in (first, *others))


def test_gossip_keeps_the_mean_and_shrinks_the_spread(team: Team) -> None:
    for ranks in (3, 4):
        found = team("gossip", ranks, steps=12)
        assert all(each == found[0] for each in found)
        spreads = found[0]["spreads"]
        assert all(b <= a for a, b in itertools.pairwise(spreads))
        assert spreads[-1] < 0.02 * spreads[0]
        assert found[0]["drift"] < 1e-12 and found[0]["mean"] < 1e-12
        assert found[0]["more"] == pytest.approx([(ranks - 1) / 2] * 3)


def test_pair_avg_keeps_replicas_together(team: Team, project: Path, tmp_path: Path) -> None:
    assert team("train", 4, settings=training(project, "pair_avg", train_batch_size=2), run=str(tmp_path)) == [None] * 4
    assert all(0 < row["replica_spread"] < 0.1 for row in rows(tmp_path))
    assert weights(tmp_path).isfinite().all()


def test_partners_change_and_are_mutual() -> None:
    for size in (2, 3, 4, 7):
        for step in range(20):
            found = partners(size, 1, step)
            assert [found[other] for other in found] == list(range(size))
            assert sum(other == own for own, other in enumerate(found)) == size % 2
    assert len({tuple(partners(4, 1, step)) for step in range(20)}) == 3


def test_resumed_they_end_as_if_unbroken(team: Team, project: Path, tmp_path: Path) -> None:
    given = {"imgaug": "dlc", "max_epochs": 3, "optimizer_params": {"learning_rate": 0.003}}
    whole = settings(project, None, parallel={"strategy": "sync_avg"}, **given)
    begun, broken = tmp_path / "whole", tmp_path / "broken"
    assert team("train", settings=whole, run=str(begun), plain=False) == [None, None]
    lost, dead = team("train", settings=whole, run=str(broken), plain=False, die=2)
    assert dead == "died"
    assert lost.startswith("TrainingError: another of the 2 processes") and "resume=" in lost and "\n" not in lost
    assert RunFiles(broken).read_status().status == "FAILED"
    alone = team("train", 1, settings=whole, run=str(broken), plain=False, resume=True)[0]
    assert alone.startswith("RunError: this run was trained by 2 processes together")
    assert team("train", settings=whole, run=str(broken), plain=False, resume=True) == [None, None]
    assert torch.equal(weights(begun), weights(broken))
    assert rows(begun) == rows(broken)
    assert not list(broken.rglob(".*"))


def test_a_strategy_for_one_process_is_said_to_have_no_effect(
    project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitruve.pipeline.train._train_run", lambda config, run, **_: run.path)
    for strategy in ("sync_sgd", "pair_avg"):
        train_run(Config.from_mapping(training(project, strategy)), tmp_path / "run")
    assert [record.getMessage() for record in caplog.records] == [
        "training.parallel.strategy=pair_avg: without effect on one process; set training.parallel.processes"
    ]


def test_too_many_processes_are_refused_in_one_line(team: Team, project: Path, tmp_path: Path) -> None:
    few = training(project, train_frames=3)
    one, other = team("train", settings=few, run=str(tmp_path))
    assert one == other and one.endswith(
        "2 processes cannot share 3 training frames out; each needs 2 at least, so take 1"
    )
    few["training"]["parallel"]["processes"] = 4
    assert "2 were started" in team("train", settings=few, run=str(tmp_path))[0]
