"""Composite fields: maps whose cells point at keypoints (Kreiss, Bertoni, Alahi 2019, PifPaf).

A part intensity field (PIF, one a keypoint) says of each cell how surely it lies near such a keypoint (``confidence``),
where the keypoint is from here (``x``, ``y``), how unsure that is (``spread``), and how large the keypoint is
(``scale``: the size of its instance times the keypoint's OKS sigma). A part association field (PAF, one a limb) says
how surely the cell lies on such a limb, and the same of both of its ends.

Everything is in cells: cell j of stride s is at ``(j + 0.5) * s - 0.5`` input pixels, and at j here. Targets are NaN
where nothing is to be learned.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int

JOINT_CHANNELS = 5
"""Raw channels of a keypoint: confidence (a logit), x and y from the cell, spread, scale (before softplus)."""
LIMB_CHANNELS = 9
"""Raw channels of a limb: confidence, x and y of the first end and of the second, both spreads, both scales."""
SIGMA = 0.05
"""OKS sigma of keypoints for which the skeleton has none."""
LEAST_FOR_SIZE = 3
"""An instance with fewer labelled keypoints than this has a size only where its box is known."""

_PATCH = 4
_BAND = 3
_LEAST_MARGIN, _MOST_MARGIN = 0.25, 0.4


def to_cells(points: Float[torch.Tensor, "*lead 2"], stride: int) -> Float[torch.Tensor, "*lead 2"]:
    """Input pixels to cells, both with centres at whole numbers."""
    return (points + 0.5) / stride - 0.5


def instance_sizes(
    points: Float[torch.Tensor, "*lead N K 2"], boxes: Float[torch.Tensor, "*lead N 4"] | None = None
) -> Float[torch.Tensor, "*lead N"]:
    """How large instances are: the root of the area that their labelled keypoints span.

    The area is that of the box around them, or half that of the box turned by 45 degrees where this is more: so
    keypoints on a line have one, too.

    Args:
        points: NaN where unlabelled.
        boxes: ``x1 y1 x2 y2``, NaN where unknown; taken where fewer than three keypoints are labelled.

    Returns:
        In the points' unit; NaN where it is not known.
    """
    x, y = points[..., 0], points[..., 1]
    area = torch.maximum(_span(x) * _span(y), _span(x + y) * _span(x - y) / 4)
    few = points.isfinite().all(-1).sum(-1) < min(LEAST_FOR_SIZE, points.shape[-2])
    known = torch.full_like(area, torch.nan) if boxes is None else (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    area = torch.where(few, known, area)
    return torch.where(area > 0, area, torch.nan).sqrt()


def encode_joints(
    points: Float[torch.Tensor, "B N K 2"], scales: Float[torch.Tensor, "B N K"], size: tuple[int, int]
) -> Float[torch.Tensor, "B K 4 h w"]:
    """Targets of the part intensity fields: squares of 4 x 4 cells, each cell for the keypoint nearest to it.

    Args:
        points: In cells; NaN where unlabelled.
        scales: In cells; NaN where unknown.
        size: Width and height of the field in cells.

    Returns:
        Confidence (0 or 1), x and y from the cell, and scale. NaN where unknown: all but the confidence of cells that
        point nowhere.
    """
    count, _, kinds = points.shape[:3]
    batch, person, kind = points.isfinite().all(-1).nonzero(as_tuple=True)
    joint = points[batch, person, kind]  # (M, 2)
    cells = _square(joint, _PATCH)  # (M, 16, 2)
    away = joint[:, None] - cells
    values = torch.cat([torch.ones_like(away[..., :1]), away, _as(scales[batch, person, kind], away)], -1)
    field = _nearest_wins(values, away.norm(dim=-1), cells, batch * kinds + kind, (count * kinds, *size[::-1]))
    return field.reshape(count, kinds, *field.shape[1:])


def encode_limbs(
    points: Float[torch.Tensor, "B N K 2"],
    scales: Float[torch.Tensor, "B N K"],
    edges: Int[torch.Tensor, "L 2"],
    size: tuple[int, int],
) -> Float[torch.Tensor, "B L 7 h w"]:
    """Targets of the part association fields: bands of three cells along the middle of limbs.

    A limb is taught where both ends are labelled. The band leaves out 1.5 cells at either end, but at least a quarter
    and at most two fifths of the limb; each cell is for the limb whose line is nearest. Where one end lies outside the
    field, the band is not learned from.

    Args:
        points: As for :func:`encode_joints`.
        scales: As for :func:`encode_joints`.
        edges: The keypoints at both ends of each limb.
        size: Width and height of the field in cells.

    Returns:
        Confidence (0 or 1), x and y of the first end from the cell, of the second, and the scales of both.
    """
    count, limbs = len(points), len(edges)
    ends = points[:, :, edges]  # (B, N, L, 2, 2)
    batch, person, limb = ends.isfinite().all(-1).all(-1).nonzero(as_tuple=True)
    first, last = ends[batch, person, limb].unbind(1)  # (M, 2)
    scale = scales[:, :, edges][batch, person, limb]  # (M, 2)
    along = last - first
    length = along.norm(dim=-1)
    margin = (1.5 / length).clamp(_LEAST_MARGIN, _MOST_MARGIN)
    steps = int(length.max().ceil()) + 1 if len(length) else 1
    share = torch.linspace(0, 1, steps, device=points.device)
    share = margin[:, None] + (1 - 2 * margin[:, None]) * share  # (M, S)
    cells = _square(first[:, None] + share[..., None] * along[:, None], _BAND).flatten(1, 2)  # (M, S * 9, 2)
    to_first, to_last = first[:, None] - cells, last[:, None] - cells
    normal = torch.stack([-along[:, 1], along[:, 0]], -1) / length.clamp_min(1e-6)[:, None]
    distance = (to_first * normal[:, None]).sum(-1).abs()
    limits = torch.tensor(size, device=points.device) - 0.5
    whole = ((ends >= -0.5) & (ends <= limits)).all(-1).all(-1)[batch, person, limb]
    sure = torch.where(whole, 1.0, torch.nan)[:, None].expand_as(distance)[..., None]
    values = torch.cat([sure, to_first, to_last, _as(scale[:, :1], to_first), _as(scale[:, 1:], to_first)], -1)
    field = _nearest_wins(values, distance, cells, batch * limbs + limb, (count * limbs, *size[::-1]))
    return field.reshape(count, limbs, *field.shape[1:])


def without(
    fields: Float[torch.Tensor, "B F C h w"], ignored: Bool[torch.Tensor, "B h w"] | None
) -> Float[torch.Tensor, "B F C h w"]:
    """Targets that say nothing in some cells; arguments are the targets and those cells."""
    return fields if ignored is None else fields.masked_fill(ignored[:, None, None], torch.nan)


def _span(values: torch.Tensor) -> torch.Tensor:
    missing = values.isnan()
    span = values.masked_fill(missing, -torch.inf).amax(-1) - values.masked_fill(missing, torch.inf).amin(-1)
    return span.clamp_min(0)


def _as(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """One value for each of the first axis, once for every cell of ``like``."""
    return values.reshape(-1, 1, 1).expand(-1, like.shape[1], 1)


def _square(centers: Float[torch.Tensor, "*lead 2"], side: int) -> Float[torch.Tensor, "*lead cells 2"]:
    """The cells of the square whose middle is nearest to each place."""
    steps = torch.arange(side, device=centers.device, dtype=centers.dtype)
    around = torch.stack([steps.repeat(side), steps.repeat_interleave(side)], -1)
    return ((centers - (side - 1) / 2).round())[..., None, :] + around


def _nearest_wins(
    values: Float[torch.Tensor, "M P C"],
    distance: Float[torch.Tensor, "M P"],
    cells: Float[torch.Tensor, "M P 2"],
    field: Int[torch.Tensor, " M"],
    shape: tuple[int, int, int],
) -> Float[torch.Tensor, "F C h w"]:
    """Fields in which each cell has the values of the nearest (of equals, the first) that speak of it.

    Cells that none speaks of have a confidence of 0, and NaN else.
    """
    count, height, width = shape
    inside = ((cells >= 0) & (cells < torch.tensor([width, height], device=cells.device))).all(-1)
    place = (field[:, None] * height + cells[..., 1].long()) * width + cells[..., 0].long()
    place, distance, values = place[inside], distance[inside], values[inside]
    number = torch.arange(len(place), device=place.device)
    least = torch.full((count * height * width,), torch.inf, device=place.device, dtype=distance.dtype)
    least = least.scatter_reduce(0, place, distance, "amin")
    nearest = distance == least[place]
    winner = torch.full_like(least, len(place), dtype=torch.long)
    winner = winner.scatter_reduce(0, place[nearest], number[nearest], "amin")
    channels = values.shape[-1]
    empty = values.new_full((1, channels), torch.nan)
    empty[0, 0] = 0
    found = torch.cat([values, empty])[winner]
    return found.reshape(count, height, width, channels).permute(0, 3, 1, 2)
