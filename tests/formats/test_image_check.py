from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vitruve.formats.image_check import impossible_keypoints, missing_images
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton(("nose", "tail"))


def labels(root: Path, points: dict[str, list[list[float]]], scores: bool = False) -> Labels:
    frames = []
    for name, each in points.items():
        instances = Instances.from_keypoints(np.array(each, float)[None, None])
        if scores:
            instances = replace(instances, keypoint_scores=np.ones((1, 1, 2)))
        frames.append(Frame((ImageRef(Path(name)),), instances))
    return Labels(SKELETON, tuple(frames), root)


def test_missing_images_are_counted(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((8, 10, 3), np.uint8))
    points = {name: [[1.0, 1], [2, 2]] for name in ("a.png", "b.png", "c.png")}
    (said,) = missing_images(labels(tmp_path, points))
    assert said.startswith(f"2 of 3 images are not there (first: {tmp_path / 'b.png'})")
    assert missing_images(labels(tmp_path, {"a.png": points["a.png"]})) == []
    assert missing_images(labels(tmp_path, points), lambda image: image.path.name != "a.png" or None) == []
    assert missing_images(labels(tmp_path, points, scores=True)) == []


def test_keypoints_outside_are_counted_up_to_the_outer_edge_of_the_pixels(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.zeros((8, 10, 3), np.uint8))
    inside = {"a.png": [[-0.5, -0.5], [9.5, 7.5]], "b.png": [[np.nan, np.nan], [0, 0]]}
    assert impossible_keypoints(labels(tmp_path, inside)) == []
    outside = {"a.png": [[1, 1], [9.6, 3]], "b.png": [[-500, 2], [3, 8]]}
    (said,) = impossible_keypoints(labels(tmp_path, outside))
    assert said.startswith("3 keypoints lie outside their image (first: a.png: tail at x = 9.6, y = 3)")
    assert impossible_keypoints(labels(tmp_path, outside, scores=True)) == []


def test_without_the_image_only_what_lies_below_zero_is_outside(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    for name in ("gone.png", "broken.png"):
        (said,) = impossible_keypoints(labels(tmp_path, {name: [[-500, 2], [9999, 3]]}))
        assert said.startswith("1 keypoints")
