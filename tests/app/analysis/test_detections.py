"""Curves of detectors and what labels lack, on boxes whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.annotation.proposals.judge import MISSING
from vitruve.app.analysis.detectors import (
    Detections,
    finding_picture,
    finding_rows,
    findings,
    over_confidence,
    precision_recall,
    verdict_picture,
)
from vitruve.app.workspace import Workspace
from vitruve.evaluation.boxes_report import evaluate_boxes
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAMES = ("oat", "weed")
BOXES = np.array([[10, 10, 30, 30], [50, 10, 70, 30], [10, 50, 30, 70]], np.float32)


def boxes(rows: list[tuple[int, int, float]]) -> Instances:
    """Instances by their box, class and score."""
    count = len(rows)
    return Instances(
        np.zeros((1, count, 0, 2), np.float32),
        np.zeros((1, count, 0), np.int8),
        boxes=BOXES[[row[0] for row in rows]][None],
        categories=np.array([[row[1] for row in rows]]),
        scores=np.array([[row[2] for row in rows]], np.float32),
    )


@pytest.fixture
def detected(tmp_path: Path) -> Detections:
    """Two images: in one an object that is not labelled, in the other one that is not found."""
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.zeros((100, 120, 3), np.uint8))
    images = [ImageRef(Path(name), size=(120, 100)) for name in ("a.png", "b.png")]
    truth = [boxes([(0, 0, 1), (1, 1, 1)]), boxes([(0, 0, 1), (2, 1, 1)])]
    found = [boxes([(0, 0, 0.9), (1, 1, 0.8), (2, 1, 0.7)]), boxes([(0, 0, 0.6)])]
    splits = ("train", "validation")

    def labels(each: list[Instances]) -> Labels:
        frames = [Frame((i,), e, split=s) for i, e, s in zip(images, each, splits, strict=True)]
        return Labels(Skeleton(()), tuple(frames), tmp_path, NAMES)

    known = labels([replace(each, scores=None) for each in truth])
    report = evaluate_boxes(known, labels(found))
    return Detections(report, replace(report.truth, frames=tuple(two for _, two in report.pairs)))


def test_curves_are_of_the_chosen_images(detected: Detections) -> None:
    every = precision_recall(detected.images(), NAMES)[0.5]
    assert every["oat"] == pytest.approx(np.ones(101))
    # Of two weeds one is found, and first: precision is 1 up to a recall of a half.
    assert every["weed"] == pytest.approx(np.where(np.arange(101) <= 50, 1.0, 0.0))
    assert every[""] == pytest.approx((every["oat"] + every["weed"]) / 2)
    unseen = precision_recall(detected.images(("validation",)), NAMES)[0.5]
    assert not unseen["weed"].any() and unseen["oat"].all()


def test_figures_over_confidence_count_all_classes_together(detected: Detections) -> None:
    table = over_confidence(detected.images(), NAMES).set_index("confidence")
    assert table.loc[0.5].tolist() == pytest.approx([3 / 4, 3 / 4, 3 / 4])
    assert table.loc[0.75].tolist() == pytest.approx([1, 2 / 4, 2 / 3])
    weed = over_confidence(detected.images(), NAMES, 0.5, "weed").set_index("confidence")
    assert weed.loc[0.5, ["precision", "recall"]].tolist() == [0.5, 0.5]
    assert np.isnan(weed.loc[0.85, "precision"])


def test_what_is_not_labelled_is_listed_and_shown(detected: Detections, tmp_path: Path) -> None:
    lacking = [each for each in findings(detected, 0.5) if each.kind == MISSING]
    rows = finding_rows(detected, lacking)
    assert rows[["image", "split", "class"]].to_numpy().tolist() == [["a.png", "train", "weed"]]
    assert rows[["x1", "y1", "x2", "y2"]].to_numpy().tolist() == [[10, 50, 30, 70]]
    assert not [each for each in findings(detected, 0.75) if each.kind == MISSING]
    workspace = Workspace.of([tmp_path])
    card = finding_picture(workspace, detected, lacking[0])
    assert card is not None and card.title == "weed"
    assert [mark.dashed for mark in card.marks] == [False, False, True]
    x1, y1, x2, y2 = card.box
    assert x1 <= 10 and y1 <= 50 and x2 >= 30 and y2 >= 70
    (tmp_path / "a.png").unlink()
    assert finding_picture(workspace, detected, lacking[0]) is None


def test_the_worst_image_shows_what_is_right_wrong_and_missed(detected: Detections, tmp_path: Path) -> None:
    assert detected.splits == ("train", "validation")
    card = verdict_picture(Workspace.of([tmp_path]), detected, 1, ("one missed",))
    assert card is not None and card.box == (-0.5, -0.5, 119.5, 99.5)
    assert [mark.text for mark in card.marks] == ["missed: weed", "right: oat, score 0.60"]
    wrong = verdict_picture(Workspace.of([tmp_path]), detected, 0, ())
    assert wrong is not None and sum(mark.text.startswith("wrong: weed") for mark in wrong.marks) == 1
