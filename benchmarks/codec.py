"""How exact encoding, decoding and the chain of geometric steps are, without any network.

Bars: 0.05 heatmap px for any sub-pixel position more than 3 px from the border; 1e-3 px for the chain.
"""

from __future__ import annotations

import numpy as np
import torch
from common import record

from vitruve.codecs import heatmap
from vitruve.geometry.affine import about_center, crop, flip, resize, rotation
from vitruve.structures.instances import apply_matrix


def codec(size: int = 64, steps: int = 33) -> dict[str, float]:
    """Worst and mean distance over a grid of sub-pixel positions."""
    fractions = torch.linspace(-0.5, 0.5, steps)
    centers = torch.tensor([3.5, size / 2, size - 4.5])
    places = (centers[:, None] + fractions).flatten()
    points = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).flatten(0, 1)
    maps, _ = heatmap.encode(points, torch.zeros(len(points), dtype=torch.bool), (size, size))
    found, likelihood = heatmap.decode(maps.clamp_min(1e-30).log())
    distance = (found - points).norm(dim=-1)
    return {
        "positions": len(points),
        "worst_heatmap_px": float(distance.max()),
        "mean_heatmap_px": float(distance.mean()),
        "lowest_likelihood": float(likelihood.min()),
    }


def chain(count: int = 10_000) -> float:
    """Worst distance after resize, crop, rotation and mirror, and back through the inverse, in float32 points."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 1000, (1, count, 2)).astype(np.float32)
    worst = 0.0
    for _ in range(50):
        size = (256, 256)
        matrix = resize((1280, 1024), size)
        low, high = rng.uniform(-0.15, 0.15, 2) * 256, 256 + rng.uniform(-0.15, 0.15, 2) * 256
        matrix = crop((low[0], low[1], high[0], high[1]), size) @ matrix
        matrix = flip(size) @ about_center(rotation(rng.uniform(-180, 180)), size) @ matrix
        back = apply_matrix(np.linalg.inv(matrix), apply_matrix(matrix, points))
        worst = max(worst, float(np.abs(back - points).max()))
    return worst


if __name__ == "__main__":
    record("codec", {"codec": codec(), "chain_worst_px": chain()})
