"""Squares of the image that are blanked in training, so that a network learns to ask the other views.

After Lightning Pose's multi-view transformer (Aharon et al. 2025, arXiv 2510.09903).
"""

from __future__ import annotations

import torch

SIDE = 16
"""Side of a square, in pixels of the network's input."""

# The mean colour of photographs: what networks take away from their input, so that the square says nothing.
_BLANK = (124.0, 116.0, 104.0)


def mask_patches(images: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Blank a share of the squares of every view.

    All draws of a call come from one stream, so that no view repeats another's.

    Args:
        images: ``(B, V, T, 3, H, W)`` RGB, values from 0 to 255. All T frames of a view lose the same squares.
        share: Of the squares, 0 to 1; rounded to whole squares.
        generator: Of the processor; says which.

    Returns:
        The images; the same ones where the share is 0.
    """
    height, width = images.shape[-2:]
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    count = round(share * rows * columns)
    if count == 0:
        return images
    order = torch.rand(*images.shape[:2], rows * columns, generator=generator).argsort(-1)
    gone = torch.zeros_like(order, dtype=torch.bool).scatter_(-1, order[..., :count], True).to(images.device)
    squares = gone.view(*images.shape[:2], rows, columns).repeat_interleave(SIDE, -2).repeat_interleave(SIDE, -1)
    blank = torch.tensor(_BLANK, device=images.device).to(images.dtype).view(3, 1, 1)
    return torch.where(squares[:, :, None, None, :height, :width], blank, images)
