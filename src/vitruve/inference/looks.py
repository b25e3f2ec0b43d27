"""Several looks at one image: its mirror image, and other sizes of it.

What the looks give is averaged where an algorithm has maps that can be, else the instances found are put together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from vitruve.algorithms.base import Algorithm, Needs, Outputs
from vitruve.errors import ConfigError
from vitruve.evaluation.merge import merged
from vitruve.inference.settings import InferenceSettings
from vitruve.inference.suppression import concatenated, suppressed
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

_STEP = 32
"""Sides of an input in another size are whole multiples of this: every backbone's strides divide it."""


@dataclass(frozen=True)
class Looks:
    """In which ways an image is looked at.

    Attributes:
        flip: Also at its mirror image.
        scales: In which sizes, as factors of the network's input.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)

    @classmethod
    def of(cls, settings: InferenceSettings, needs: Needs) -> Looks:
        """What settings ask for, as far as it means something to an algorithm.

        Args:
            settings: The section ``inference``.
            needs: The algorithm's.

        Returns:
            One plain look for algorithms that see several views together: no other view would be mirrored as well.
        """
        return cls(settings.flip, settings.scales) if can_look_again(needs) else cls()

    @property
    def plain(self) -> bool:
        """Whether it is one look as in training."""
        return not self.flip and self.scales == (1.0,)

    @property
    def identity(self) -> str:
        """What tells the predictions from others; empty for :attr:`plain` ones."""
        return "" if self.plain else f"scales {','.join(f'{s:g}' for s in self.scales)}" + " flip" * self.flip

    def largest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the largest input, for a network of the given size: images are sampled once, for it."""
        return _scaled(size, max(self.scales))


def can_look_again(needs: Needs) -> bool:
    """Whether mirror images and other sizes mean something to an algorithm."""
    return not (needs.views or needs.cameras or needs.truth_3d or needs.classes)


def look(algorithm: Algorithm, batch: Batch, looks: Looks) -> tuple[Outputs, Instances]:
    """What an algorithm finds in all looks together.

    Args:
        algorithm: In evaluation mode.
        batch: Of the size :meth:`Looks.largest`.
        looks: Which.

    Returns:
        The outputs of the first look, or of all as one; and what is found, like :meth:`Algorithm.decode`.

    Raises:
        ConfigError: The network takes images of one size only.
    """
    if looks.plain:
        outputs = algorithm(batch)
        return outputs, algorithm.decode(outputs, batch)
    views = list(_ways(batch, looks, algorithm.task.input_size))
    each = []
    for one, _ in views:
        try:
            each.append(algorithm(one))
        except (RuntimeError, AssertionError, ValueError) as error:
            if one.input_size == algorithm.task.input_size or isinstance(error, torch.OutOfMemoryError):
                raise
            raise ConfigError(
                f"inference.scales={list(looks.scales)}: {algorithm.config.model_type} with this backbone takes images "
                f"of {algorithm.task.input_size[0]}x{algorithm.task.input_size[1]} px only; write [1.0]"
            ) from error
    flags = [mirrored for _, mirrored in views]
    together = algorithm.averaged(each, flags)
    if together is not None:
        size = looks.largest(algorithm.task.input_size)
        largest = next(one for one, flag in views if one.input_size == size and not flag)
        return together, algorithm.decode(together, largest)
    order = list(algorithm.task.skeleton.flip_permutation)
    found = []
    for some, (one, mirrored) in zip(each, views, strict=True):
        decoded = algorithm.decode(some, one).numpy()
        found.append(decoded.reordered(order) if mirrored else decoded)
    device = batch.to_image.device
    return each[0], _together(found, algorithm).map(lambda array: torch.from_numpy(array).to(device))


def _ways(batch: Batch, looks: Looks, size: tuple[int, int]) -> Iterator[tuple[Batch, bool]]:
    for scale in dict.fromkeys(looks.scales):
        one = _resized(batch, _scaled(size, scale))
        yield one, False
        if looks.flip:
            width = one.input_size[0]
            back = one.to_image.new_tensor([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
            yield replace(one, images=one.images.flip(-1), to_image=one.to_image @ back), True


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    if scale == 1:
        return size
    width, height = (max(_STEP, round(side * scale / _STEP) * _STEP) for side in size)
    return width, height


def _resized(batch: Batch, size: tuple[int, int]) -> Batch:
    if batch.input_size == size:
        return batch
    x, y = (a / b for a, b in zip(batch.input_size, size, strict=True))
    flat = batch.images.flatten(0, 2).float()
    flat = F.interpolate(flat, size[::-1], mode="bilinear", align_corners=False, antialias=True)
    images = flat.round().clamp(0, 255).to(batch.images.dtype).reshape(*batch.images.shape[:4], *size[::-1])
    back = batch.to_image.new_tensor([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    return replace(batch, images=images, to_image=batch.to_image @ back)


def _together(found: list[Instances], algorithm: Algorithm) -> Instances:
    """``(F, V, N, ...)`` of all looks as one, filled up with NaN."""
    skeleton, single = algorithm.task.skeleton, not algorithm.needs.instances
    frames, views = found[0].keypoints.shape[:2]
    rows = []
    for frame, view in np.ndindex(frames, views):
        each = [one[frame, view] for one in found]
        boxes = algorithm.needs.boxes
        rows.append(_once(each, algorithm) if boxes else merged(each, skeleton.oks_sigmas, single))
    most = max(len(row.keypoints) for row in rows)
    result = {}
    for name in ("keypoints", "visible", "keypoint_scores", "scores", "boxes", "categories"):
        arrays = [getattr(row, name) for row in rows]
        if any(array is None for array in arrays):
            continue
        missing = {"visible": 0, "categories": -1}.get(name, np.nan)
        full = np.full((len(rows), most, *arrays[0].shape[1:]), missing, arrays[0].dtype)
        for place, array in zip(full, arrays, strict=True):
            place[: len(array)] = array
        result[name] = full.reshape(frames, views, *full.shape[1:])
    return Instances(**result)


def _once(looks: list[Instances], algorithm: Algorithm) -> Instances:
    """Detections of all looks, each of them once."""
    found = concatenated([each[np.asarray(each.present)] for each in looks])
    return found[suppressed(found, np.zeros(len(found.keypoints), bool), getattr(algorithm.config, "nms_iou", 0.5))]
