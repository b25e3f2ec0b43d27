"""What a training step or a prediction step works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8

from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances


@dataclass(frozen=True, eq=False)
class Batch:
    """Images with their truth. Every axis is always there.

    Attributes:
        images: ``(B, V, T, C, H, W)`` uint8 RGB: batch, view, time, channel, height, width. Labelled frames have T = 1,
            or as many as their algorithm's context asks for; windows of video may be longer.
        to_image: ``(B, V, 3, 3)`` float32, from pixels of the network's input to original image pixels; the same for
            all T frames.
        truth: ``(B, V, N, ...)`` in original pixels, of the middle of the T frames; None when unlabelled. Where the
            input is a mirror image, keypoints have changed places with their partners: it is what the network sees.
        truth_3d: ``(B, N, ...)`` in millimetres, where known.
        ignore: ``(B, V, H, W)`` True where nothing is to be learned (crowds), or None.
        cameras: ``(B, V)`` stacked cameras, or None; of a view that is missing, one with NaN as its intrinsics.
    """

    images: UInt8[torch.Tensor, "B V T C H W"] | Float[torch.Tensor, "B V T C H W"]
    to_image: Float[torch.Tensor, "B V 3 3"]
    truth: Instances | None = None
    truth_3d: Instances | None = None
    ignore: Bool[torch.Tensor, "B V H W"] | None = None
    cameras: Camera | None = None

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the network's input, in pixels."""
        return int(self.images.shape[-1]), int(self.images.shape[-2])

    def to_image_of(self, count: int) -> Float[torch.Tensor, "{count} V 3 3"]:
        """:attr:`to_image` of each predicted frame.

        Args:
            count: Predicted frames in all: the same number of consecutive ones from each entry of the batch.

        Returns:
            One matrix a frame and view, in the order of ``(B, P)`` with P frames an entry.
        """
        return self.to_image.repeat_interleave(count // len(self), 0)

    @property
    def truth_in_input(self) -> Instances | None:
        """The truth in pixels of the network's input: ``(B, V, N, ...)``."""
        if self.truth is None:
            return None
        return self.truth.transformed(torch.linalg.inv(self.to_image.double()).float())

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
        """The same batch with a function applied to every tensor in it."""

        def each(value: Any) -> Any:
            if value is None:
                return None
            return value.map(function) if isinstance(value, (Instances, Camera)) else function(value)

        return Batch(**{name: each(getattr(self, name)) for name in self.__dataclass_fields__})

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on another device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The same batch in memory that moves to a GPU quickly; data loaders call it."""
        return self.map(lambda tensor: tensor.pin_memory())

    def with_images(self, images: torch.Tensor) -> Batch:
        """The same batch with other images of the same shape."""
        return replace(self, images=images)


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """What one training step learns from.

    Attributes:
        labelled: Frames with their truth.
        unlabelled: Windows of video without, or None.
        target: Images of another domain without, ``(B, 1, 1, 3, H, W)``, or None.
    """

    labelled: Batch
    unlabelled: Batch | None = None
    target: Batch | None = None

    def __len__(self) -> int:
        return len(self.labelled)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> TrainingBatch:
        """The same batch on another device."""
        return self._each(lambda batch: batch.to(device, non_blocking))

    def pin_memory(self) -> TrainingBatch:
        """The same batch in memory that moves to a GPU quickly; data loaders call it."""
        return self._each(Batch.pin_memory)

    def _each(self, function: Callable[[Batch], Batch]) -> TrainingBatch:
        rest = [None if part is None else function(part) for part in (self.unlabelled, self.target)]
        return TrainingBatch(function(self.labelled), *rest)
