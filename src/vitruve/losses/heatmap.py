"""How far predicted probability maps are from their targets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float

from vitruve.losses.masked import masked_mean

HeatmapLoss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def mse(
    logits: Float[torch.Tensor, "*lead h w"],
    targets: Float[torch.Tensor, "*lead h w"],
    learned: Bool[torch.Tensor, "*lead"],
) -> Float[torch.Tensor, ""]:
    """Squared difference of the probability maps, summed over pixels, mean over the maps to be learned.

    Args:
        logits: Predicted maps before the softmax.
        targets: Maps that add up to one; anything, also NaN, where nothing is to be learned.
        learned: Which maps count. None at all gives zero.

    Returns:
        The loss, from 0 to 2.
    """
    probability = logits.float().flatten(-2).softmax(-1)
    return masked_mean(((probability - _known(targets, learned)) ** 2).sum(-1), learned)


def kl(
    logits: Float[torch.Tensor, "*lead h w"],
    targets: Float[torch.Tensor, "*lead h w"],
    learned: Bool[torch.Tensor, "*lead"],
) -> Float[torch.Tensor, ""]:
    """Kullback-Leibler divergence of the prediction from the target, ``sum t (log t - log p)``, in nats.

    The cross-entropy over the map less the target's own entropy: zero for a perfect map. Arguments and masking as
    for :func:`mse`.
    """
    log_probability = logits.float().flatten(-2).log_softmax(-1)
    target = _known(targets, learned)
    return masked_mean((torch.xlogy(target, target) - target * log_probability).sum(-1), learned)


def js(
    logits: Float[torch.Tensor, "*lead h w"],
    targets: Float[torch.Tensor, "*lead h w"],
    learned: Bool[torch.Tensor, "*lead"],
) -> Float[torch.Tensor, ""]:
    """Jensen-Shannon divergence of prediction and target, from 0 to log 2. Arguments as for :func:`mse`."""
    log_probability = logits.float().flatten(-2).log_softmax(-1)
    probability, target = log_probability.exp(), _known(targets, learned)
    middle = ((probability + target) / 2).clamp_min(torch.finfo(torch.float32).tiny)
    to_target = torch.xlogy(target, target) - target * middle.log()
    to_prediction = probability * (log_probability - middle.log())
    return masked_mean((to_target + to_prediction).sum(-1) / 2, learned)


HEATMAP_LOSSES: dict[str, HeatmapLoss] = {"mse": mse, "kl": kl, "js": js}
"""The supervised losses of heatmaps by the name that ``model.heatmap_loss_type`` takes."""


def _known(targets: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
    # Through a NaN the gradient would be NaN even where the loss is masked.
    return torch.where(learned[..., None], targets.flatten(-2), 0.0)
