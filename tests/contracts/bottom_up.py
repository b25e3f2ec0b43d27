"""A bottom-up algorithm that an outside package might bring: a map of centres, and from each centre its keypoints."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from vitruve.algorithms.base import ImageAlgorithm, Needs
from vitruve.algorithms.settings import ModelSettings
from vitruve.structures.instances import Instances

STRIDE = 4


class BottomUpSettings(ModelSettings):
    most: int = 4
    threshold: float = 0.3


class Maps(nn.Module):
    def __init__(self, channels):
        super().__init__()
        sizes = [(3, 16, 2, 1), (16, 32, 2, 1), (32, 32, 1, 2), (32, 32, 1, 2)]
        layers = [
            layer for a, b, s, d in sizes for layer in (nn.Conv2d(a, b, 3, s, d, d), nn.BatchNorm2d(b), nn.ReLU())
        ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(32, channels, 1))

    def forward(self, images):
        return {"maps": self.layers(images.float() / 255)}


class BottomUp(ImageAlgorithm):
    Config = BottomUpSettings
    description = "centres, and keypoints from them"
    needs = Needs(instances=True)

    def __init__(self, config, task, pretrained=False):
        super().__init__(config, task, pretrained)
        self.network = Maps(1 + 2 * len(task.skeleton))

    def encode(self, batch):
        points = (batch.truth_in_input.keypoints + 0.5) / STRIDE - 0.5  # (B, V, N, K, 2) in cells
        centers = points.nanmean(-2)
        width, height = (side // STRIDE for side in batch.input_size)
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        cells = torch.stack([columns, rows], -1).flatten(0, 1).to(points)  # (P, 2)
        far = (cells - centers[..., None, :]).square().sum(-1).nan_to_num(1e9)  # (B, V, N, P)
        owner = far.argmin(2)  # (B, V, P)
        chosen = points.gather(2, owner[..., None, None].expand(*owner.shape, *points.shape[-2:]))
        offsets = chosen - cells[:, None]  # (B, V, P, K, 2)
        return {"heat": torch.exp(-far.amin(2) / 2), "offsets": offsets, "near": far.amin(2) < 2}

    def loss(self, outputs, targets):
        maps = outputs["maps"].flatten(3).transpose(-1, -2)  # (B, V, P, 1 + 2 K)
        heat = F.binary_cross_entropy_with_logits(maps[..., 0], targets["heat"])
        offsets = maps[..., 1:].unflatten(-1, (-1, 2))
        known = targets["near"][..., None, None] & ~targets["offsets"].isnan()
        return {"centers": 5 * heat, "offsets": (offsets - targets["offsets"].nan_to_num())[known].abs().mean()}

    def decode(self, outputs, batch):
        maps = outputs["maps"].float()
        heat = maps[:, :, 0].sigmoid()
        heat = torch.where(heat == F.max_pool2d(heat, 5, 1, 2), heat, 0).flatten(2)
        scores, cells = heat.topk(self.config.most, -1)  # (B, V, N)
        width = maps.shape[-1]
        offsets = maps[:, :, 1:].flatten(3).transpose(-1, -2)
        offsets = offsets.gather(2, cells[..., None].expand(*cells.shape, offsets.shape[-1])).unflatten(-1, (-1, 2))
        points = offsets + torch.stack([cells % width, cells // width], -1)[..., None, :]
        points = ((points + 0.5) * STRIDE - 0.5).where(scores[..., None, None] > self.config.threshold, torch.nan)
        found = Instances.from_keypoints(
            points, keypoint_scores=scores[..., None].expand(points.shape[:-1]), scores=scores
        )
        return found.transformed(batch.to_image_of(len(points)))
