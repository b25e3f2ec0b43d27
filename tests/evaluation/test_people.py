from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.evaluation.page import write_report
from vitruve.evaluation.report import evaluate
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("head_top", "left_hip", "right_hip"), ((0, 1), (0, 2)))
SHAPE = np.array([[20.0, 0], [0, 40], [40, 40]])


def labels(frames, split=("test",), video=False, **arrays):
    made = []
    for index, places in enumerate(frames):
        points = np.array([SHAPE + place for place in places], float).reshape(1, -1, 3, 2)
        more = {name: np.array([function(place) for place in places])[None] for name, function in arrays.items()}
        image = ImageRef(Path("v.mp4"), index) if video else ImageRef(Path(f"{index}.png"))
        made.append(Frame((image,), Instances.from_keypoints(points, **more), split=split[index % len(split)]))
    return Labels(SKELETON, tuple(made))


TRUTH = [[(100, 100), (300, 100)], [(50, 60)], []]
FOUND = [[(302, 101), (100, 100), (500, 300)], [], []]


def test_errors_are_of_those_who_were_found():
    report = evaluate(labels(TRUTH), labels(FOUND), several=True)
    assert report.summary["missed"].tolist() == [3] and report.summary["keypoints"].tolist() == [9]
    known = report.errors["error"].dropna()
    assert sorted(set(known.round(3))) == [0, round(5**0.5, 3)]
    assert report.people is not None
    row = report.people.average_precision.iloc[0]
    assert row["images"] == 3 and row["people"] == 3 and row["AR50"] == pytest.approx(200 / 3)


def test_far_predictions_are_of_nobody():
    """The nearest one would be taken otherwise, however far it lies."""
    far = evaluate(labels([[(100, 100)]]), labels([[(400, 400)]]), several=True)
    assert far.summary["missed"].tolist() == [3] and far.people.average_precision["AP"].tolist() == [0]
    assert evaluate(labels([[(100, 100)]]), labels([[(400, 400)]])).summary["missed"].tolist() == [0]


def test_splits_are_measured_apart():
    report = evaluate(labels(TRUTH, ("train", "test", "test")), labels(FOUND, (None,)), several=True)
    found = report.people.average_precision.set_index("split")
    assert found.loc["train", "AP50"] == pytest.approx(100) and found.loc["test", "AP50"] == 0


def test_the_report_shows_people_heads_and_identities(tmp_path):
    heads = {"head_boxes": lambda place: np.array([*place, place[0] + 30, place[1] + 40], float)}
    moving = [[(100 + 3 * t, 100), (300, 100 + 2 * t)] for t in range(4)]
    truth = labels(moving, video=True, tracks=lambda place: int(place[0] == 300), **heads)
    found = labels(moving, video=True, scores=lambda place: 0.9, tracks=lambda place: 5 + int(place[0] == 300))
    report = evaluate(truth, found, several=True, tracked=found)
    files = write_report(report, tmp_path)
    for name in ("average_precision", "average_precision_by_threshold", "pckh", "identities", "precision_recall"):
        assert files[name].is_file(), name
    assert report.people.pckh["Mean"].tolist() == [100] and report.people.identities["idf1"].tolist() == [1]
    page = files["report"].read_text()
    assert "People found" in page and "PCKh" in page and "Identities over time" in page and "AP75" in page


def test_one_animal_has_no_such_section(tmp_path):
    files = write_report(evaluate(labels([[(1, 1)]]), labels([[(2, 1)]])), tmp_path)
    assert "average_precision" not in files and "People found" not in files["report"].read_text()


def test_nobody_labelled_at_all(tmp_path):
    report = evaluate(labels([[], []]), labels([[], [(5, 5)]]), several=True)
    assert np.isnan(report.people.average_precision["AP"]).all()
    assert write_report(report, tmp_path)["report"].is_file()
