"""The losses of composite fields (Kreiss, Bertoni, Alahi 2019), as sums over what is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float

_CLAMP = 5.0
_MOST_SPREAD = 3.0


def confidence(logits: Float[torch.Tensor, "*axes"], truth: Float[torch.Tensor, "*axes"]) -> Float[torch.Tensor, ""]:
    """Binary cross-entropy times ``(1 - p) / 2``, p being the probability given to the truth (Lin et al. 2017).

    Args:
        logits: Before the sigmoid.
        truth: 0 or 1; NaN where nothing is to be learned.

    Returns:
        The sum; large values count as their logarithm.
    """
    known = ~truth.isnan()
    entropy = F.binary_cross_entropy_with_logits(logits[known], truth[known], reduction="none")
    return (_softly_clamped(entropy) * 0.5 * (1 - torch.exp(-entropy))).sum()


def place(
    found: Float[torch.Tensor, "*axes 2 h w"],
    spread: Float[torch.Tensor, "*axes h w"],
    truth: Float[torch.Tensor, "*axes 2 h w"],
    least: float,
) -> Float[torch.Tensor, ""]:
    """Negative log-likelihood under a Laplace distribution whose width is learned, less a constant.

    Args:
        found: x and y from the cell.
        spread: Logarithm of the width; it saturates at 3 either way.
        truth: NaN where nothing is to be learned.
        least: A distance that every error has at least, in cells: so a width of zero never pays.

    Returns:
        The sum; errors of many widths count as their logarithm.
    """
    known = ~truth.isnan().any(-3)
    away = (found - truth.nan_to_num()).movedim(-3, -1)[known]
    width = _MOST_SPREAD * torch.tanh(spread[known] / _MOST_SPREAD)
    distance = (away.square().sum(-1) + least**2).sqrt()
    return (_softly_clamped(distance * torch.exp(-width)) + width).sum()


def scale(found: Float[torch.Tensor, "*axes"], truth: Float[torch.Tensor, "*axes"]) -> Float[torch.Tensor, ""]:
    """Relative error of scales.

    Args:
        found: Before the softplus that makes it positive.
        truth: In cells; NaN where nothing is to be learned.

    Returns:
        The sum of ``|s - truth| / (10 (0.1 + truth))``.
    """
    known = ~truth.isnan()
    wanted = truth[known]
    return ((F.softplus(found[known]) - wanted).abs() / (10 * (0.1 + wanted))).sum()


def _softly_clamped(value: torch.Tensor) -> torch.Tensor:
    return torch.where(value > _CLAMP, _CLAMP + torch.log1p((value - _CLAMP).clamp_min(0)), value)
