from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.rendered import dot_place, label_set
from vitruve.algorithms.base import Needs
from vitruve.data.augment import PRESETS, Augmentation, augmentation
from vitruve.data.crop_settings import CropSettings
from vitruve.data.crops import boxes_files, jittered, keep_boxes, with_label_boxes, with_table_boxes
from vitruve.data.dataset import Pick, PoseDataset, checked
from vitruve.data.images import ImageCache
from vitruve.data.windows import VideoWindows, WindowPick
from vitruve.errors import ConfigError, InputError
from vitruve.formats.bbox_file import as_written, write_boxes
from vitruve.geometry.boxes import centred, edges, whole_image
from vitruve.media.recordings import Recording
from vitruve.media.video import VideoWriter
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Labels

SIZE, INPUT = (160, 120), (64, 48)


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return checked(label_set(tmp_path, 6, SIZE, 4.0))


def box_of(labels: Labels, row: int, view: int = 0) -> np.ndarray:
    return np.array(labels[row].images[view].box)


def test_boxes_of_a_table_go_to_their_images(labels: Labels, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    boxes = as_written(edges(np.concatenate([rng.uniform(30, 90, (6, 2)), rng.uniform(40, 60, (6, 2))], -1)))
    names = [frame.name for frame in labels]
    order = rng.permutation(6)
    write_boxes(tmp_path / "bbox.csv", [names[i] for i in order], boxes[order])
    found = with_table_boxes(labels, [tmp_path / "bbox.csv"])
    np.testing.assert_array_equal([box_of(found, row) for row in range(6)], boxes)
    write_boxes(tmp_path / "bbox.csv", names[:-1], boxes[:-1])
    with pytest.raises(InputError, match=r"^data\.bbox_file: .*bbox\.csv: has no row for image 'view0/img005\.png'"):
        with_table_boxes(labels, [tmp_path / "bbox.csv"])
    with pytest.raises(ConfigError, match="2 tables of boxes for 1 views"):
        with_table_boxes(labels, [tmp_path / "bbox.csv"] * 2)


@pytest.mark.parametrize("views", [1, 2])
def test_boxes_are_kept_one_table_a_view(views: int, tmp_path: Path) -> None:
    labels = replace(checked(label_set(tmp_path, 4, SIZE, 4.0, views)), view_names=("top", "side")[:views])
    boxed = with_label_boxes(labels, CropSettings(), [0, 1, 2], 1.0)
    files = boxes_files(tmp_path / "run", labels)
    assert [file.name for file in files] == (["bbox.csv"] if views == 1 else ["bboxes_top.csv", "bboxes_side.csv"])
    keep_boxes(boxed, tmp_path / "run")
    again = with_table_boxes(labels, files)
    for row in range(4):
        for view in range(views):
            np.testing.assert_allclose(box_of(again, row, view), box_of(boxed, row, view), atol=2e-4)
    keep_boxes(labels, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_boxes_around_labels(labels: Labels) -> None:
    settings = CropSettings(ratio=1.5, min_size=8.0)
    points = labels.keypoints()[:, 0, 0]
    found = with_label_boxes(labels, settings, [0, 2], 4 / 3)
    for row in range(6):
        low, high = points[row, [0, 2]].min(0), points[row, [0, 2]].max(0)
        x, y, width, height = centred(box_of(found, row))
        np.testing.assert_allclose((x, y), (low + high) / 2, rtol=1e-6)
        assert width / height == pytest.approx(4 / 3)
        assert width == pytest.approx(max(1.5 * (high - low)[0], 2 * (high - low)[1], 8 * 4 / 3))


def test_frames_with_too_few_labels_still_have_a_box(labels: Labels) -> None:
    def only(row: int, count: int) -> None:
        instances = frames[row].instances
        points = instances.keypoints.copy()
        points[..., count:, :] = np.nan
        frames[row] = replace(frames[row], instances=Instances.from_keypoints(points))

    frames = list(labels.frames)
    only(1, 1)
    only(3, 0)
    found = with_label_boxes(replace(labels, frames=tuple(frames)), CropSettings(), [0, 1, 2], 1.0)
    np.testing.assert_allclose(box_of(found, 3), edges(whole_image(SIZE, 1.0)))
    sizes = [centred(box_of(found, row))[2] for row in (0, 2, 4, 5)]
    single = centred(box_of(found, 1))
    np.testing.assert_allclose(single, [*frames[1].instances.keypoints[0, 0, 0], *[np.median(sizes)] * 2], rtol=1e-6)


@pytest.mark.parametrize("changes", [None, Augmentation(rotate=1.0, crop_pad=1.0, elastic=1.0)])
def test_the_dataset_shows_the_box_and_knows_where_the_labels_are(labels: Labels, changes: Augmentation | None) -> None:
    boxed = with_label_boxes(labels, CropSettings(ratio=2.5), [0, 1, 2], INPUT[0] / INPUT[1])
    data = PoseDataset(boxed, INPUT, Needs(), ImageCache(1), changes)
    seen = 0
    for row in range(6):
        sample = data[Pick(0, row)]
        assert sample.truth is not None and sample.images.shape == (1, 1, 3, INPUT[1], INPUT[0])
        inside = sample.truth.transformed(np.linalg.inv(sample.to_image)).keypoints[0, 0]
        if changes is None:
            middle = centred(box_of(boxed, row))[:2]
            np.testing.assert_allclose((sample.to_image[0] @ [31.5, 23.5, 1])[:2], middle, rtol=1e-5)
        for channel, place in enumerate(inside):
            dot = sample.images[0, 0, channel]
            if ((place > 9) & (place < np.array(INPUT) - 10)).all():
                assert np.abs(dot_place(dot.astype(float)) - place).max() < 0.5
                seen += 1
    assert seen >= 5


def test_neighbours_in_time_are_seen_through_the_same_box(labels: Labels) -> None:
    boxed = with_label_boxes(labels, CropSettings(), [0, 1, 2], INPUT[0] / INPUT[1])
    sample = PoseDataset(boxed, INPUT, Needs(context=1), ImageCache(1))[2]
    alone = [replace(boxed[row].images[0], box=boxed[2].images[0].box) for row in (1, 2, 3)]
    for step, image in enumerate(alone):
        one = replace(boxed, frames=(replace(boxed[2], images=(image,)),))
        wanted = PoseDataset(one, INPUT, Needs(), ImageCache(1))[0]
        np.testing.assert_array_equal(sample.images[0, step], wanted.images[0, 0])


def test_boxes_from_labels_are_moved_at_random_in_training(labels: Labels) -> None:
    settings = CropSettings(from_labels=True, jitter=0.2)
    assert jittered(PRESETS["none"], CropSettings()) == PRESETS["none"]
    assert jittered(PRESETS["none"], CropSettings(from_labels=True, jitter=0.0)) == PRESETS["none"]
    assert jittered(PRESETS["dlc"], CropSettings(from_labels=True)).crop_pad_share == PRESETS["dlc"].crop_pad_share
    changes = jittered(augmentation("none"), settings)
    boxed = with_label_boxes(labels, settings, [0, 1, 2], INPUT[0] / INPUT[1])
    data = PoseDataset(boxed, INPUT, Needs(), ImageCache(1), changes)
    corners = np.array([[-0.5, -0.5, 1], [INPUT[0] - 0.5, INPUT[1] - 0.5, 1]])
    shown = np.array([(data[Pick(epoch, 0)].to_image[0] @ corners.T)[:2].T.ravel() for epoch in range(60)])
    box = box_of(boxed, 0)
    shift = (shown - box) / np.tile(box[2:] - box[:2], 2)
    assert np.abs(shift).max() <= 0.2 + 1e-5 and (shift.std(0) > 0.08).all()


def test_a_window_of_video_has_one_box(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (8, 90, 120, 3)).astype(np.uint8)
    with VideoWriter(tmp_path / "a.mp4", 25, crf=0) as video:
        for image in images:
            video.write(image)
    path = tmp_path / "a.mp4"
    boxes = edges(np.array([[50.0 + 2 * t, 40.0, 32.0, 24.0] for t in range(8)]))
    windows = VideoWindows([Recording((path,))], INPUT, 8, Augmentation(), 0, {path: boxes})
    sample = windows[WindowPick(0, 0, 0)]
    grown = 1 + 0.5 * 14 / 32
    wanted = edges(np.array([57.0, 40.0, 32.0 * grown, 24.0 * grown]))
    corners = np.array([[-0.5, -0.5, 1], [INPUT[0] - 0.5, INPUT[1] - 0.5, 1]])
    np.testing.assert_allclose((sample.to_image[0] @ corners.T)[:2].T.ravel(), wanted, rtol=1e-5)
    assert sample.images.shape == (1, 8, 3, INPUT[1], INPUT[0]) and sample.truth is None
    whole = VideoWindows([Recording((path,))], INPUT, 8, Augmentation(), 0)[WindowPick(0, 0, 0)]
    np.testing.assert_allclose((whole.to_image[0] @ corners.T)[:2].T.ravel(), [-0.5, -0.5, 119.5, 89.5], rtol=1e-5)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="smooth_window=4: must be an odd number"):
        CropSettings(smooth_window=4)
    with pytest.raises(ValueError, match="a single keypoint has no extent"):
        CropSettings(anchors=("nose",))
    assert CropSettings(anchors=("nose",), size=64.0).rule(2.0).size == 64
