from __future__ import annotations

import json
import time
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
    assert status == {"status": "TRAINING", "progress": {"completed": 3, "total": 10}, "loss": 0.5}


def test_metrics_have_the_columns_of_all_rows(run: RunFiles) -> None:
    assert run.read_metrics() == []
    run.write_metrics([{"epoch": 0, "train": 1.5}, {"epoch": 1, "train": 1.25, "val": 2.0}])
    assert run.metrics.read_text() == "epoch,train,val\n0,1.5,\n1,1.25,2.0\n"
    assert run.read_metrics()[1] == {"epoch": "1", "train": "1.25", "val": "2.0"}
    run.write_metrics([])
    assert run.read_metrics() == []
