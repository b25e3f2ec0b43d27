"""Means over what is to be learned."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float


def masked_mean(values: Float[torch.Tensor, "*lead"], learned: Bool[torch.Tensor, "*lead"]) -> Float[torch.Tensor, ""]:
    """The mean of the values that count.

    Args:
        values: What is averaged; may be NaN where it does not count.
        learned: Which values count.

    Returns:
        The mean, or zero (with a gradient of zero) when none counts.
    """
    # A where, not a product: what is not learned may be NaN and must not spread.
    return torch.where(learned, values, 0.0).sum() / learned.sum().clamp_min(1)
