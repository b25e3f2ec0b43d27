"""Photometric augmentation of a batch, on the device it is on. Keypoints stay where they are."""

from __future__ import annotations

from collections.abc import Callable

import kornia
import torch
import torch.nn.functional as F
from jaxtyping import Float

from vitruve.data.augment import Augmentation

Images = Float[torch.Tensor, "n 3 H W"]


def augment_batch(images: torch.Tensor, settings: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Change the look of images, each image of the batch on its own.

    Frames of one window (T) and channels change alike; views and batch entries do not.

    Args:
        images: ``(B, V, T, 3, H, W)``, 0 to 255.
        settings: Probabilities and strengths.
        generator: A CPU generator; the same state gives the same images.

    Returns:
        Float images of the same shape, 0 to 255; the images themselves where all probabilities are zero.
    """
    steps: list[tuple[float, Callable[[Images, Augmentation, torch.Generator], Images]]] = [
        (settings.motion_blur, _motion_blur),
        (settings.dropout, _dropout),
        (settings.salt, _salt),
        (settings.pepper, _pepper),
        (settings.equalize, lambda x, s, g: kornia.enhance.equalize(x)),
        (settings.clahe, lambda x, s, g: kornia.enhance.equalize_clahe(x, clip_limit=4.0)),
        (settings.emboss, _emboss),
    ]
    shape = images.shape
    windows = images.flatten(0, 1)  # (n, T, 3, H, W)
    if not any(probability for probability, _ in steps):
        return images
    result = windows.float() / 255
    for probability, step in steps:
        chosen = torch.rand(len(result), generator=generator) < probability
        if chosen.any():
            index = chosen.nonzero()[:, 0].to(result.device)
            result[index] = _by_window(step, result[index], settings, generator)
    return (result.clamp_(0, 1) * 255).reshape(shape)


def _by_window(
    step: Callable[[Images, Augmentation, torch.Generator], Images],
    windows: torch.Tensor,
    settings: Augmentation,
    generator: torch.Generator,
) -> torch.Tensor:
    """Apply a step so that all frames of a window get the same draw."""
    if windows.shape[1] == 1:
        return step(windows[:, 0], settings, generator)[:, None]
    state = generator.get_state()
    frames = []
    for t in range(windows.shape[1]):
        generator.set_state(state)
        frames.append(step(windows[:, t], settings, generator))
    return torch.stack(frames, 1)


def _motion_blur(images: Images, settings: Augmentation, generator: torch.Generator) -> Images:
    angle = 360 * torch.rand(len(images), generator=generator)
    # Symmetric: a blur to one side would move what is seen by up to a pixel away from its keypoint.
    direction = torch.zeros(len(images))
    return kornia.filters.motion_blur(
        images,
        settings.blur_size,
        angle.to(images.device),
        direction.to(images.device),
        border_type="reflect",
    )


def _blocks(images: Images, share: float, side: float, channels: int, generator: torch.Generator) -> torch.Tensor:
    """True in random blocks. ``side`` is the grid's size as a share of the image's."""
    height, width = images.shape[-2:]
    grid = (max(2, round(side * height)), max(2, round(side * width)))
    coarse = torch.rand((len(images), channels, *grid), generator=generator) < share
    return F.interpolate(coarse.float().to(images.device), size=(height, width), mode="nearest").bool()


def _dropout(images: Images, settings: Augmentation, generator: torch.Generator) -> Images:
    whole = _blocks(images, settings.dropout_share, 0.3, 1, generator)
    single = _blocks(images, settings.dropout_share, 0.3, 3, generator)
    by_channel = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    return images.masked_fill(torch.where(by_channel.to(images.device), single, whole), 0.0)


def _salt(images: Images, settings: Augmentation, generator: torch.Generator) -> Images:
    return images.masked_fill(_blocks(images, settings.salt_share, 0.08, 1, generator), 1.0)


def _pepper(images: Images, settings: Augmentation, generator: torch.Generator) -> Images:
    return images.masked_fill(_blocks(images, settings.salt_share, 0.08, 1, generator), 0.0)


def _emboss(images: Images, settings: Augmentation, generator: torch.Generator) -> Images:
    strength = (0.5 + torch.rand(len(images), 1, 1, 1, generator=generator)).to(images.device)
    blend = (0.5 * torch.rand(len(images), 1, 1, 1, generator=generator)).to(images.device)
    edges = torch.tensor([[-1.0, -1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], device=images.device)
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    slope = F.conv2d(padded, edges.expand(3, 1, 3, 3), groups=3)
    return (1 - blend) * images + blend * (images + strength * slope)
