"""Terms on unlabelled video against float64 loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vitruve.errors import ConfigError
from vitruve.evaluation.subspace import Subspace, singleview_columns
from vitruve.losses.pca import PcaSingleviewLoss
from vitruve.losses.settings import PcaSingleview, Temporal, TemporalHeatmap, Unimodal
from vitruve.losses.temporal import TemporalLoss
from vitruve.losses.temporal_heatmap import TemporalHeatmapKl, TemporalHeatmapMse
from vitruve.losses.unimodal import UnimodalJs, UnimodalKl, UnimodalMse
from vitruve.losses.unsupervised import WindowPredictions


def _predictions(seed: int = 0, heatmaps: bool = False) -> WindowPredictions:
    generator = torch.Generator().manual_seed(seed)
    keypoints = 60 * torch.rand((2, 5, 1, 3, 2), generator=generator)
    scores = torch.rand((2, 5, 1, 3), generator=generator)
    if not heatmaps:
        return WindowPredictions(keypoints, scores)
    maps = 4 * torch.randn((2, 5, 1, 3, 8, 9), generator=generator)
    return WindowPredictions(keypoints, scores, maps, 7 * torch.rand((2, 5, 1, 3, 2), generator=generator))


def test_the_weight_is_that_of_the_documented_formula() -> None:
    assert TemporalLoss(Temporal(log_weight=11.0), 3).weight == pytest.approx(8.35e-6, rel=1e-3)
    assert TemporalLoss(Temporal(log_weight=0.0), 3).weight == 0.5


@pytest.mark.parametrize("epsilon", [20.0, (5.0, 10.0, 30.0)])
def test_temporal_is_the_motion_beyond_epsilon_between_confident_frames(epsilon: float | tuple[float, ...]) -> None:
    found = _predictions()
    values, limits = [], np.broadcast_to(epsilon, 3)
    for s in range(2):
        for t in range(1, 5):
            for k in range(3):
                moved = math.dist(found.keypoints[s, t, 0, k].tolist(), found.keypoints[s, t - 1, 0, k].tolist())
                sure = min(float(found.scores[s, t, 0, k]), float(found.scores[s, t - 1, 0, k])) >= 0.3
                values.append(max(0.0, moved - limits[k]) if sure else 0.0)
    loss = TemporalLoss(Temporal(epsilon=epsilon, prob_threshold=0.3), 3)
    assert float(loss(found)) == pytest.approx(sum(values) / len(values), rel=1e-5)
    assert sum(values) > 0


def test_temporal_sees_no_jump_between_windows_and_none_in_a_still_one() -> None:
    points = torch.zeros(2, 4, 1, 3, 2)
    points[1] = 500.0
    points.requires_grad_()
    loss = TemporalLoss(Temporal(epsilon=0.0), 3)(WindowPredictions(points, torch.ones(2, 4, 1, 3)))
    loss.backward()
    assert float(loss.detach()) == 0
    assert points.grad is not None and bool(torch.isfinite(points.grad).all())


def test_temporal_wants_one_epsilon_a_keypoint() -> None:
    with pytest.raises(ConfigError, match=r"losses\.temporal\.epsilon: 2 values for 3 keypoints"):
        TemporalLoss(Temporal(epsilon=(1.0, 2.0)), 3)


@pytest.mark.parametrize("centering", [None, "mean"])
def test_pca_is_the_distance_from_the_subspace_beyond_epsilon(centering: str | None) -> None:
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    mean = rng.normal(size=6) * 10
    subspace = Subspace(
        "pca_singleview",
        singleview_columns((0, 1, 2), 1, 3),
        mean,
        basis,
        centering,
        epsilon=4.0,  # type: ignore[arg-type]
    )
    found = _predictions(1)
    loss = PcaSingleviewLoss(PcaSingleview(), subspace)
    expected = []
    for row in found.keypoints.double().numpy().reshape(10, 3, 2):
        pose = (row - row.mean(0) if centering else row).ravel()
        projected = mean + sum(((pose - mean) @ axis) * axis for axis in basis)
        expected += [
            max(0.0, math.dist(a, b) - 4.0) for a, b in zip(pose.reshape(3, 2), projected.reshape(3, 2), strict=True)
        ]
    assert float(loss(found)) == pytest.approx(np.mean(expected), rel=1e-5)
    errors = subspace.errors(found.keypoints.double().numpy().reshape(10, 1, 3, 2))
    assert np.maximum(errors - 4, 0).mean() == pytest.approx(np.mean(expected), rel=1e-6)


def test_pca_pulls_predictions_onto_the_subspace() -> None:
    basis = np.eye(6)[:2]
    subspace = Subspace("pca_singleview", singleview_columns((0, 1, 2), 1, 3), np.zeros(6), basis, epsilon=0.5)
    points = _predictions().keypoints.requires_grad_()
    loss = PcaSingleviewLoss(PcaSingleview(), subspace)
    before = float(loss(WindowPredictions(points, torch.ones(2, 5, 1, 3))).detach())
    optimizer = torch.optim.SGD([points], lr=100.0)
    for _ in range(100):
        optimizer.zero_grad()
        loss(WindowPredictions(points, torch.ones(2, 5, 1, 3))).backward()
        optimizer.step()
    after = float(loss(WindowPredictions(points, torch.ones(2, 5, 1, 3))).detach())
    assert after < 0.1 * before


@pytest.mark.parametrize("kind", [TemporalHeatmapMse, TemporalHeatmapKl])
def test_temporal_heatmaps_are_compared_with_the_frame_before(kind: type[TemporalHeatmapMse]) -> None:
    found = _predictions(heatmaps=True)
    assert found.heatmaps is not None
    maps = found.heatmaps.double().flatten(-2).softmax(-1).numpy()
    values = []
    for s in range(2):
        for t in range(1, 5):
            for k in range(3):
                now, then = maps[s, t, 0, k], maps[s, t - 1, 0, k]
                change = np.mean((now - then) ** 2) if kind is TemporalHeatmapMse else np.sum(then * np.log(then / now))
                sure = min(float(found.scores[s, t, 0, k]), float(found.scores[s, t - 1, 0, k])) >= 0.2
                values.append(max(0.0, change - 0.001) if sure else 0.0)
    loss = kind(TemporalHeatmap(epsilon=0.001, prob_threshold=0.2))
    assert float(loss(found)) == pytest.approx(np.mean(values), rel=1e-4)


@pytest.mark.parametrize("kind", [UnimodalMse, UnimodalKl, UnimodalJs])
def test_unimodal_compares_a_map_with_a_gaussian_at_its_own_keypoint(kind: type[UnimodalMse]) -> None:
    found = _predictions(heatmaps=True)
    assert found.heatmaps is not None and found.in_heatmap is not None
    maps = found.heatmaps.double().flatten(-2).softmax(-1).numpy()
    y, x = (grid.ravel() for grid in np.mgrid[:8, :9])
    values = []
    for place in np.ndindex(2, 5, 1, 3):
        if float(found.scores[place]) < 0.4:
            continue
        px, py = found.in_heatmap[place].tolist()
        target = np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 1.25**2))
        target /= target.sum()
        p = maps[place]
        middle = (p + target) / 2
        values.append(
            {
                UnimodalMse: np.sum((p - target) ** 2),
                UnimodalKl: np.sum(target * np.log(target / p)),
                UnimodalJs: (np.sum(target * np.log(target / middle)) + np.sum(p * np.log(p / middle))) / 2,
            }[kind]
        )
    assert float(kind(Unimodal(prob_threshold=0.4))(found)) == pytest.approx(np.mean(values), rel=1e-4)


def test_unimodal_does_not_move_the_keypoint_it_is_judged_by() -> None:
    found = _predictions(heatmaps=True)
    assert found.in_heatmap is not None and found.heatmaps is not None
    points, maps = found.in_heatmap.requires_grad_(), found.heatmaps.requires_grad_()
    UnimodalMse(Unimodal())(WindowPredictions(found.keypoints, found.scores, maps, points)).backward()
    assert points.grad is None and maps.grad is not None and bool(maps.grad.abs().sum() > 0)
