"""Faster R-CNN (Ren et al. 2015) on a feature pyramid (Lin et al. 2017): proposals, and a class and a box for each."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field, StrictFloat, StrictInt
from torch import nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign, clip_boxes_to_image

from vitruve.algorithms.base import Outputs, Targets, Task
from vitruve.algorithms.detection import DetectionSettings, Detector, DetectorNetwork, Truth, by_anchor
from vitruve.algorithms.settings import ModelSettings
from vitruve.networks.pyramid import Pyramid

_STRIDES = (4, 8, 16, 32, 64)
_POOLED = 4
"""Levels that regions are pooled from: those but the last."""

_CELLS = 7


class FasterRCNNSettings(DetectionSettings):
    """Settings of ``model.model_type: faster_rcnn``; the defaults are torchvision's."""

    head_channels: StrictInt = Field(default=1024, ge=8, description="Width of the layers that look at a region.")
    proposals: StrictInt = Field(default=1000, ge=1, description="Most regions an image that are looked at.")
    proposal_nms_iou: StrictFloat = Field(
        default=0.7, gt=0, le=1, description="IoU above which two proposals of a level are one."
    )
    sampled_anchors: StrictInt = Field(default=256, ge=2, description="Anchors an image that a step learns from.")
    sampled_regions: StrictInt = Field(default=512, ge=2, description="Regions an image that a step learns from.")


class ProposalMaps(DetectorNetwork):
    """Backbone, pyramid, and the head that scores anchors.

    Args:
        config: Names the backbone.
        task: Size of the input.
        shapes: Anchors a cell.
        pretrained: Start the backbone from published weights.
    """

    def __init__(self, config: FasterRCNNSettings, task: Task, shapes: int, pretrained: bool) -> None:
        super().__init__(config, task, _STRIDES[0], pretrained)
        self.pyramid = Pyramid(self.backbone.channels, self.backbone.strides, _STRIDES, config.fpn_channels)
        self.head = RPNHead(config.fpn_channels, shapes)

    def forward(self, images: torch.Tensor) -> Outputs:
        """``objectness`` ``(N, anchors, 1)``, ``offsets`` ``(N, anchors, 4)``, and levels to pool from."""
        levels = self.pyramid(self.backbone(images), (images.shape[-2], images.shape[-1]))
        objectness, offsets = self.head(levels)
        pooled = {f"level_{number}": level for number, level in enumerate(levels[:_POOLED])}
        return {"objectness": by_anchor(objectness, 1), "offsets": by_anchor(offsets, 4), **pooled}


class FasterRCNN(Detector):
    """Proposals from anchors, then a class and a better box for each of them.

    The background is class 0 of the second stage and exists nowhere else.
    """

    Config: ClassVar[type[ModelSettings]] = FasterRCNNSettings
    description = "objects as boxes with classes, in two stages (Faster R-CNN)"

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, FasterRCNNSettings)
        self.network = ProposalMaps(config, task, len(self.shapes[0]), pretrained)
        most = {"training": config.proposals, "testing": config.proposals}
        self.proposer = RegionProposalNetwork(
            anchor_generator=nn.Identity(),  # anchors are the codec's
            head=nn.Identity(),  # that of the network
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=config.sampled_anchors,
            positive_fraction=0.5,
            pre_nms_top_n={"training": 2 * config.proposals, "testing": config.proposals},
            post_nms_top_n=most,
            nms_thresh=config.proposal_nms_iou,
        )
        self.regions = RoIHeads(
            MultiScaleRoIAlign([f"level_{number}" for number in range(_POOLED)], _CELLS, sampling_ratio=2),
            TwoMLPHead(config.fpn_channels * _CELLS**2, config.head_channels),
            FastRCNNPredictor(config.head_channels, len(task.categories) + 1),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=config.sampled_regions,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=config.score_threshold,
            nms_thresh=config.nms_iou,
            detections_per_img=config.detections_per_image,
        )

    @classmethod
    def strides(cls, config: ModelSettings) -> tuple[int, ...]:
        """4 to 64 pixels."""
        return _STRIDES

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``objectness``, ``proposals``, ``classes`` and ``boxes``: the four of Faster R-CNN, of samples."""
        truths, size = self.truths(targets), self.task.input_size
        objectness, offsets, levels = _apart(outputs)
        with self.repeatable():
            proposals = self._proposals(objectness, offsets, size)
            score, place = self._proposal_losses(objectness, offsets, truths)
            classes, boxes = self._region_losses(proposals, levels, truths)
        return {"objectness": score, "proposals": place, "classes": classes, "boxes": boxes}

    def detect(self, outputs: Outputs, size: tuple[int, int]) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Regions with a class that is not the background."""
        objectness, offsets, levels = _apart(outputs)
        proposals = self._proposals(objectness, offsets, size)
        shapes = [(size[1], size[0])] * len(proposals)
        logits, changes = self._looked_at(levels, proposals, size)
        found = zip(*self.regions.postprocess_detections(logits, changes, proposals, shapes), strict=True)
        return [(boxes, scores, labels - 1) for boxes, scores, labels in found]

    def _proposals(self, objectness: torch.Tensor, offsets: torch.Tensor, size: tuple[int, int]) -> list[torch.Tensor]:
        levels = self.anchors(size, offsets.device)
        anchors = [torch.cat(levels)] * len(offsets)
        boxes = self.proposer.box_coder.decode(offsets.detach().flatten(0, 1), anchors).view(len(offsets), -1, 4)
        counts = [len(level) for level in levels]
        return self.proposer.filter_proposals(boxes, objectness, [(size[1], size[0])] * len(boxes), counts)[0]

    def _proposal_losses(
        self, objectness: torch.Tensor, offsets: torch.Tensor, truths: list[Truth]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        every = torch.cat(self.anchors(self.task.input_size, offsets.device))
        anchors = [every] * len(truths)
        labels, matched = self.proposer.assign_targets_to_anchors(anchors, [{"boxes": each.boxes} for each in truths])
        seen = clip_boxes_to_image(every, self.task.input_size[::-1])
        for label, truth in zip(labels, truths, strict=True):
            label[(label == 0) & truth.covers(seen)] = -1
        if all(bool((label < 0).all()) for label in labels):  # a crowd alone, of which nothing is to be learned
            return 0 * objectness.sum(), 0 * offsets.sum()
        wanted = self.proposer.box_coder.encode(matched, anchors)
        return self.proposer.compute_loss(objectness, offsets.flatten(0, 1), labels, wanted)

    def _region_losses(
        self, proposals: list[torch.Tensor], levels: dict[str, torch.Tensor], truths: list[Truth]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of a sample of the proposals and of the objects themselves, without which few fit at first."""
        part = self.regions
        boxes = [truth.boxes for truth in truths]
        proposals = part.add_gt_proposals(proposals, boxes)
        matched, labels = part.assign_targets_to_proposals(proposals, boxes, [truth.labels + 1 for truth in truths])
        for label, region, truth in zip(labels, proposals, truths, strict=True):
            label[(label == 0) & truth.covers(region)] = -1
        chosen = part.subsample(labels)
        if not any(len(places) for places in chosen):
            nothing = 0 * levels["level_0"].sum()
            return nothing, nothing
        regions = [region[places] for region, places in zip(proposals, chosen, strict=True)]
        wanted = [
            truth.boxes[number[places]] if len(truth.boxes) else region
            for truth, number, places, region in zip(truths, matched, chosen, regions, strict=True)
        ]
        logits, changes = self._looked_at(levels, regions, self.task.input_size)
        classes, places = fastrcnn_loss(
            logits,
            changes,
            [label[each] for label, each in zip(labels, chosen, strict=True)],
            part.box_coder.encode(wanted, regions),
        )
        return classes, places

    def _looked_at(
        self, levels: dict[str, torch.Tensor], regions: list[torch.Tensor], size: tuple[int, int]
    ) -> tuple[Float[torch.Tensor, "R _"], Float[torch.Tensor, "R _"]]:
        pooled = self.regions.box_roi_pool(levels, regions, [(size[1], size[0])] * len(regions))
        logits, changes = self.regions.box_predictor(self.regions.box_head(pooled))
        return logits.float(), changes.float()


def _apart(outputs: Outputs) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Scores and offsets of anchors, and the levels, of all images and views."""
    flat = {name: value.float().flatten(0, 1) for name, value in outputs.items()}
    return flat["objectness"], flat["offsets"], {n: value for n, value in flat.items() if n.startswith("level_")}
