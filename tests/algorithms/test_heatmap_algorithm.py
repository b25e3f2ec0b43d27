from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from dots import SKELETON, build, dots
from pydantic import ValidationError

from vitruve.algorithms.base import Task
from vitruve.algorithms.heatmap.algorithm import Heatmap, HeatmapSettings
from vitruve.codecs.heatmap import from_heatmap
from vitruve.errors import ConfigError
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances


def _batch(points: torch.Tensor, visible: torch.Tensor | None = None) -> Batch:
    """Two views; one is turned by a quarter and scaled, so that the matrices matter."""
    batch = dots(Heatmap, len(points), 2)
    to_image = batch.to_image.clone()
    to_image[:, 1] = torch.tensor([[0.0, -3.0, 300.0], [3.0, 0.0, -20.0], [0.0, 0.0, 1.0]])
    truth = Instances.from_keypoints(points[:, None, None].expand(-1, 2, 1, -1, -1).contiguous()).transformed(to_image)
    if visible is not None:
        truth = replace(truth, visible=visible[:, None, None].expand(-1, 2, 1, -1))
    return replace(batch, to_image=to_image, truth=truth)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_decoding_the_targets_gives_the_truth_in_original_pixels(factor: int) -> None:
    algorithm = build(Heatmap, "heatmap", 2, downsample_factor=factor)
    points = 3 + 57 * torch.rand(6, 3, 2, generator=torch.Generator().manual_seed(0))
    batch = _batch(points)
    targets = algorithm.encode(batch)
    side = 64 // 2**factor
    assert targets["heatmaps"].shape == (6, 2, 3, side, side) and bool(targets["learned"].all())
    found = algorithm.decode({"heatmaps": targets["heatmaps"].log()}, batch)
    assert batch.truth is not None
    error = (found.keypoints - batch.truth.keypoints).norm(dim=-1)
    assert float(error.max()) < 0.05 * 2**factor  # 0.05 heatmap pixels, in the larger pixels of the input
    assert found.scores is not None and found.keypoint_scores is not None
    torch.testing.assert_close(found.scores, found.keypoint_scores.mean(-1))


@pytest.mark.parametrize("factor", [1, 2])
def test_the_likelihood_is_the_chance_to_lie_within_its_reach(factor: int) -> None:
    algorithm = build(Heatmap, "heatmap", 2, downsample_factor=factor)
    assert algorithm.likelihood_reach == 3.5 * 2**factor
    batch = _batch(torch.tensor([[[21.0, 19.0], [33.0, 40.0], [50.0, 30.0]]]))
    maps = algorithm.encode(batch)["heatmaps"][0, 0]
    chance = 0.6 * maps[0] + 0.3 * maps[1] + 0.1 / maps[0].numel()
    points, scores = algorithm.read_maps(chance.log()[None])
    drawn = torch.multinomial(chance.flatten(), 20_000, replacement=True, generator=torch.Generator().manual_seed(0))
    jitter = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(1)) - 0.5
    places = from_heatmap(torch.stack([drawn % chance.shape[1], drawn // chance.shape[1]], -1) + jitter, 2**factor)
    inside = ((places - points).abs() <= algorithm.likelihood_reach).all(-1).float().mean()
    assert float(scores) == pytest.approx(float(inside), abs=0.02)


@pytest.mark.parametrize("kind", ["mse", "kl", "js"])
def test_the_loss_is_named_and_zero_for_perfect_maps(kind: str) -> None:
    algorithm = build(Heatmap, "heatmap", 2, heatmap_loss_type=kind)
    targets = algorithm.encode(_batch(20 + 20 * torch.rand(2, 3, 2)))
    perfect = {"heatmaps": targets["heatmaps"].clamp_min(1e-30).log()}
    losses = algorithm.loss(perfect, targets)
    assert list(losses) == [f"heatmap_{kind}"]
    assert abs(float(losses[f"heatmap_{kind}"])) < 1e-5


@pytest.mark.parametrize("missing_is_uniform", [False, True])
def test_occluded_and_missing_keypoints(missing_is_uniform: bool) -> None:
    algorithm = build(Heatmap, "heatmap", 2, missing_is_uniform=missing_is_uniform)
    points = torch.full((1, 3, 2), 30.0)
    points[0, 2] = torch.nan
    targets = algorithm.encode(_batch(points, torch.tensor([[2, 1, 0]], dtype=torch.int8)))
    uniform = torch.full((16, 16), 1 / 256)
    for view in range(2):
        seen, occluded, missing = targets["heatmaps"][0, view]
        assert float(seen.max()) > 0.05
        assert torch.equal(occluded, uniform)
        assert torch.equal(missing, uniform if missing_is_uniform else torch.zeros(16, 16))
        assert targets["learned"][0, view].tolist() == [True, True, missing_is_uniform]


def test_a_keypoint_that_a_crop_has_cut_off_is_not_learned() -> None:
    algorithm = build(Heatmap, "heatmap", 2)
    points = torch.tensor([[[30.0, 30.0], [-5.0, 30.0], [30.0, 64.0]]])
    assert algorithm.encode(_batch(points))["learned"].tolist() == [[[True, False, False]] * 2]


def test_an_input_that_the_backbone_does_not_divide() -> None:
    task = Task(SKELETON, (96, 80))
    with pytest.raises(ConfigError, match=r"image_resize_dims\.height=80: test_resnet shrinks images 32 times.*as 64"):
        Heatmap(HeatmapSettings(backbone="test_resnet"), task)
    with pytest.raises(ValidationError):
        HeatmapSettings(heatmap_loss_type="l1")  # type: ignore[arg-type]
