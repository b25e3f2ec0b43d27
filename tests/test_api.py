from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tiny_project import picture, random_points, settings, write_project, write_video
from vitruve import api
from vitruve.cli.main import build
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, RunError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(tmp_path_factory.mktemp("project"), frames=24)
    np.save(folder / "points.npy", write_video(folder / "videos" / "clip.mp4", 9))
    return folder


@pytest.fixture(scope="module")
def trained(project: Path) -> Path:
    """A run that has learned to find the dots, with all that follows training."""
    values = settings(project, max_epochs=15, check_val_every_n_epoch=15, train_prob=0.7, val_prob=0.1)
    values["eval"] = {"predict_vids_after_training": True, "test_videos_directory": str(project / "videos")}
    (run,) = api.train(values, run_dir=project / "run", quiet=True)
    assert run == project / "run"
    return run


@pytest.fixture
def truth(project: Path) -> np.ndarray:
    return np.load(project / "points.npy")


def distance(found: Labels, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found.keypoints()[:, 0, 0] - wanted, axis=-1).mean())


def test_a_run_is_complete(trained: Path) -> None:
    names = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert names >= {
        "config.yaml",
        "CollectedData.csv",
        "model.safetensors",
        "model.json",
        "status.json",
        "metrics.csv",
        "predictions.csv",
        "predictions_pixel_error.csv",
        "video_preds/clip.csv",
        "evaluation/report.html",
    }
    status = json.loads((trained / "status.json").read_text())
    assert status["status"] == "COMPLETED" and status["progress"]["completed"] == status["progress"]["total"] == 15
    table = pd.read_csv(trained / "predictions.csv", header=[0, 1, 2], index_col=0)
    assert table.iloc[:, -1].value_counts().to_dict() == {"train": 16, "validation": 2, "test": 6}
    errors = pd.read_csv(trained / "predictions_pixel_error.csv", index_col=0)
    assert list(errors.columns) == ["red", "green", "set"]
    assert errors[["red", "green"]].to_numpy().mean() < 4


def test_predicting_from_python(trained: Path, project: Path, truth: np.ndarray) -> None:
    run = api.load_run(trained, runtime="torch", batch_size=4)
    assert run.skeleton.names == ("red", "green") and run.runtime == "torch"
    images = [picture(points) for points in truth]
    for source in (project / "videos" / "clip.mp4", images, np.stack(images), iter(images)):
        assert distance(run.predict(source), truth) < 4
    assert distance(run.predict(images[0]), truth[:1]) < 4
    assert distance(run.predict(project / "labeled-data" / "dots"), random_points(24)) < 4
    labels = read_labels(project / "CollectedData.csv")
    assert distance(run.predict(labels), random_points(24)) < 4
    stream = run.stream(image for image in images)
    first = next(iter(stream))
    assert first.instances.keypoint_scores is not None and first.instances.keypoint_scores.shape == (1, 1, 2)


def test_predicting_into_files(trained: Path, project: Path, tmp_path: Path, truth: np.ndarray) -> None:
    sources = [project / "videos", project / "labeled-data" / "dots" / "img000.png", project / "CollectedData.csv"]
    done = api.predict(trained, sources, output=tmp_path, formats=("csv", "h5"), labeled_video=True, threshold=0.1)
    assert [item.frames for item in done] == [9, 1, 24] and not any(item.skipped for item in done)
    video, image, table = done
    names = ("clip.csv", "clip.h5", "labeled_videos/clip_labeled.mp4", "clip_temporal_norm.csv")
    assert video.outputs == tuple(tmp_path / name for name in names)
    assert all(path.is_file() for item in done for path in item.outputs)
    found = pd.read_csv(video.table, header=[0, 1, 2], index_col=0).to_numpy().reshape(9, 2, 3)
    assert np.linalg.norm(found[..., :2] - truth, axis=-1).mean() < 4
    pd.testing.assert_frame_equal(
        pd.read_csv(video.table, header=[0, 1, 2], index_col=0), pd.read_hdf(tmp_path / "clip.h5"), check_names=False
    )
    again = api.predict(trained, sources, output=tmp_path, formats=("csv", "h5"), labeled_video=True, threshold=0.1)
    assert all(item.skipped for item in again)
    assert image.labeled_video is None and table.table.name == "predictions.csv"


def test_images_are_looked_at_in_the_ways_that_are_asked_for(trained: Path, project: Path, tmp_path: Path) -> None:
    """As the run's settings say, or ``--flip`` and ``--scales`` of ``predict`` and ``evaluate``."""

    def invoke(*arguments: str | Path) -> None:
        result = CliRunner().invoke(build(), list(map(str, arguments)), catch_exceptions=False)
        assert result.exit_code == 0, result.output

    video, labels = project / "videos" / "clip.mp4", project / "CollectedData.csv"
    invoke("predict", trained, video, "-o", tmp_path, "--flip", "--scales", "0.5,1")
    assert json.loads((tmp_path / ".clip.json").read_text())["identity"].endswith(" torch scales 0.5,1 flip")
    invoke("evaluate", trained, "--labels", labels, "-o", tmp_path / "seen", "--flip", "--scales", "0.5,1")
    seen = pd.read_csv(tmp_path / "seen" / "pixel_error.csv")
    plain = api.evaluate(trained, labels, tmp_path / "plain").files["pixel_error"]
    assert not seen.equals(pd.read_csv(plain)), "what other looks show was put together"
    for wrong, told in (
        (["--scales", "1,two"], "--scales 1,two: expected numbers"),
        (["--scales", "9"], r"inference\.scales"),
        (["--scales", "1,2", "--runtime", "onnx"], "takes images of one size"),
    ):
        with pytest.raises(ConfigError, match=told):
            invoke("predict", trained, video, "-o", tmp_path, *wrong)
    with pytest.raises(ConfigError, match=r"--flip: .*give --labels"):
        api.evaluate(trained, flip=True)


def test_only_the_run_is_needed(trained: Path, project: Path, tmp_path: Path, truth: np.ndarray) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("model.safetensors", "model.json", "config.yaml"):
        (moved / name).write_bytes((trained / name).read_bytes())
    assert distance(api.load_run(moved).predict([picture(points) for points in truth]), truth) < 4


def test_evaluation(trained: Path, project: Path, tmp_path: Path) -> None:
    own = api.evaluate(trained, output=tmp_path / "own")
    other = api.evaluate(trained, labels=project / "CollectedData.csv", output=tmp_path / "other")
    assert all(path.exists() for item in (own, other) for path in item.files.values())
    assert set(own.summary["split"]) == {"train", "validation", "test"}
    # The label file is the one that the run was made with: its rows are those of the run's own splits.
    pd.testing.assert_frame_equal(own.summary[["split", "frames"]], other.summary[["split", "frames"]])
    assert other.summary["mean_error_px"].between(0, 4).all()
    stored = pd.read_csv(trained / "predictions_pixel_error.csv", index_col=0)
    for split, mean in own.summary.set_index("split")["mean_error_px"].items():
        part = stored.loc[stored["set"] == split, ["red", "green"]]
        assert mean == pytest.approx(part.to_numpy().mean(), abs=0.001)


def test_a_finished_run_is_neither_resumed_nor_overwritten(trained: Path, project: Path) -> None:
    with pytest.raises(RunError, match="this run is finished"):
        api.train(overrides=[f"resume={trained}"])
    with pytest.raises(RunError, match="holds a run already"):
        api.train(settings(project), run_dir=trained)


def test_what_follows_training_is_made_up_for(trained: Path, tmp_path: Path) -> None:
    run = RunFiles(tmp_path / "run")
    shutil.copytree(trained, run.path)
    weights = run.weights.read_bytes()
    run.predictions.unlink()
    assert api.train(overrides=[f"resume={run.path}"], quiet=True) == [run.path]
    assert run.weights.read_bytes() == weights
    one, other = (pd.read_csv(path / "predictions.csv", header=[0, 1, 2], index_col=0) for path in (run.path, trained))
    # Read back, the weights lie in memory in another order, and sums end with other last digits.
    np.testing.assert_allclose(one.iloc[:, :-1].to_numpy(float), other.iloc[:, :-1].to_numpy(float), atol=1e-3)


def test_several_runs(project: Path, tmp_path: Path) -> None:
    runs = api.train(
        project / "config.yaml",
        ["training.max_epochs=1", "training.rng_seed_model_pt=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}"],
        multirun=True,
        quiet=True,
    )
    assert len(runs) == 2 and all(RunFiles(run).weights.is_file() for run in runs)
    seeds = [json.loads((run / "model.json").read_text())["data_hash"] for run in runs]
    assert seeds[0] == seeds[1]
    with pytest.raises(ConfigError, match="run_dir: several runs cannot share one folder"):
        api.train(project / "config.yaml", ["training.max_epochs=1,2"], multirun=True, run_dir=tmp_path / "one")


def test_the_package_offers_the_verbs_also_after_their_modules_are_loaded() -> None:
    import vitruve.example_project
    import vitruve.pipeline.train

    for name in ("train", "load_run", "predict", "evaluate", "convert", "bench", "example"):
        assert isinstance(getattr(vitruve, name), FunctionType), name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("algorithms", "heatmap"),
        ("backbones", "resnet18"),
        ("formats", "lightning_pose"),
        ("losses", "kl"),
        ("settings", "ensemble"),
    ],
)
def test_lists(kind: str, name: str) -> None:
    assert name in [row[0] for row in api.list_available(kind, name)]
    assert api.list_available(kind, "no such thing") == []
    with pytest.raises(InputError, match="did you mean 'losses'"):
        api.list_available("loses")


def test_keypoints_in_another_order_are_put_in_the_runs(trained: Path, project: Path, tmp_path: Path) -> None:
    labels = read_labels(project / "CollectedData.csv")
    turned = replace(
        labels,
        skeleton=Skeleton(("green", "red")),
        frames=tuple(
            replace(
                f,
                instances=replace(
                    f.instances, keypoints=f.instances.keypoints[..., ::-1, :], visible=f.instances.visible[..., ::-1]
                ),
            )
            for f in labels
        ),
    )
    write_labels(turned, project / "Turned.csv")
    found = api.evaluate(trained, labels=project / "Turned.csv", output=tmp_path)
    assert float(found.summary["mean_error_px"].iloc[-1]) < 4


@pytest.mark.parametrize("finished", [{"training": {"max_epochs": 1}}, Config()])
def test_overrides_beside_finished_settings_are_refused(finished: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="overrides go with a settings file"):
        api.train(finished, ["training.max_epochs=2"], run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
