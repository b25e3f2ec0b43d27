from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smoothing.walks import members, rmse, walk
from vitruve.errors import InputError
from vitruve.formats.anipose import read_calibration
from vitruve.formats.csv_table import read_csv_table
from vitruve.geometry.rotation import matrix_from_vector
from vitruve.geometry.triangulation import reprojection_errors, triangulate, triangulate_robust
from vitruve.smoothing.coverage import INTERVALS
from vitruve.smoothing.ensemble import combine
from vitruve.smoothing.models import Posterior, Search, smooth_calibrated, smooth_linear, smooth_single
from vitruve.structures.camera import Camera, stack_cameras


def _covered(posterior: Posterior, truth: np.ndarray, view: int = 0) -> dict[int, float]:
    away = np.abs(posterior.keypoints[:, view] - truth) / np.sqrt(posterior.variance[:, view])
    return {percent: float((away <= width).mean()) for percent, width in INTERVALS.items()}


@pytest.mark.parametrize(
    ("count", "own", "shared", "step"),
    [(5, 2.0, 0.0, 1.0), (5, 1.5, 1.5, 1.0), (2, 2.0, 0.0, 1.0), (3, 3.0, 0.5, 0.1), (5, 0.5, 0.0, 4.0)],
)
def test_walks_are_found_better_than_by_any_member_and_variances_are_variances(
    count: int, own: float, shared: float, step: float
) -> None:
    truth = walk(1500, 6, step=step)
    drawn = members(truth, count, own, shared)
    ensemble = combine(drawn, None)
    found = smooth_single(ensemble, Search(np.arange(6)))
    error = rmse(found.keypoints[:, 0] - truth)
    assert error < min(rmse(member - truth) for member in drawn)
    assert error < rmse(ensemble.median - truth) * 1.01
    assert error < rmse(ensemble.median - truth) * 0.8 or step > own
    covered = _covered(found, truth)
    assert 0.93 < covered[95] < 0.97
    assert abs(covered[90] - 0.9) < 0.03
    assert abs(covered[50] - 0.5) < 0.06


def test_noise_that_differs_between_frames_is_told_by_the_members() -> None:
    truth = walk(1500, 6)
    loud = np.exp(np.random.default_rng(3).normal(size=(1500, 6, 1)))
    drawn = truth + (members(truth) - truth) * loud
    ensemble = combine(drawn, None)
    found = smooth_single(ensemble, Search(np.arange(6)))
    assert rmse(found.keypoints[:, 0] - truth) < 0.3 * rmse(ensemble.median - truth)
    assert 0.93 < _covered(found, truth)[95] < 0.97


def test_errors_that_last_stay_in_the_variance() -> None:
    truth = walk(200, 40)
    rng = np.random.default_rng(4)
    lasting = rng.normal(size=(5, 1, 40, 2)) * 3
    drawn = truth + lasting + rng.normal(size=(5, *truth.shape)) * 0.1
    found = smooth_single(combine(drawn, None), Search(np.arange(40)))
    # How far five members are apart is known with four degrees of freedom only, so the tails are heavy.
    covered = _covered(found, truth)
    assert 0.4 < covered[50] < 0.6 and 0.8 < covered[95] < 0.98


def test_gaps_are_bridged_with_growing_variance() -> None:
    truth = walk(400, 2)
    drawn = members(truth)
    drawn[:, 100:140, 0] = np.nan
    drawn[1:, 200, 0] = np.nan
    found = smooth_single(combine(drawn, None), Search(np.arange(2)))
    assert np.isfinite(found.keypoints).all() and np.isfinite(found.variance).all()
    middle = found.variance[[90, 101, 120], 0, 0, 0]
    assert middle[0] < middle[1] < middle[2]
    assert np.abs(found.keypoints[100:140, 0, 0] - truth[100:140, 0]).max() < 25


def test_a_keypoint_that_is_never_seen_stays_missing_and_two_frames_are_enough() -> None:
    for frames in (2, 100):
        drawn = members(walk(frames, 3))
        drawn[:, :, 1] = np.nan
        found = smooth_single(combine(drawn, None), Search(np.arange(3)))
        assert np.isnan(found.keypoints[:, :, 1]).all() and np.isnan(found.variance[:, :, 1]).all()
        assert np.isfinite(found.keypoints[:, :, [0, 2]]).all() and (found.variance[:, :, [0, 2]] > 0).all()


def _rig(views: int = 3) -> Camera:
    rng = np.random.default_rng(0)
    cameras = []
    for view in range(views):
        turn = matrix_from_vector(np.array([0.0, 1.2 * view, 0.0])) @ matrix_from_vector(rng.normal(size=3) * 0.2)
        matrix = np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]])
        lens = np.array([-0.2, 0.05, 0.001, 0.001, 0, 0, 0, 0])
        cameras.append(Camera(matrix, turn, np.array([0, 0, 900.0]), lens, np.array([640.0, 480.0])))
    return stack_cameras(tuple(cameras))


def test_calibrated_cameras_give_points_with_variances() -> None:
    cameras = _rig()
    truth = walk(800, 4, dims=3) - 200
    pixels = cameras.project(truth[:, None])
    drawn = members(pixels, 4)
    drawn[:, 300:310, 0] = np.nan
    drawn[:, 320, :2, 1] = np.nan
    ensembles = [combine(drawn[:, :, view], None) for view in range(3)]
    found = smooth_calibrated(ensembles, cameras, Search(np.arange(4)))
    assert found.points is not None and found.points_variance is not None
    single = triangulate(cameras, np.stack([item.median for item in ensembles], 1))
    assert rmse(found.points - truth) < 0.75 * rmse(single - truth)
    away = np.abs(found.points - truth) / np.sqrt(found.points_variance)
    assert 0.93 < (away < INTERVALS[95]).mean() < 0.97
    assert 0.93 < _covered(found, pixels[:, 1], 1)[95] < 0.97
    assert found.points_variance[320, 1].sum() > 1.5 * found.points_variance[340, 1].sum()


def test_a_keypoint_that_one_camera_alone_sees_is_missing() -> None:
    cameras = _rig()
    pixels = cameras.project((walk(60, 2, dims=3) - 200)[:, None])
    drawn = members(pixels, 3)
    drawn[:, :, 1:, 1] = np.nan
    found = smooth_calibrated([combine(drawn[:, :, view], None) for view in range(3)], cameras, Search(np.arange(2)))
    assert found.points is not None
    assert np.isnan(found.points[:, 1]).all() and np.isnan(found.variance[:, :, 1]).all()
    assert np.isfinite(found.points[:, 0]).all()


def test_views_belong_together_by_what_is_learned_of_them() -> None:
    rng = np.random.default_rng(5)
    space = walk(800, 4, dims=3) - 200
    pixels = np.einsum("vij,tkj->tvki", rng.normal(size=(3, 2, 3)), space) + 300
    drawn = members(pixels, 4, own=4)
    ensembles = [combine(drawn[:, :, view], None) for view in range(3)]
    found = smooth_linear(ensembles, ("a", "b", "c", "d"), Search(np.arange(4)))
    alone = [smooth_single(item, Search(np.arange(4))) for item in ensembles]
    for view in range(3):
        assert rmse(found.keypoints[:, view] - pixels[:, view]) < rmse(alone[view].keypoints[:, 0] - pixels[:, view])
        assert 0.92 < _covered(found, pixels[:, view], view)[95] < 0.98
    drawn[:, 5:, 1, 2] = np.nan
    with pytest.raises(InputError, match="'c': all views see it in 5 frames"):
        smooth_linear([combine(drawn[:, :, v], None) for v in range(3)], ("a", "b", "c", "d"), Search(np.arange(4)))


def test_the_fly_is_smoother_and_fits_its_views_no_worse_than_robust_triangulation(data_dir: Path) -> None:
    folder = data_dir / "eks_fly"
    calibration = read_calibration(folder / "calibration.toml")
    cameras = stack_cameras(tuple(calibration.values()))
    ensembles = []
    for name in calibration:
        tables = [read_csv_table(file) for file in sorted(folder.glob(f"*{name}*.csv"))]
        keypoints, scores = (np.stack([getattr(t, key)[:, 0] for t in tables]) for key in ("keypoints", "scores"))
        ensembles.append(combine(keypoints, scores))
    pixels = np.stack([item.median for item in ensembles], 1)
    found = smooth_calibrated(ensembles, cameras, Search(np.arange(12)))
    assert found.points is not None
    errors = reprojection_errors(cameras, found.points, pixels)

    def jerk(points: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(points, n=3, axis=0), axis=-1).mean())

    for loss in ("cauchy", "huber"):
        robust = triangulate_robust(cameras, pixels, loss=loss)
        others = reprojection_errors(cameras, robust, pixels)
        assert errors.mean() <= others.mean() and np.median(errors) <= np.median(others)
        assert jerk(found.points) < jerk(robust) / 2
