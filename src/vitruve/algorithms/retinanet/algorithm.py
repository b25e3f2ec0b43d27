"""RetinaNet (Lin et al. 2017): a class and a box for each anchor, learned with the focal loss."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, StrictInt
from torch import nn
from torchvision.models.detection._utils import Matcher
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes

from vitruve.algorithms.base import Outputs, Targets, Task
from vitruve.algorithms.detection import DetectionSettings, Detector, DetectorNetwork, Truth
from vitruve.algorithms.settings import ModelSettings
from vitruve.networks.pyramid import Pyramid

_LEVELS = 5
_OCTAVES = 3


class RetinaNetSettings(DetectionSettings):
    """Settings of ``model.model_type: retinanet``; the defaults are torchvision's."""

    finest_stride: Literal[4, 8] = Field(
        default=8, description="Stride of the finest level; 4 for objects below 20 pixels of the input."
    )
    candidates: StrictInt = Field(default=1000, ge=1, description="Most anchors a level that are looked at.")


class AnchorMaps(DetectorNetwork):
    """Backbone, pyramid, and the two heads over all its levels.

    Args:
        config: Names the backbone.
        task: Size of the input, and the classes.
        shapes: Anchors a cell.
        pretrained: Start the backbone from published weights.
    """

    def __init__(self, config: RetinaNetSettings, task: Task, shapes: int, pretrained: bool) -> None:
        super().__init__(config, task, config.finest_stride, pretrained)
        strides = RetinaNet.strides(config)
        backbone = self.backbone
        self.pyramid = Pyramid(backbone.channels, backbone.strides, strides, config.fpn_channels, "convolution")
        self.head = RetinaNetHead(config.fpn_channels, shapes, len(task.categories))
        for part in (self.head.classification_head, self.head.regression_head):
            for layer in part.conv.modules():
                # torchvision's constant spread is meant for 256 channels: through fewer, nothing would be left.
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> Outputs:
        """``classes`` ``(N, anchors, classes)`` before the sigmoid, ``offsets`` ``(N, anchors, 4)``."""
        found = self.head(self.pyramid(self.backbone(images), (images.shape[-2], images.shape[-1])))
        return {"classes": found["cls_logits"], "offsets": found["bbox_regression"]}


class RetinaNet(Detector):
    """A score of every class and a box for each anchor; the background is that no score is high."""

    Config: ClassVar[type[ModelSettings]] = RetinaNetSettings
    description = "objects as boxes with classes, in one stage (RetinaNet)"
    octaves = _OCTAVES

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, RetinaNetSettings)
        self._candidates = config.candidates
        self.network: AnchorMaps = AnchorMaps(config, task, len(self.shapes[0]), pretrained)
        self._matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
        # Runtimes exchange the network for a compiled one, which has no such part.
        self._coder = self.network.head.regression_head.box_coder

    @classmethod
    def strides(cls, config: ModelSettings) -> tuple[int, ...]:
        """Five levels, each of twice the last's."""
        assert isinstance(config, RetinaNetSettings)
        return tuple(config.finest_stride * 2**level for level in range(_LEVELS))

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``classes``: the focal loss; ``boxes``: the distance of offsets; both over the objects of an image."""
        classes, offsets = (outputs[name].float().flatten(0, 1) for name in ("classes", "offsets"))
        anchors = torch.cat(self.anchors(self.task.input_size, offsets.device))
        truths = self.truths(targets)
        matched = [self._matched(anchors, truth) for truth in truths]
        losses = self.network.head.compute_loss(
            [{"boxes": truth.boxes, "labels": truth.labels} for truth in truths],
            {"cls_logits": classes, "bbox_regression": offsets},
            [anchors] * len(truths),
            matched,
        )
        return {"classes": losses["classification"], "boxes": losses["bbox_regression"]}

    def _matched(self, anchors: torch.Tensor, truth: Truth) -> torch.Tensor:
        """The object of each anchor, or that it is background or ignored."""
        nothing = torch.full((len(anchors),), Matcher.BELOW_LOW_THRESHOLD, dtype=torch.int64, device=anchors.device)
        matched: torch.Tensor = self._matcher(box_iou(truth.boxes, anchors)) if len(truth.boxes) else nothing
        beside = (matched == Matcher.BELOW_LOW_THRESHOLD) & truth.covers(
            clip_boxes_to_image(anchors, self.task.input_size[::-1])
        )
        return torch.where(beside, Matcher.BETWEEN_THRESHOLDS, matched)

    def detect(self, outputs: Outputs, size: tuple[int, int]) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """The best anchors of each level, those of a class that overlap as one."""
        classes, offsets = (outputs[name].float().flatten(0, 1) for name in ("classes", "offsets"))
        levels = self.anchors(size, offsets.device)
        counts = [len(level) for level in levels]
        found = []
        for scores, moves in zip(classes.sigmoid(), offsets, strict=True):
            parts = []
            for score, move, anchors in zip(scores.split(counts), moves.split(counts), levels, strict=True):
                flat = score.flatten()
                best, places = flat.topk(min(self._candidates, len(flat)))
                places = places[best > self.settings.score_threshold]
                rows = places // score.shape[-1]
                boxes = self._coder.decode_single(move[rows], anchors[rows])
                boxes = clip_boxes_to_image(boxes, (size[1], size[0]))
                whole = remove_small_boxes(boxes, 1e-2)
                parts.append((boxes[whole], flat[places][whole], (places % score.shape[-1])[whole]))
            boxes, score, label = (torch.cat(each) for each in zip(*parts, strict=True))
            keep = batched_nms(boxes, score, label, self.settings.nms_iou)[: self.settings.detections_per_image]
            found.append((boxes[keep], score[keep], label[keep]))
        return found
