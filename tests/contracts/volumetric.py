"""A two-view algorithm that an outside package might bring: features un-projected into a grid of voxels, in mm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from vitruve.algorithms.base import Algorithm, Needs
from vitruve.algorithms.settings import ModelSettings
from vitruve.structures.instances import Instances, apply_matrix


class VolumetricSettings(ModelSettings):
    half_mm: float = 30.0
    voxels: int = 12


class ImageFeatures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU()]
        self.backbone = nn.Sequential(*layers)

    def forward(self, images):
        return {"features": self.backbone(images.float() / 255)}


class Volumetric(Algorithm):
    Config = VolumetricSettings
    description = "points in space from two views"
    needs = Needs(views=True, cameras=True, truth_3d=True)

    def __init__(self, config, task, pretrained=False):
        super().__init__(config, task, pretrained)
        self.network = ImageFeatures()
        layers = [nn.Conv3d(8, 16, 3, 1, 1), nn.ReLU(), nn.Conv3d(16, len(task.skeleton), 3, 1, 1)]
        self.volume = nn.Sequential(*layers)
        axis = torch.linspace(-config.half_mm, config.half_mm, config.voxels)
        self.register_buffer("grid", torch.cartesian_prod(axis, axis, axis))

    def forward(self, batch):
        count, views = batch.images.shape[:2]
        maps = self.network(batch.images[:, :, 0].flatten(0, 1))["features"]
        pixels = batch.cameras.project(self.grid.expand(count, 1, -1, 3))
        inside = apply_matrix(torch.linalg.inv(batch.to_image), pixels[:, :, None])[:, :, 0]
        inside = (inside + 0.5) / torch.tensor(batch.input_size, device=inside.device) * 2 - 1
        sampled = F.grid_sample(maps.float(), inside.flatten(0, 1)[:, None], align_corners=False)[:, :, 0]
        side = self.config.voxels
        logits = self.volume(sampled.unflatten(0, (count, views)).mean(1).unflatten(-1, (side, side, side)))
        return {"probability": logits.flatten(2).softmax(-1)}

    def encode(self, batch):
        truth = batch.truth_3d
        return {"points": truth.keypoints[:, 0], "learned": truth.visible[:, 0] > 0}

    def loss(self, outputs, targets):
        distance = (outputs["probability"] @ self.grid - targets["points"]).norm(dim=-1)
        return {"distance": distance[targets["learned"]].mean() / self.config.half_mm}

    def decode(self, outputs, batch):
        points, scores = outputs["probability"] @ self.grid, outputs["probability"].amax(-1)
        return Instances.from_keypoints(
            points[:, None], keypoint_scores=scores[:, None], scores=scores.mean(-1, keepdim=True)
        )

    def example_input(self, count):
        width, height = self.task.input_size
        return torch.zeros(count, 3, height, width, dtype=torch.uint8)
