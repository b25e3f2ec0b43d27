"""Boxes of labels, and what follows from how large they are; tiles as frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.data.object_boxes import box_labels, box_sizes, check_boxes, input_size
from vitruve.data.tile_settings import TileSettings
from vitruve.data.tiles import tiled
from vitruve.errors import ConfigError
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


def _labels(boxes: list[list[float]], size: tuple[int, int], count: int = 1) -> Labels:
    nothing = np.zeros((1, len(boxes), 0, 2))
    instances = Instances(
        nothing,
        nothing[..., 0].astype(np.int8),
        boxes=np.array(boxes, np.float64).reshape(1, -1, 4),
        categories=np.zeros((1, len(boxes)), np.int64),
    )
    frames = tuple(Frame((ImageRef(Path(f"{n}.png"), size=size),), instances) for n in range(count))
    return Labels(Skeleton(()), frames)


def test_boxes_of_keypoints_are_a_little_wider_and_those_given_stay() -> None:
    points = np.array([[[[10.0, 20], [30, 60]], [[1.0, 1], [9, 9]], [[5.0, 5], [np.nan, np.nan]]]])
    given = np.array([[[np.nan] * 4, [0, 0, 20, 20], [np.nan] * 4]])
    labels = Labels(
        Skeleton.from_names(("a", "b")),
        (Frame((ImageRef(Path("a.png")),), Instances.from_keypoints(points, boxes=given)),),
    )
    with pytest.warns(UserWarning, match="1 labelled boxes have no width"):
        found = box_labels(labels)
    assert found.skeleton.names == () and found[0].instances.keypoints.shape == (1, 2, 0, 2)
    np.testing.assert_allclose(found[0].instances.boxes[0], [[8, 16, 32, 64], [0, 0, 20, 20]])
    assert found[0].instances.categories.tolist() == [[0, 0]]


def test_labels_without_any_box_are_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="no object is labelled with a box"):
        check_boxes(_labels([], (100, 100)), "faster_rcnn")


def test_large_images_are_made_smaller_as_far_as_their_objects_allow() -> None:
    large, small = [0, 0, 100, 100], [0, 0, 20, 20]
    assert input_size(_labels([large] * 20, (640, 480)), None) == (640, 480)
    assert input_size(_labels([large] * 20, (4000, 2000)), None) == (1344, 672)
    # 16 pixels are left of objects of 20.
    assert input_size(_labels([small] * 20, (4000, 2000)), None) == (3200, 1600)
    assert input_size(_labels([[0, 0, 8, 8]] * 20, (4000, 2000)), None) == (4000, 1984)
    assert input_size(_labels([small], (4000, 2000)), TileSettings(size=500)) == (512, 512)


def test_sizes_are_those_in_the_input() -> None:
    labels = _labels([[0, 0, 40, 20], [0, 0, 300, 100]], (800, 400))
    np.testing.assert_allclose(box_sizes(labels, (400, 400), None), [[20, 10], [150, 50]])
    tiles = TileSettings(size=200, overlap=0.25)
    # At the tiles' size those that fit into one, and the large one in the whole image.
    np.testing.assert_allclose(box_sizes(labels, (400, 400), tiles), [[80, 40], [150, 50]])


def test_tiles_are_frames_with_all_that_their_image_shows_and_few_empty_ones() -> None:
    labels = _labels([[100, 100, 120, 120]], (1000, 1000), 40)
    settings = TileSettings(size=250, overlap=0.2, empty=0.1)
    found = tiled(labels, settings)
    names = [frame.name for frame in found]
    assert set(names) == {frame.name for frame in labels}
    assert all(frame.instances.boxes.shape == (1, 1, 4) for frame in found)

    def holds(frame: Frame) -> bool:
        x1, y1, x2, y2 = frame.images[0].box
        return x1 <= 110 <= x2 and y1 <= 110 <= y2

    held = sum(holds(frame) for frame in found)
    # In each image the tile at the corner and the whole image; of the 24 empty ones a tenth.
    assert held == 80 and 0.05 * 24 * 40 < len(found) - held < 0.16 * 24 * 40
    assert [frame.images[0].box for frame in tiled(labels, settings)] == [frame.images[0].box for frame in found]
    assert len(tiled(labels, settings.model_copy(update={"empty": 1.0}))) == 40 * 26


def test_an_image_of_nothing_keeps_one_tile() -> None:
    assert len(tiled(_labels([], (1000, 1000), 3), TileSettings(size=250, empty=0.0))) == 3
