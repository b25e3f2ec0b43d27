from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitruve.errors import RunError
from vitruve.run import FORMAT, RunFiles, read_json


@pytest.fixture
def run(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path / "run")


@pytest.fixture
def finished(run: RunFiles) -> RunFiles:
    run.write_model({"algorithm": "heatmap", "skeleton": {"names": ["nose"]}})
    run.weights.write_bytes(b"")
    return run


def test_the_names_are_those_of_the_lightning_pose_page(run: RunFiles) -> None:
    names = {
        "config": "config.yaml",
        "predictions": "predictions.csv",
        "pixel_error": "predictions_pixel_error.csv",
        "tensorboard": "tb_logs",
        "video_predictions": "video_preds",
        "weights": "model.safetensors",
        "model": "model.json",
        "status": "status.json",
        "metrics": "metrics.csv",
    }
    assert {key: str(getattr(run, key).relative_to(run.path)) for key in names} == names


def test_no_two_things_have_one_name(run: RunFiles) -> None:
    properties = [name for name, value in vars(RunFiles).items() if isinstance(value, property)]
    paths = [getattr(run, name) for name in properties]
    assert len(set(paths)) == len(paths) >= 14
    assert all(path.is_relative_to(run.path) for path in paths)


def test_a_model_comes_back(finished: RunFiles) -> None:
    assert finished.read_model() == {"format": FORMAT, "algorithm": "heatmap", "skeleton": {"names": ["nose"]}}


def test_no_such_directory(run: RunFiles) -> None:
    with pytest.raises(RunError, match="run: no such run directory; give the folder that 'vitruve train' printed"):
        run.read_model()


@pytest.mark.parametrize("name", ["model", "weights"])
def test_a_missing_part_is_named(finished: RunFiles, name: str) -> None:
    path: Path = getattr(finished, name)
    path.unlink()
    with pytest.raises(RunError, match=rf"{path.name}: missing, so this is not a trained run"):
        finished.read_model()
    finished.last.parent.mkdir()
    finished.last.write_bytes(b"")
    advice = (
        f"training did not finish: vitruve train resume={finished.path}"
        if name == "model"
        else "copy the whole run again"
    )
    with pytest.raises(RunError, match=advice):
        finished.read_model()


@pytest.mark.parametrize("suffix", ["ckpt", "pt", "pth"])
def test_a_pickle_in_place_of_the_weights_is_refused(finished: RunFiles, suffix: str) -> None:
    finished.weights.unlink()
    (finished.path / f"model.{suffix}").write_bytes(b"\x80\x04N.")
    with pytest.raises(RunError, match=rf"model\.{suffix}: a Python pickle.*needs model\.safetensors in its place"):
        finished.read_model()


def test_a_model_of_another_format(finished: RunFiles) -> None:
    finished.model.write_text(json.dumps({"format": 99}))
    with pytest.raises(RunError, match=r"model\.json: format 99, this program reads 1; use the program that wrote it"):
        finished.read_model()


@pytest.mark.parametrize("content", ['{"format": 1', "[1, 2]", "", "\x00\x01"])
def test_a_damaged_model_is_one_line(finished: RunFiles, content: str) -> None:
    finished.model.write_text(content)
    with pytest.raises(RunError, match=r"model\.json: .*copy the run again") as caught:
        finished.read_model()
    assert "\n" not in str(caught.value)


def test_json_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match=r"a\.json: not readable as JSON"):
        read_json(tmp_path / "a.json")


def test_status_tells_how_far_and_when(run: RunFiles) -> None:
    before = time.time()
    run.write_status("TRAINING", 3, 10, loss=0.5)
    status = read_json(run.status)
    assert before <= status["progress"].pop("timestamp") <= time.time()
    assert status.pop("process")["pid"] == os.getpid()
    assert status == {"status": "TRAINING", "progress": {"completed": 3, "total": 10}, "loss": 0.5}
    found = run.read_status()
    assert (found.status, found.completed, found.total, found.process) == ("TRAINING", 3, 10, os.getpid())
    run.write_status("FAILED", 3, 10, message="no room")
    assert (run.read_status().message, run.read_status().process) == ("no room", None)


@pytest.fixture
def training(finished: RunFiles) -> Iterator[subprocess.Popen[str]]:
    """Another process, which says that it trains the run and then waits."""
    finished.model.unlink()
    code = (
        "import sys, pathlib; from vitruve.run import RunFiles\n"
        "RunFiles(pathlib.Path(sys.argv[1])).write_status('TRAINING', 3, 10)\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(finished.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_run_that_is_being_trained_is_left_alone(finished: RunFiles, training: subprocess.Popen[str]) -> None:
    found = finished.read_status()
    assert (found.status, found.process) == ("TRAINING", training.pid)
    said = rf"process {training.pid} is training it \(3 of 10 epochs are done\); wait for it"
    with pytest.raises(RunError, match=said):
        finished.read_model()
    with pytest.raises(RunError, match=said):
        finished.check_idle()


def test_a_killed_training_counts_as_interrupted(finished: RunFiles, training: subprocess.Popen[str]) -> None:
    training.kill()
    written = read_json(finished.status)
    # Before and after its parent has asked for it: until then its number is taken.
    for wait in (lambda: time.sleep(0.2), training.wait):
        wait()
        found = finished.read_status()
        assert (found.status, found.process, found.completed) == ("INTERRUPTED", None, 3)
        assert "its process is gone" in found.message
    finished.check_idle()
    with pytest.raises(RunError, match="training did not finish: vitruve train resume="):
        finished.read_model()
    # Its number may be another process's by now.
    written["process"]["pid"] = os.getpid()
    written["process"]["started"] -= 3600
    finished.status.write_text(json.dumps(written))
    assert finished.read_status().status == "INTERRUPTED"
    # Of another machine's processes nothing is known.
    written["process"]["host"] = "elsewhere"
    finished.status.write_text(json.dumps(written))
    assert finished.read_status().status == "TRAINING"


@pytest.mark.parametrize("content", ["{}", '{"status": "TRAINING", "progress": 3}', '{"status": "x", "progress": {}}'])
def test_a_damaged_status_is_one_line(run: RunFiles, content: str) -> None:
    run.path.mkdir()
    run.status.write_text(content)
    with pytest.raises(RunError, match=r"status\.json: not a training status"):
        run.read_status()


def test_metrics_have_the_columns_of_all_rows(run: RunFiles) -> None:
    assert run.read_metrics() == []
    run.write_metrics([{"epoch": 0, "train": 1.5}, {"epoch": 1, "train": 1.25, "val": 2.0}])
    assert run.metrics.read_text() == "epoch,train,val\n0,1.5,\n1,1.25,2.0\n"
    assert run.read_metrics()[1] == {"epoch": "1", "train": "1.25", "val": "2.0"}
    run.write_metrics([])
    assert run.read_metrics() == []
