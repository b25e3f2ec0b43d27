"""Tiles and detected instances: an image in parts shows what it shows as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from inference.patches import PatchDetector, patches
from vitruve.algorithms.base import ImageAlgorithm, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.data.tile_settings import TileSettings
from vitruve.data.tiles import tiles_of
from vitruve.geometry.boxes import BoxRule
from vitruve.inference.looks import Looks
from vitruve.inference.parts import DetectedPredictor, TilePredictor
from vitruve.inference.predictor import Predictor
from vitruve.inference.suppression import suppressed
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

SIZE = (700, 500)
TILES = TileSettings(size=256, overlap=0.3, whole=False)


def _sorted(boxes: np.ndarray) -> np.ndarray:
    return boxes[np.lexsort(boxes.T[::-1])]


def _found(frame) -> Instances:
    return frame.instances[0][np.asarray(frame.instances[0].present)]


@pytest.mark.parametrize("seed", range(3))
def test_each_patch_is_found_once_wherever_tiles_cut_it(seed: int) -> None:
    image, boxes, classes = patches(SIZE, 40, np.random.default_rng(seed))
    predictor = TilePredictor(Predictor(PatchDetector((256, 256)), 3), TILES)
    found = _found(next(iter(predictor.predict([image]))))
    order, mine = np.lexsort(boxes.T[::-1]), np.lexsort(found.boxes.round(3).T[::-1])
    assert found.boxes.shape == boxes.shape
    np.testing.assert_allclose(found.boxes[mine], boxes[order], atol=0.01)
    np.testing.assert_array_equal(found.categories[mine], classes[order])
    assert (np.diff(found.scores) <= 0).all()


def test_without_overlap_parts_of_one_patch_stay_apart() -> None:
    """What the test above would miss if nothing were cut."""
    image, boxes, _ = patches(SIZE, 40, np.random.default_rng(0))
    settings = TileSettings(size=256, overlap=0.0, whole=False)
    found = _found(next(iter(TilePredictor(Predictor(PatchDetector((256, 256)), 3), settings).predict([image]))))
    assert len(found.boxes) > len(boxes)


def test_a_patch_larger_than_a_tile_is_found_in_the_whole_image() -> None:
    image = np.zeros((500, 700, 3), np.uint8)
    image[60:400, 100:600] = 255
    wanted = [[99.5, 59.5, 599.5, 399.5]]
    settings = TileSettings(size=256, overlap=0.3, whole=True)
    found = _found(next(iter(TilePredictor(Predictor(PatchDetector((256, 256)), 3), settings).predict([image]))))
    np.testing.assert_allclose(found.boxes, wanted, atol=3)


def test_images_that_show_nothing_and_images_of_all_sizes_keep_their_places() -> None:
    rng = np.random.default_rng(4)
    black = np.zeros((300, 900, 3), np.uint8)
    drawn = [patches(size, 5, rng) for size in ((200, 150), (600, 300), (257, 256))]
    images = [black, drawn[0][0], black, drawn[1][0], drawn[2][0], black]
    predictor = TilePredictor(Predictor(PatchDetector((256, 256)), 4), TILES)
    counts = [len(_found(frame).boxes) for frame in predictor.predict(images)]
    assert counts == [0, 5, 0, 5, 5, 0]
    assert [len(_found(frame).boxes) for frame in predictor.predict(images, start=3)] == [5, 5, 0]


def test_tiles_cover_the_image_and_overlap_enough() -> None:
    for size in ((640, 640), (641, 100), (1920, 1080), (3000, 700)):
        tiles = np.array(tiles_of(size, TileSettings(size=640, overlap=0.25, whole=False)))
        seen = np.zeros(size[::-1], int)
        for x1, y1, x2, y2 in (tiles + 0.5).astype(int):
            seen[y1:y2, x1:x2] += 1
        assert seen.min() >= 1
        starts = np.unique(tiles[:, 0])
        assert len(starts) == 1 or (640 - np.diff(starts) >= 0.25 * 640 - 1).all()
    assert tiles_of((640, 200), TileSettings(size=640)) == [(-0.5, -0.5, 639.5, 199.5)]
    assert tiles_of((1000, 200), TileSettings(size=640))[-1] == (-0.5, -0.5, 999.5, 199.5)


def test_whole_detections_win_over_surer_parts_and_classes_stay_apart() -> None:
    boxes = np.array([[0, 0, 100, 100], [0, 0, 60, 100], [0, 0, 60, 100], [200, 0, 300, 100]], np.float32)
    nothing = np.zeros((4, 0, 2))
    scores, classes = np.array([0.5, 0.9, 0.8, 0.7], np.float32), np.array([0, 0, 1, 0])
    found = Instances(nothing, nothing[..., 0], boxes=boxes, scores=scores, categories=classes)
    kept = suppressed(found, np.array([False, True, True, True]), 0.5)
    assert kept.tolist() == [3, 0]
    assert suppressed(found, np.zeros(4, bool), 0.5).tolist() == [1, 2, 3]


def test_mirror_images_and_other_sizes_show_each_patch_once() -> None:
    image, boxes, classes = patches((256, 192), 6, np.random.default_rng(3), sides=(16, 60))
    predictor = Predictor(PatchDetector((256, 192)), 2, looks=Looks(True, (1.0, 2.0)))
    found = _found(next(iter(predictor.predict([image]))))
    order, mine = np.lexsort(boxes.T[::-1]), np.lexsort(found.boxes.round().T[::-1])
    np.testing.assert_allclose(found.boxes[mine], boxes[order], atol=1.1)
    np.testing.assert_array_equal(found.categories[mine], classes[order])


class _Mean(nn.Module):
    def forward(self, images):
        bright = images.float().mean(1)
        height, width = bright.shape[-2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        total = bright.sum((-2, -1)).clamp_min(1e-6)
        return {"middle": torch.stack([(bright * x).sum((-2, -1)) / total, (bright * y).sum((-2, -1)) / total], -1)}


class _Middle(ImageAlgorithm):
    description = "the middle of what is bright"

    def __init__(self):
        super().__init__(ModelSettings(), Task(Skeleton.from_names(("middle",)), (64, 64)))
        self.network = _Mean()

    def encode(self, batch):
        return {}

    def loss(self, outputs, targets):
        return {}

    def decode(self, outputs, batch):
        points = outputs["middle"][:, :, None, None]
        ones = torch.ones(points.shape[:-1])
        found = Instances.from_keypoints(points, keypoint_scores=ones, scores=ones[..., 0])
        return found.transformed(batch.to_image_of(len(points)))


def test_a_detector_shows_a_network_for_one_animal_each_of_several() -> None:
    rng = np.random.default_rng(7)
    # Far apart, so that no crop shows a neighbour.
    image, boxes = np.zeros((400, 600, 3), np.uint8), []
    for x, y in ((40, 40), (300, 60), (500, 300)):
        width, height = rng.integers(10, 40, 2)
        image[y : y + height, x : x + width] = 255
        boxes.append([x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5])
    black = np.zeros_like(image)
    detector = Predictor(PatchDetector((600, 416)), 2)
    rule = BoxRule(ratio=1.5, threshold=0.3, min_size=8)
    predictor = DetectedPredictor(Predictor(_Middle(), 2), detector, rule)
    first, second, third = list(predictor.predict([black, image, black]))
    assert first.instances.keypoints.shape == third.instances.keypoints.shape == (1, 0, 1, 2)
    found = second.instances[0]
    wanted = np.array(boxes)
    middles = (wanted[:, :2] + wanted[:, 2:]) / 2
    order = [int(np.abs(found.boxes - box).sum(1).argmin()) for box in wanted]
    assert sorted(order) == [0, 1, 2] and predictor.several
    np.testing.assert_allclose(found.boxes[order], wanted, atol=1.0)
    np.testing.assert_allclose(found.keypoints[order, 0], middles, atol=0.6)
