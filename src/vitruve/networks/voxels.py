"""What the maps of several calibrated views say about points in space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch.autograd.function import once_differentiable

from vitruve.structures.camera import Camera
from vitruve.structures.instances import apply_matrix

# Points that are looked up together: memory is bounded whatever the size of the grid. Accelerators take more at once.
_POINTS_AT_ONCE = 2_048
_ON_ACCELERATORS = 8


def sample_views(
    maps: Float[torch.Tensor, "B V K h w"],
    weights: Float[torch.Tensor, "B V K"],
    cameras: Camera,
    to_map: Float[torch.Tensor, "B V 3 3"],
    points: Float[torch.Tensor, "B N 3"],
) -> Float[torch.Tensor, "B K N"]:
    """The weighted mean over the views of each map where points in space appear in it, between its pixels bilinearly.

    One lookup sums over pixels and views at once, so no view's values are ever held for themselves (JARVIS holds all of
    them). Outside a map, and behind a camera, its value is 0. Only the maps learn from it.

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
    found: torch.Tensor = _Lookup.apply(maps, share, cameras, to_map, points)  # type: ignore[no-untyped-call]
    return found.transpose(1, 2)


class _Lookup(torch.autograd.Function):
    """Sums of pixels. Where they lie is found again for the derivative: kept, it would outweigh the grid."""

    @staticmethod
    def forward(
        ctx: Any,
        maps: torch.Tensor,
        share: torch.Tensor,
        cameras: Camera,
        to_map: torch.Tensor,
        points: torch.Tensor,
    ) -> torch.Tensor:
        ctx.share, ctx.places = share, (cameras, to_map, points, maps.shape[-2:])
        # A row a pixel, so that one access brings all keypoints.
        pixels = maps.permute(0, 1, 3, 4, 2).to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        table = pixels.mul_(share[:, :, None, None]).flatten(1, 3)
        found = table.new_empty(*points.shape[:2], maps.shape[2])
        for number, part, rows, amounts in _parts(*ctx.places):
            found[number, part] = F.embedding_bag(rows, table[number], mode="sum", per_sample_weights=amounts)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        views, size = ctx.share.shape[1], ctx.places[-1]
        table = slope.new_zeros(len(slope), views * size[0] * size[1], slope.shape[-1])
        for number, part, rows, amounts in _parts(*ctx.places):
            point = torch.arange(len(rows), device=rows.device).repeat_interleave(rows.shape[1])
            # Said, lest torch warn that nobody did: the indices are known to be inside.
            with torch.sparse.check_sparse_tensor_invariants(False):  # type: ignore[no-untyped-call]
                spread = torch.sparse_coo_tensor(
                    torch.stack([rows.flatten(), point]), amounts.flatten(), (table.shape[1], len(rows))
                )
            table[number].addmm_(spread, slope[number, part])
        pixels = table.reshape(len(slope), views, *size, -1).mul_(ctx.share[:, :, None, None])
        return pixels.permute(0, 1, 4, 2, 3), None, None, None, None


def _parts(
    cameras: Camera, to_map: torch.Tensor, points: torch.Tensor, size: torch.Size
) -> Iterator[tuple[int, slice, torch.Tensor, torch.Tensor]]:
    """The points of each rig, some at a time, with what to look up for them."""
    step = _POINTS_AT_ONCE * (1 if points.device.type == "cpu" else _ON_ACCELERATORS)
    for number, every in enumerate(points):
        for start in range(0, len(every), step):
            part = slice(start, start + step)
            yield number, part, *_rows(cameras[number], to_map[number], every[part], size)


def _rows(
    cameras: Camera, to_map: Float[torch.Tensor, "V 3 3"], points: Float[torch.Tensor, "n 3"], size: torch.Size
) -> tuple[Int[torch.Tensor, "n L"], Float[torch.Tensor, "n L"]]:
    """The rows of the table, of four pixels in each view, that a point's value is made of, and how much of each."""
    height, width = size
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
    return torch.cat(rows).T.contiguous(), torch.cat(amounts).T.contiguous()
