"""What the maps of several calibrated views say about points in space."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float

from vitruve.structures.camera import Camera
from vitruve.structures.instances import apply_matrix

# Points that are looked up together: memory is bounded whatever the size of the grid.
_POINTS_AT_ONCE = 16_384


def sample_views(
    maps: Float[torch.Tensor, "B V K h w"],
    weights: Float[torch.Tensor, "B V K"],
    cameras: Camera,
    to_map: Float[torch.Tensor, "B V 3 3"],
    points: Float[torch.Tensor, "B N 3"],
) -> Float[torch.Tensor, "B K N"]:
    """The weighted mean over the views of each map where points in space appear in it, between its pixels bilinearly.

    One lookup sums over pixels and views at once, so no view's values are ever held for themselves (JARVIS holds all of
    them). Outside a map, and behind a camera, its value is 0.

    Args:
        maps: One map a keypoint and view.
        weights: How much each view counts for each keypoint, from 0; they need not add up to one.
        cameras: ``(B, V)`` calibrated cameras.
        to_map: From original pixels to pixels of the maps.
        points: In millimetres.

    Returns:
        A value a keypoint and point.
    """
    share = weights / weights.sum(1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    height, width = maps.shape[-2:]
    # A row a pixel, so that one access brings all keypoints.
    tables = (maps * share[..., None, None]).float().permute(0, 1, 3, 4, 2).flatten(1, 3)
    found = []
    for number, table in enumerate(tables):
        rig, matrix = cameras[number], to_map[number]
        parts = torch.split(points[number], _POINTS_AT_ONCE)
        found.append(torch.cat([_looked_up(table, rig, matrix, part, (width, height)) for part in parts]))
    return torch.stack(found).transpose(1, 2)


def _looked_up(
    table: Float[torch.Tensor, "_ K"],
    cameras: Camera,
    to_map: Float[torch.Tensor, "V 3 3"],
    points: Float[torch.Tensor, "n 3"],
    size: tuple[int, int],
) -> Float[torch.Tensor, "n K"]:
    width, height = size
    places = apply_matrix(to_map, cameras.project(points[None])[:, None])[:, 0]
    # Far away is as good as nowhere, and fits an integer.
    places = torch.nan_to_num(places, nan=-9.0).clamp(-9.0, max(size) + 9.0)
    corner = places.floor()
    beyond = places - corner
    first = (torch.arange(len(places), device=points.device) * (width * height))[:, None]
    rows, amounts = [], []
    for dy in (0, 1):
        for dx in (0, 1):
            x, y = corner[..., 0] + dx, corner[..., 1] + dy
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            part_x = beyond[..., 0] if dx else 1 - beyond[..., 0]
            part_y = beyond[..., 1] if dy else 1 - beyond[..., 1]
            amounts.append(part_x * part_y * inside)
            rows.append((first + y * width + x).where(inside, 0).int())
    bags, shares = (torch.cat(each).T.contiguous() for each in (rows, amounts))
    return F.embedding_bag(bags, table, mode="sum", per_sample_weights=shares)
