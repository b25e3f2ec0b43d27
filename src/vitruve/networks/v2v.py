"""A small network from volumes to volumes (V2V-PoseNet: Moon, Chang and Lee 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import nn

_GROUP = 8
# As many views as usually show a keypoint: the logarithms of that many maps add up in a product of them.
_SHARPNESS = 6.0


class V2V(nn.Module):
    """Halves the volume, looks at it in two sizes, and gives logits.

    To begin with, a result is the evidence it was given: the network learns what is to be changed about it.

    Args:
        channels: Of the volume and of the result.
        dropout: Share of the channels that is left out in training.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        width = -(-2 * channels // _GROUP) * _GROUP
        self.front = nn.Sequential(nn.Conv3d(channels, width, 2, stride=2, bias=False), _norm(width), nn.ReLU())
        self.evidence = nn.Conv3d(channels, width, 1)
        self.fine = _Residual(width, dropout)
        self.down = nn.Sequential(nn.Conv3d(width, 2 * width, 2, stride=2, bias=False), _norm(2 * width), nn.ReLU())
        self.coarse = nn.Sequential(_Residual(2 * width, dropout), _Residual(2 * width, dropout))
        self.up = nn.Sequential(nn.ConvTranspose3d(2 * width, width, 2, stride=2, bias=False), _norm(width), nn.ReLU())
        self.merged = _Residual(width, dropout)
        self.predict = nn.Conv3d(width, channels, 1)
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))
        nn.init.normal_(self.predict.weight, std=0.001)
        assert self.predict.bias is not None
        nn.init.zeros_(self.predict.bias)

    def forward(
        self, volume: Float[torch.Tensor, "B K g g g"], evidence: Float[torch.Tensor, "B K h h h"]
    ) -> Float[torch.Tensor, "B K h h h"]:
        """Logits at half the resolution.

        Args:
            volume: From 0 to about 1; its side is a multiple of 4.
            evidence: Mean logarithms, up to a constant: a voxel for each 2 x 2 x 2 of the volume.

        Returns:
            As the evidence, before the softmax.
        """
        fine = self.fine(self.front(volume) + self.evidence(evidence))
        merged = self.merged(fine + self.up(self.coarse(self.down(fine))))
        logits: torch.Tensor = self.predict(merged) + self.sharpness * evidence
        return logits


class _Residual(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            _norm(width),
            nn.ReLU(),
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            _norm(width),
        )
        self.dropout = nn.Dropout3d(dropout)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.dropout(F.relu(values + self.layers(values)))
        return out


def _norm(width: int) -> nn.Module:
    return nn.GroupNorm(width // _GROUP, width)
