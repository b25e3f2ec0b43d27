"""A view that does not exist at an instant: nothing is learned from it, and nothing it shows counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from calibrated_scene import SIZE, VIEWS, picture, rig, scene_labels
from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Needs, Task
from vitruve.data.augment import PRESETS
from vitruve.data.crop_settings import CropSettings
from vitruve.data.crops import keep_boxes, with_label_boxes, with_table_boxes
from vitruve.data.dataset import PoseDataset, checked, collate
from vitruve.data.images import ImageCache
from vitruve.errors import InputError
from vitruve.formats.table import to_frame
from vitruve.inference.locate import NetworkLocator
from vitruve.inference.predictor import Predictor
from vitruve.media.images import write_image
from vitruve.structures.batch import Batch
from vitruve.structures.camera import missing_camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import ImageRef, Labels


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """Three views of four instants, with their pictures."""
    folder = tmp_path_factory.mktemp("scene")
    labels = replace(scene_labels(4), root=folder)
    for frame in labels:
        for view, image in enumerate(frame.images):
            write_image(folder / image.path, picture(frame.instances.keypoints[view, 0]))
    return checked(labels)


def without(labels: Labels, view: int, row: int, *, calibrated: bool = True) -> Labels:
    """The labels with one view of one instant gone; without ``calibrated``, also its camera, in the whole session."""
    frame = labels[row]
    images = tuple(ImageRef(Path()) if v == view else image for v, image in enumerate(frame.images))
    keypoints = frame.instances.keypoints.copy()
    keypoints[view] = np.nan
    frames = list(labels.frames)
    frames[row] = replace(frame, images=images, instances=Instances.from_keypoints(keypoints))
    cameras = labels.cameras
    if not calibrated:
        cameras = {s: tuple(missing_camera() if v == view else c for v, c in enumerate(r)) for s, r in cameras.items()}
    return replace(labels, frames=tuple(frames), cameras=cameras)


def hybridnet(labels: Labels, views: int = 3) -> Algorithm:
    kind = registry.get("hybridnet")
    torch.manual_seed(0)
    settings = kind.Config(model_type="hybridnet", backbone="test_resnet", roi_cube_size=128.0, grid_spacing=8.0)
    return kind(settings, Task(labels.skeleton, (64, 64), views)).eval()


def test_a_missing_view_is_black_and_as_large_as_the_others(whole: Labels) -> None:
    labels = checked(without(whole, 0, 1))
    assert [image.size for image in labels[1].images] == [SIZE] * 3
    assert labels[1].name == whole[1].images[1].name
    data = PoseDataset(labels, (64, 64), Needs(views=True, cameras=True), ImageCache(0.1), PRESETS["dlc"], 0, True)
    batch = collate([data[1], data[0]])
    assert int(batch.images[0, 0].max()) == 0 and int(batch.images[0, 1].max()) > 0
    assert batch.truth is not None and batch.cameras is not None and batch.truth_3d is not None
    assert bool(batch.truth.keypoints[0, 0].isnan().all()) and not bool(batch.truth.keypoints[0, 1:].isnan().all())
    # Its camera is gone from that instant alone, and the points in space come from the two others.
    there = batch.cameras.intrinsics.isfinite().all(-1).all(-1)
    assert there.tolist() == [[False, True, True], [True, True, True]]
    clean = collate([PoseDataset(whole, (64, 64), Needs(views=True, cameras=True), ImageCache(0.1), PRESETS["dlc"])[1]])
    assert clean.truth_3d is not None
    torch.testing.assert_close(batch.truth_3d.keypoints[:1], clean.truth_3d.keypoints, atol=1e-2, rtol=0)


def test_a_frame_without_any_view_is_refused(whole: Labels) -> None:
    nothing = without(without(without(whole, 0, 2), 1, 2), 2, 2)
    with pytest.raises(InputError, match="no image in any view"):
        checked(nothing)


@pytest.mark.parametrize("calibrated", [True, False], ids=["camera known", "no camera"])
def test_a_missing_view_counts_as_little_as_one_that_was_never_there(whole: Labels, calibrated: bool) -> None:
    algorithm = hybridnet(whole)
    predictor = Predictor(algorithm, 4)
    gone = without(checked(without(whole, 1, 0)), 1, 0, calibrated=calibrated)
    found = predictor.predict_labels(gone if calibrated else gone[[0]])[0]
    two = predictor.predict_labels(whole.views([0, 2]))[0]
    assert found.instances_3d is not None and two.instances_3d is not None
    np.testing.assert_allclose(found.instances_3d.keypoints, two.instances_3d.keypoints, atol=1e-2)
    np.testing.assert_allclose(found.instances.keypoints[[0, 2]], two.instances.keypoints, atol=1e-3)
    assert np.isnan(found.instances.keypoints[1]).all() and (found.instances.visible[1] == 0).all()
    assert found.instances.keypoint_scores is not None and np.isnan(found.instances.keypoint_scores[1]).all()
    full = predictor.predict_labels(whole)[0]
    assert full.instances_3d is not None
    assert float(np.abs(full.instances_3d.keypoints - found.instances_3d.keypoints).max()) > 1


def test_what_a_missing_view_would_show_does_not_change_training(whole: Labels) -> None:
    labels = checked(without(whole, 1, 0))
    data = PoseDataset(labels, (64, 64), Needs(views=True, cameras=True), ImageCache(0.1), PRESETS["none"], 0, True)
    batch = collate([data[0], data[1]])
    losses, slopes = [], []
    for brightness in (0, 200):
        images = batch.images.clone()
        images[0, 1] = brightness
        algorithm = hybridnet(labels).train()
        # Statistics of a batch are of all its images; without them each is for itself.
        for part in algorithm.modules():
            if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                part.eval()
        torch.manual_seed(1)
        each = algorithm.training_losses(batch.with_images(images))
        total = torch.stack(list(each.values())).sum()
        total.backward()
        assert bool(torch.isfinite(total))
        losses.append(float(total.detach()))
        slopes.append(torch.cat([p.grad.flatten() for p in algorithm.parameters() if p.grad is not None]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert bool(torch.isfinite(slopes[0]).all())
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-3, atol=1e-5)


class Truthful(Predictor):
    """Knows the truth of the middle of the balls, and takes a missing view for something far off."""

    def __init__(self, labels: Labels) -> None:
        super().__init__(hybridnet(labels))
        self._truth = labels

    def run_batch(self, frames: list, batch: Batch) -> list:  # type: ignore[override,type-arg]
        raise AssertionError("only labels are located here")

    def predict_labels(self, labels: Labels, cache: ImageCache | None = None) -> Labels:
        frames = []
        for frame in labels:
            points = frame.instances.keypoints
            scores = np.where(np.isnan(points).any(-1), np.nan, 0.9)
            frames.append(replace(frame, instances=Instances.from_keypoints(points, keypoint_scores=scores)))
        return replace(labels, frames=tuple(frames))


def test_a_missing_view_has_no_vote_in_the_locator(whole: Labels) -> None:
    labels = checked(without(whole, 2, 0))
    settings = CropSettings(size=40.0, threshold=0.5)
    locator = NetworkLocator(Truthful(labels), settings, 1.0, "truth")
    boxes = [image.box for image in locator.locate(labels, ImageCache(0.1))[0].images]
    wanted = [image.box for image in locator.locate(whole, ImageCache(0.1))[0].images]
    np.testing.assert_allclose(boxes, wanted, atol=0.5)


def test_boxes_and_rows_of_missing_views_do_not_collide(whole: Labels, tmp_path: Path) -> None:
    labels = checked(without(without(whole, 1, 0), 1, 2))
    boxed = with_label_boxes(labels, CropSettings(size=40.0), [0, 1, 2, 3], 1.0)
    keep_boxes(boxed, tmp_path)
    again = with_table_boxes(labels, [tmp_path / f"bboxes_{view}.csv" for view in VIEWS])
    for frame, other in zip(boxed, again, strict=True):
        for one, two in zip(frame.images, other.images, strict=True):
            if not one.missing:
                np.testing.assert_allclose(one.box, two.box, atol=1e-3)
    rows = to_frame(labels, likelihood=False, split=False, view=1)
    assert rows.index.is_unique and next(iter(rows.index)) == labels[0].name
    assert rows.iloc[0].isna().all() and not rows.iloc[1].isna().any()


def test_views_are_chosen_with_their_cameras(whole: Labels) -> None:
    some = whole.views([2, 0])
    assert some.view_names == (VIEWS[2], VIEWS[0])
    assert [camera.translation.tolist() for camera in some.cameras["walk"]] == [
        rig()[view].translation.tolist() for view in (2, 0)
    ]
    np.testing.assert_array_equal(some.keypoints(), whole.keypoints()[:, [2, 0]])
