"""A few inputs of a run: all that calibrating and comparing runtimes needs, long after the images are gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vitruve.atomic import atomic_path
from vitruve.data.dataset import PoseDataset
from vitruve.errors import RunError
from vitruve.structures.batch import Batch

LIMIT = 32
"""Most images a view that are kept of one split."""
_FEWEST = 8


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs of a network, with where they came from.

    Attributes:
        images: ``(n, V, T, 3, H, W)`` RGB.
        to_image: ``(n, V, 3, 3)`` from input pixels to original pixels.
        splits: The split of each, such as ``train`` or ``validation``.
    """

    images: UInt8[torch.Tensor, "n V T 3 H W"]
    to_image: Float[torch.Tensor, "n V 3 3"]
    splits: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.splits)

    def of(self, split: str) -> Samples:
        """The inputs of one split; all inputs when it has none.

        Args:
            split: Such as ``validation``.

        Returns:
            The samples.
        """
        rows = [i for i, name in enumerate(self.splits) if name == split] or list(range(len(self)))
        return Samples(self.images[rows], self.to_image[rows], tuple(self.splits[i] for i in rows))

    def batches(self, size: int, device: torch.device | str = "cpu") -> list[Batch]:
        """The inputs as batches, in order.

        Args:
            size: Most inputs of one batch.
            device: Where the batches are to be.

        Returns:
            The batches; the last may be smaller.
        """
        starts = range(0, len(self), size)
        whole = [Batch(self.images[i : i + size], self.to_image[i : i + size]) for i in starts]
        return [batch.to(device) for batch in whole]


def save_samples(path: Path, parts: Mapping[str, PoseDataset], limit: int = LIMIT) -> None:
    """Write inputs spread evenly over each split.

    Args:
        path: The safetensors file.
        parts: The data set of each split, without augmentation.
        limit: Most images a view of one split. Inputs of several frames are kept whole, and no fewer than eight.

    Raises:
        InputError: An image cannot be read or the file cannot be written.
    """
    images, to_image, splits = [], [], []
    for split, part in parts.items():
        count = min(max(limit // (2 * part.needs.context + 1), min(limit, _FEWEST)), len(part))
        for index in np.linspace(0, len(part) - 1, count).round().astype(int):
            sample = part[int(index)]
            images.append(torch.from_numpy(np.ascontiguousarray(sample.images)))
            to_image.append(torch.from_numpy(np.ascontiguousarray(sample.to_image)))
            splits.append(split)
    write_samples(path, Samples(torch.stack(images), torch.stack(to_image), tuple(splits)))


def write_samples(path: Path, samples: Samples) -> None:
    """Write samples that are there already.

    Args:
        path: The safetensors file.
        samples: What is written.

    Raises:
        InputError: The file cannot be written.
    """
    tensors = {"images": samples.images.contiguous(), "to_image": samples.to_image.contiguous()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {"splits": json.dumps(samples.splits)})


def load_samples(path: Path) -> Samples:
    """Read what :func:`save_samples` wrote.

    Args:
        path: The safetensors file.

    Returns:
        The samples.

    Raises:
        RunError: The file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            splits = tuple(json.loads(stored.metadata()["splits"]))
            samples = Samples(stored.get_tensor("images"), stored.get_tensor("to_image"), splits)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: not a whole file of samples ({error}); copy the run again") from error
    if not len(samples.images) == len(samples.to_image) == len(splits) > 0:
        raise RunError(f"{path}: {len(splits)} splits for {len(samples.images)} images; copy the run again")
    return samples
