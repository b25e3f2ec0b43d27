from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from calibrated_scene import points_in_space, rig, seen
from vitruve.losses.pairwise_projections import pairwise_projections
from vitruve.losses.reprojection import reprojection_heatmap_mse
from vitruve.losses.view_pairs import precise, triangulated_pairs
from vitruve.structures.camera import Camera, stack_cameras

COUNT, VIEWS, JOINTS = 5, 3, 4
SIZE = (24, 20)


def _cameras() -> Camera:
    stacked = stack_cameras(rig())
    return stacked.map(lambda array: torch.from_numpy(np.broadcast_to(array, (COUNT, *array.shape)).copy()).float())


def _truth() -> tuple[torch.Tensor, torch.Tensor]:
    """Points in space and in pixels."""
    space = points_in_space(COUNT)
    return torch.from_numpy(space).float(), torch.from_numpy(seen(space, rig())).float()


def _known() -> torch.Tensor:
    return torch.ones(COUNT, VIEWS, JOINTS, dtype=torch.bool)


def _render(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gaussians on maps of a quarter of the image's size, without the codec."""
    places = points / 4
    x, y = torch.arange(SIZE[0]), torch.arange(SIZE[1])
    inside = ((places >= 0) & (places <= torch.tensor(SIZE) - 1)).all(-1)
    places = torch.where(inside[..., None], places, 0.0)
    across, down = (torch.exp(-((axis - places[..., i, None]) ** 2) / 2) for i, axis in enumerate((x, y)))
    maps = down[..., :, None] * across[..., None, :]
    return torch.where(inside[..., None, None], maps / maps.sum((-2, -1), keepdim=True), 0.0), inside


def _rays_meet(points: np.ndarray) -> np.ndarray:
    """Slow reference, float64: undistort by iteration, then where two rays come closest to both, per pair of views."""
    result = []
    for one, two in combinations(range(VIEWS), 2):
        centers, directions = [], []
        for view in (one, two):
            camera = rig()[view]
            target = np.linalg.solve(camera.intrinsics, [*points[view], 1.0])[:2]
            plane = target.copy()
            for _ in range(200):
                single = Camera(
                    np.eye(3)[None], np.eye(3)[None], np.zeros((1, 3)), camera.distortion[None], camera.size[None]
                )
                plane = plane - (single.project(np.array([[[*plane, 1.0]]]))[0, 0] - target)
            centers.append(-camera.rotation.T @ camera.translation)
            directions.append(camera.rotation.T @ [*plane, 1.0])
        rows, sides = [], []
        for center, direction in zip(centers, directions, strict=True):
            off = np.eye(3) - np.outer(direction, direction) / (direction @ direction)
            rows.append(off)
            sides.append(off @ center)
        result.append(np.linalg.lstsq(np.concatenate(rows), np.concatenate(sides), rcond=None)[0])
    return np.stack(result)


def test_each_pair_of_views_gives_the_point_where_its_rays_meet() -> None:
    _, pixels = _truth()
    shaken = pixels + torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
    found, there = triangulated_pairs(shaken, precise(_cameras()), _known())
    assert found.shape == (COUNT, 3, JOINTS, 3) and bool(there.all())
    for b, k in ((0, 0), (3, 2)):
        # Two ways to weigh the distance to both rays, equal where the cameras are as far away.
        np.testing.assert_allclose(found[b, :, k], _rays_meet(shaken[b, :, k].double().numpy()), atol=0.2)


def test_exact_predictions_cost_nothing() -> None:
    space, pixels = _truth()
    assert float(pairwise_projections(pixels, _cameras(), _known(), space)) < 1e-3
    targets, inside = _render(pixels)
    assert bool(inside.all())
    assert float(reprojection_heatmap_mse(pixels, _cameras(), _known(), _render, targets)) < 1e-9


def test_pairwise_distance_is_in_the_unit_of_the_calibration() -> None:
    space, pixels = _truth()
    away = torch.tensor([3.0, -4.0, 12.0])
    loss = float(pairwise_projections(pixels, _cameras(), _known(), space + away))
    assert loss == pytest.approx(13.0, abs=1e-3)


def test_reprojection_is_the_difference_of_maps() -> None:
    """A scene that is shifted as a whole triangulates and projects back onto itself."""
    space, pixels = _truth()
    moved = torch.from_numpy(seen((space + torch.tensor([4.0, 2.0, 0.0])).numpy(), rig())).float()
    targets, shifted = _render(pixels)[0], _render(moved)[0]
    wanted = (targets - shifted).square().sum((-2, -1)).mean()
    found = reprojection_heatmap_mse(moved, _cameras(), _known(), _render, targets)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-3)


def test_only_views_that_have_the_label_count() -> None:
    space, pixels = _truth()
    wrong, known = pixels.clone(), _known()
    wrong[0, 1] += 15
    known[0, 1] = False
    known[2, 0], known[2, 1] = False, False  # one view is left: nothing to triangulate
    truth = space.clone()
    truth[2] = torch.nan
    assert float(pairwise_projections(wrong, _cameras(), known, truth)) < 1e-3
    assert float(reprojection_heatmap_mse(wrong, _cameras(), known, _render, _render(pixels)[0])) < 1e-9
    nothing = torch.zeros_like(known)
    assert float(pairwise_projections(wrong, _cameras(), nothing, truth)) == 0
    assert float(reprojection_heatmap_mse(wrong, _cameras(), nothing, _render, _render(pixels)[0])) == 0


@pytest.mark.parametrize("term", ["pairwise", "reprojection"])
def test_gradients_lead_to_the_truth_and_stay_finite(term: str) -> None:
    space, pixels = _truth()
    targets = _render(pixels)[0]

    def loss(points: torch.Tensor) -> torch.Tensor:
        if term == "pairwise":
            return pairwise_projections(points, _cameras(), _known(), space)
        return reprojection_heatmap_mse(points, _cameras(), _known(), _render, targets)

    start = pixels + 3 * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(1))
    points = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([points], lr=0.4)
    first = float(loss(points).detach())
    for _ in range(25):
        optimizer.zero_grad()
        loss(points).backward()
        assert points.grad is not None and bool(points.grad.isfinite().all())
        optimizer.step()
    assert float(loss(points).detach()) < 0.4 * first


@pytest.mark.parametrize("term", ["pairwise", "reprojection"])
def test_points_that_no_lens_sees_do_not_spoil_the_others(term: str) -> None:
    space, pixels = _truth()
    points = pixels + 1.0
    points[0, 0, 0] = 1e6
    points[1, 1, 1] = -1e5
    points[2, 2, 2] = torch.nan
    points[3, :, 3] = torch.tensor([[500.0, 40.0], [-400.0, 40.0], [47.0, 900.0]])
    points.requires_grad_()
    if term == "pairwise":
        value = pairwise_projections(points, _cameras(), _known(), space)
    else:
        value = reprojection_heatmap_mse(points, _cameras(), _known(), _render, _render(pixels)[0])
    value.backward()
    assert bool(value.isfinite()) and points.grad is not None and bool(points.grad.isfinite().all())
    assert bool((points.grad[4].abs().sum((-2, -1)) > 0).all())
