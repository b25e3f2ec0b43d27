"""COCO's results of boxes, and the numbers of images and categories in results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.evaluation.boxes import box_average_precision
from vitruve.formats.coco_results import results_name, write_results
from vitruve.formats.hub import read_labels
from vitruve.pipeline.label_predictions import write_coco_results
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


def boxes(*rows: tuple[float, float, float, float, int, float]) -> Instances:
    """Instances of one view from edges, class and score each."""
    values = np.array(rows, np.float64).reshape(-1, 6)
    return Instances(
        np.zeros((1, len(values), 0, 2)),
        np.zeros((1, len(values), 0), np.int8),
        boxes=values[None, :, :4],
        categories=values[None, :, 4].astype(np.int64),
        scores=values[None, :, 5],
    )


def truth_file(folder: Path) -> Path:
    """Two images of one name in two folders, with numbers of images and categories that are not in a row."""
    names = {412: "a/frame_000001.jpg", 97: "b/frame_000001.jpg"}
    content = {
        "images": [{"id": n, "file_name": name, "width": 64, "height": 48} for n, name in names.items()],
        "annotations": [
            {"id": 5, "image_id": 412, "category_id": 30, "bbox": [4, 6, 20, 10], "area": 200, "iscrowd": 0},
            {"id": 6, "image_id": 412, "category_id": 11, "bbox": [30, 6, 10, 30], "area": 300, "iscrowd": 0},
            {"id": 9, "image_id": 97, "category_id": 11, "bbox": [2, 2, 30, 40], "area": 1200, "iscrowd": 0},
        ],
        "categories": [{"id": 30, "name": "beet"}, {"id": 11, "name": "dock"}],
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content))
    return path


def found_in(truth: Labels) -> Labels:
    """One right box, one a little off, and one of a class that the truth does not know, by the run's own order."""
    first = boxes((4, 6, 24, 16, 1, 0.9), (31, 6, 41, 36, 0, 0.5), (1, 1, 3, 3, 2, 0.25))
    second = boxes((2, 2, 32, 42, 0, 0.75))
    frames = tuple(replace(frame, instances=each) for frame, each in zip(truth, (first, second), strict=True))
    return replace(truth, frames=frames, skeleton=Skeleton(()), categories=("dock", "beet", "rush"))


def rows_of(file: Path) -> list[tuple]:
    return [(row["image_id"], row["category_id"], row["bbox"], row["score"]) for row in json.loads(file.read_text())]


def test_boxes_have_the_numbers_of_the_coco_file(tmp_path: Path) -> None:
    file = truth_file(tmp_path)
    (made,) = write_coco_results(found_in(read_labels(file)), tmp_path / "out", file, "weeds")
    assert made.name == results_name("val2017", "weeds", boxes=True) == "detections_val2017_weeds_results.json"
    assert rows_of(made) == [
        (412, 30, [4, 6, 20, 10], 0.9),
        (412, 11, [31, 6, 10, 30], 0.5),
        (412, 31, [1, 1, 2, 2], 0.25),  # behind the numbers of the file
        (97, 11, [2, 2, 30, 40], 0.75),
    ]


@pytest.mark.parametrize("given", [(None, None), (0, 7), (3, 3)])
def test_other_images_are_numbered_in_their_order(given: Sequence[int | None], tmp_path: Path) -> None:
    truth = read_labels(truth_file(tmp_path))
    # MPII's file knows images by their places, of which the first is 0, and those of several files may be the same.
    frames = tuple(replace(frame, id=number) for frame, number in zip(truth, given, strict=True))
    (made,) = write_coco_results(found_in(replace(truth, frames=frames)), tmp_path, None, "weeds")
    assert [row[:2] for row in rows_of(made)] == [(1, 2), (1, 1), (1, 3), (2, 1)]
    other = tmp_path / "labels.csv"
    other.write_text("scorer,a\n")
    assert write_coco_results(found_in(replace(truth, frames=frames)), tmp_path / "o", other, "weeds")[
        0
    ].read_text() == (made.read_text())


def test_images_of_one_name_are_told_apart_or_refused(tmp_path: Path) -> None:
    file = truth_file(tmp_path)
    truth = read_labels(file)
    frames = tuple(replace(frame, id=None) for frame in found_in(truth))
    with pytest.raises(InputError, match=r"lists 2 images 'frame_000001.jpg'; predict the images of this very file"):
        write_results(replace(found_in(truth), frames=frames), tmp_path / "r.json", file)


def test_a_box_without_a_score_is_refused(tmp_path: Path) -> None:
    one = replace(boxes((1, 1, 3, 3, 0, 0.5)), scores=None)
    labels = Labels(Skeleton(()), (Frame((ImageRef(Path("a.jpg")),), one, id=1),))
    with pytest.raises(InputError, match="has no score; write predictions, not labels"):
        write_results(labels, tmp_path / "r.json")


def test_cocos_own_program_measures_the_same(tmp_path: Path) -> None:
    api = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    from pycocotools.cocoeval import COCOeval

    file = truth_file(tmp_path)
    truth = read_labels(file)
    found = found_in(truth)
    (made,) = write_coco_results(found, tmp_path / "out", file, "weeds")
    official = api.COCO(str(file))
    measured = COCOeval(official, official.loadRes(str(made)), "bbox")
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    assert 0.5 < measured.stats[0] < 1
    order = np.array([truth.categories.index(name) if name != "rush" else 2 for name in found.categories])
    pairs = [
        (one.instances[0], replace(other.instances[0], categories=order[other.instances.categories[0]]))
        for one, other in zip(truth, found, strict=True)
    ]
    assert measured.stats[0] == pytest.approx(box_average_precision(pairs, 3).summary["AP"], abs=1e-6)
