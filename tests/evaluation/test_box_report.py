from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from random_boxes import boxes, random_set

from vitruve.errors import InputError
from vitruve.evaluation.boxes import box_average_precision
from vitruve.evaluation.boxes_page import draw_verdicts, precision_name, write_box_report
from vitruve.evaluation.boxes_report import evaluate_boxes
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAMES = ("dock", "thistle/creeping", "beet")
DATE = datetime(2021, 12, 16, 12, 57, 7)


def labelled(images, splits=None, names=NAMES, scorer="rendered"):
    """One frame an image."""
    frames = [
        Frame((ImageRef(Path(f"{number}.png"), size=(200, 150)),), each[None], split=splits[number] if splits else None)
        for number, each in enumerate(images)
    ]
    return Labels(Skeleton(()), tuple(frames), categories=names, scorer=scorer)


@pytest.fixture(scope="module")
def some():
    pairs = random_set(np.random.default_rng(3), 8, 3)
    splits = ["train"] * 4 + ["validation"] * 4
    truth = labelled([one for one, _ in pairs])
    return pairs, truth, labelled([two for _, two in pairs], splits, scorer="faster_rcnn")


def test_figures_are_those_of_each_split(some):
    pairs, truth, predictions = some
    report = evaluate_boxes(truth, predictions)
    assert report.summary["split"].tolist() == ["train", "validation"] and report.unseen == ("validation",)
    for row, images in zip(report.summary.to_dict("records"), (pairs[:4], pairs[4:]), strict=True):
        wanted = box_average_precision(images, 3)
        assert row["images"] == 4 and row["AP50"] == pytest.approx(100 * wanted.summary["AP50"])
        classes = report.by_class[report.by_class["split"] == row["split"]]
        assert classes["class"].tolist() == list(NAMES)
        np.testing.assert_allclose(classes["AP"].mean(), row["AP"])
        assert int(classes["objects"].sum()) == row["objects"]
    counts = report.confusion.to_numpy()
    assert counts[:3].sum() == report.summary["objects"][1]
    assert report.kinds.set_index("split").loc["validation", "correct"] == np.trace(counts[:3, :3])
    np.testing.assert_array_equal(report.grid.right[:, 0, 0] + report.grid.missing[:, 0, 0], counts[:3].sum(1))


def test_classes_go_by_their_names_whatever_their_order():
    truth = labelled([boxes([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1])], names=("beet", "dock"))
    found = labelled(
        [boxes([[0, 0, 10, 10], [20, 0, 30, 10]], [2, 0], scores=[0.9, 0.8])], names=("dock", "oak", "beet")
    )
    report = evaluate_boxes(truth, found)
    assert report.names == ("dock", "oak", "beet") and report.summary["AP"][0] == pytest.approx(100)
    # A class that was never learned is missed, not left out.
    strange = replace(truth, categories=("clover", "dock"))
    report = evaluate_boxes(strange, found)
    assert report.names[-1] == "clover" and report.summary["AP"][0] == pytest.approx(50)
    assert report.confusion.loc["clover", "beet"] == 1
    one, other = (replace(labelled([boxes([[0, 0, 9, 9]], scores=[0.9])]), categories=(name,)) for name in "ab")
    assert evaluate_boxes(one, other).summary["AP"][0] == pytest.approx(100)


def test_the_worst_images_come_first():
    nothing = boxes([], scores=[])
    good = boxes([[0, 0, 10, 10]], scores=[0.9])
    two = boxes([[0, 0, 10, 10], [50, 0, 60, 10]], scores=[0.9, 0.9])
    report = evaluate_boxes(labelled([good, good, good]), labelled([good, nothing, two[[1, 0]]]))
    assert report.worst()[["frame", "errors", "missing"]].to_numpy().tolist() == [[1, 0, 1], [2, 1, 0]]
    assert report.worst(1)["image"].tolist() == ["1.png"]


def test_files_have_the_documented_names_and_content(some, tmp_path):
    _, truth, predictions = some
    report = evaluate_boxes(truth, predictions)
    picture = np.full((150, 200, 3), 90, np.uint8)
    files = write_box_report(report, tmp_path, images=lambda frame: picture, created=DATE)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    for name in ("dock", "thistle_creeping", "beet"):
        assert {f"class_metrics/{name}_{metric}.svg" for metric in ("precision", "recall", "f1")} < names
    assert {"class_metrics/class_metrics.json", "AveragePrecision_2021_12_16_12_57_07.json", "worst_1.jpg"} < names
    metrics = json.loads(files["class_metrics"].read_text())
    assert list(metrics) == list(NAMES) and metrics["dock"]["TP"]["0.5"]["0.5"] == report.grid.right[0, 0, 0]
    precision = json.loads((tmp_path / precision_name(DATE)).read_text())
    known = {name: value for name, value in report.voc.items() if not np.isnan(value)}
    assert {name: value for name, value in precision.items() if value is not None} == pytest.approx(known)
    assert len(known) == 2 and list(precision) == list(NAMES)
    assert (tmp_path / "class_metrics" / "dock_f1.svg").read_text().count("<svg") == 1
    table = pd.read_csv(files["confusion_table"], index_col=0)
    np.testing.assert_array_equal(table.to_numpy(), report.confusion.to_numpy())
    page = files["report"].read_text()
    assert "thistle/creeping" in page and page.count("data:image/jpeg") == len(report.worst())
    assert f"{report.summary['AP50'][1]:.1f} %" in page


def test_classes_whose_names_differ_in_signs_alone_keep_their_pictures(tmp_path):
    found = labelled([boxes([[0, 0, 9, 9]], scores=[0.9])], names=("a b", "a/b"))
    write_box_report(evaluate_boxes(found, found), tmp_path, created=DATE)
    assert len(list((tmp_path / "class_metrics").glob("*.svg"))) == 6


def test_right_wrong_and_missing_have_their_colours():
    truth = boxes([[10, 10, 60, 60], [100, 10, 150, 60]])
    found = boxes([[10, 10, 60, 60], [100, 80, 150, 130]], scores=[0.9, 0.8])
    drawn = draw_verdicts(np.zeros((150, 200, 3), np.uint8), truth, found, NAMES)
    assert drawn[60, 35].argmax() == 1 and drawn[130, 125].argmax() == 0
    assert drawn[60, 125, 0] > 200 and drawn[60, 125, 1] > 200


def test_nothing_found_and_nothing_labelled_is_a_report_too(tmp_path):
    nothing = boxes([], scores=[])
    report = evaluate_boxes(labelled([nothing, nothing]), labelled([nothing, nothing]))
    assert np.isnan(report.summary["AP"][0]) and report.worst().empty
    write_box_report(report, tmp_path, created=DATE)
    assert json.loads((tmp_path / precision_name(DATE)).read_text()) == dict.fromkeys(NAMES)


def test_images_that_were_not_predicted_are_named(some):
    _, truth, predictions = some
    with pytest.raises(InputError, match=r"6\.png, 7\.png are not predicted"):
        evaluate_boxes(truth, predictions[:6])
    with pytest.raises(InputError, match="hold no frame"):
        evaluate_boxes(truth[:0], predictions[:0])
