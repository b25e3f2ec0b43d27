"""What is labelled, counted, against what was put there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vitruve.curation.statistics import NO_SPLIT, image_table, instance_table, keypoint_table, per_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

POSE = Skeleton(("nose", "tail"))


def boxed(*rows: tuple[float, ...], classes: tuple[int, ...]) -> Instances:
    count = len(rows)
    return Instances(
        np.zeros((1, count, 0, 2)),
        np.zeros((1, count, 0), np.int8),
        boxes=np.array([rows], np.float64).reshape(1, count, 4),
        categories=np.array([classes], np.int64).reshape(1, count),
    )


def frame(name: str, instances: Instances, split: str | None = None) -> Frame:
    return Frame((ImageRef(Path(name), size=(64, 48)),), instances, "clip", split)


def test_boxes_are_counted_with_their_sizes_and_those_without_extent_are_not() -> None:
    first = boxed((0, 0, 10, 40), (5, 5, 5, 9), (0, 0, 3, 3), classes=(0, 0, 1))
    labels = Labels(
        Skeleton(()),
        (frame("a.png", first, "train"), frame("b.png", boxed(classes=()))),
        categories=("dock", "clover"),
    )
    table = instance_table(labels)
    assert table["class"].tolist() == ["dock", "clover"]
    assert table["side"].tolist() == [20.0, 3.0]
    assert table["split"].tolist() == ["train", "train"]
    images = image_table(labels)
    assert images["split"].tolist() == ["train", NO_SPLIT]
    assert images[["width", "height"]].to_numpy().tolist() == [[64.0, 48.0]] * 2
    assert per_image(images, table)["instances"].tolist() == [2, 0]
    assert keypoint_table(labels).empty


def test_each_instance_keeps_its_own_keypoints_also_beside_one_that_is_not_there() -> None:
    points = np.array([[[[np.nan] * 2, [np.nan] * 2], [[0.0, 0.0], [10.0, 20.0]]]])
    people = Instances.from_keypoints(points)
    seen = np.array([[[0, 0], [2, 1]]], np.int8)
    labels = Labels(POSE, (frame("a.png", replace(people, visible=seen)),))
    table = instance_table(labels)
    assert table[["keypoints", "occluded"]].to_numpy().tolist() == [[2, 1]]
    # A tenth wider on each side than 10 by 20.
    assert np.allclose(table[["width", "height"]].to_numpy(), [[12.0, 24.0]])
    counts = keypoint_table(labels)
    assert counts.set_index("keypoint").loc["nose"].tolist() == [1, 0, 0]
    assert counts.set_index("keypoint").loc["tail"].tolist() == [0, 1, 0]
