from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dots import SIDE, build, dots

from vitruve.algorithms.heatmap_mhcrnn.algorithm import HeatmapMHCRNN
from vitruve.algorithms.heatmap_mhcrnn.network import ContextHead
from vitruve.inference.predictor import Predictor
from vitruve.inference.runtimes.measure import network_inputs
from vitruve.inference.runtimes.onnx import OnnxRuntime
from vitruve.inference.runtimes.openvino import OpenVinoRuntime
from vitruve.inference.samples import Samples
from vitruve.structures.batch import Batch


def _video(count: int, views: int = 1) -> Batch:
    """One window of frames that have nothing in common."""
    noise = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (1, views, count, 3, SIDE, SIDE), generator=noise, dtype=torch.uint8)
    return Batch(images, torch.eye(3).expand(1, views, 3, 3).contiguous())


def _built() -> HeatmapMHCRNN:
    algorithm = build(HeatmapMHCRNN, "heatmap_mhcrnn").eval()
    assert isinstance(algorithm, HeatmapMHCRNN)
    with torch.no_grad():
        for head in (algorithm.network.head.predict, algorithm.network.context.predict):
            head.weight.mul_(100)  # as built, maps are nearly flat and all alike
    return algorithm


@torch.no_grad()
def test_a_window_gives_each_inner_frame_what_its_own_five_frames_give() -> None:
    algorithm, video = _built(), _video(9, 2)
    together = algorithm(video)
    assert {name: value.shape for name, value in together.items()} == dict.fromkeys(
        ("heatmaps", "static"), (5, 2, 3, 16, 16)
    )
    for frame in range(5):
        alone = algorithm(video.with_images(video.images[:, :, frame : frame + 5]))
        for name, value in alone.items():
            torch.testing.assert_close(together[name][[frame]], value, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_network_alone_gives_every_frame_and_sees_the_outermost_again_beyond_the_ends() -> None:
    algorithm, images = _built(), _video(6).images[0, 0]
    found = algorithm.network(images)
    clamped = torch.cat([images[:1], images[:1], images, images[-1:], images[-1:]])
    for name, value in algorithm.network(clamped, len(clamped)).items():
        torch.testing.assert_close(found[name], value, atol=1e-4, rtol=1e-4)


def test_maps_with_an_odd_number_of_rows_keep_their_size() -> None:
    head = ContextHead(8, 3, (5, 7))
    assert head(torch.zeros(6, 8, 5, 7), None).shape == (2, 3, 5, 7)
    assert head(torch.zeros(12, 8, 5, 7), 6).shape == (4, 3, 5, 7)


@torch.no_grad()
def test_features_are_computed_once_a_frame() -> None:
    algorithm = _built()
    seen: list[int] = []
    algorithm.network.backbone.register_forward_hook(lambda module, given, maps: seen.append(len(given[0])))
    assert len(algorithm(_video(16))["heatmaps"]) == 12 and seen == [16]


@torch.no_grad()
def test_only_the_context_head_sees_the_neighbours() -> None:
    algorithm, video = _built(), _video(5)
    before = algorithm(video)
    for place in (0, 1, 3, 4):
        images = video.images.clone()
        images[:, :, place] = 255 - images[:, :, place]
        after = algorithm(video.with_images(images))
        torch.testing.assert_close(before["static"], after["static"])
        assert float((before["heatmaps"] - after["heatmaps"]).abs().max()) > 1e-3, place


@torch.no_grad()
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_predictions_at_both_ends_of_a_video_are_their_own(batch_size: int) -> None:
    # Lightning Pose copies the third frame's to the first two, and the last but two's to the last two.
    algorithm = _built()
    video = _video(7).images[0, 0].permute(0, 2, 3, 1).numpy()
    frames = list(Predictor(algorithm, batch_size).predict(np.ascontiguousarray(video)))
    scores = np.stack([frame.instances.keypoint_scores[0, 0] for frame in frames])  # type: ignore[index]
    assert len(scores) == 7
    for a in range(7):
        for b in range(a):
            assert (np.abs(scores[a] - scores[b]) > 1e-5).all()
    padded = torch.from_numpy(video[[0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 6]]).permute(0, 3, 1, 2)[None, None]
    whole = Batch(padded, torch.eye(3)[None, None])
    wanted = algorithm.decode(algorithm(whole), whole).keypoint_scores
    assert wanted is not None  # the same whatever the batch: no seam between batches either
    np.testing.assert_allclose(scores, wanted[:, 0, 0].numpy(), atol=1e-4)


def _peaked(algorithm: HeatmapMHCRNN, batch: Batch, logit: torch.Tensor) -> torch.Tensor:
    """The target of a batch, more or less sharp."""
    maps = algorithm.encode(batch)["heatmaps"].clamp_min(1e-6).log()
    return maps * logit[None, None, :, None, None]


def test_of_each_keypoint_the_surer_head_is_believed() -> None:
    algorithm = _built()
    one, other = dots(HeatmapMHCRNN, 2, 2), dots(HeatmapMHCRNN, 2, 2, seed=1)
    outputs = {
        "heatmaps": _peaked(algorithm, one, torch.tensor([1.0, 0.2, 1.0])),
        "static": _peaked(algorithm, other, torch.tensor([0.2, 1.0, 0.2])),
    }
    outputs = {name: value.requires_grad_() for name, value in outputs.items()}
    found = algorithm.decode(outputs, one)
    assert one.truth is not None and other.truth is not None and found.keypoint_scores is not None
    wanted = torch.stack([(other if k == 1 else one).truth.keypoints[..., k, :] for k in range(3)], -2)  # type: ignore[union-attr]
    assert found.keypoints.shape == wanted.shape == (2, 2, 1, 3, 2)  # one head's, not both in a row
    assert float((found.keypoints - wanted).detach().norm(dim=-1).max()) < 1
    assert float(found.keypoint_scores.detach().min()) > 0.5
    found.keypoints.sum().backward()  # losses on unlabelled video are taken of decoded keypoints
    for name, part in (("heatmaps", [True, False, True]), ("static", [False, True, False])):
        gradient = outputs[name].grad
        assert gradient is not None
        assert [bool(gradient[:, :, k].any()) for k in range(3)] == part


@pytest.mark.parametrize("kind", ["mse", "kl", "js"])
def test_both_heads_learn_the_same_target(kind: str) -> None:
    algorithm = build(HeatmapMHCRNN, "heatmap_mhcrnn", heatmap_loss_type=kind)
    targets = algorithm.encode(dots(HeatmapMHCRNN, 2))
    right = targets["heatmaps"].clamp_min(1e-30).log()
    names = [f"heatmap_{kind}", f"heatmap_{kind}_static"]
    for wrong, output in zip(names, ("heatmaps", "static"), strict=True):
        losses = algorithm.loss({"heatmaps": right, "static": right, output: -right}, targets)
        assert list(losses) == names
        assert [float(losses[name]) > 0.01 for name in names] == [name == wrong for name in names]


@torch.no_grad()
def test_an_export_has_both_heads(tmp_path: Path) -> None:
    # Lightning Pose's export binds the first output only, so that the heads cannot be compared.
    algorithm = _built()
    compiled = OnnxRuntime("onnx", "f32").compile(algorithm.network, algorithm.example_input(1), tmp_path)
    batch = _video(8)
    for count in (1, 2, 5, 8):
        images = batch.images[0, 0, :count]
        found, wanted = compiled(images), algorithm.network(images)
        assert found.keys() == wanted.keys() == {"heatmaps", "static"}
        for name in wanted:
            torch.testing.assert_close(found[name], wanted[name], atol=1e-3, rtol=1e-3)
    wanted = algorithm.decode(algorithm(batch), batch).keypoints
    algorithm.network = compiled
    torch.testing.assert_close(algorithm.decode(algorithm(batch), batch).keypoints, wanted, atol=0.02, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("requests", [1, 2, 3, 7])
def test_openvino_shares_frames_out_with_their_neighbours(requests: int, exported: Path) -> None:
    algorithm, images = _built(), _video(7).images[0, 0]
    compiled = OpenVinoRuntime("openvino", "f32").compile(algorithm.network, algorithm.example_input(1), exported)
    engine = compiled._function
    engine._requests = [engine._model.create_infer_request() for _ in range(requests)]  # type: ignore[attr-defined]
    for count in (1, 2, 5, 7):
        found = compiled(images[:count])
        for name, value in algorithm.network(images[:count]).items():
            torch.testing.assert_close(found[name], value, atol=1e-3, rtol=1e-3)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


def test_runtimes_are_calibrated_with_all_frames_of_a_sample() -> None:
    batch = dots(HeatmapMHCRNN, 3)
    samples = Samples(batch.images, batch.to_image, ("train",) * 3)
    inputs = network_inputs(_built(), samples, 2, torch.device("cpu"))
    assert torch.equal(inputs, batch.images.flatten(0, 2))


def test_what_is_hidden_is_found_from_the_frames_around_it() -> None:
    """The middle frame is black. The context head must come within 3 pixels of the input; the other one cannot."""
    algorithm = build(HeatmapMHCRNN, "heatmap_mhcrnn").train()
    optimizer = torch.optim.Adam(algorithm.parameters(), lr=0.01)

    def hidden(seed: int, count: int = 4) -> Batch:
        batch = dots(HeatmapMHCRNN, count, seed=seed)
        images = batch.images.clone()
        images[:, :, 2] = 0
        return replace(batch, images=images)

    for seed in range(45):
        optimizer.zero_grad()
        torch.stack(list(algorithm.training_losses(hidden(seed)).values())).sum().backward()
        optimizer.step()
    algorithm.eval()
    batch = hidden(1000, 16)
    with torch.no_grad():
        outputs = algorithm(batch)
        assert batch.truth is not None
        errors = {
            name: (algorithm.decode({"heatmaps": maps, "static": maps}, batch).keypoints - batch.truth.keypoints)
            .norm(dim=-1)
            .median()
            / 2  # original images are twice as large
            for name, maps in outputs.items()
        }
        both = algorithm.decode(outputs, batch).keypoints - batch.truth.keypoints
    print({name: round(float(error), 2) for name, error in errors.items()})
    assert float(errors["heatmaps"]) < 3 < 8 < float(errors["static"])
    assert float(both.norm(dim=-1).median()) / 2 < 3
