"""Domain adaptation: features by which labelled images cannot be told from unlabelled ones of another domain.

Gradient reversal (Ganin and Lempitsky, Unsupervised Domain Adaptation by Backpropagation, 2015) in place of ADDA's two
optimisers (Tzeng et al. 2017): both look for the same balance, but here one optimiser and one backward pass do, so that
mixed precision, accumulated batches, several processes and resuming need nothing of their own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

from vitruve.algorithms.base import Algorithm
from vitruve.config.schema import Config
from vitruve.data.augment import Augmentation
from vitruve.data.targets import TargetImages
from vitruve.errors import ConfigError
from vitruve.losses.settings import DOMAIN, AnnealWeight
from vitruve.structures.batch import Batch

_WIDTH = 64
_LAYERS = 5
_SMALLEST = 4


class Discriminator(nn.Module):
    """Says of feature maps whether they are of labelled images: five convolutions, the mean, a linear layer.

    Args:
        channels: Channels of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels, *[_WIDTH] * _LAYERS]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths))
        self.last = nn.Linear(_WIDTH, 1)

    def forward(self, maps: Float[torch.Tensor, "N C H W"]) -> Float[torch.Tensor, " N"]:
        """Log odds of being labelled.

        Args:
            maps: Features of images of any size.

        Returns:
            One number an image.
        """
        for convolution in self.convolutions:
            maps = F.leaky_relu(convolution(maps), 0.2)
            if min(maps.shape[-2:]) >= _SMALLEST:
                maps = F.avg_pool2d(maps, 2)
        found: torch.Tensor = self.last(maps.mean((-2, -1)))[:, 0]
        return found


class DomainTerm(nn.Module):
    """The discriminator, and the backbone's effort to deceive it.

    The discriminator learns all the time, so that it is worth deceiving once the backbone begins to.

    Args:
        algorithm: Has a backbone.
        weight: Weight of the term in the backbone's gradient, beside the common one of the epoch.
        anneal: How the common weight grows.

    Attributes:
        weight: See above.
    """

    def __init__(self, algorithm: Algorithm, weight: float, anneal: AnnealWeight) -> None:
        super().__init__()
        backbone = algorithm.backbone
        assert backbone is not None
        self.weight = weight
        self._anneal = anneal
        training = backbone.training
        with torch.no_grad():
            width, height = algorithm.task.input_size
            maps = _deepest(backbone.eval()(torch.zeros(1, 3, height, width)))
        backbone.train(training)
        self.discriminator = Discriminator(maps.shape[1])

    def importance(self, epoch: int) -> float:
        """The common weight in an epoch."""
        return self._anneal.importance(epoch)

    @contextmanager
    def watching(self, backbone: nn.Module) -> Iterator[list[torch.Tensor]]:
        """Note the features that a backbone finds while a block runs.

        Args:
            backbone: The algorithm's.

        Yields:
            The maps of each of its calls, the coarsest.
        """
        seen: list[torch.Tensor] = []
        hook = backbone.register_forward_hook(lambda module, given, found: seen.append(_deepest(found)))
        try:
            yield seen
        finally:
            hook.remove()

    def forward(
        self, backbone: nn.Module, seen: list[torch.Tensor], labelled: Batch, target: Batch, importance: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """How badly the domains are told apart.

        Args:
            backbone: The algorithm's.
            seen: What :meth:`watching` noted of the labelled images; nothing where the algorithm uses parts of its
                backbone alone.
            labelled: Labelled images.
            target: Images of the other domain.
            importance: The common weight of the epoch.

        Returns:
            Cross entropy, whose gradient comes to the backbone with the opposite sign times both weights; and the share
            of images that were told right, each domain counting half.
        """
        maps = seen or [_deepest(backbone(labelled.images.flatten(0, 2)))]
        away = _deepest(backbone(target.images.flatten(0, 2)))
        with torch.autocast(away.device.type, enabled=False):
            strength = self.weight * importance
            here = torch.cat([self.discriminator(_reversed(each.float(), strength)) for each in maps])
            there = self.discriminator(_reversed(away.float(), strength))
        loss = (F.softplus(-here).mean() + F.softplus(there).mean()) / 2
        right = ((here > 0).float().mean() + (there <= 0).float().mean()) / 2
        return loss, right.detach()


class _Reversal(torch.autograd.Function):
    """The same forwards; backwards the gradient in the opposite direction, times a factor."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, factor: float) -> torch.Tensor:
        """The values as they are."""
        ctx.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The opposite of the gradient."""
        return -ctx.factor * gradients[0], None


def _reversed(maps: torch.Tensor, factor: float) -> torch.Tensor:
    result: torch.Tensor = _Reversal.apply(maps, factor)  # type: ignore[no-untyped-call]
    return result


def build_domain(config: Config, algorithm: Algorithm, changes: Augmentation) -> tuple[DomainTerm, TargetImages] | None:
    """The term and its images, where ``model.losses_to_use`` names ``domain``.

    Args:
        config: All settings.
        algorithm: What is trained.
        changes: The augmentation of labelled frames.

    Returns:
        Both; None where it is not named, or switched off.

    Raises:
        ConfigError: There is no folder of images, no backbone, or crops are looked at.
        InputError: An image cannot be read.
    """
    weight = config.losses.domain.log_weight
    if DOMAIN not in config.model.losses_to_use or weight is None:
        return None
    folder = config.data.target_dir
    if folder is None:
        raise ConfigError(
            f"model.losses_to_use: {DOMAIN} learns from unlabelled images of another domain; set data.target_dir to "
            "their folder, or leave it out"
        )
    if algorithm.backbone is None:
        raise ConfigError(f"model.losses_to_use: {config.model.model_type} has no backbone for {DOMAIN}; leave it out")
    if config.cropped:
        raise ConfigError(
            f"model.losses_to_use: {DOMAIN} shows whole images of data.target_dir, but this network looks at crops; "
            "leave it out, or crop all images beforehand (vitruve crop)"
        )
    seed = config.training.rng_seed_data_pt
    images = TargetImages(folder, algorithm.task.input_size, algorithm.needs, changes, config.data.cache_gb, seed)
    return DomainTerm(algorithm, 1 / (2 * math.exp(weight)), config.callbacks.anneal_weight), images


def on_video(config: Config) -> Config:
    """The same settings with those terms alone that learn from windows of video.

    Args:
        config: All settings.

    Returns:
        The settings without ``domain`` in ``model.losses_to_use``.
    """
    named = tuple(name for name in config.model.losses_to_use if name != DOMAIN)
    return config.model_copy(update={"model": config.model.model_copy(update={"losses_to_use": named})})


def _deepest(found: Any) -> torch.Tensor:
    """The coarsest map of what a backbone gives."""
    maps: torch.Tensor = found[-1] if isinstance(found, (list, tuple)) else found
    return maps
