from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibrated_scene import SIZE, points_in_space, rig, scene_labels, seen
from vitruve.algorithms.base import Needs
from vitruve.data.augment import PRESETS, Augmentation
from vitruve.data.dataset import Pick, PoseDataset, Sample, collate
from vitruve.data.images import ImageCache
from vitruve.data.scenes import Scenes
from vitruve.formats.anipose import read_calibration
from vitruve.formats.hub import read_labels
from vitruve.structures.instances import apply_matrix
from vitruve.structures.labels import Labels

NEEDS = Needs(views=True)


class Blank(ImageCache):
    """Grey images: what is tested here is where points are, not what is seen there."""

    def __init__(self) -> None:
        super().__init__(0)

    def read(self, labels: Labels, image: object) -> np.ndarray:
        return np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)


def _sample(
    labels: Labels, index: int, epoch: int = 0, preset: str = "dlc", needs: Needs = NEEDS, **more: bool
) -> Sample:
    data = PoseDataset(labels, (64, 64), needs, Blank(), PRESETS[preset], 3, **more)
    return data[Pick(epoch, index)]


def test_labels_become_the_points_they_are_projections_of() -> None:
    labels = scene_labels(5, sessions=("walk", "run"))
    scenes = Scenes(labels)
    for index, points in enumerate(points_in_space(5)):
        np.testing.assert_allclose(scenes.truth(index).keypoints[0], points, atol=1e-3)


def test_moved_views_are_what_the_cameras_see_of_the_moved_scene() -> None:
    """A similarity follows perspective and lens within the pixels that a least-squares fit leaves over."""
    labels, truth = scene_labels(20), points_in_space(20)
    scenes, shifts, scales = Scenes(labels), [], []
    for index in range(20):
        rng = np.random.default_rng(index)
        matrices = scenes.moved(index, rng)
        draws = np.random.default_rng(index)
        scale, direction = draws.uniform(0.8, 1.2), draws.uniform(-1, 1, 3)
        middle, extent = np.median(truth[index], 0), np.ptp(truth[index], 0)
        there = middle + scale * (truth[index] - middle) + 0.25 * extent * direction
        wanted = seen(there[None], rig())[0]
        before = seen(truth[[index]], rig())[0]
        for matrix, points, goal in zip(matrices, before, wanted, strict=True):
            error = apply_matrix(matrix, points[None])[0] - goal
            unmoved = np.sqrt(((points - goal) ** 2).sum(-1).mean())
            assert np.sqrt((error**2).sum(-1).mean()) < 0.15 * unmoved + 0.7
            # What is left over is orthogonal to every shift: no better one exists.
            np.testing.assert_allclose(error.mean(0), 0, atol=2e-3)
            shifts.append(goal.mean(0) - points.mean(0))
            scales.append(np.sqrt(np.linalg.det(matrix[:2, :2])))
    assert 0.7 < min(scales) < 0.9 and 1.1 < max(scales) < 1.4
    assert np.abs(shifts).max() > 3


def test_a_real_calibration(data_dir: Path) -> None:
    """Three cameras with long lenses, whose picture of a moved scene a similarity nearly gives (predicted points)."""
    cameras = read_calibration(data_dir / "eks_fly" / "calibration.toml")
    tables = [next((data_dir / "eks_fly").glob(f"*{name}*rng=0.csv")) for name in cameras]
    labels = read_labels(tables, view_names=tuple(cameras))[::25]
    labels = replace(labels, cameras={frame.session: tuple(cameras.values()) for frame in labels})
    scenes = Scenes(labels)
    for index in range(len(labels)):
        matrices, draws = scenes.moved(index, np.random.default_rng(index)), np.random.default_rng(index)
        scale, direction = draws.uniform(0.8, 1.2), draws.uniform(-1, 1, 3)
        points = scenes.truth(index).keypoints[0].astype(np.float64)
        points = points[np.isfinite(points).all(-1)]
        middle = np.median(points, 0)
        there = middle + scale * (points - middle) + 0.25 * np.ptp(points, 0) * direction
        for camera, matrix in zip(cameras.values(), matrices, strict=True):
            found = apply_matrix(matrix, camera.project(points)[None])[0]
            assert np.abs(found - camera.project(there)).max() < 0.5
            assert abs(np.sqrt(np.linalg.det(matrix[:2, :2])) - scale) < 0.02


def test_too_few_points_leave_all_views_as_they_are() -> None:
    labels = scene_labels(2)
    frame = labels[0]
    keypoints = frame.instances.keypoints.copy()
    keypoints[0, :, 0] = keypoints[1:, :, 1] = np.nan  # keypoint 1 is left in one view; 0 in two
    keypoints[1, :, 2] = keypoints[2, :, 2] = np.nan
    lost = replace(frame.instances, keypoints=keypoints, visible=np.where(np.isnan(keypoints[..., 0]), 0, 2))
    labels = replace(labels, frames=(replace(frame, instances=lost), labels[1]))
    scenes = Scenes(labels)
    known = np.isfinite(scenes.truth(0).keypoints[0]).all(-1)
    assert known.tolist() == [True, False, False, True]
    assert all(np.array_equal(matrix, np.eye(3)) for matrix in scenes.moved(0, np.random.default_rng(0)))
    assert not any(np.array_equal(matrix, np.eye(3)) for matrix in scenes.moved(1, np.random.default_rng(0)))


def test_a_moved_sample_keeps_truth_and_cameras_of_the_original_scene() -> None:
    """One matrix undoes it all, so losses in pixels and in space need not know of it."""
    labels = scene_labels(6)
    batch = collate([_sample(labels, index, move_scenes=True) for index in range(6)])
    plain = collate([_sample(labels, index, preset="none") for index in range(6)])
    assert batch.truth is not None and plain.truth is not None and batch.truth_3d is not None
    np.testing.assert_array_equal(batch.truth.keypoints, plain.truth.keypoints)
    np.testing.assert_allclose(batch.truth_3d.keypoints[:, 0], points_in_space(6), atol=1e-3)
    assert batch.cameras is not None
    again = batch.cameras.project(batch.truth_3d.keypoints)
    np.testing.assert_allclose(again, batch.truth.keypoints[:, :, 0], atol=1e-2)
    moved = np.abs((batch.to_image - plain.to_image).numpy()).max((-1, -2))
    assert (moved > 1e-3).all()
    in_input = batch.truth_in_input
    assert in_input is not None
    back = in_input.transformed(batch.to_image).keypoints
    np.testing.assert_allclose(back, plain.truth.keypoints, atol=1e-2)


def test_a_scene_moves_in_place_of_its_single_views() -> None:
    labels = scene_labels(8)
    both = [_sample(labels, i, move_scenes=True).to_image for i in range(8)]
    for one in both:
        turn = np.abs(np.arctan2(one[:, 1, 0] * 64 / 80, one[:, 0, 0] * 64 / 96))
        assert (turn < np.radians(4)).all()  # the cameras turn nothing; dlc turns by up to 25 degrees
    assert np.ptp([matrix[0, 0, 2] for matrix in both]) > 2


@pytest.mark.parametrize("case", ["none", "off", "uncalibrated", "one by one"])
def test_where_no_scene_moves(case: str) -> None:
    labels = scene_labels(4, calibrated=case != "uncalibrated")
    needs = Needs() if case == "one by one" else NEEDS
    preset = "none" if case == "none" else "dlc-mv"
    sample = _sample(labels, 1, preset=preset, needs=needs, move_scenes=case != "off")
    plain = _sample(labels, 1, preset="none", needs=needs)
    np.testing.assert_array_equal(sample.to_image, plain.to_image)
    assert (sample.cameras is None) == (case in ("uncalibrated", "one by one"))


def test_a_draw_depends_on_epoch_and_frame_alone() -> None:
    labels = scene_labels(4)
    first, again = (_sample(labels, 2, 7, move_scenes=True).to_image for _ in range(2))
    other = _sample(labels, 2, 8, move_scenes=True).to_image
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_dlc_mv_changes_only_the_look() -> None:
    mv = PRESETS["dlc-mv"]
    assert (mv.rotate, mv.crop_pad, mv.elastic, mv.hflip, mv.quarter_turns) == (0, 0, 0, 0, ())
    assert replace(mv, rotate=0.4, crop_pad=0.4, elastic=0.5) == PRESETS["dlc"]
    assert mv != Augmentation()
