"""Looking up several views at points in space, against one view at a time."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from vitruve.networks import voxels
from vitruve.networks.voxels import sample_views
from vitruve.structures.camera import Camera
from vitruve.structures.instances import apply_matrix

VIEWS, KEYPOINTS, WIDTH, HEIGHT = 4, 3, 24, 20


def _rig(count: int) -> Camera:
    turns, shifts = [], []
    for view in range(VIEWS):
        c, s = math.cos(1.3 * view), math.sin(1.3 * view)
        turns.append([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        shifts.append([0, 0, 400.0])
    lens = [-0.2, 0.05, 0.001, -0.002, 0, 0, 0, 0]
    values = {
        "intrinsics": [[300.0, 0, 160], [0, 310.0, 120], [0, 0, 1]],
        "distortion": lens,
        "size": [320.0, 240.0],
    }
    shared = {k: torch.tensor(v).expand(count, VIEWS, *torch.tensor(v).shape).contiguous() for k, v in values.items()}
    return Camera(
        rotation=torch.tensor(turns).expand(count, -1, -1, -1),
        translation=torch.tensor(shifts).expand(count, -1, -1),
        **shared,
    )


def _crops(count: int) -> torch.Tensor:
    """The maps show the middle of the images, a quarter as large."""
    one = torch.tensor([[0.25, 0, -28.0], [0, 0.25, -20.0], [0, 0, 1]])
    return one.expand(count, VIEWS, 3, 3).contiguous()


def _one_by_one(
    maps: torch.Tensor, weights: torch.Tensor, cameras: Camera, to_map: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """Every view's values, and then their mean."""
    places = apply_matrix(to_map, cameras.project(points[:, None])[:, :, None])[:, :, 0]
    inside = (places + 0.5) / torch.tensor([WIDTH, HEIGHT]) * 2 - 1
    inside = torch.nan_to_num(inside, nan=-9.0)
    values = F.grid_sample(maps.flatten(0, 1), inside.flatten(0, 1)[:, None], align_corners=False)[:, :, 0]
    values = values.unflatten(0, maps.shape[:2])
    share = weights / weights.sum(1, keepdim=True)
    return (values * share[..., None]).sum(1)


def _scene() -> tuple[torch.Tensor, torch.Tensor, Camera, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    maps = torch.rand(2, VIEWS, KEYPOINTS, HEIGHT, WIDTH)
    points = (torch.rand(2, 500, 3) - 0.5) * 120
    points[0, 0] = torch.tensor([0.0, 0.0, -4000.0])  # behind the first camera
    return maps, torch.rand(2, VIEWS, KEYPOINTS), _rig(2), _crops(2), points


def test_it_is_the_weighted_mean_of_every_view_looked_up_alone() -> None:
    scene = _scene()
    torch.testing.assert_close(sample_views(*scene), _one_by_one(*scene), atol=1e-5, rtol=0)


def test_equal_weights_give_the_plain_mean() -> None:
    maps, weights, *rest = _scene()
    equal = torch.full_like(weights, 0.3)
    torch.testing.assert_close(
        sample_views(maps, equal, *rest), _one_by_one(maps, torch.ones_like(weights), *rest), atol=1e-5, rtol=0
    )


def test_the_points_may_be_looked_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _scene()
    whole = sample_views(*scene)
    monkeypatch.setattr(voxels, "_POINTS_AT_ONCE", 77)
    torch.testing.assert_close(sample_views(*scene), whole)


def test_the_maps_learn_from_the_points() -> None:
    maps, *rest = _scene()
    found = []
    for way in (sample_views, _one_by_one):
        leaf = maps.clone().requires_grad_()
        way(leaf, *rest).square().sum().backward()
        found.append(leaf.grad)
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_a_view_without_weight_does_not_count() -> None:
    maps, weights, *rest = _scene()
    weights[:, 1] = 0
    changed = maps.clone()
    changed[:, 1] = 100.0
    torch.testing.assert_close(sample_views(maps, weights, *rest), sample_views(changed, weights, *rest))
