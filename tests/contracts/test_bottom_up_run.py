"""All that a run of several instances leaves behind, from training to tracks, with an algorithm from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import vitruve
from vitruve.errors import ConfigError, InputError
from vitruve.formats.hub import read_labels, write_labels
from vitruve.media.images import read_image

SMALL = {"people": 3, "joints": 3, "images": 8, "new": 3, "videos": 1, "frames": 12, "width": 128, "height": 96}


def settings(root: Path) -> dict:
    values = yaml.safe_load((root / "config.yaml").read_text())
    values["data"] |= {"data_dir": str(root), "video_dir": str(root / "videos")}
    values["training"] |= {"max_epochs": 6, "train_batch_size": 4, "imgaug": "default"}
    values["model"] = {"model_type": "worms", "model_name": "few", "most": 4, "threshold": 0.1}
    values["eval"] |= {"confidence_thresh_for_vid": 0.1}
    return values


def test_from_training_to_tracks(
    tmp_path: Path, outside_package: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    outside_package("worms", "bottom_up:BottomUp")
    root = vitruve.example("crowd", tmp_path / "crowd", **SMALL)
    (run,) = vitruve.train(settings(root), run_dir=tmp_path / "run", quiet=True)

    # What training leaves: tables, scores, precision and recall of all images.
    found = pd.read_csv(run / "evaluation" / "average_precision.csv").set_index("split")
    assert found["images"].sum() == 8 and found["AP"].notna().any()
    assert "People found" in (run / "evaluation" / "report.html").read_text()
    kept = read_labels(run / "predictions.json")
    assert len(kept) == 8 and {frame.split for frame in kept} <= {"train", "validation", "test"}
    assert read_labels(run / "predictions.csv").skeleton.names == kept.skeleton.names
    assert (run / "predictions_new.json").is_file() and (run / "predictions_new_pixel_error.csv").is_file()

    validated = pd.read_csv(run / "metrics.csv")["val_AP"].dropna()
    assert len(validated) > 0 and bool(validated.between(0, 1).all())

    # Evaluating again gives the same; with labels, COCO's results and pictures beside.
    again = vitruve.evaluate(run, output=tmp_path / "again")
    table = again.report.people.average_precision.set_index("split")
    pd.testing.assert_frame_equal(table, found, check_dtype=False, rtol=1e-6)
    (root / "labels.json").rename(root / "elsewhere.json")
    without = vitruve.evaluate(run, output=tmp_path / "without").report.people.average_precision.set_index("split")
    pd.testing.assert_frame_equal(without, table)
    new = vitruve.evaluate(run, root / "labels_new.json", pictures=2)
    folder = run / "evaluation" / "labels_new"
    rows = json.loads((folder / "person_keypoints_val2017_few_results.json").read_text())
    assert {row["image_id"] for row in rows} <= {10001, 10002, 10003}
    pictures = sorted((folder / "eval_vis_dir").iterdir())
    assert [path.name for path in pictures] == ["000000010001_result.png", "000000010002_result.png"]
    assert read_image(pictures[0]).shape == (96, 128, 3)
    assert new.report.people.average_precision["images"].tolist() == [3]

    # Frames of a video whose true tracks are known.
    followed = vitruve.evaluate(run, root / "videos" / "crowd00_truth.json", output=tmp_path / "followed")
    kept = followed.report.people.identities
    assert kept["video"].tolist() == ["videos/crowd00.mp4"] and kept["labelled"].iloc[0] > 10
    assert (tmp_path / "followed" / "identities.csv").is_file()

    # The images of a label file, as COCO's server takes them.
    test_dev = root / "image_info_test-dev2017.json"
    test_dev.write_bytes((root / "labels_new.json").read_bytes())
    (done,) = vitruve.predict(run, test_dev, formats=("csv", "h5", "coco"), output=tmp_path / "labelled")
    names = {path.name for path in done.outputs}
    assert {"predictions.csv", "predictions.h5", "predictions.json"} <= names
    assert "person_keypoints_test-dev2017_few_results.zip" in names and all(path.is_file() for path in done.outputs)

    # A video, and who is who in it.
    video = root / "videos" / "crowd00.mp4"
    (done,) = vitruve.predict(run, video, formats=("csv", "coco"), labeled_video=True, output=tmp_path / "video")
    assert done.frames == 12 and all(path.is_file() for path in done.outputs)
    tracked = vitruve.track(
        done.table, max_individuals=2, formats=("h5", "coco"), truth=root / "videos" / "crowd00_truth.csv", video=video
    )
    assert tracked.individuals <= 2 and all(path.is_file() for path in tracked.outputs)
    assert {path.suffix for path in tracked.outputs} == {".csv", ".h5", ".json", ".mp4"}


def test_an_ensemble_of_them_is_refused(tmp_path: Path, outside_package: Callable[[str, str], None]) -> None:
    outside_package("worms", "bottom_up:BottomUp")
    with pytest.raises(ConfigError, match="ensemble=2: worms finds any number of instances"):
        vitruve.train({"model": {"model_type": "worms"}, "ensemble": 2}, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def labels_of(root: Path) -> Path:
    from vitruve.synthetic.crowd_files import CrowdExtent, crowd_video

    truth = crowd_video(root, 0, CrowdExtent(**{**SMALL, "joints": 17, "frames": 30}))
    write_labels(truth, root / "truth.csv", "deeplabcut")
    return root / "truth.csv"


def test_the_truth_is_tracked_without_a_fault(tmp_path: Path) -> None:
    truth = labels_of(tmp_path)
    done = vitruve.track(truth, tmp_path / "out.csv", min_frames=1, truth=truth)
    assert done.identities is not None and done.identities.switches == 0 and done.identities.idf1 > 0.97
    table = pd.read_csv(tmp_path / "out_identities.csv")
    assert table["switches"].tolist() == [0]
    again = read_labels(tmp_path / "out.csv")
    assert len(again) == 30 and np.isfinite(again.keypoints()).any()


def test_what_cannot_be_tracked_is_said(tmp_path: Path) -> None:
    truth = labels_of(tmp_path)
    with pytest.raises(InputError, match="is read, and would be written over"):
        vitruve.track(truth, truth)
    with pytest.raises(InputError, match="is read, and would be written over"):
        vitruve.track(
            truth.with_suffix(".json"),
            truth.with_name("other.csv"),
            formats=("coco",),
            truth=truth.with_name("other.json"),
        )
    with pytest.raises(InputError, match="--format xls: not known"):
        vitruve.track(truth, formats=("xls",))
    with pytest.raises(InputError, match=r"ends in \.csv"):
        vitruve.track(truth, tmp_path / "out.h5")
