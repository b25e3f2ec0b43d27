from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import tiny_project
from vitruve import api
from vitruve.atomic import atomic_write
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, RunError
from vitruve.example_project import write_example
from vitruve.formats.bbox_file import read_boxes, write_boxes
from vitruve.formats.hub import read_labels
from vitruve.formats.table import read_predictions
from vitruve.geometry.boxes import centred, edges
from vitruve.inference.predictor import Predictor
from vitruve.media.recordings import Recording
from vitruve.pipeline.train import train_run
from vitruve.run import RunFiles
from vitruve.training.crops import Cropping
from vitruve.training.fit import fit
from vitruve.training.prepare import prepare

Train = Callable[..., Path]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_project.write_project(tmp_path_factory.mktemp("project"))
    tiny_project.write_video(folder / "videos" / "clip.mp4", 13)
    return folder


def settings(project: Path, crop: Mapping[str, Any], data: Mapping[str, Any], **training: Any) -> Config:
    values = tiny_project.settings(project, **{"max_epochs": 1, **training})
    values["data"].update({"image_resize_dims": {"height": 32, "width": 32}, **data})
    return Config.from_mapping({**values, "crop": dict(crop)})


@pytest.fixture(scope="module")
def train(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    def run(crop: Mapping[str, Any] = {}, data: Mapping[str, Any] = {}, **training: Any) -> Path:
        return quick_run(settings(project, crop, data, **training), tmp_path_factory.mktemp("run") / "r")

    return run


def quick_run(config: Config, path: Path) -> Path:
    """A trained run without the report that follows a training."""
    run = RunFiles(path)
    ready = prepare(config, run)

    def begin() -> None:
        atomic_write(run.config, config.to_yaml())
        ready.cropping.keep(ready.labels)

    fit(config, ready, run, quiet=True, begin=begin)
    return path


@pytest.fixture(scope="module")
def first(train: Train) -> Path:
    return train(max_epochs=8, optimizer_params={"learning_rate": 0.02})


def shown(run: Path) -> dict[str, Any]:
    return json.loads((run / "model.json").read_text())["crop"]


def test_a_first_run_is_kept_as_the_locator(first: Path, train: Train, project: Path, tmp_path: Path) -> None:
    crop = {"locator": str(first), "size": 40.0, "threshold": 0.0}
    run = train_run(settings(project, crop, {}), tmp_path / "run", quiet=True)
    assert (shown(run)["boxes"], shown(run)["size"]) == ("locator", 40.0)
    assert shown(first) is None
    kept = {path.name for path in (run / "locator").iterdir()}
    assert kept == {"config.yaml", "model.json", "model.safetensors", "samples.safetensors"}
    # Boxes stand around what the first run predicts in the labelled frames.
    boxes = read_boxes(run / "bbox.csv")
    (table,) = api.predict(first, project / "CollectedData.csv")
    points = read_predictions(table.table).to_numpy(float).reshape(-1, 2, 3)[..., :2]
    np.testing.assert_allclose(centred(boxes.edges)[:, :2], (points.min(1) + points.max(1)) / 2, atol=2e-3)
    np.testing.assert_allclose(centred(boxes.edges)[:, 2:], 40)
    # The first run may be gone: prediction finds its copy.
    video = project / "videos" / "clip.mp4"
    (done,) = api.predict(run, video, output=tmp_path / "a")
    assert tmp_path / "a" / "clip_bbox.csv" in done.outputs
    assert len(read_boxes(tmp_path / "a" / "clip_bbox.csv").edges) == done.frames == 13
    (named,) = api.predict(run, video, output=tmp_path / "b", locator=first)
    (given,) = api.predict(run, video, output=tmp_path / "c", boxes=tmp_path / "a")
    tables = [read_predictions(each.table).to_numpy(float) for each in (done, named, given)]
    np.testing.assert_array_equal(tables[0], tables[1])
    np.testing.assert_array_equal(tables[0], tables[2])
    assert api.predict(run, video, output=tmp_path / "a")[0].skipped
    with pytest.raises(ConfigError, match="give one of the two"):
        api.predict(run, video, locator=first, boxes=tmp_path)
    # From Python, with arrays, and for a label file, which gets its boxes beside it.
    assert len(api.load_run(run).predict(np.zeros((3, 64, 80, 3), np.uint8))) == 3
    (table,) = api.predict(run, project / "CollectedData.csv")
    assert len(read_boxes(table.table.with_name("bbox.csv")).edges) == 16


def test_boxes_of_a_table_are_what_is_looked_at(train: Train, project: Path, tmp_path: Path) -> None:
    labels = read_labels(project / "CollectedData.csv")
    names = [frame.name for frame in labels]
    middle = labels.keypoints()[:, 0, 0].mean(1)
    boxes = edges(np.concatenate([middle, np.full((16, 2), 48.0)], -1))
    write_boxes(project / "bbox.csv", names, boxes)
    run = train(data={"bbox_file": "bbox.csv"})
    assert shown(run)["boxes"] == "table" and shown(run)["bbox_file"] == ["bbox.csv"]
    np.testing.assert_allclose(read_boxes(run / "bbox.csv").edges, boxes, atol=2e-4)
    labels = Cropping(Config.load(run / "config.yaml")).unseen(labels)
    found = api.load_run(run).predict(labels).keypoints()[:, 0, 0]
    assert (np.abs(found - middle[:, None]) <= 24.1).all()  # nothing is found outside what is looked at
    video = project / "videos" / "clip.mp4"
    with pytest.raises(RunError, match="was trained on crops, but it keeps no locator; give --locator RUN"):
        api.predict(run, video)
    write_boxes(tmp_path / "short" / "clip_bbox.csv", range(4), boxes[:4])
    with pytest.raises(InputError, match=r"clip_bbox\.csv: 4 rows, but clip\.mp4 has 13 frames"):
        api.predict(run, video, boxes=tmp_path / "short")
    assert not (run / "video_preds").exists()
    still = np.tile(edges(np.array([40.0, 32.0, 64.0, 64.0])), (13, 1))
    write_boxes(tmp_path / "clip_bbox.csv", range(13), still)
    (done,) = api.predict(run, video, boxes=tmp_path / "clip_bbox.csv", output=tmp_path)
    assert done.frames == 13 and done.table == tmp_path / "clip.csv"
    write_boxes(project / "bbox.csv", names[:-1], boxes[:-1])
    with pytest.raises(InputError, match=r"data\.bbox_file: .*bbox\.csv: has no row for image 'labeled-data"):
        prepare(settings(project, {}, {"bbox_file": "bbox.csv"}))
    # The boxes of images that training did not know are given, as for prediction.
    table, other = project / "CollectedData.csv", tmp_path / "images" / "bbox.csv"
    write_boxes(other, names, boxes)
    with pytest.raises(InputError, match=r"bbox\.csv: has no row for image 'labeled-data"):
        api.evaluate(run, table, tmp_path / "report")
    for place in (other, other.parent):
        report = api.evaluate(run, table, tmp_path / "report", boxes=place).report
        np.testing.assert_allclose(report.predictions.keypoints()[:, 0, 0], found, atol=1e-3)
    with pytest.raises(ConfigError, match=r"--boxes: the run's own predictions are made already; give --labels"):
        api.evaluate(run, boxes=other)


def test_without_a_size_the_input_is_as_large_as_the_boxes(project: Path) -> None:
    crop = {"from_labels": True, "size": 70.0}
    ready = prepare(settings(project, crop, {"image_resize_dims": {"height": None, "width": None}}))
    assert ready.task.input_size == (64, 64)


def test_an_interrupted_training_goes_on_with_the_boxes_it_began_with(
    first: Path, project: Path, tmp_path: Path
) -> None:
    config = settings(project, {"locator": str(first), "threshold": 0.0}, {})
    run = RunFiles(tmp_path / "run")
    begun = prepare(config, run)
    begun.cropping.keep(begun.labels)
    moved = read_boxes(run.path / "bbox.csv")
    write_boxes(run.path / "bbox.csv", moved.names, moved.edges + 1)
    again = prepare(config, run).labels
    np.testing.assert_allclose([frame.images[0].box for frame in again], moved.edges + 1, atol=2e-4)


def test_unlabelled_video_is_seen_through_boxes_too(first: Path, project: Path, tmp_path: Path) -> None:
    values = tiny_project.settings(project, max_epochs=1)
    values["data"].update(image_resize_dims={"height": 32, "width": 32}, video_dir=str(project / "videos"))
    values["model"]["losses_to_use"] = ["temporal"]
    values["dali"] = {"base": {"train": {"sequence_length": 8, "windows": 2}}}
    values["callbacks"] = {"anneal_weight": {"init_val": 1.0}}
    with pytest.raises(ConfigError, match=r"crop\.locator: not set, so there are no boxes for the unlabelled video"):
        quick_run(Config.from_mapping({**values, "crop": {"from_labels": True}}), tmp_path / "none")
    assert not (tmp_path / "none" / "model.json").exists()
    crop = {"locator": str(first), "size": 40.0, "threshold": 0.0}
    run = quick_run(Config.from_mapping({**values, "crop": crop}), tmp_path / "run")
    assert "train_temporal_loss" in pd.read_csv(run / "metrics.csv").columns
    video = project / "videos" / "clip.mp4"
    boxes = Cropping(Config.from_mapping({**values, "crop": crop})).videos([Recording((video,))])
    (done,) = api.predict(run, video, output=tmp_path / "out")
    np.testing.assert_allclose(boxes[video], read_boxes(tmp_path / "out" / "clip_bbox.csv").edges, atol=1e-9)
    assert done.frames == 13


def test_the_animal_alone_is_found_better_than_in_the_whole_image(tmp_path: Path) -> None:
    folder = write_example("mouse", tmp_path / "mouse", frames=30, video_frames=1)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    values["data"].update(data_dir=str(folder), video_dir=None, image_resize_dims={"height": 64, "width": 64})
    values["data"]["downsample_factor"] = 2
    values["model"].update(backbone="test_resnet")
    values["training"].update(
        max_epochs=10, train_batch_size=6, check_val_every_n_epoch=10, optimizer_params={"learning_rate": 0.005}
    )
    values["training"].update(imgaug="none", val_prob=0.2, device="cpu", precision="32")
    errors = {}
    for name, crop in (("whole", {}), ("crop", {"from_labels": True, "ratio": 1.3, "jitter": 0.05})):
        config = Config.from_mapping({**values, "crop": crop})
        ready = prepare(config)
        algorithm = fit(config, ready, RunFiles(tmp_path / name), quiet=True).algorithm
        truth = ready.labels.split("validation")
        found = Predictor(algorithm).predict_labels(truth, ready.cache).keypoints()
        errors[name] = float(np.nanmean(np.linalg.norm(found - truth.keypoints(), axis=-1)))
    assert errors["crop"] < errors["whole"]


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
