"""Heatmaps of several views of one instant, from one transformer that sees them together.

After Lightning Pose's multi-view transformer (Aharon et al. 2025, arXiv 2510.09903). What one view does not show, the
others may: attention reaches from patches of one view to those of the others, and masked patches in training make the
network use that. With calibrated cameras it also learns to place a keypoint so that all views agree on a point in
space.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import Field
from torch import nn

from vitruve.algorithms.base import Needs, Outputs, Targets, Task
from vitruve.algorithms.heatmap_network import HeatmapNetwork
from vitruve.algorithms.heatmap_targets import HeatmapTargets, HeatmapTargetSettings
from vitruve.algorithms.settings import ModelSettings
from vitruve.codecs import heatmap
from vitruve.errors import InputError
from vitruve.losses.pairwise_projections import pairwise_projections
from vitruve.losses.reprojection import reprojection_heatmap_mse
from vitruve.networks.joint_views import join_views, joint_features
from vitruve.structures.batch import Batch
from vitruve.structures.instances import OCCLUDED, apply_matrix

REPROJECTION = "supervised_reprojection_heatmap_mse"
PAIRWISE = "supervised_pairwise_projections"


class MultiviewTransformerSettings(HeatmapTargetSettings):
    """Settings of ``model.model_type: heatmap_multiview_transformer``."""

    backbone: str = Field(
        default="vits_dino",
        min_length=1,
        description="Name of the backbone, a plain vision transformer (`vitruve list backbones vit_`).",
    )


class MultiviewTransformerNetwork(HeatmapNetwork):
    """One transformer over the patches of all views, one head for each of them alike.

    Args:
        config: Names the backbone.
        task: Sizes, views and keypoints.
        pretrained: Start the backbone from published weights.

    Raises:
        ConfigError: The backbone is no plain vision transformer, or the input is not a multiple of its patches.
    """

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool) -> None:
        super().__init__(config, task, pretrained)
        join_views(self.backbone, task.views)
        self.view_embedding = nn.Parameter(torch.empty(task.views, self.backbone.channels[-1]))
        nn.init.normal_(self.view_embedding, std=0.02)

    def forward(self, images: torch.Tensor) -> Outputs:
        """``heatmaps``: ``(N, V, K, H / stride, W / stride)`` before the softmax, of images ``(N, V, 3, H, W)``."""
        maps = self.head([joint_features(self.backbone, images, self.view_embedding)])
        return {"heatmaps": maps.reshape(-1, len(self.view_embedding), *maps.shape[1:])}


class HeatmapMultiviewTransformer(HeatmapTargets):
    """A map a keypoint and view, of all views of one instant together."""

    Config: ClassVar[type[ModelSettings]] = MultiviewTransformerSettings
    description = "one probability map a keypoint and view, from a transformer that sees all views of an instant"
    needs = Needs(views=True, masking=True)
    terms = (REPROJECTION, PAIRWISE)

    def __init__(self, config: ModelSettings, task: Task, pretrained: bool = False) -> None:
        super().__init__(config, task, pretrained)
        self.network = MultiviewTransformerNetwork(config, task, pretrained)

    def forward(self, batch: Batch) -> Outputs:
        """``heatmaps``: ``(B * T, V, K, h, w)``."""
        if batch.images.shape[1] != self.task.views:
            raise InputError(
                f"{batch.images.shape[1]} views, but this network sees {self.task.views} views together; give one "
                "image of each"
            )
        outputs: Outputs = self.network(batch.images.transpose(1, 2).flatten(0, 1))
        return outputs

    def training_losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """``heatmap_<kind>``, and of calibrated views the terms in space that have a weight, weighted."""
        outputs, targets = self(batch), self.encode(batch)
        losses = self.loss(outputs, targets)
        if batch.cameras is None or not any(self.term_weights.values()):
            return losses
        with torch.autocast(batch.images.device.type, enabled=False):
            return {**losses, **self._in_space(outputs, targets, batch)}

    def example_input(self, count: int) -> UInt8[torch.Tensor, "{count} V 3 H W"]:
        """Black images of each view."""
        width, height = self.task.input_size
        return torch.zeros(count, self.task.views, 3, height, width, dtype=torch.uint8)

    def _in_space(self, outputs: Outputs, targets: Targets, batch: Batch) -> dict[str, torch.Tensor]:
        assert batch.cameras is not None and batch.truth is not None
        maps = outputs["heatmaps"].float()
        points = self.instances(*self.read_maps(maps), batch).keypoints[:, :, 0]
        # Only keypoints with a place of their own: an occluded one is taught as uniform, and has none.
        known = targets["learned"] & (batch.truth.visible[:, :, 0] > OCCLUDED)
        losses = {}
        if weight := self.term_weights.get(REPROJECTION, 0.0):

            def render(seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                return self._maps_at(seen, batch, (maps.shape[-1], maps.shape[-2]))

            value = reprojection_heatmap_mse(points, batch.cameras, known, render, targets["heatmaps"])
            losses[f"{REPROJECTION}_weighted"] = weight * value
        if (weight := self.term_weights.get(PAIRWISE, 0.0)) and batch.truth_3d is not None:
            value = pairwise_projections(points, batch.cameras, known, batch.truth_3d.keypoints[:, 0])
            losses[f"{PAIRWISE}_weighted"] = weight * value
        return losses

    def _maps_at(
        self, points: Float[torch.Tensor, "B V K 2"], batch: Batch, size: tuple[int, int]
    ) -> tuple[Float[torch.Tensor, "B V K h w"], Bool[torch.Tensor, "B V K"]]:
        """Target maps for points in original pixels, with a gradient; empty beyond the map."""
        to_input = torch.linalg.inv(batch.to_image.double()).to(points)
        places = heatmap.to_heatmap(apply_matrix(to_input, points[:, :, None])[:, :, 0], self.stride)
        limit = torch.tensor(size, device=points.device) - 0.5
        inside = ((places >= -0.5) & (places <= limit)).all(-1)  # False for NaN
        # Far outside, a Gaussian vanishes and its share of the whole has no gradient: such points stay out of it.
        drawn, _ = heatmap.encode(torch.where(inside[..., None], places, 0.0), torch.zeros_like(inside), size)
        return torch.where(inside[..., None, None], drawn, 0.0), inside
