"""Persons and their keypoints as boxes in the cells of a coarse grid (Sekii 2018, Pose Proposal Networks).

Kinds of boxes are the K keypoints and, as kind K, the person itself: the root of the tree of limbs. Each cell says of
each kind whether such a box has its centre in it (``response``), where in the cell (``place``, 0 to 1 from the cell's
left and top edge) and how large the box is (``size``, as shares of the input's width and height). A limb from kind a to
kind b has a map for every step to a cell nearby: a in this cell and b in that one are of the same person (``limbs``).

A cell holds one box of a kind. Of several persons whose boxes fall into one cell the largest person's is taught;
:func:`collisions` lists such cells.

Coordinates are input pixels, the centre of the top-left pixel being (0, 0): cell j of stride s covers ``j * s - 0.5``
to ``(j + 1) * s - 0.5``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int

from vitruve.codecs import limb_graph
from vitruve.codecs.limb_graph import Edge
from vitruve.structures.skeleton import Skeleton

PART_SHARE = 1 / 8
"""Side of a keypoint's box as a share of its person's longer side."""
_MARGIN = 0.1


@dataclass(frozen=True)
class Layout:
    """What the maps are of.

    Attributes:
        limbs: Pairs of kinds, from root to tips; the root is kind ``keypoints``. Those that lead to the same keypoint
            follow one another.
        keypoints: K, how many there are.
        stride: Side of a cell in input pixels.
        neighbourhood: Side of the square of cells that a limb can end in, in cells; odd.
    """

    limbs: tuple[Edge, ...]
    keypoints: int
    stride: int = 32
    neighbourhood: int = 9

    @property
    def root(self) -> int:
        """The kind of the boxes around persons."""
        return self.keypoints

    @property
    def kinds(self) -> int:
        """Keypoints and the root."""
        return self.keypoints + 1


def root_limbs(skeleton: Skeleton, spokes: bool) -> tuple[Edge, ...]:
    """The limbs of a person: a tree from its box along the skeleton.

    The root leads to the keypoint that stands for the whole (:func:`vitruve.codecs.limb_graph.anchor`), and from there
    the skeleton's limbs lead outward.

    Args:
        skeleton: The keypoints and their limbs; parts that no limb connects are joined to the largest.
        spokes: The root also leads to every other keypoint, so that one which cannot be seen does not part those
            beyond it from the person.

    Returns:
        Pairs of kinds, ordered for :class:`Layout`.
    """
    count = len(skeleton)
    start = limb_graph.anchor(skeleton)
    limbs: list[Edge] = [(count, start)]
    for parent, child in limb_graph.outward(count, limb_graph.connected(count, skeleton.edges), start):
        limbs += [(parent, child)] + ([(count, child)] if spokes else [])
    return tuple(limbs)


def person_boxes(
    points: Float[torch.Tensor, "*lead N K 2"], boxes: Float[torch.Tensor, "*lead N 4"] | None, size: tuple[int, int]
) -> Float[torch.Tensor, "*lead N 4"]:
    """The boxes of persons that are taught, within the input.

    Args:
        points: Labelled keypoints, NaN elsewhere.
        boxes: ``x1 y1 x2 y2`` around the persons where known, or None. Others are those around their keypoints,
            enlarged a little.
        size: Width and height of the input.

    Returns:
        The boxes; NaN for a person without a keypoint within the input.
    """
    missing = points.isnan().any(-1, keepdim=True)
    low = points.masked_fill(missing, torch.inf).amin(-2)
    high = points.masked_fill(missing, -torch.inf).amax(-2)
    margin = _MARGIN * (high - low).amax(-1, keepdim=True).clamp_min(1)
    found = torch.cat([low - margin, high + margin], -1)
    if boxes is not None:
        around = torch.cat([torch.minimum(low, boxes[..., :2]), torch.maximum(high, boxes[..., 2:])], -1)
        found = torch.where(boxes.isnan().any(-1, keepdim=True), found, around)
    limits = torch.tensor(size * 2, device=points.device) - 0.5
    inside = ~missing[..., 0] & (points >= -0.5).all(-1) & (points < limits[:2]).all(-1)
    return torch.where(inside.any(-1, keepdim=True), found.clamp(min=-0.5).minimum(limits), torch.nan)


def encode(
    points: Float[torch.Tensor, "B N K 2"],
    boxes: Float[torch.Tensor, "B N 4"],
    layout: Layout,
    size: tuple[int, int],
) -> dict[str, torch.Tensor]:
    """Target maps.

    Args:
        points: Labelled keypoints in input pixels, NaN elsewhere.
        boxes: Of :func:`person_boxes`.
        layout: What the maps are of.
        size: Width and height of the input, multiples of the stride.

    Returns:
        ``response`` (B, K+1, h, w) of zeros and ones, ``place`` and ``size`` (B, K+1, 2, h, w), zero where there is no
        response, and ``limbs`` (B, L, n, n, h, w) of zeros and ones: ``[:, l, i, j, y, x]`` is that from cell (x, y) to
        cell ``(x + j - n // 2, y + i - n // 2)``.
    """
    people = points.shape[1]
    width, height = size[0] // layout.stride, size[1] // layout.stride
    places, cell = _cells(points, boxes, layout, (width, height))
    owner = _owners(cell, boxes, width * height)  # (B, K+1, h*w), a person or `people`
    taken = owner < people

    sides = boxes[..., 2:] - boxes[..., :2]
    part = (PART_SHARE * sides.amax(-1, keepdim=True)).expand(-1, -1, 2)
    extent = torch.tensor(size, device=points.device)
    spans = torch.cat([part[:, :, None].expand(-1, -1, layout.keypoints, -1), sides[:, :, None]], 2) / extent
    values = torch.cat([places - places.floor(), spans], -1).transpose(1, 2)  # (B, K+1, N, 4)
    values = F.pad(values, (0, 0, 0, 1)).gather(2, owner[..., None].expand(-1, -1, -1, 4))
    maps = values.masked_fill(~taken[..., None], 0).movedim(-1, 2)
    maps = maps.reshape(*maps.shape[:3], height, width)
    grid = (*taken.shape[:2], height, width)

    owner = torch.where(taken, owner, -1).reshape(grid)
    begin, end = (torch.tensor(kinds, device=points.device) for kinds in zip(*layout.limbs, strict=True))
    begins = owner[:, begin][:, :, None, None]
    limbs = (begins == nearby(owner[:, end], layout.neighbourhood, -1)) & (begins >= 0)
    return {
        "response": taken.reshape(grid).to(points.dtype),
        "place": maps[:, :, :2],
        "size": maps[:, :, 2:],
        "limbs": limbs.to(points.dtype),
    }


def nearby(
    maps: Int[torch.Tensor, "B L h w"] | Float[torch.Tensor, "B L h w"] | Bool[torch.Tensor, "B L h w"],
    side: int,
    beyond: float,
) -> (
    Int[torch.Tensor, "B L {side} {side} h w"] | Float[torch.Tensor, "B L _ _ h w"] | Bool[torch.Tensor, "B L _ _ h w"]
):
    """What lies in the cells around each cell.

    Args:
        maps: Any maps.
        side: Of the square of cells around, odd.
        beyond: What lies outside the grid.

    Returns:
        ``[:, :, i, j, y, x]`` is that of cell ``(x + j - side // 2, y + i - side // 2)``.
    """
    reach = side // 2
    padded = F.pad(maps, (reach, reach, reach, reach), value=beyond)
    return padded.unfold(2, side, 1).unfold(3, side, 1).permute(0, 1, 4, 5, 2, 3)


@dataclass(frozen=True)
class Collision:
    """Several boxes of one kind in one cell.

    Attributes:
        kind: The keypoint, or the root.
        cell: Column and row.
        persons: Whose boxes they are; the first one's is taught.
    """

    kind: int
    cell: tuple[int, int]
    persons: tuple[int, ...]


def collisions(
    points: Float[torch.Tensor, "N K 2"], boxes: Float[torch.Tensor, "N 4"], layout: Layout, size: tuple[int, int]
) -> list[Collision]:
    """What the grid of one image cannot hold.

    Args:
        points: As for :func:`encode`.
        boxes: As for :func:`encode`.
        layout: As for :func:`encode`.
        size: As for :func:`encode`.

    Returns:
        The cells with several boxes of a kind, by kind.
    """
    grid = size[0] // layout.stride, size[1] // layout.stride
    _, cell = _cells(points[None], boxes[None], layout, grid)
    by_size = _by_size(boxes[None])[0].tolist()
    found: dict[tuple[int, int], list[int]] = {}
    for person in by_size:
        for kind, place in enumerate(cell[0, person].tolist()):
            if place >= 0:
                found.setdefault((kind, place), []).append(person)
    return [
        Collision(kind, (place % grid[0], place // grid[0]), tuple(persons))
        for (kind, place), persons in sorted(found.items())
        if len(persons) > 1
    ]


def _cells(
    points: torch.Tensor, boxes: torch.Tensor, layout: Layout, grid: Sequence[int]
) -> tuple[Float[torch.Tensor, "B N kinds 2"], Int[torch.Tensor, "B N kinds"]]:
    """Centres of boxes in cells from the grid's corner, and the cells' numbers; -1 where a box is not to be taught."""
    centers = torch.cat([points, ((boxes[..., :2] + boxes[..., 2:]) / 2)[:, :, None]], 2)
    # The last of the input's edge belongs to no cell: a box that ends there has its centre before it.
    places = (centers + 0.5) / layout.stride
    limits = torch.tensor(list(grid), device=points.device)
    inside = (places >= 0).all(-1) & (places < limits).all(-1) & ~boxes.isnan().any(-1)[..., None]
    index = torch.where(inside[..., None], places, 0).long()
    return places.nan_to_num(0), torch.where(inside, index[..., 1] * grid[0] + index[..., 0], -1)


def _owners(
    cell: Int[torch.Tensor, "B N kinds"], boxes: Float[torch.Tensor, "B N 4"], cells: int
) -> Int[torch.Tensor, "B kinds cells"]:
    """Whose box each cell has of each kind: the largest person's, or N."""
    count, people, kinds = cell.shape
    order = _by_size(boxes)
    rank = order.argsort(-1)[..., None].expand_as(cell)  # 0 for the largest
    spare = torch.full((count, kinds, cells + 1), people, device=cell.device)
    place = torch.where(cell >= 0, cell, cells).transpose(1, 2)
    first = spare.scatter_reduce(2, place, rank.transpose(1, 2), "amin")[..., :-1]
    numbers = F.pad(order, (0, 1), value=people)[:, None].expand(-1, kinds, -1)
    return numbers.gather(2, first)


def _by_size(boxes: Float[torch.Tensor, "B N 4"]) -> Int[torch.Tensor, "B N"]:
    sides = boxes[..., 2:] - boxes[..., :2]
    return sides.prod(-1).nan_to_num(-1).argsort(dim=-1, descending=True, stable=True)
