"""A term on unlabelled video can move a keypoint to another peak of its map, as far as the network is unsure."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vitruve.algorithms.base import Outputs, Task
from vitruve.algorithms.heatmap_targets import HeatmapTargets, HeatmapTargetSettings
from vitruve.structures.batch import Batch
from vitruve.structures.skeleton import Skeleton
from vitruve.training.unsupervised import predict_windows

SIDE, STRIDE = 16, 4
WRONG, RIGHT = (3, 3), (12, 10)


class _Maps(HeatmapTargets):
    """Gives the maps it was given."""

    def __init__(self, maps: torch.Tensor) -> None:
        super().__init__(HeatmapTargetSettings(), Task(Skeleton.from_names(("nose",)), (SIDE * STRIDE, SIDE * STRIDE)))
        self.maps = maps

    def forward(self, batch: Batch) -> Outputs:
        return {"heatmaps": self.maps}

    def example_input(self, count: int) -> Any:
        raise AssertionError("not exported here")


def _peaks(wrong: float, right: float) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")

    def bump(at: tuple[int, int]) -> torch.Tensor:
        return torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 1.25**2))

    return torch.log(wrong * bump(WRONG) + right * bump(RIGHT) + 1e-6)[None, None, None].requires_grad_()


def _windows() -> Batch:
    # Turned by a right angle, twice as large: what is right in the input is below in the image.
    to_image = torch.tensor([[0.0, -2.0, 200.0], [2.0, 0.0, 10.0], [0.0, 0.0, 1.0]])
    return Batch(torch.zeros(1, 1, 1, 3, SIDE * STRIDE, SIDE * STRIDE, dtype=torch.uint8), to_image[None, None])


def _pull(wrong: float, right: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The keypoint, and what a step against its distance from the right place does to both peaks."""
    maps = _peaks(wrong, right)
    found = predict_windows(_Maps(maps), _windows(), heatmaps=False)
    goal = torch.tensor([200 - 2 * (RIGHT[1] + 0.5) * STRIDE + 1.0, 10 + 2 * (RIGHT[0] + 0.5) * STRIDE - 1.0])
    point = found.keypoints[0, 0, 0, 0]
    (point - goal).norm().backward()  # type: ignore[no-untyped-call]
    assert maps.grad is not None
    step = -maps.grad[0, 0, 0]
    return point.detach(), step[WRONG[1], WRONG[0]], step[RIGHT[1], RIGHT[0]]


def test_probability_goes_over_to_the_peak_that_the_term_asks_for() -> None:
    point, wrong, right = _pull(0.6, 0.4)
    # It is still read at the highest peak, to a fraction of a pixel.
    at = torch.tensor([200 - 2 * ((WRONG[1] + 0.5) * STRIDE - 0.5), 10 + 2 * ((WRONG[0] + 0.5) * STRIDE - 0.5)])
    torch.testing.assert_close(point, at, atol=0.05, rtol=0)
    assert float(right) > 0.5 and float(wrong) < -0.5


def test_a_sure_keypoint_stays_where_it_is() -> None:
    _, _, unsure = _pull(0.6, 0.4)
    _, _, sure = _pull(0.999, 0.001)
    assert float(sure) == pytest.approx(0, abs=0.001 * float(unsure))
