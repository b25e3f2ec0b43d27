from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tiny_project import SKELETON
from vitruve.algorithms.base import Task
from vitruve.algorithms.heatmap import ALGORITHM
from vitruve.errors import RunError
from vitruve.inference.load import load_run
from vitruve.run import RunFiles
from vitruve.training.callbacks import save_weights


@pytest.fixture
def run(tmp_path: Path) -> RunFiles:
    """A run as training leaves it, as far as loading looks at it."""
    torch.manual_seed(0)
    config = ALGORITHM.Config(backbone="test_resnet", checkpoint=Path("gone.safetensors"))
    algorithm = ALGORITHM(config, Task(SKELETON, (64, 64)))
    files = RunFiles(tmp_path / "run")
    save_weights(algorithm, files.weights)
    files.write_model({"model": config.model_dump(mode="json"), "task": algorithm.task.to_dict(), "scorer": "net"})
    return files


def test_a_run_comes_back(run: RunFiles) -> None:
    loaded = load_run(str(run.path))
    assert loaded.algorithm.task == Task(SKELETON, (64, 64))
    assert not loaded.algorithm.training
    weights = load_file(run.weights)
    assert all(torch.equal(value, weights[name]) for name, value in loaded.algorithm.state_dict().items())
    assert loaded.record["scorer"] == "net" and len(loaded.weights_hash) == 16
    assert load_run(run.path).weights_hash == loaded.weights_hash
    weights["network.head.score.bias" if "network.head.score.bias" in weights else next(iter(weights))] += 1
    save_file(weights, run.weights)
    assert load_run(run.path).weights_hash != loaded.weights_hash


def another_network(run: RunFiles) -> None:
    config = ALGORITHM.Config(backbone="test_efficientnet")
    save_weights(ALGORITHM(config, Task(SKELETON, (64, 64))), run.weights)


def other_keypoints(run: RunFiles) -> None:
    record = json.loads(run.model.read_text())
    record["task"]["skeleton"] = {"names": ["a", "b", "c"]}
    run.model.write_text(json.dumps(record))


def change(*keys: str, value: Any) -> Callable[[RunFiles], None]:
    def apply(run: RunFiles) -> None:
        record = json.loads(run.model.read_text())
        place = record
        for key in keys[:-1]:
            place = place[key]
        if value is None:
            del place[keys[-1]]
        else:
            place[keys[-1]] = value
        run.model.write_text(json.dumps(record))

    return apply


def pickled(run: RunFiles) -> None:
    run.weights.write_bytes(pickle.dumps({"weights": [1, 2]}))


def only_a_checkpoint_of_another_program(run: RunFiles) -> None:
    run.weights.rename(run.path / "model.ckpt")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: run.weights.unlink(), r"model\.safetensors: missing, so this is not a trained run"),
        (lambda run: run.model.unlink(), r"model\.json: missing, so this is not a trained run"),
        (only_a_checkpoint_of_another_program, r"model\.ckpt: a Python pickle, which can run any code"),
        (pickled, r"model\.safetensors: this is a Python pickle"),
        (lambda run: torch.save({"a": torch.ones(2)}, run.weights), r"model\.safetensors: this is a Python pickle"),
        (lambda run: run.weights.write_bytes(b""), r"model\.safetensors: not a whole safetensors file"),
        (lambda run: run.weights.write_bytes(run.weights.read_bytes()[:-9]), "not a whole safetensors file"),
        (another_network, r"model\.safetensors: weights of another network: \d+ tensors missing"),
        (other_keypoints, r"model\.safetensors: weights of another network: 0 tensors missing.* of another shape"),
        (lambda run: run.model.write_text("{"), r"model\.json: not readable as JSON"),
        (lambda run: run.model.write_text("[]"), r"model\.json: holds list, but an object is needed"),
        (change("format", value=99), r"model\.json: format 99, this program reads 1"),
        (change("task", value=None), r"model\.json: does not describe a network"),
        (change("model", "model_type", value="gone"), r"model\.json: does not describe a network.*'gone'"),
        (change("model", "backbone", value="no_net"), r"model\.json: does not describe a network"),
        (change("task", "colour", value=1), r"model\.json: does not describe a network"),
        (change("model", "strange", value=1), r"model\.json: does not describe a network.*strange"),
    ],
)
def test_runs_that_cannot_be_used(run: RunFiles, damage: Callable[[RunFiles], object], message: str) -> None:
    damage(run)
    with pytest.raises(RunError, match=message) as caught:
        load_run(run.path)
    assert "\n" not in str(caught.value) and str(run.path) in str(caught.value)


def test_no_directory_and_an_unfinished_training(tmp_path: Path, run: RunFiles) -> None:
    with pytest.raises(RunError, match="no such run directory; give the folder that 'vitruve train' printed"):
        load_run(tmp_path / "nothing")
    run.model.unlink()
    run.last.parent.mkdir(parents=True)
    run.last.write_bytes(b"")
    with pytest.raises(RunError, match="training did not finish: vitruve train resume="):
        load_run(run.path)


def test_nothing_in_a_pickle_is_carried_out(run: RunFiles, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "carried out",)

    run.weights.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(RunError, match="Python pickle"):
        load_run(run.path)
    assert not (tmp_path / "carried out").exists()
