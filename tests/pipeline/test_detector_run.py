"""All that a run of a detector leaves behind, from training to drawn videos, and a network for one animal behind it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import vitruve
from tiny_project import settings, write_project, write_video
from vitruve.errors import ConfigError
from vitruve.formats.hub import read_labels
from vitruve.media.video import VideoReader

FIELD = {"clips": 4, "frames": 2, "new": 1, "videos": 1, "video_frames": 5, "plants": 4, "largest": 50}
SIZE = {"width": 128, "height": 96}
SMALL = {"backbone": "test_resnet", "fpn_channels": 16, "head_channels": 32, "proposals": 50, "sampled_regions": 32}


def _settings(root: Path, **model: object) -> dict:
    values = yaml.safe_load((root / "config.yaml").read_text())
    values["data"] |= {"data_dir": str(root), "video_dir": str(root / "videos")}
    values["data"] |= {"image_resize_dims": {"height": None, "width": None}}
    values["training"] |= {"max_epochs": 2, "train_batch_size": 4, "check_val_every_n_epoch": 1}
    values["training"] |= {"train_prob": 0.7, "val_prob": 0.3}
    values["model"] = {"model_type": "faster_rcnn", "score_threshold": 0.01, **SMALL, **model}
    values["eval"] |= {"confidence_thresh_for_vid": 0.01}
    return values


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vitruve.example("field", tmp_path_factory.mktemp("field") / "field", **FIELD, **SIZE)


@pytest.fixture(scope="module")
def detector(field: Path) -> Path:
    (run,) = vitruve.train(_settings(field), run_dir=field.parent / "run", quiet=True)
    return run


def test_training_leaves_detections_and_average_precision(detector: Path, field: Path) -> None:
    rows = pd.read_csv(detector / "metrics.csv")
    assert len(rows) == 2 and bool(rows[["val_AP", "val_AP50"]].stack().between(0, 1).all())
    assert "val_pixel_error" not in rows
    record = json.loads((detector / "model.json").read_text())["task"]
    truth = read_labels(field / "labels.json")
    # Classes, size and anchors are the run's own: nothing is derived again where it is used.
    assert record["categories"] == list(truth.categories) and record["input_size"] == [128, 96]
    assert len(record["anchors"]) == 5 and record["anchors"][0] != record["anchors"][1]
    found = read_labels(detector / "predictions.json")
    # No image is dropped, whatever the batch size (OBDB's loaders dropped the last batch).
    assert len(found) == len(truth) == 8 and found.categories == truth.categories
    table = pd.read_csv(detector / "predictions.csv")
    assert table["image"].nunique() == 8
    assert set(table["class"].dropna()) <= set(truth.categories)
    boxes = table.dropna()[["x1", "y1", "x2", "y2"]].to_numpy()
    assert (boxes[:, 2:] > boxes[:, :2]).all() and boxes.min() >= -0.5 and boxes[:, 2].max() <= 127.5


def test_videos_have_tables_json_and_boxes_drawn(detector: Path, field: Path, tmp_path: Path) -> None:
    (video,) = (field / "videos").glob("*.mp4")
    assert (detector / "video_preds" / f"{video.stem}.csv").is_file()
    how = {"output": tmp_path, "formats": ("csv", "coco"), "labeled_video": True, "threshold": 0.01}
    (done,) = vitruve.predict(detector, video, **how)
    with done.table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(dict.fromkeys(row["image"] for row in rows)) == [str(number) for number in range(5)]
    found = read_labels(done.table.with_suffix(".json"))
    assert sum(len(frame.instances.boxes[0]) for frame in found) == sum(bool(row["class"]) for row in rows)
    with VideoReader(video) as plain, VideoReader(done.labeled_video) as drawn:
        pairs = list(zip(plain.frames(), drawn.frames(), strict=True))
    assert len(pairs) == 5 and np.abs(pairs[0][0].astype(int) - pairs[0][1]).max() > 60
    assert vitruve.predict(detector, video, **how)[0].skipped


def test_images_and_label_files_are_predicted(detector: Path, field: Path, tmp_path: Path) -> None:
    folder = next(path for path in (field / "images").iterdir() if path.is_dir())
    (images,) = vitruve.predict(detector, folder, output=tmp_path / "images")
    assert pd.read_csv(images.table)["image"].nunique() == 2
    (labels,) = vitruve.predict(
        detector, field / "labels_new.json", output=tmp_path / "labels", formats=("csv", "coco")
    )
    assert pd.read_csv(labels.table)["image"].nunique() == len(read_labels(field / "labels_new.json"))
    # COCO's results, of prediction and evaluation, have the numbers that the label file gives to images and classes.
    name = f"detections_val2017_{_settings(field)['model'].get('model_name', 'test')}_results.json"
    content = json.loads((field / "labels_new.json").read_text())
    evaluated = vitruve.evaluate(detector, field / "labels_new.json", output=tmp_path / "evaluated")
    rows = json.loads(next(path for path in labels.outputs if path.name == name).read_text())
    assert len(rows) == pd.read_csv(labels.table)["class"].notna().sum() > 0
    assert {row["image_id"] for row in rows} <= {image["id"] for image in content["images"]}
    assert {row["category_id"] for row in rows} <= {each["id"] for each in content["categories"]}
    assert json.loads(evaluated.files[Path(name).stem].read_text()) == rows
    with pytest.raises(ConfigError, match="--format h5: holds keypoints"):
        vitruve.predict(detector, folder, output=tmp_path / "h5", formats=("csv", "h5"))


def test_tiles_in_training_and_prediction(field: Path, tmp_path: Path) -> None:
    values = _settings(field, model_type="retinanet", fpn_channels=16)
    values["model"] = {
        key: values["model"][key] for key in ("model_type", "backbone", "fpn_channels", "score_threshold")
    }
    values["data"] |= {"tiles": {"size": 64, "overlap": 0.25}}
    values["eval"] |= {"predict_vids_after_training": False}
    values["training"] |= {"max_epochs": 1}
    (run,) = vitruve.train(values, run_dir=tmp_path / "run", quiet=True)
    record = json.loads((run / "model.json").read_text())["task"]
    assert record["input_size"] == [64, 64]
    assert pd.read_csv(run / "predictions.csv")["image"].nunique() == 8


def test_a_detector_is_the_locator_of_each_of_several(detector: Path, tmp_path: Path) -> None:
    root = write_project(tmp_path / "dots")
    (pose,) = vitruve.train(settings(root, max_epochs=1), run_dir=tmp_path / "pose", quiet=True)
    video = tmp_path / "dots.mp4"
    write_video(video, 3)
    (alone,) = vitruve.predict(pose, video, output=tmp_path / "alone")
    assert read_labels(alone.table)[0].instances.keypoints.shape[1] == 1
    (done,) = vitruve.predict(pose, video, output=tmp_path / "all", locator=detector, formats=("csv", "coco"))
    found = read_labels(done.table.with_suffix(".json"))
    assert len(found) == 3 and found.skeleton.names == ("red", "green")
    (boxes,) = vitruve.predict(detector, video, output=tmp_path / "boxes")
    sure = pd.read_csv(boxes.table).query("score >= 0.3").groupby("image").size()
    assert [len(frame.instances.keypoints[0]) for frame in found] == [int(sure.get(n, 0)) for n in range(3)]
