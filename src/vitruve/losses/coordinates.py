"""How far predicted coordinates are from their targets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float

from vitruve.losses.masked import masked_mean

CoordinateLoss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def mse(
    points: Float[torch.Tensor, "*lead 2"],
    log_scale: Float[torch.Tensor, "*lead 2"],
    targets: Float[torch.Tensor, "*lead 2"],
    learned: Bool[torch.Tensor, "*lead"],
) -> Float[torch.Tensor, ""]:
    """Squared distance, mean over the points to be learned.

    Args:
        points: Predicted points.
        log_scale: Not used; there so that all losses of coordinates are called alike.
        targets: Where they should be, in the same unit; NaN where unknown.
        learned: Which points count. None at all gives zero.

    Returns:
        The loss, in the unit squared.
    """
    targets = _known(targets, points, learned)
    return masked_mean((points - targets).square().sum(-1), learned)


def laplace(
    points: Float[torch.Tensor, "*lead 2"],
    log_scale: Float[torch.Tensor, "*lead 2"],
    targets: Float[torch.Tensor, "*lead 2"],
    learned: Bool[torch.Tensor, "*lead"],
) -> Float[torch.Tensor, ""]:
    """Negative log-likelihood under a Laplace distribution whose scale the network states, in nats.

    Below zero when the scale is small and right. Arguments as for :func:`mse`; ``log_scale`` is the logarithm of the
    scale in the points' unit.
    """
    targets = _known(targets, points, learned)
    nats = (points - targets).abs() * torch.exp(-log_scale) + log_scale + torch.log(torch.tensor(2.0))
    return masked_mean(nats.sum(-1), learned)


COORDINATE_LOSSES: dict[str, CoordinateLoss] = {"mse": mse, "laplace": laplace}
"""The supervised losses of coordinates by the name that ``model.regression_loss_type`` takes."""


def _known(targets: torch.Tensor, points: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
    # Through a NaN the gradient would be NaN even where the loss is masked.
    return torch.where(learned[..., None], targets, points.detach())
