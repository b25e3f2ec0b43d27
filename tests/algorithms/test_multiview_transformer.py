from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from calibrated_scene import SKELETON, scene_batch
from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.errors import ConfigError, InputError
from vitruve.inference.runtimes.export_onnx import export_onnx
from vitruve.structures.batch import Batch

NAME = "heatmap_multiview_transformer"
KIND = registry.get(NAME)
REPROJECTION, PAIRWISE = KIND.terms


def _build(**settings: object) -> torch.nn.Module:
    torch.manual_seed(0)
    config = KIND.Config(model_type=NAME, **{"backbone": "test_vit", **settings})  # type: ignore[arg-type]
    return KIND(config, Task(SKELETON, (64, 64), 3))


def _perfect(algorithm: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
    return {"heatmaps": algorithm.encode(batch)["heatmaps"].clamp_min(1e-30).log()}


def test_its_backbone_is_a_transformer() -> None:
    assert KIND.Config(model_type=NAME).backbone == "vits_dino"
    with pytest.raises(ConfigError, match=r"model\.backbone='test_resnet'.*plain vision transformer"):
        _build(backbone="test_resnet")


@pytest.mark.parametrize("preset", ["none", "dlc"])
def test_terms_in_space_are_zero_for_perfect_maps(preset: str) -> None:
    """Whatever the augmentation, which moves scenes and is undone by one matrix."""
    algorithm, batch = _build(), scene_batch(preset=preset)
    algorithm.term_weights = {REPROJECTION: 1.0, PAIRWISE: 1.0}
    algorithm.forward = lambda each: _perfect(algorithm, each)
    losses = {name: float(value) for name, value in algorithm.training_losses(batch).items()}
    assert losses.keys() == {"heatmap_kl", f"{REPROJECTION}_weighted", f"{PAIRWISE}_weighted"}
    assert losses["heatmap_kl"] < 1e-5
    assert losses[f"{REPROJECTION}_weighted"] < 1e-5  # 0.05 is the square of a target map
    assert losses[f"{PAIRWISE}_weighted"] < 0.5  # of 400 to the camera: a twentieth of a heatmap pixel


def test_a_wrong_view_costs_in_space() -> None:
    algorithm, batch = _build(), scene_batch()
    algorithm.term_weights = {REPROJECTION: 1.0, PAIRWISE: 1.0}

    def shifted(each: Batch) -> dict[str, torch.Tensor]:
        maps = _perfect(algorithm, each)["heatmaps"]
        maps[:, 1] = maps[:, 1].roll(2, -1)
        return {"heatmaps": maps}

    algorithm.forward = shifted
    losses = {name: float(value) for name, value in algorithm.training_losses(batch).items()}
    assert losses[f"{REPROJECTION}_weighted"] > 5e-3 and losses[f"{PAIRWISE}_weighted"] > 3


def test_weights_count_and_terms_without_weight_or_cameras_are_left_out() -> None:
    algorithm, batch = _build().eval(), scene_batch()
    assert algorithm.training_losses(batch).keys() == {"heatmap_kl"}
    algorithm.term_weights = {REPROJECTION: 2.0, PAIRWISE: 0.0}
    twice = algorithm.training_losses(batch)
    assert twice.keys() == {"heatmap_kl", f"{REPROJECTION}_weighted"}
    algorithm.term_weights = {REPROJECTION: 1.0}
    once = algorithm.training_losses(batch)
    torch.testing.assert_close(2 * once[f"{REPROJECTION}_weighted"], twice[f"{REPROJECTION}_weighted"])
    assert algorithm.training_losses(scene_batch(calibrated=False)).keys() == {"heatmap_kl"}


def test_a_view_without_labels_is_left_out() -> None:
    algorithm, batch = _build().train(), scene_batch()
    algorithm.term_weights = {REPROJECTION: 1.0, PAIRWISE: 0.1}
    assert batch.truth is not None
    keypoints, visible = batch.truth.keypoints.clone(), batch.truth.visible.clone()
    keypoints[:, 2], visible[:, 2] = torch.nan, 0
    visible[0, 0, 0, 1] = 1  # occluded: learned as uniform, and nowhere in space
    lacking = replace(batch, truth=replace(batch.truth, keypoints=keypoints, visible=visible))
    learned = algorithm.encode(lacking)["learned"]
    assert bool(learned[:, :2].all()) and not bool(learned[:, 2].any())
    total = torch.stack(list(algorithm.training_losses(lacking).values())).sum()
    total.backward()
    assert bool(total.isfinite())
    assert all(bool(p.grad.isfinite().all()) for p in algorithm.parameters() if p.grad is not None)
    empty = replace(batch, truth=replace(batch.truth, keypoints=keypoints * torch.nan, visible=0 * visible))
    assert all(float(value.detach()) == 0 for value in algorithm.training_losses(empty).values())


def test_frames_of_a_window_are_instants_of_their_own() -> None:
    algorithm, batch = _build().eval(), scene_batch()
    window = Batch(batch.images.transpose(0, 2).contiguous(), batch.to_image[:1])  # four instants as one window
    with torch.no_grad():
        wanted, found = algorithm(batch)["heatmaps"], algorithm(window)["heatmaps"]
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
        assert algorithm.decode({"heatmaps": found}, window).keypoints.shape == (4, 3, 1, 4, 2)


def test_another_number_of_views_is_refused() -> None:
    batch = scene_batch(2)
    with pytest.raises(InputError, match="2 views, but this network sees 3 views together"):
        _build()(Batch(batch.images[:, :2], batch.to_image[:, :2]))


@pytest.mark.parametrize("backbone", ["test_vit", "test_vit2"])
def test_it_exports_with_a_free_first_axis(backbone: str, tmp_path: Path) -> None:
    import onnxruntime

    algorithm = _build(backbone=backbone).eval()
    export_onnx(algorithm.network, algorithm.example_input(2), tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    for count in (1, 4):
        images = scene_batch(4).images[:count, :, 0]
        (maps,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            wanted = algorithm.network(images)["heatmaps"]
        np.testing.assert_allclose(maps, wanted, atol=1e-3)


def test_it_learns_from_maps_and_then_from_each_term_in_space_alone() -> None:
    batch, algorithm = scene_batch(4), _build().train()

    def train(name: str, steps: int, weights: dict[str, float], rate: float) -> list[float]:
        optimizer = torch.optim.Adam(algorithm.parameters(), lr=rate)
        algorithm.term_weights, course = weights, []
        for _ in range(steps):
            loss = algorithm.training_losses(batch)[name]
            optimizer.zero_grad()
            loss.backward()
            assert all(bool(p.grad.isfinite().all()) for p in algorithm.parameters() if p.grad is not None)
            optimizer.step()
            course.append(float(loss.detach()))
        return course

    maps = train("heatmap_kl", 15, {}, 3e-3)
    assert maps[-1] < 0.3 * maps[0]
    start = {name: value.clone() for name, value in algorithm.state_dict().items()}
    for term in (REPROJECTION, PAIRWISE):
        algorithm.load_state_dict(start)
        course = train(f"{term}_weighted", 8, {term: 1.0}, 1e-3)
        print(term, [round(value, 4) for value in course])
        assert min(course[-3:]) < 0.6 * course[0]
