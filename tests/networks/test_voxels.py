"""Looking up several views at points in space, against one view at a time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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


@pytest.mark.parametrize("side", [24, 40])
def test_nothing_that_grows_with_cameras_and_points_is_kept_or_made(side: int) -> None:
    """The largest tensors are the maps, the result, and what a part of the points needs; the derivative keeps none."""
    maps, _, rig, to_map, _ = _scene()
    maps = maps.requires_grad_()
    points = torch.rand(2, side**3, 3) * 100 - 50
    result = 2 * side**3 * KEYPOINTS
    part = voxels._POINTS_AT_ONCE * 4 * VIEWS * 2
    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    with _Sizes() as made, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        sample_views(maps, torch.ones(2, VIEWS, KEYPOINTS), rig, to_map, points).sum().backward()
    assert made.largest <= max(result, maps.numel(), part)
    assert not kept and maps.grad is not None


class _Sizes(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation gives."""

    largest = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        for each in tree_leaves(found):
            if isinstance(each, torch.Tensor) and each.layout == torch.strided:
                self.largest = max(self.largest, each.untyped_storage().nbytes() // each.element_size())
        return found


def test_a_view_without_weight_does_not_count() -> None:
    maps, weights, *rest = _scene()
    weights[:, 1] = 0
    changed = maps.clone()
    changed[:, 1] = 100.0
    torch.testing.assert_close(sample_views(maps, weights, *rest), sample_views(changed, weights, *rest))
