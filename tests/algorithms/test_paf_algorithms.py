"""OpenPose and its light relatives: networks, targets, losses and masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dots import SIDE, build, dots
from torch import nn

from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.algorithms.paf_targets import PafTargets
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

ALL = registry.available()
NAMES = ("openpose", "lightweight_openpose", "mobilenet_thin_openpose")
everyone = pytest.mark.parametrize("name", NAMES)


def algorithm(name: str, skeleton: Skeleton | None = None, **settings: object) -> PafTargets:
    kind = ALL[name]
    if skeleton is None:
        built = build(kind, name, **settings)
    else:
        small = {"num_stages": 2, "head_channels": 8, **settings}
        built = kind(kind.Config(model_type=name, backbone="test_resnet", **small), Task(skeleton, (SIDE, SIDE)))
    assert isinstance(built, PafTargets)
    return built


@everyone
def test_the_defaults_are_those_of_the_papers(name: str) -> None:
    kind = ALL[name]
    config = kind.Config(model_type=name)
    backbone, stages = {
        "openpose": ("vgg19", 6),
        "lightweight_openpose": ("mobilenet_dilated", 2),
        "mobilenet_thin_openpose": ("mobilenet_thin", 6),
    }[name]
    assert (config.backbone, config.num_stages, config.sigma, config.output_stride) == (backbone, stages, 7, 8)
    assert kind.needs.instances and kind.needs.limbs


@everyone
def test_all_stages_in_training_and_the_last_otherwise(name: str) -> None:
    one = algorithm(name, num_stages=3)
    batch = dots(ALL[name], 2)
    training = one.train()(batch)
    assert list(training) == [f"{part}_{stage}" for stage in (1, 2, 3) for part in ("conf", "paf")]
    assert training["conf_2"].shape == (2, 1, 3 + 1, 8, 8) and training["paf_2"].shape == (2, 1, 2 * 2, 8, 8)
    assert list(one.eval()(batch)) == ["conf_3", "paf_3"]


@everyone
@pytest.mark.parametrize("count", [2, 14, 21, 133])
def test_channels_come_from_the_skeleton(name: str, count: int) -> None:
    skeleton = Skeleton(tuple(f"k{i}" for i in range(count)), tuple((i // 2, i) for i in range(1, count)))
    one = algorithm(name, skeleton).eval()
    outputs = one(Batch(torch.zeros(1, 1, 1, 3, SIDE, SIDE, dtype=torch.uint8), torch.eye(3)[None, None]))
    assert outputs["conf_2"].shape[2] == count + 1 and outputs["paf_2"].shape[2] == 2 * (count - 1)


@everyone
def test_outputs_are_linear(name: str) -> None:
    for module in algorithm(name).network.modules():
        if type(module).__name__ == "Branches":
            for branch in (module.conf, module.paf):
                last = [part for part in branch.modules() if not list(part.children())][-1]
                assert isinstance(last, nn.Conv2d) and last.bias is not None


def test_the_second_convolution_of_a_light_block_is_dilated() -> None:
    found = [m for m in algorithm("lightweight_openpose").network.stages.modules() if isinstance(m, nn.Conv2d)]
    wide = [m for m in found if m.dilation == (2, 2)]
    assert len(wide) == 5 and all(m.kernel_size == (3, 3) and m.padding == (2, 2) for m in wide)


def test_the_papers_networks_have_no_batch_norm_in_the_head() -> None:
    for name, count in (("openpose", 0), ("lightweight_openpose", 10)):
        one = algorithm(name, batch_norm=False)
        assert sum(isinstance(m, nn.BatchNorm2d) for m in one.network.stages.modules()) == count


@everyone
def test_each_term_has_a_gradient_in_its_own_maps_and_in_no_others(name: str) -> None:
    one = algorithm(name).train()
    batch = dots(ALL[name], 2)
    outputs = {key: value.detach().requires_grad_() for key, value in one(batch).items()}
    losses = one.loss(outputs, one.encode(batch))
    assert losses.keys() == outputs.keys()
    for term, value in losses.items():
        gradients = torch.autograd.grad(value, list(outputs.values()), allow_unused=True, retain_graph=True)
        for key, gradient in zip(outputs, gradients, strict=True):
            if key == term:
                assert gradient is not None and bool(gradient.flatten(3).any(-1).all())  # every channel of every image
            else:
                assert gradient is None


@everyone
def test_the_loss_is_half_the_squared_distance_of_a_mean_cell(name: str) -> None:
    one = algorithm(name).eval()
    batch = dots(ALL[name], 3)
    targets = one.encode(batch)
    outputs = {"conf_2": targets["conf"] + 0.5, "paf_2": targets["paf"] - 0.25}
    losses = one.loss(outputs, targets)
    assert float(losses["conf_2"]) == pytest.approx(4 * 0.5**2 / 2)
    assert float(losses["paf_2"]) == pytest.approx(4 * 0.25**2 / 2)


@everyone
def test_masked_cells_have_no_gradient_and_targets_are_not_blanked(name: str) -> None:
    one = algorithm(name).train()
    batch = dots(ALL[name], 2)
    ignore = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.bool)
    ignore[0, 0, :32, :32] = True
    ignore[0, 0, 40:44, :] = True  # exactly half of these cells is not most of them
    masked = replace(batch, ignore=ignore)
    outputs = {key: value.detach().requires_grad_() for key, value in one(batch).items()}
    with torch.no_grad():
        next(iter(outputs.values()))[0, 0, 0, 1, 1] = torch.inf
    targets = one.encode(masked)
    torch.testing.assert_close(targets["conf"], one.encode(batch)["conf"])
    torch.stack(list(one.loss(outputs, targets).values())).sum().backward()
    for value in outputs.values():
        assert value.grad is not None and not value.grad[0, :, :, :4, :4].any()
        assert bool(value.grad[0, :, :, 4:].any()) and bool(value.grad[0, :, :, 5].any())
        assert bool(value.grad[1].flatten(2).any(-1).all())


@everyone
def test_missing_and_unlabelled_keypoints_and_crowds_teach_nothing(name: str) -> None:
    one = algorithm(name)
    batch = dots(ALL[name], 2)
    assert batch.truth is not None
    keypoints = batch.truth.keypoints.repeat(1, 1, 3, 1, 1)
    visible = batch.truth.visible.repeat(1, 1, 3, 1)
    keypoints[:, :, 1] += 9.0
    visible[:, :, 1] = 0  # what stands at an unlabelled place has no meaning
    crowds = torch.zeros(visible.shape[:-1], dtype=torch.bool)
    keypoints[:, :, 2] += 30.0
    crowds[:, :, 2] = True
    targets = one.encode(replace(batch, truth=Instances(keypoints, visible, crowds=crowds)))
    for key, value in one.encode(batch).items():
        torch.testing.assert_close(targets[key], value)
    blank = Instances(torch.full_like(keypoints, torch.nan), torch.zeros_like(visible))
    empty = one.encode(replace(batch, truth=blank))
    assert not empty["conf"][:, :, :-1].any() and not empty["paf"].any() and bool((empty["conf"][:, :, -1] == 1).all())


@everyone
def test_occluded_keypoints_are_targets(name: str) -> None:
    one = algorithm(name)
    batch = dots(ALL[name], 2)
    assert batch.truth is not None
    occluded = replace(batch.truth, visible=torch.ones_like(batch.truth.visible))
    torch.testing.assert_close(one.encode(replace(batch, truth=occluded))["conf"], one.encode(batch)["conf"])


@everyone
def test_targets_are_decoded_to_the_truth_in_original_pixels(name: str) -> None:
    one = algorithm(name)
    truth = np.array([[[20.0, 20.0], [60.0, 24.0], [40.0, 50.0]], [[90, 90], [60, 100], [80, 60]]], np.float32)
    batch = dots(ALL[name], 2)
    instances = torch.from_numpy(np.stack([truth, truth + 4]))[:, None]
    instances[1, 0, 1] = torch.nan
    batch = replace(batch, truth=Instances.from_keypoints(instances))
    targets = one.encode(batch)
    # The background is no keypoint: with a peak in the middle it would be one more.
    conf = targets["conf"].clone()
    conf[:, :, -1, 4, 4] = 3
    found = one.decode({"conf_2": conf, "paf_2": targets["paf"]}, batch)
    assert found.keypoints.shape == (2, 1, 2, 3, 2)
    order = found.keypoints[0, 0, :, 0, 0].argsort()
    torch.testing.assert_close(found.keypoints[0, 0, order], instances[0, 0], atol=0.2, rtol=0)
    torch.testing.assert_close(found.keypoints[1, 0, 0], instances[1, 0, 0], atol=0.2, rtol=0)
    assert bool(found.keypoints[1, 0, 1].isnan().all())
    nothing = {"conf_2": torch.zeros_like(conf), "paf_2": targets["paf"]}
    assert one.decode(nothing, batch).keypoints.shape == (2, 1, 0, 3, 2)
