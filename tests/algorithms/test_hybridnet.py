"""What only HybridNet does: the cube's place, what learns, which cameras count."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from dots import SIDE, SKELETON, build, dots

from vitruve.algorithms.base import Task
from vitruve.algorithms.hybridnet.algorithm import HybridNet, _kept
from vitruve.algorithms.hybridnet.space import body_middle, jittered_middle
from vitruve.errors import ConfigError

EDGE = 256.0


def _built(**settings: object) -> HybridNet:
    found = build(HybridNet, "hybridnet", 3, **settings)
    assert isinstance(found, HybridNet)
    return found


def test_the_cube_is_in_the_middle_of_what_the_views_see() -> None:
    batch = dots(HybridNet, 5, 3)
    assert batch.cameras is not None and batch.truth is not None and batch.truth_3d is not None
    pixels = batch.truth.keypoints[:, :, 0]
    truth = batch.truth_3d.keypoints[:, 0]
    wanted = (truth.amin(1) + truth.amax(1)) / 2
    likelihoods = torch.ones(pixels.shape[:-1])
    torch.testing.assert_close(body_middle(batch.cameras, pixels, likelihoods, EDGE), wanted, atol=0.05, rtol=0)

    # A keypoint that all views take for something far away, though none is sure, does not draw the cube there.
    far = batch.cameras.project(torch.tensor([[900.0, 0.0, 0.0]]).expand(5, 1, 1, 3))
    off = torch.cat([pixels, far], 2)
    unsure = torch.cat([likelihoods, torch.full_like(likelihoods[..., :1], 0.1)], 2)
    torch.testing.assert_close(body_middle(batch.cameras, off, unsure, EDGE), wanted, atol=0.05, rtol=0)


def test_what_fewer_than_two_cameras_see_has_no_middle_and_no_keypoints() -> None:
    batch = dots(HybridNet, 2, 3)
    assert batch.cameras is not None and batch.truth is not None
    pixels = batch.truth.keypoints[:, :, 0]
    one = torch.zeros(pixels.shape[:-1])
    one[:, 0] = 1
    assert bool(body_middle(batch.cameras, pixels, one, EDGE).isnan().all())
    algorithm = _built().eval()
    with torch.no_grad():
        outputs = algorithm(batch)
        found = algorithm.decode({**outputs, "middle": torch.full_like(outputs["middle"], torch.nan)}, batch)
    assert found.keypoint_scores is not None
    assert bool(found.keypoints.isnan().all()) and bool(found.keypoint_scores.isnan().all())


def test_by_chance_the_cube_moves_no_further_than_the_labels_allow() -> None:
    torch.manual_seed(0)
    points = (torch.rand(400, 4, 3) - 0.5) * 200
    points[:, 0, :] = torch.nan
    middle = jittered_middle(points, EDGE)
    assert bool(((points[:, 1:] - middle[:, None]).abs() <= EDGE / 2).all())
    plain = (points[:, 1:].amin(1) + points[:, 1:].amax(1)) / 2
    assert float((middle - plain).abs().max()) > 20
    assert bool(jittered_middle(points[:, :1], EDGE).isnan().all())


@pytest.mark.parametrize(
    ("mode", "learns"),
    [
        ("3D_only", {"space"}),
        ("last_layers", {"space", "merge", "coarse_head", "fine_head"}),
        ("bifpn", {"space", "merge", "coarse_head", "fine_head", "bifpn"}),
        ("all", {"space", "merge", "coarse_head", "fine_head", "bifpn", "backbone"}),
    ],
)
def test_each_mode_changes_what_it_says_and_nothing_else(mode: str, learns: set[str]) -> None:
    algorithm, batch = _built(mode=mode).train(), dots(HybridNet, 2, 3)
    before = {name: value.clone() for name, value in algorithm.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in algorithm.parameters() if p.requires_grad], 0.1)
    losses = algorithm.training_losses(batch)
    torch.stack(list(losses.values())).sum().backward()
    optimizer.step()
    changed = {
        name.split(".")[1] if name.startswith("network.") else name.split(".")[0]
        for name, value in algorithm.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == learns
    assert ("heatmap_kl" in losses) == (mode != "3D_only")
    assert (algorithm.backbone is not None) == (mode == "all")


def test_cameras_are_left_out_in_training_only_and_two_remain() -> None:
    batch = dots(HybridNet, 3, 3)
    algorithm = _built(camera_dropout=0.9).eval()
    with torch.no_grad():
        torch.testing.assert_close(algorithm(batch)["volume"], algorithm(batch)["volume"])
    kept = _kept(torch.ones(2000, 5, dtype=torch.bool), 0.9)
    assert int(kept.sum(1).min()) == 2
    assert not _kept(torch.ones(50, 5, dtype=torch.bool), 0.0).logical_not().any()
    # Each camera is as likely to stay as the others.
    shares = kept.float().mean(0)
    assert float(shares.max() - shares.min()) < 0.06


def test_a_view_that_was_not_labelled_still_teaches_in_space() -> None:
    batch = dots(HybridNet, 2, 3)
    assert batch.truth is not None
    visible = batch.truth.visible.clone()
    visible[:, 1] = 0
    losses = _built().train().training_losses(replace(batch, truth=replace(batch.truth, visible=visible)))
    assert all(bool(torch.isfinite(value)) and float(value.detach()) > 0 for value in losses.values())


@pytest.mark.parametrize("middle", [1000.0, torch.nan])
def test_a_cube_that_misses_the_animal_is_judged_by_how_far_and_teaches_nothing(middle: float) -> None:
    batch = dots(HybridNet, 2, 3)
    algorithm = _built(mode="3D_only").eval()
    with torch.no_grad():
        outputs, targets = algorithm(batch), algorithm.encode(batch)
        near = algorithm.loss(outputs, targets)
        missed = {**outputs, "middle": torch.full_like(outputs["middle"], middle)}
        if middle == middle:
            far, further = (algorithm.loss({**outputs, "middle": missed["middle"] * by}, targets) for by in (1, 2))
            assert float(near["coordinates"]) < float(far["coordinates"]) < float(further["coordinates"])
            assert float(far["coordinates"]) > (middle - EDGE) / (2 * algorithm.spacing)
        else:
            assert float(algorithm.loss(missed, targets)["coordinates"]) > 0
        algorithm.train()
        taught = algorithm.loss({**outputs, "middle": torch.full_like(outputs["middle"], 1000.0)}, targets)
    assert all(float(value) == 0 for value in taught.values())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"roi_cube_size": None}, "model.roi_cube_size: not set"),
        ({"grid_spacing": None}, "model.grid_spacing: not set"),
        ({"roi_cube_size": 100.0, "grid_spacing": 7.0}, "such as 112 mm"),
        ({"roi_cube_size": 72.0, "grid_spacing": 4.0}, "such as 64 mm"),
    ],
)
def test_a_cube_that_cannot_be_cut_into_voxels_is_refused(settings: dict[str, object], words: str) -> None:
    told = {"roi_cube_size": 256.0, "grid_spacing": 8.0, **settings}
    config = HybridNet.Config(model_type="hybridnet", backbone="test_resnet", **told)
    with pytest.raises(ConfigError, match=words):
        HybridNet(config, Task(SKELETON, (SIDE, SIDE), 3))
