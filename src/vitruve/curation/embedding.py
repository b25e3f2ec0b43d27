"""Images as points: what a network makes of them, so that images that look alike lie near one another."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from vitruve.errors import ConfigError
from vitruve.inference.device import pick_device
from vitruve.inference.load import load_run
from vitruve.networks.backbone import Backbone

SIZE = 96
"""Side of the images that are looked at in pixels, where a network takes any."""

_log = logging.getLogger(__name__)


class Embedder:
    """Makes a point of an image.

    Of a network that has learned something it is the mean of each channel of its last map. A network with random
    weights tells colours and textures apart in all its maps, so there it is mean and spread of each channel of each.

    Args:
        network: Takes images ``(N, 3, H, W)`` from 0 to 255 and gives feature maps, finest first.
        learned: Whether its weights are others than random ones.
        origin: What it is, for reports.
        size: Side of the images that it takes.
        device: Where it works.
        batch_size: Images that go through it together.
    """

    def __init__(
        self,
        network: nn.Module,
        learned: bool,
        origin: str,
        size: int = SIZE,
        device: str = "cpu",
        batch_size: int = 64,
    ) -> None:
        self.origin, self.size = origin, size
        self._network = network.eval().to(device)
        self._learned, self._device, self._batch_size = learned, device, batch_size

    @classmethod
    def of_backbone(
        cls,
        name: str = "resnet18",
        *,
        weights: Path | None = None,
        pretrained: bool = True,
        size: int = SIZE,
        device: str = "auto",
        seed: int = 0,
    ) -> Embedder:
        """An embedder of a timm network.

        Args:
            name: As in ``model.backbone``.
            weights: A safetensors file with its weights, or a run that has learned with it.
            pretrained: Take the published weights where there is no file; random ones, with a warning, where they
                cannot be had.
            size: Side of the images, a multiple of 32.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            seed: Of random weights.

        Returns:
            The embedder.

        Raises:
            ConfigError: There is no such network, or it does not take images of that size.
            RunError: The file does not fit it.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            backbone = Backbone(name, (size, size), pretrained=pretrained, weights_file=weights)
        origin = f"{name}, {backbone.origin} weights"
        return cls(backbone, backbone.pretrained, origin, size, pick_device(device, "--device"))

    @classmethod
    def of_run(cls, run: Path, *, device: str = "auto") -> Embedder:
        """An embedder of the network that a run has trained.

        Args:
            run: The run directory.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

        Returns:
            The embedder.

        Raises:
            RunError: The directory is no finished run.
            ConfigError: Its algorithm has no backbone.
        """
        algorithm = load_run(run).algorithm
        backbone = algorithm.backbone
        if backbone is None:
            raise ConfigError(f"{run}: {algorithm.config.model_type} has no backbone that looks at images; name one")
        size = SIZE if _takes(backbone, SIZE) else max(algorithm.task.input_size)
        if not _takes(backbone, size):
            raise ConfigError(f"{run}: its backbone does not take square images; take a run with square input, or none")
        return cls(backbone, True, f"backbone of {run.name}", size, pick_device(device, "--device"))

    def __call__(self, images: Iterable[UInt8[np.ndarray, "H W 3"]]) -> Float[np.ndarray, "M P"]:
        """Points of images, in their order.

        Args:
            images: RGB, each a square of :attr:`size` pixels.

        Returns:
            One row an image, float32.
        """
        rows: list[np.ndarray] = []
        with torch.inference_mode():
            for group in _groups(images, self._batch_size):
                batch = torch.from_numpy(np.stack(group)).permute(0, 3, 1, 2).to(self._device)
                rows.append(self._pooled(self._network(batch)).float().cpu().numpy())
        return np.concatenate(rows) if rows else np.zeros((0, 1), np.float32)

    def _pooled(self, outputs: object) -> Float[torch.Tensor, "N P"]:
        maps = list(_maps(outputs))
        if self._learned:
            return maps[-1].flatten(2).mean(-1)
        flat = [each.flatten(2) for each in maps]
        return torch.cat([each.mean(-1) for each in flat] + [each.std(-1, correction=0) for each in flat], 1)


def open_embedder(
    backbone: str = "resnet18",
    weights: Path | None = None,
    run: Path | None = None,
    *,
    pretrained: bool = True,
    device: str = "auto",
    seed: int = 0,
) -> Embedder:
    """What makes points of images, as the command line says it.

    Args:
        backbone: A timm name.
        weights: A file with its weights.
        run: A run, whose own network is taken instead.
        pretrained: Take published weights where no file is given.
        device: Where it works.
        seed: Of random weights.

    Returns:
        The embedder.

    Raises:
        ConfigError: Both a run and weights are given, or there is no such network.
        RunError: A file or a run is not as it should be.
    """
    if run is not None and weights is not None:
        raise ConfigError(f"--run {run}, --weights {weights}: give one of the two")
    if run is not None:
        return Embedder.of_run(run, device=device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no published weights could be had")
        made = Embedder.of_backbone(backbone, weights=weights, pretrained=pretrained, device=device, seed=seed)
    if pretrained and made.origin.endswith("random weights"):
        _log.warning(
            "%s: no published weights could be had, so they are random; --weights or --run are better", backbone
        )
    return made


def _takes(network: nn.Module, size: int) -> bool:
    try:
        with torch.inference_mode():
            return all(each.ndim == 4 for each in _maps(network(torch.zeros(1, 3, size, size, dtype=torch.uint8))))
    except (RuntimeError, AssertionError, ValueError):
        return False


def _maps(outputs: object) -> Iterator[torch.Tensor]:
    """All feature maps among a network's outputs."""
    if isinstance(outputs, torch.Tensor):
        yield outputs
    elif isinstance(outputs, Mapping):
        for each in outputs.values():
            yield from _maps(each)
    elif isinstance(outputs, (list, tuple)):
        for each in outputs:
            yield from _maps(each)


def _groups(images: Iterable[np.ndarray], count: int) -> Iterator[list[np.ndarray]]:
    rest = iter(images)
    while group := list(islice(rest, count)):
        yield group
