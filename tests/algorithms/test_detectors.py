"""What detectors learn and what they say, against exact truth; and the faults of OBDB's, which are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from dots import SIDE, build, dots
from safetensors.torch import save_file

from vitruve.algorithms import registry
from vitruve.algorithms.detection import IGNORED, NOBODY, Truth
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.training.optim import freeze

DETECTORS = tuple(name for name, kind in registry.available().items() if kind.needs.boxes)
each = pytest.mark.parametrize("name", DETECTORS)


def _batch(boxes: list[list[float]], classes: list[int], crowds: list[bool] | None = None) -> Batch:
    """A grey picture of the input's size, with boxes in its pixels."""
    nothing = torch.zeros(1, 1, len(boxes), 0, 2)
    truth = Instances(
        nothing,
        nothing[..., 0].to(torch.int8),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(1, 1, -1, 4),
        categories=torch.tensor(classes, dtype=torch.int64).reshape(1, 1, -1),
        crowds=None if crowds is None else torch.tensor([[crowds]]),
    )
    images = torch.full((1, 1, 1, 3, SIDE, SIDE), 128, dtype=torch.uint8)
    return Batch(images, torch.eye(3).expand(1, 1, 3, 3), truth)


def test_both_detectors_are_there() -> None:
    assert {"faster_rcnn", "retinanet"} <= set(DETECTORS)


@each
def test_boxes_are_cut_off_at_the_border_and_ignored_where_little_is_left(name: str) -> None:
    detector = build(registry.get(name), name)
    border = SIDE - 0.5
    batch = _batch(
        [[9.5, 9.5, 19.5, 29.5], [-10.5, -0.5, 9.5, 9.5], [-30.5, 0, 3.5, 10], [70, 70, 80, 80], [30, 30, border, 40]],
        [0, 1, 2, 0, 2],
        [False, False, False, False, True],
    )
    targets = detector.encode(batch)
    # Whole; half of it inside; a tenth inside; outside; a crowd.
    assert targets["labels"][0, 0].tolist() == [0, 1, IGNORED, NOBODY, IGNORED]
    torch.testing.assert_close(targets["boxes"][0, 0, :2], torch.tensor([[10.0, 10, 20, 30], [0.0, 0, 10, 10]]))


@each
def test_truth_follows_the_image_through_a_turn(name: str) -> None:
    """A quarter turn about the middle: corners go to corners, and the box stays one."""
    detector = build(registry.get(name), name)
    turn = torch.tensor([[0.0, -1, SIDE - 1], [1, 0, 0], [0, 0, 1]])  # from input to image
    batch = replace(_batch([[9.5, 19.5, 29.5, 24.5]], [1]), to_image=turn.expand(1, 1, 3, 3))
    found = detector.encode(batch)["boxes"][0, 0, 0]
    # x of the input is y of the image, y of the input is SIDE - 1 - x.
    torch.testing.assert_close(found, torch.tensor([20.0, SIDE - 30, 25, SIDE - 10]))


@each
def test_losses_of_validation_are_the_same_each_time_and_leave_the_generator_alone(name: str) -> None:
    """OBDB's were taken in training mode, whose samples are drawn anew."""
    few = {"sampled_regions": 8, "sampled_anchors": 8} if name == "faster_rcnn" else {}
    detector, batch = build(registry.get(name), name, **few).eval(), dots(registry.get(name))
    with torch.no_grad():
        outputs, targets = detector(batch), detector.encode(batch)
        torch.manual_seed(3)
        wanted = torch.rand(3)
        torch.manual_seed(3)
        first, second = detector.loss(outputs, targets), detector.loss(outputs, targets)
        assert torch.equal(torch.rand(3), wanted)
    assert all(torch.equal(first[key], second[key]) for key in first)


@each
def test_images_are_normalised_once(name: str) -> None:
    """OBDB's data set normalised, and torchvision's model did so again."""
    detector = build(registry.get(name), name).eval()
    seen: list[torch.Tensor] = []
    backbone = detector.backbone
    assert backbone is not None
    backbone.net.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    batch = _batch([], [])
    with torch.no_grad():
        detector(batch)
    given = timm.get_pretrained_cfg("test_resnet", allow_unregistered=True)
    mean, std = torch.tensor(given.mean), torch.tensor(given.std)
    wanted = ((128 / 255 - mean) / std).view(1, 3, 1, 1).expand_as(seen[0])
    torch.testing.assert_close(seen[0], wanted, atol=1e-5, rtol=1e-5)
    assert len(seen) == 1


@each
def test_an_image_without_objects_teaches_that_there_are_none(name: str) -> None:
    detector = build(registry.get(name), name).train()
    losses = detector.training_losses(_batch([], []))
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert bool(torch.isfinite(total)) and float(total.detach()) > 0


@each
def test_what_lies_in_a_crowd_is_no_background(name: str) -> None:
    """A crowd over everything leaves nothing to learn but the object in it."""
    detector = build(registry.get(name), name).eval()
    everything = [-0.5, -0.5, SIDE - 0.5, SIDE - 0.5]
    with torch.no_grad():
        empty, full = _batch([], []), _batch([everything], [0], [True])
        outputs = detector(empty)
        alone, covered = (sum(detector.loss(outputs, detector.encode(each)).values()) for each in (empty, full))
    assert float(alone) > 0 and float(covered) == 0


def test_a_box_is_covered_where_more_than_half_of_it_is() -> None:
    truth = Truth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.tensor([[0.0, 0, 10, 10]]))
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 19], [0, 0, 10, 21], [2, 2, 3, 3], [20, 20, 30, 30]])
    assert truth.covers(boxes).tolist() == [True, True, False, True, False]


def _with_outputs(name: str, count: int, **settings: object):
    """A detector and outputs that put objects of all classes on a grid, wherever its anchors are."""
    detector = build(registry.get(name), name, score_threshold=0.5, **settings).eval()
    with torch.no_grad():
        return detector, detector(_batch([], []))


def test_more_than_100_objects_are_found_and_each_class_is_one_of_them() -> None:
    """OBDB's detectors gave 100 at most, and never its first class, which was the background's index."""
    detector, outputs = _with_outputs("retinanet", 150, detections_per_image=150, nms_iou=1.0, candidates=300)
    classes = torch.full_like(outputs["classes"], -9.0)
    count = classes.shape[2]
    chosen = torch.arange(0, count, max(1, count // 240))
    classes[0, 0, chosen, torch.arange(len(chosen)) % 3] = 4.0
    found = detector.decode({"classes": classes, "offsets": torch.zeros_like(outputs["offsets"])}, _batch([], []))
    assert found.boxes.shape[2] == 150
    assert set(found.categories[0, 0].tolist()) == {0, 1, 2}


def test_the_background_is_an_index_of_the_second_stage_alone() -> None:
    detector, outputs = _with_outputs("faster_rcnn", 1, detections_per_image=50)
    part = detector.regions.box_predictor
    with torch.no_grad():
        for layer in (part.cls_score, part.bbox_pred):
            layer.weight.zero_()
            layer.bias.zero_()
        assert len(part.cls_score.bias) == 4  # three classes and the background
        found = {}
        for index in range(4):
            part.cls_score.bias.copy_(10.0 * (torch.arange(4) == index))
            decoded = detector.decode(outputs, _batch([], []))
            found[index] = set(decoded.categories[0, 0].tolist()) - {-1}
    assert found == {0: set(), 1: {0}, 2: {1}, 3: {2}}


@each
def test_frozen_normalisation_stays_as_it_is(name: str) -> None:
    frozen, free = (build(registry.get(name), name, freeze_norm=value).train() for value in (True, False))

    def modes(detector) -> set[bool]:
        return {m.training for m in detector.network.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)}

    assert modes(frozen) == {False} and True in modes(free)
    assert frozen.network.pyramid.training
    for detector in (frozen, free):
        # What each step of a training does.
        freeze(detector.backbone, False)
    assert modes(frozen) == {False} and True in modes(free)


def test_normalisation_is_frozen_with_weights_that_were_learned(tmp_path: Path) -> None:
    file = tmp_path / "learned.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    random, learned = (build(registry.get("retinanet"), "retinanet", backbone_checkpoint=f) for f in (None, str(file)))

    def moves(detector) -> bool:
        return any(m.training for m in detector.train().backbone.modules() if isinstance(m, torch.nn.BatchNorm2d))

    assert moves(random) and not moves(learned)
