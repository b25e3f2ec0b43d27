"""What detectors share: settings, anchors, which boxes they learn, and how what they find becomes instances.

Boxes of the network are in pixels of its input, counted from the corner of the first pixel, as torchvision counts them:
half a pixel more than ours.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, StrictBool, StrictFloat, StrictInt
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs, Outputs, Targets, Task
from vitruve.algorithms.crowd import gathered
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import anchors as codec
from vitruve.networks.backbone import Backbone
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

_Positive = Annotated[float, Field(gt=0)]

NOBODY, IGNORED = -1, -2
"""Categories of targets that are no object: places that fill up the axis, and parts in which nothing is known."""

_CORNER = 0.5


class DetectionSettings(ModelSettings):
    """Settings that all detectors have."""

    fpn_channels: StrictInt = Field(
        default=256, ge=8, description="Channels of every level of the feature pyramid and of the heads on it."
    )
    anchor_scale: StrictFloat | None = Field(
        default=None, gt=0, description="Size of anchors in strides of their level; null to fit them to the labels."
    )
    anchor_ratios: tuple[_Positive, ...] | None = Field(
        default=None,
        min_length=1,
        description="Heights over widths of anchors; null to fit them to the labels, or 1/2, 1, 2 with anchor_scale.",
    )
    freeze_norm: StrictBool | None = Field(
        default=None,
        description="Leave batch normalisation in the backbone as it begins; null to do so with published weights, as "
        "torchvision does, and not with random ones.",
    )
    min_visible: StrictFloat = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Objects of which a smaller share lies within the input are neither learned nor counted as "
        "background.",
    )
    score_threshold: StrictFloat = Field(default=0.05, ge=0, le=1, description="Least score of a detection.")
    nms_iou: StrictFloat = Field(
        default=0.5, gt=0, le=1, description="IoU above which two detections of a class are one."
    )
    detections_per_image: StrictInt = Field(default=300, ge=1, description="Most detections an image.")


@dataclass(frozen=True, eq=False)
class Truth:
    """What an image shows.

    Attributes:
        boxes: Of the objects.
        labels: Their classes, from 0.
        ignored: Boxes in which nothing is known.
    """

    boxes: Float[torch.Tensor, "n 4"]
    labels: Int[torch.Tensor, " n"]
    ignored: Float[torch.Tensor, "m 4"]

    def covers(self, boxes: Float[torch.Tensor, "k 4"]) -> Bool[torch.Tensor, " k"]:
        """Which boxes lie by more than half within one that is ignored."""
        if not len(self.ignored):
            return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
        low = torch.maximum(boxes[:, None, :2], self.ignored[:, :2])
        high = torch.minimum(boxes[:, None, 2:], self.ignored[:, 2:])
        common = (high - low).clamp_min(0).prod(-1)
        return (common > 0.5 * (boxes[:, 2:] - boxes[:, :2]).prod(-1, keepdim=True)).any(1)


class DetectorNetwork(nn.Module):
    """Base of the part of a detector that has outputs of fixed shapes.

    Args:
        config: Names the backbone.
        task: Size of the input.
        finest: Stride of the pyramid's first level.
        pretrained: Start the backbone from published weights.
    """

    def __init__(self, config: DetectionSettings, task: Task, finest: int, pretrained: bool) -> None:
        super().__init__()
        weights = Path(config.backbone_checkpoint) if config.backbone_checkpoint else None
        self.backbone = Backbone(
            config.backbone,
            task.input_size,
            finest_stride=finest,
            pretrained=pretrained,
            weights_file=weights,
            freeze_norm=config.freeze_norm,
        )


class Detector(ImageAlgorithm):
    """Base of detectors.

    Subclasses set :attr:`network` and :attr:`strides`, and have ``loss`` and :meth:`detect`.

    Attributes:
        settings: The settings.
        shapes: Of the anchors of each level.
    """

    Config: ClassVar[type[ModelSettings]] = DetectionSettings
    needs = Needs(instances=True, boxes=True)
    octaves: ClassVar[int] = 1

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, DetectionSettings)
        self.settings = config
        self.shapes = task.anchors or self.fitted(config, np.zeros((0, 2)))

    @classmethod
    @abstractmethod
    def strides(cls, config: ModelSettings) -> tuple[int, ...]:
        """Strides of the levels that have anchors."""

    @classmethod
    def fitted(cls, config: ModelSettings, sizes: Float[np.ndarray, "n 2"]) -> codec.Shapes:
        """Anchors for objects of these widths and heights, as far as the settings do not say which."""
        assert isinstance(config, DetectionSettings)
        strides = cls.strides(config)
        if config.anchor_scale is not None:
            return codec.ladder(strides, config.anchor_scale, config.anchor_ratios or codec.RATIOS, cls.octaves)
        return codec.fit(sizes, strides, cls.octaves, config.anchor_ratios)

    def anchors(self, size: tuple[int, int], device: torch.device) -> list[Float[torch.Tensor, "_ 4"]]:
        """All anchors of an input, level by level."""
        return codec.place(self.shapes, self.strides(self.settings), size, device)

    def encode(self, batch: Batch) -> Targets:
        """``boxes`` ``(B, V, N, 4)``, and ``labels`` ``(B, V, N)``: classes from 0, or one of the two that are none.

        A box is the one around the object's corners in the input, cut off at its border. What is cut off too far is
        ignored, and so are crowds.
        """
        truth = batch.truth_in_input
        assert truth is not None and truth.boxes is not None and truth.categories is not None
        whole = truth.boxes.float() + _CORNER
        width, height = batch.input_size
        limits = whole.new_tensor([width, height, width, height])
        boxes = torch.minimum(whole.clamp_min(0), limits)
        area, inside = (_areas(each) for each in (whole, boxes))
        labels = truth.categories.long().clone()
        known = (inside > 0) & (labels >= 0)
        ignored = inside < self.settings.min_visible * area
        if truth.crowds is not None:
            ignored = ignored | truth.crowds
        labels = torch.where(known, torch.where(ignored, IGNORED, labels), NOBODY)
        return {"boxes": boxes.nan_to_num(), "labels": labels}

    def truths(self, targets: Mapping[str, torch.Tensor]) -> list[Truth]:
        """The targets of each image and view in turn."""
        pairs = zip(targets["boxes"].flatten(0, 1), targets["labels"].flatten(0, 1), strict=True)
        return [Truth(b[n >= 0], n[n >= 0], b[n == IGNORED]) for b, n in pairs]

    @abstractmethod
    def detect(self, outputs: Outputs, size: tuple[int, int]) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """What is found in each image and view in turn.

        Args:
            outputs: Of the network, as :meth:`forward` gives them.
            size: Width and height of the input.

        Returns:
            Boxes, scores and classes from 0, the best first.
        """

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """Instances without keypoints in original pixels, with boxes, scores and categories, the best first."""
        found = []
        for boxes, scores, labels in self.detect(outputs, batch.input_size):
            nothing = boxes.new_zeros(len(boxes), 0, 2)
            found.append(
                Instances(
                    nothing,
                    nothing[..., 0].to(torch.int8),
                    scores=scores,
                    boxes=boxes - _CORNER,
                    categories=labels,
                )
            )
        return gathered(found, batch)

    @contextmanager
    def repeatable(self) -> Iterator[None]:
        """A block whose samples are the same each time, unless the network is being trained.

        Losses of validation would differ from epoch to epoch by what was drawn.
        """
        if self.training:
            yield
            return
        device = next(self.parameters()).device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            yield


def by_anchor(maps: Sequence[torch.Tensor], values: int) -> Float[torch.Tensor, "N anchors {values}"]:
    """Maps of a head as one row an anchor, in the order of :func:`vitruve.codecs.anchors.place`.

    Args:
        maps: ``(N, anchors a cell * values, h, w)`` of each level.
        values: Numbers an anchor.

    Returns:
        The rows.
    """
    rows = [each.permute(0, 2, 3, 1).reshape(each.shape[0], -1, values) for each in maps]
    return torch.cat(rows, 1)


def _areas(boxes: Float[torch.Tensor, "*lead 4"]) -> Float[torch.Tensor, "*lead"]:
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)
