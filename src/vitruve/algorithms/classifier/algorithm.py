"""The class of a whole image: the task on which backbones are pretrained before they learn poses."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, StrictFloat
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs, Outputs, Targets, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.networks.stride_backbone import StrideBackbone
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances

_STRIDE = 32
_MOST = 5


class ClassifierSettings(ModelSettings):
    """Settings of ``model.model_type: classifier``."""

    label_smoothing: StrictFloat = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Share of the probability that is taught to all classes alike (Szegedy et al. 2016).",
    )
    backbone_stride: int = Field(
        default=_STRIDE,
        ge=4,
        le=64,
        description="Stride of the map that the class is read from; the weights fit every stride.",
    )


class ClassifierNetwork(nn.Module):
    """Backbone, mean over the map, linear layer.

    Args:
        config: Names the backbone.
        task: Sizes and classes.
        pretrained: Start the backbone from published weights.
    """

    def __init__(self, config: ClassifierSettings, task: Task, pretrained: bool) -> None:
        super().__init__()
        weights = Path(config.backbone_checkpoint) if config.backbone_checkpoint else None
        self.backbone = StrideBackbone(
            config.backbone, task.input_size, config.backbone_stride, pretrained=pretrained, weights_file=weights
        )
        self.head = nn.Linear(self.backbone.channels, len(task.categories))
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: torch.Tensor) -> Outputs:
        """``logits``: ``(N, classes)``."""
        return {"logits": self.head(self.backbone(images).mean((-2, -1)))}


class Classifier(ImageAlgorithm):
    """One class an image."""

    Config: ClassVar[type[ModelSettings]] = ClassifierSettings
    description = "the class of an image, to pretrain backbones on folders of classes"
    needs = Needs(classes=True)

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        assert isinstance(config, ClassifierSettings)
        self.smoothing = config.label_smoothing
        self.network = ClassifierNetwork(config, task, pretrained)

    def encode(self, batch: Batch) -> Targets:
        """``classes``: ``(B, V)``, that of the first instance."""
        truth = batch.truth
        assert truth is not None and truth.categories is not None
        return {"classes": truth.categories[:, :, 0].long()}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """``classes``: cross entropy."""
        logits, classes = outputs["logits"].float().flatten(0, 1), targets["classes"].flatten()
        return {"classes": F.cross_entropy(logits, classes, label_smoothing=self.smoothing)}

    def figures(self, outputs: Outputs, batch: Batch) -> dict[str, torch.Tensor]:
        """``top1`` and ``top5``: the share of images whose class is the likeliest, or among the five likeliest."""
        ranks = outputs["logits"].topk(min(_MOST, outputs["logits"].shape[-1]), -1).indices
        right = ranks == self.encode(batch)["classes"][..., None]
        return {"top1": right[..., 0].float().mean(), "top5": right.any(-1).float().mean()}

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """The five likeliest classes of each view, the likeliest first, as instances without keypoints."""
        chances = outputs["logits"].float().softmax(-1)
        scores, classes = chances.topk(min(_MOST, chances.shape[-1]), -1)
        nothing = scores.new_zeros(*scores.shape, 0, 2)
        return Instances(nothing, nothing[..., 0].to(torch.int8), scores=scores, categories=classes)
