from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve import api
from vitruve.compat.obdb.test_model import main
from vitruve.errors import ConfigError, InputError
from vitruve.evaluation.boxes_report import evaluate_boxes
from vitruve.evaluation.outcome import Evaluation
from vitruve.media.images import read_image, write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

BEST = {"gamma": 0.03, "lr": 4e-05, "momentum": 0.33, "step_size": 3, "weight_decay": 0.55}


def instances(rows, classes, scores=None):
    boxes = np.array([rows], np.float64)
    count = len(rows)
    return Instances(
        np.zeros((1, count, 0, 2)),
        np.zeros((1, count, 0), np.int8),
        boxes=boxes,
        categories=np.array([classes]),
        scores=None if scores is None else np.array([scores]),
    )


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What the script asks for, in place of a run: two docks of which one is found, and a thistle taken for dock."""
    write_image(tmp_path / "clip one" / "a.png", np.zeros((80, 100, 3), np.uint8))
    frame = Frame(
        (ImageRef(Path("clip one/a.png"), size=(100, 80)),),
        instances([[10, 10, 30, 30], [50, 10, 70, 30], [10, 50, 30, 70]], [0, 0, 1]),
    )
    truth = Labels(Skeleton(()), (frame,), tmp_path, ("dock", "thistle"))
    # Of 20 x 20 pixels 12 x 20 are in common: an IoU of 0.6.
    found = instances([[10, 10, 30, 22], [10, 50, 30, 70]], [0, 0], [0.7, 0.95])
    report = evaluate_boxes(truth, replace(truth, frames=(replace(frame, instances=found),)))
    calls = []

    def evaluate(run, labels=None, output=None, **others):
        calls.append((Path(run), labels, output))
        return Evaluation(report, {})

    monkeypatch.setattr(api, "evaluate", evaluate)
    return calls


def settings(folder, **more):
    content = {"variants": ["resnet18"], "resnet18": {"run_hpo": 0, "optimal_hpo_settings": BEST}}
    content |= {"annotations_list": ["clip one"], "save_dir": str(folder / "train" / "pickled_weed"), **more}
    file = folder / "settings.json"
    file.write_text(json.dumps(content))
    return file


def test_the_run_of_the_first_variant_is_measured_into_the_folder_it_is_in(asked, tmp_path, capsys):
    main(["-f", str(settings(tmp_path))])
    train = tmp_path / "train"
    assert asked == [(train / "resnet18_model", None, train / "evaluation")]
    metrics = json.loads((train / "class_metrics.json").read_text())
    assert metrics["dock"]["TP"]["0.5"] == {"0.5": 1, "0.6": 1, "0.7": 0, "0.8": 0, "0.9": 0}
    assert metrics["dock"]["FP"]["0.9"]["0.5"] == 1 and metrics["thistle"]["recall"]["0.5"]["0.5"] == 0
    assert {"dock_precision.svg", "thistle_f1.svg"} < {path.name for path in train.iterdir()}
    (file,) = train.glob("AveragePrecision_*.json")
    # The better score is wrong: precision 1/2 at a recall of 1/2.
    assert json.loads(file.read_text()) == {"dock": 0.25, "thistle": 0.0}
    assert "dock: 2 labelled, average precision at an IoU of 0.3: 0.250" in capsys.readouterr().out


def test_thresholds_and_the_intersection_over_union_can_be_said(asked, tmp_path):
    file = settings(tmp_path, metrics_confidence_range=[0.5, 0.8, 0.1], metrics_iou_range_small=[0.4, 0.75])
    save = tmp_path / "here"
    main(["-f", str(file), "-m", str(tmp_path / "r"), "-s", str(save), "--iou", "0.7"])
    metrics = json.loads((save / "class_metrics.json").read_text())
    assert list(metrics["dock"]["f1"]) == ["0.5", "0.6", "0.7"] and asked[0][0] == tmp_path / "r"
    assert json.loads(next(save.glob("Average*")).read_text())["dock"] == 0
    main(["-f", str(file), "-s", str(save), "-l", "True"])
    metrics = json.loads((save / "class_metrics.json").read_text())
    assert list(metrics["dock"]["f1"]) == ["0.5", "0.9"] and list(metrics["dock"]["f1"]["0.5"]) == ["0.4", "0.75"]
    main(["-f", str(file), "-s", str(save), "-l", "False"])
    assert len(json.loads((save / "class_metrics.json").read_text())["dock"]["f1"]) == 3


def test_pictures_show_labels_in_blue_and_predictions_in_red(asked, tmp_path):
    main(["-f", str(settings(tmp_path, confidence_threshold_save_img=0.8)), "-i", "-s", str(tmp_path / "s")])
    image = read_image(tmp_path / "s" / "images" / "00000_a.png").astype(int)
    assert image[30, 60].argmax() == 2 and image[60, 30].argmax() == 0
    # The prediction of a score of 0.7 is below the threshold.
    corner = image[8:34, 8:34]
    assert not ((corner[..., 0] > 150) & (corner[..., 2] < 100)).any()


def test_what_cannot_be_is_said_in_one_line(asked, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json: no such file; give the settings of OBDB with -f, or a run"):
        main(["-f", str(tmp_path / "none.json")])
    file = str(settings(tmp_path))
    with pytest.raises(InputError, match=r"val\.pkl: a pickle can run any code"):
        main(["-f", file, "-p", "val.pkl"])
    with pytest.raises(ConfigError, match="--iou 0: must be above 0"):
        main(["-f", file, "--iou", "0"])
    for values, said in (([0.9, 0.5], "must ascend"), ([2], "from 0 to 1"), ("x", "list of thresholds"), ([], "list")):
        with pytest.raises(ConfigError, match=said):
            main(["-f", str(settings(tmp_path, metrics_iou_range=values))])
    with pytest.raises(SystemExit):
        main(["-f", file, "-l", "perhaps"])
