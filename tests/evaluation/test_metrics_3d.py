"""Metrics in space against loops over plain numbers."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from vitruve.evaluation.metrics_3d import (
    THRESHOLDS_MM,
    bone_lengths,
    bone_variation,
    errors_3d,
    figures_3d,
    pck3d_curve,
    per_camera_count,
    per_keypoint_3d,
    reprojection_figures,
)

NAMES = ("nose", "neck", "tail")
EDGES = ((0, 1), (1, 2))


@pytest.fixture(scope="module")
def points() -> tuple[np.ndarray, np.ndarray]:
    """Predictions and truth with missing points of every kind."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(-50, 50, (40, 3, 3))
    predicted = truth + rng.normal(0, 4, truth.shape)
    truth[rng.random((40, 3)) < 0.2] = np.nan
    predicted[rng.random((40, 3)) < 0.2] = np.nan
    predicted[3, 1, 2] = np.nan  # one coordinate is enough to miss a point
    return predicted, truth


def slow_errors(predicted: np.ndarray, truth: np.ndarray) -> list[tuple[int, int, float]]:
    """Frameset, keypoint and error of every true point, one by one."""
    found = []
    for t in range(len(truth)):
        for k in range(truth.shape[1]):
            p, q = predicted[t, k].tolist(), truth[t, k].tolist()
            if not any(math.isnan(value) for value in q):
                found.append((t, k, math.inf if any(math.isnan(value) for value in p) else math.dist(p, q)))
    return found


def test_errors_and_what_they_amount_to(points: tuple[np.ndarray, np.ndarray]) -> None:
    wanted = slow_errors(*points)
    errors = errors_3d(*points)
    assert {(t, k) for t, k, _ in wanted} == {(int(t), int(k)) for t, k in np.argwhere(~np.isnan(errors))}
    assert all(errors[t, k] == pytest.approx(value, rel=1e-12) for t, k, value in wanted)
    found = sorted(value for _, _, value in wanted if math.isfinite(value))
    figures = figures_3d(errors)
    assert figures["keypoints"] == len(wanted) and figures["missed"] == len(wanted) - len(found) > 0
    assert figures["mpjpe_mm"] == pytest.approx(statistics.fmean(found))
    assert figures["median_mm"] == pytest.approx(statistics.median(found))
    for limit in THRESHOLDS_MM:
        share = 100 * sum(value <= limit for _, _, value in wanted) / len(wanted)
        assert figures[f"pck3d_{limit:g}mm_percent"] == pytest.approx(share)
    assert figures["p90_mm"] == pytest.approx(np.percentile(found, 90))


def test_a_missed_keypoint_never_improves_a_share(points: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = points
    worse = predicted.copy()
    worse[:20] = np.nan
    before, after = (figures_3d(errors_3d(each, truth)) for each in (predicted, worse))
    assert before["keypoints"] == after["keypoints"] and after["missed"] > before["missed"]
    assert all(after[f"pck3d_{limit:g}mm_percent"] < before[f"pck3d_{limit:g}mm_percent"] for limit in (5.0, 20.0))


def test_nothing_gives_nan_and_no_warning() -> None:
    nothing = np.full((4, 3, 3), np.nan)
    figures = figures_3d(errors_3d(nothing, nothing))
    assert figures["keypoints"] == 0 and math.isnan(figures["mpjpe_mm"]) and math.isnan(figures["pck3d_5mm_percent"])
    assert np.isnan(pck3d_curve(errors_3d(nothing, nothing), [1.0, 2.0])["share"]).all()
    assert len(per_camera_count(errors_3d(nothing, nothing), np.zeros((4, 3), int))) == 0
    assert bone_variation(nothing, EDGES, NAMES)["coefficient"].isna().all()
    assert np.isnan(reprojection_figures(np.full((4, 2, 3), np.nan), ("a", "b"))["median_px"]).all()
    assert len(bone_variation(nothing, (), NAMES)) == 0
    # All missed: the truth counts, and no error is made up.
    missed = figures_3d(errors_3d(nothing, np.zeros((4, 3, 3))))
    assert missed["missed"] == 12 and missed["pck3d_20mm_percent"] == 0 and math.isnan(missed["mpjpe_mm"])


def test_the_curve_is_the_share_within_each_distance(points: tuple[np.ndarray, np.ndarray]) -> None:
    values = [value for _, _, value in slow_errors(*points)]
    limits = [0.0, 1.5, 4.0, 9.0, 1000.0]
    curve = pck3d_curve(errors_3d(*points), limits)
    assert curve["share"].tolist() == pytest.approx([sum(v <= x for v in values) / len(values) for x in limits])
    assert curve["share"].iloc[-1] < 1  # the missed ones are within no distance
    # At its very value an error is within.
    assert pck3d_curve(np.array([2.0, 3.0]), [2.0])["share"].tolist() == [0.5]


def test_rows_of_keypoints_and_of_camera_counts(points: tuple[np.ndarray, np.ndarray]) -> None:
    errors, wanted = errors_3d(*points), slow_errors(*points)
    table = per_keypoint_3d(errors, NAMES).set_index("keypoint")
    for k, name in enumerate(NAMES):
        mine = [value for _, number, value in wanted if number == k and math.isfinite(value)]
        assert table.loc[name, "mpjpe_mm"] == pytest.approx(statistics.fmean(mine))
    cameras = np.arange(120).reshape(40, 3) % 4 + 2
    rows = per_camera_count(errors, cameras).set_index("cameras")
    assert rows.index.tolist() == [2, 3, 4, 5]
    for count in rows.index:
        mine = [value for t, k, value in wanted if cameras[t, k] == count]
        assert rows.loc[count, "keypoints"] == len(mine)
        assert rows.loc[count, "mpjpe_mm"] == pytest.approx(statistics.fmean(v for v in mine if math.isfinite(v)))


def test_reprojection_is_listed_by_view() -> None:
    errors = np.random.default_rng(1).uniform(0, 9, (5, 3, 4))
    errors[0, 1] = np.nan
    table = reprojection_figures(errors, ("a", "b", "c")).set_index("view")
    flat = [value for value in errors[:, 1].ravel().tolist() if not math.isnan(value)]
    assert table.loc["b", "points"] == len(flat) == 16
    assert table.loc["b", "median_px"] == pytest.approx(statistics.median(flat))
    assert table.loc["all", "points"] == 56 and table.loc["all", "mean_px"] == pytest.approx(np.nanmean(errors))


def test_a_stiff_body_has_constant_bones_and_noise_shows() -> None:
    rng = np.random.default_rng(2)
    body = np.array([[0.0, 0, 0], [30, 0, 0], [30, 40, 0]])
    turns = np.linalg.qr(rng.normal(size=(60, 3, 3)))[0]
    moved = body @ turns + rng.uniform(-200, 200, (60, 1, 3))
    np.testing.assert_allclose(bone_lengths(moved, EDGES), np.tile([30.0, 40.0], (60, 1)), atol=1e-9)
    noisy = moved + rng.normal(0, 2, moved.shape)
    noisy[7, 0] = np.nan
    table = bone_variation(noisy, EDGES, NAMES).set_index("bone")
    lengths = [math.dist(a, b) for a, b in zip(noisy[:, 0].tolist(), noisy[:, 1].tolist(), strict=True)]
    lengths = [value for value in lengths if not math.isnan(value)]
    row = table.loc["nose - neck"]
    assert row["count"] == 59
    assert row["mean_mm"] == pytest.approx(statistics.fmean(lengths))
    assert row["std_mm"] == pytest.approx(statistics.stdev(lengths))
    assert row["coefficient"] == pytest.approx(statistics.stdev(lengths) / statistics.fmean(lengths))
    assert bone_variation(moved, EDGES, NAMES)["coefficient"].max() < 1e-9
