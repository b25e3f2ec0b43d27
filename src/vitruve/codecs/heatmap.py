"""Keypoints as probability maps, one map a keypoint.

A keypoint at (x, y) is taught as a Gaussian of ``SIGMA`` heatmap pixels whose pixels add up to one; a network's map
becomes a probability map by a softmax over its pixels. The likelihood of a decoded keypoint is the share of that
probability within ``RADIUS`` heatmap pixels (in x and in y) of the map's highest pixel. Networks trained with ``kl``
learn under a proper scoring rule, so the likelihood then means: the probability the network gives to the keypoint
being there. A map that knows nothing (a keypoint out of sight that was taught as uniform) gets the share of 49 pixels,
or of fewer where its highest pixel lies at the border: 0.012 at most for a map of 64 x 64.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int

SIGMA = 1.25
"""Standard deviation of the target, in heatmap pixels."""
PEAK = 1 / (2 * torch.pi * SIGMA**2)
"""Probability of the pixel that a target's keypoint lies in the middle of."""
RADIUS = 3
"""Half the side of the window that decoding looks at, in heatmap pixels."""

# Width of the weights about the estimate: as wide as the target, so that what lies further off says little.
_WINDOW_SIGMA = SIGMA
_STEPS = 4


def to_heatmap(points: Float[torch.Tensor, "*lead 2"], stride: int) -> Float[torch.Tensor, "*lead 2"]:
    """Input pixels to heatmap pixels, both with pixel centres at whole numbers."""
    return (points + 0.5) / stride - 0.5


def from_heatmap(points: Float[torch.Tensor, "*lead 2"], stride: int) -> Float[torch.Tensor, "*lead 2"]:
    """Heatmap pixels to input pixels, the inverse of :func:`to_heatmap`."""
    return (points + 0.5) * stride - 0.5


def encode(
    points: Float[torch.Tensor, "*lead 2"],
    uniform: Bool[torch.Tensor, "*lead"],
    size: tuple[int, int],
    sigma: float = SIGMA,
) -> tuple[Float[torch.Tensor, "*lead h w"], Bool[torch.Tensor, "*lead"]]:
    """Target maps for keypoints.

    Args:
        points: Keypoints in heatmap pixels; NaN, or outside the map, where there is nothing to learn.
        uniform: True where the keypoint is there but cannot be seen: its target says that any pixel is as likely.
        size: Width and height of the map.
        sigma: Standard deviation of the Gaussian in heatmap pixels.

    Returns:
        Maps that each add up to one, and which of them are to be learned. The others are zero.
    """
    width, height = size
    x, y = points[..., 0], points[..., 1]
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)  # False for NaN
    across = _gaussian(x, width, sigma)
    down = _gaussian(y, height, sigma)
    maps = down[..., :, None] * across[..., None, :]
    maps = torch.where(inside[..., None, None], maps, 0.0)
    maps = torch.where(uniform[..., None, None], 1.0 / (width * height), maps)
    return maps, inside | uniform


def _gaussian(center: torch.Tensor, length: int, sigma: float) -> torch.Tensor:
    places = torch.arange(length, device=center.device, dtype=center.dtype)
    values = torch.exp(-((places - center[..., None]) ** 2) / (2 * sigma**2))
    return values / values.sum(-1, keepdim=True)


def decode(
    logits: Float[torch.Tensor, "*lead h w"],
) -> tuple[Float[torch.Tensor, "*lead 2"], Float[torch.Tensor, "*lead"]]:
    """The most likely place of each keypoint, to a fraction of a pixel, and how likely it is.

    Works on a window of 7 x 7 pixels around the highest one, weighted by a Gaussian about the present estimate. Each
    step is one of Newton's: the mean under those weights is compared with that of a noise-free target at the estimate,
    whose mean moves by ``variance / SIGMA^2`` with its centre. So a target is met exactly, at the map's border too,
    where a plain mean shift would be drawn inwards.

    Args:
        logits: Maps before the softmax.

    Returns:
        Places in heatmap pixels and likelihoods from 0 to 1.
    """
    height, width = logits.shape[-2:]
    flat = logits.flatten(-2).float()
    peak = flat.argmax(-1)
    window, places = _window(flat, peak, (width, height))
    probability = torch.exp(window - flat.logsumexp(-1, keepdim=True))
    center = torch.stack([peak % width, peak // width], -1).to(probability.dtype)
    start = center
    inside = torch.isfinite(window)
    for _ in range(_STEPS):
        away = places - center[..., None, :]
        near = torch.exp(-(away**2).sum(-1) / (2 * _WINDOW_SIGMA**2)) * inside
        wanted = near * torch.exp(-(away**2).sum(-1) / (2 * SIGMA**2))
        mean, expected = _mean(probability * near, away), _mean(wanted, away)
        variance = _mean(wanted, (away - expected[..., None, :]) ** 2)
        step = (mean - expected) * SIGMA**2 / variance.clamp_min(0.1)
        center = start + (center + step - start).clamp(-1.0, 1.0)
    return center, probability.sum(-1).clamp(0.0, 1.0)


def expected(logits: Float[torch.Tensor, "*lead h w"]) -> Float[torch.Tensor, "*lead 2"]:
    """The mean place under a softmax over the whole map (soft-argmax: Sun et al. 2018, Integral human pose regression).

    Between two places where a keypoint may be it lies at neither, so it is not to be read; but unlike what
    :func:`decode` gives, it moves when probability goes from one of them to the other.

    Args:
        logits: Maps before the softmax.

    Returns:
        Places in heatmap pixels.
    """
    height, width = logits.shape[-2:]
    probability = logits.float().flatten(-2).softmax(-1).reshape(logits.shape)
    x = probability.sum(-2) @ torch.arange(width, device=logits.device, dtype=torch.float32)
    y = probability.sum(-1) @ torch.arange(height, device=logits.device, dtype=torch.float32)
    return torch.stack([x, y], -1)


def _mean(
    weight: Float[torch.Tensor, "*lead m"], values: Float[torch.Tensor, "*lead m 2"]
) -> Float[torch.Tensor, "*lead 2"]:
    return (weight[..., None] * values).sum(-2) / weight.sum(-1, keepdim=True).clamp_min(1e-30)


def _window(
    flat: Float[torch.Tensor, "*lead n"], peak: Int[torch.Tensor, "*lead"], size: tuple[int, int]
) -> tuple[Float[torch.Tensor, "*lead m"], Float[torch.Tensor, "*lead m 2"]]:
    """The logits around each peak and their places; minus infinity beyond the map."""
    width, height = size
    reach = torch.arange(-RADIUS, RADIUS + 1, device=flat.device)
    dy, dx = (step.flatten() for step in torch.meshgrid(reach, reach, indexing="ij"))
    x, y = (peak % width)[..., None] + dx, (peak // width)[..., None] + dy
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    values = flat.gather(-1, index).masked_fill(~inside, -torch.inf)
    return values, torch.stack([x, y], -1).to(flat.dtype)
