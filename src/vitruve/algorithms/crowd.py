"""What algorithms for several instances share: which truth they learn, and how what they find becomes instances."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float

from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances


def labelled(batch: Batch) -> tuple[Float[torch.Tensor, "M N K 2"], Float[torch.Tensor, "M N 4"] | None]:
    """The truth of each image, in pixels of the input.

    Args:
        batch: Labelled.

    Returns:
        Keypoints of all ``M = B * V`` images, NaN where unlabelled and of crowds; boxes, NaN where unknown, or None.
    """
    truth = batch.truth_in_input
    assert truth is not None
    known = (truth.visible > 0) & truth.keypoints.isfinite().all(-1)
    if truth.crowds is not None:
        known = known & ~truth.crowds[..., None]
    points = torch.where(known[..., None], truth.keypoints, torch.nan)
    return points.flatten(0, 1), None if truth.boxes is None else truth.boxes.flatten(0, 1)


def ignored_cells(batch: Batch, stride: int) -> Bool[torch.Tensor, "M h w"] | None:
    """The cells of which more than half is not to be learned from.

    Args:
        batch: Any.
        stride: Side of a cell in pixels of the input.

    Returns:
        Of all ``M = B * V`` images; None where all is to be learned from.
    """
    if batch.ignore is None:
        return None
    return F.avg_pool2d(batch.ignore.flatten(0, 1)[:, None].float(), stride)[:, 0] > 0.5


def gathered(found: Sequence[Instances], batch: Batch) -> Instances:
    """What was found in each image, as predictions in original pixels.

    Args:
        found: ``(N, ...)`` of each image and view in turn, in pixels of the input, best first; N may differ. All with
            the same attributes, as torch tensors.
        batch: Says how the input was made of the original images.

    Returns:
        ``(F, V, N, ...)`` of all ``F = B * P`` predicted frames, filled up with NaN.
    """
    most = max(len(each.keypoints) for each in found)
    views = batch.to_image.shape[1]

    def joined(name: str) -> torch.Tensor | None:
        arrays = [getattr(each, name) for each in found]
        if arrays[0] is None:
            return None
        missing = {"visible": 0, "categories": -1}.get(name, torch.nan)
        rows = [torch.cat([a, a.new_full((most - len(a), *a.shape[1:]), missing)]) for a in arrays]
        return torch.stack(rows).reshape(len(rows) // views, views, *rows[0].shape)

    names = ("keypoints", "visible", "keypoint_scores", "scores", "boxes", "categories")
    together = Instances(**{name: value for name in names if (value := joined(name)) is not None})
    return together.transformed(batch.to_image_of(len(together.keypoints)))
