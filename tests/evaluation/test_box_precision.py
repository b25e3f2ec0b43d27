from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
from random_boxes import boxes, random_set

from vitruve.evaluation.boxes import AREAS, box_average_precision, compare_boxes
from vitruve.structures.instances import Instances


def reference(pairs, classes, limits=(1, 10, 100)):
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    def corner_and_size(box):
        return [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]

    annotations, results = [], []
    for image, (truth, found) in enumerate(pairs):
        for box, kind, area, crowd in zip(truth.boxes, truth.categories, truth.areas, truth.crowds, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(kind) + 1,
                    "bbox": corner_and_size(box),
                    "area": float(area),
                    "iscrowd": int(crowd),
                }
            )
        for box, kind, score in zip(found.boxes, found.categories, found.scores, strict=True):
            entry = {"image_id": image, "category_id": int(kind) + 1, "score": float(score)}
            results.append({**entry, "bbox": corner_and_size(box)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(len(pairs))],
            "annotations": annotations,
            "categories": [{"id": number + 1, "name": str(number)} for number in range(classes)],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.params.maxDets = list(limits)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize(("seed", "classes"), [(0, 1), (1, 3), (2, 8), (3, 25)])
def test_all_figures_are_those_of_the_reference_implementation(seed, classes):
    pairs = random_set(np.random.default_rng(seed), 20, classes)
    wanted = reference(pairs, classes)
    found = box_average_precision(pairs, classes)
    np.testing.assert_allclose(
        list(found.summary.values()), np.where(wanted.stats < 0, np.nan, wanted.stats), atol=1e-9
    )
    assert ",".join(found.summary) == "AP,AP50,AP75,APs,APm,APl,AR1,AR10,AR100,ARs,ARm,ARl"
    curves = wanted.eval["precision"][..., -1].transpose(2, 3, 0, 1)
    np.testing.assert_allclose(found.curves, np.where(curves < 0, np.nan, curves), atol=1e-9)
    recalls = wanted.eval["recall"][..., -1].transpose(1, 2, 0)
    given = found.table["recall"].to_numpy().reshape(recalls.shape)
    np.testing.assert_allclose(given, np.where(recalls < 0, np.nan, recalls), atol=1e-9)
    assert 0.02 < found.summary["AP50"] < 0.95


def test_more_than_a_hundred_objects_an_image_can_be_counted():
    rng = np.random.default_rng(5)
    low = np.stack(np.meshgrid(np.arange(15) * 30.0, np.arange(10) * 30.0), -1).reshape(-1, 2)
    wanted = np.concatenate([low, low + 20], 1)
    truth = boxes(wanted, areas=np.full(150, 400.0), crowds=np.zeros(150, bool))
    pairs = [(truth, boxes(wanted, scores=rng.random(150)))]
    assert box_average_precision(pairs, 1).summary["AR100"] == pytest.approx(100 / 150)
    more = box_average_precision(pairs, 1, limits=(1, 10, 200))
    assert more.summary["AR200"] == 1 and more.summary["AP"] == pytest.approx(1)
    assert more.summary["AR10"] == pytest.approx(10 / 150)


def test_two_boxes_by_hand():
    """Of two plants one is found at an IoU of 2/3, after a wrong guess: precision 1/2 up to a recall of 1/2."""
    truth = boxes([[0, 0, 10, 10], [50, 50, 60, 60]])
    found = boxes([[100, 100, 110, 110], [0, 0, 10, 15]], scores=[0.9, 0.8])
    figures = box_average_precision([(truth, found)], 1)
    assert figures.summary["AP50"] == pytest.approx(51 / 101 / 2)
    assert figures.summary["AP75"] == 0
    # 2/3 is at least .5, .55, .6 and .65.
    assert figures.summary["AP"] == pytest.approx(0.4 * 51 / 101 / 2)
    assert figures.summary["AR1"] == 0 and figures.summary["AR10"] == pytest.approx(0.4 * 0.5)


def test_each_object_is_found_once_and_only_by_its_class():
    truth = boxes([[0, 0, 10, 10]], [1])
    twice = boxes([[0, 0, 10, 10], [0, 0, 10, 10]], [1, 1], scores=[0.9, 0.8])
    other = boxes([[0, 0, 10, 10]], [0], scores=[0.9])
    assert box_average_precision([(truth, twice)], 2).summary["AP"] == pytest.approx(1)
    assert box_average_precision([(truth, twice), (truth, boxes([], scores=[]))], 2).summary["AP"] == pytest.approx(
        51 / 101
    )
    wrong = box_average_precision([(truth, other)], 2)
    assert wrong.summary["AP"] == 0
    assert wrong.by_class["objects"].tolist() == [0, 1] and math.isnan(wrong.by_class["AP"][0])


def test_what_lies_within_a_crowd_is_neither_right_nor_wrong():
    truth = boxes([[0, 0, 10, 10], [20, 0, 60, 40]], crowds=[False, True])
    found = boxes([[25, 5, 30, 10], [40, 20, 50, 30], [0, 0, 10, 10]], scores=[0.9, 0.8, 0.7])
    figures = box_average_precision([(truth, found)], 1)
    assert figures.summary["AP"] == pytest.approx(1) and figures.table["objects"].max() == 1


def test_sizes_are_those_of_labels():
    truth = boxes([[0, 0, 20, 20], [100, 0, 150, 50], [0, 100, 120, 220]])
    found = boxes([[0, 0, 20, 20], [0, 100, 120, 220]], scores=[0.9, 0.8])
    summary = box_average_precision([(truth, found)], 1).summary
    assert [summary[f"AP{letter}"] for letter in "sml"] == pytest.approx([1, 0, 1])
    assert AREAS["small"][1] == 1024 and AREAS["large"][0] == 9216


def test_places_that_nobody_takes_do_not_count_and_poses_have_boxes():
    nothing = np.full(4, np.nan)
    truth = boxes([[0, 0, 10, 10], nothing], [0, -1])
    found = boxes([nothing, [0, 0, 10, 10]], [-1, 0], scores=[np.nan, 0.4])
    assert box_average_precision([(truth, found)], 1).summary["AP"] == pytest.approx(1)
    compared = compare_boxes(truth, found)
    assert compared.rows.tolist() == [1] and compared.columns.tolist() == [0]
    pose = Instances.from_keypoints(np.array([[[0.0, 0.0], [10.0, 10.0]]]), scores=np.ones(1))
    assert compare_boxes(truth, pose).similar.tolist() == [[1.0]]


def test_no_image_and_no_object_is_not_a_number():
    empty = boxes([], scores=[])
    for images in ([], [(empty, empty)], [(empty, boxes([[0, 0, 5, 5]], scores=[0.5]))]):
        assert all(math.isnan(value) for value in box_average_precision(images, 2).summary.values())
