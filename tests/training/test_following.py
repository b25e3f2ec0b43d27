"""Terms on unlabelled video with several instances: who is who, gradients through what was decoded, nobody there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from learned_outputs import learned
from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Outputs, Task
from vitruve.evaluation.subspace import Subspace
from vitruve.losses.pca import PcaSingleviewLoss
from vitruve.losses.settings import PcaSingleview, Temporal
from vitruve.losses.temporal import TemporalLoss
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.training.following import followed
from vitruve.training.unsupervised import predict_windows

SKELETON = Skeleton(("head", "hip", "foot"), ((0, 1), (1, 2)))
SIDE = 128
STANDING = np.array([[0.0, -24], [0, 0], [0, 24]])


def person(x: float, y: float = 64.0) -> np.ndarray:
    return STANDING + np.array([x, y])


def test_people_are_followed_whatever_their_order_is() -> None:
    points = np.full((1, 3, 1, 3, 3, 2), np.nan)
    points[0, 0, 0, :2] = person(20), person(90)
    points[0, 1, 0] = person(88), person(22), person(55, 20)  # the third is there once: as likely nobody
    points[0, 2, 0, :2] = person(24), person(86)
    scores = np.where(np.isnan(points).any((-1, -2)), np.nan, 0.8)
    rows = followed(points, scores, SKELETON)
    assert sorted(map(tuple, rows)) == [(0, 4, 6), (1, 3, 7)]


def test_who_comes_and_goes_is_nobody_else_and_windows_and_views_are_apart() -> None:
    points = np.full((2, 4, 2, 1, 3, 2), np.nan)
    points[0, :2, 0, 0] = person(20), person(21)
    points[0, 2:, 0, 0] = person(100), person(101)  # one left, another came
    points[1, 1:3, 1, 0] = person(20), person(21)
    rows = followed(points, np.where(np.isnan(points).any((-1, -2)), np.nan, 0.8), SKELETON)
    assert sorted(map(tuple, rows)) == [(-1, -1, 4, 6), (-1, 11, 13, -1), (0, 2, -1, -1)]


def test_nobody_in_a_window_is_no_row() -> None:
    for most in (0, 2):
        points = np.full((2, 4, 1, most, 3, 2), np.nan)
        assert followed(points, points[..., 0, 0], SKELETON).shape == (0, 4)


def channels(name: str, keypoint: int) -> tuple[str, list[int]]:
    """The map that says where a keypoint is, and which of its channels say so."""
    if name == "pose_proposal":
        return "place", [2 * keypoint, 2 * keypoint + 1]
    return ("joints", [5 * keypoint + 1, 5 * keypoint + 2]) if name == "pifpaf" else ("conf_2", [keypoint])


def fixed(name: str, people: np.ndarray, windows: int = 1) -> tuple[Algorithm, Batch, Outputs]:
    """An algorithm whose network gives what it is to learn of ``people`` (F, N, K, 2), in images of twice the size."""
    kind = registry.get(name)
    wanted = {"head_channels": 8, "num_stages": 2, "min_keypoints": 2, "stride": 16 if name == "pose_proposal" else 8}
    small = {key: value for key, value in wanted.items() if key in kind.Config.model_fields}
    algorithm = kind(kind.Config(model_type=name, backbone="test_resnet", **small), Task(SKELETON, (SIDE, SIDE)))
    to_image = torch.tensor([[2.0, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    truth = Instances.from_keypoints(torch.from_numpy(people[:, None]).float()).transformed(to_image)
    images = torch.zeros(len(people), 1, 1, 3, SIDE, SIDE, dtype=torch.uint8)
    batch = Batch(images, to_image.repeat(len(people), 1, 1, 1), truth)
    outputs = {key: value.detach().requires_grad_() for key, value in learned(name, algorithm.encode(batch)).items()}
    algorithm.forward = lambda batch: outputs  # type: ignore[method-assign]
    length = len(people) // windows
    seen = Batch(images.reshape(windows, 1, length, 3, SIDE, SIDE), to_image.repeat(windows, 1, 1, 1))
    return algorithm, seen, outputs


SEVERAL = [name for name, kind in registry.available().items() if kind.needs.instances and not kind.needs.boxes]


def test_all_five_are_there() -> None:
    assert len(SEVERAL) >= 5


@pytest.mark.parametrize("name", SEVERAL)
def test_followed_keypoints_are_the_decoded_ones_and_move_the_maps_they_come_from(name: str) -> None:
    people = np.stack([np.stack([person(30 + 2 * t), person(95 - 2 * t)]) for t in range(3)])
    algorithm, windows, outputs = fixed(name, people)
    found = predict_windows(algorithm, windows, heatmaps=False)
    assert found.keypoints.shape == (2, 3, 1, 3, 2)
    order = found.keypoints[:, 0, 0, 0, 0].argsort()
    truth = 2 * torch.from_numpy(people).float().transpose(0, 1) + 0.5
    torch.testing.assert_close(found.keypoints[order, :, 0].detach(), truth, atol=2.5, rtol=0)
    found.keypoints[order[0], 1, 0, 1, 0].backward()  # x of the left one's hip in the second frame
    key, mine = channels(name, 1)
    for other, value in outputs.items():
        if other != key:
            assert value.grad is None or not value.grad.any()
    gradient = outputs[key].grad
    assert gradient is not None and bool(torch.isfinite(gradient).all())
    assert not gradient[[0, 2]].any()
    for channel in range(gradient.shape[2]):
        assert channel in mine or not gradient[1, 0, channel].any()
    there = gradient[1, 0, mine]
    assert bool(there.any())
    left = there[..., : there.shape[-1] // 2]
    assert bool(left.any()) and not there[..., -there.shape[-1] // 4 :].any(), "the other one does not move"
    if key == "conf_2":
        # Confidence to the right of it moves it to the right.
        column = round((30 + 2 + 0.5) / 8 - 0.5)
        assert bool((there[..., column + 1 :] >= 0).all()) and bool((there[..., :column] <= 0).all())


@pytest.mark.parametrize("name", SEVERAL)
def test_the_unsure_one_of_two_frames_gives_way(name: str) -> None:
    people = np.stack([np.stack([person(30)]), np.stack([person(33)])])
    algorithm, windows, outputs = fixed(name, people)
    found = predict_windows(algorithm, windows, heatmaps=False)
    weight = 1 - found.scores[0, :, 0]
    found.keypoints.sum().backward()
    key, mine = channels(name, 1)
    gradient = outputs[key].grad
    assert gradient is not None
    if key != "conf_2":  # what is read from a cell moves one to one with it
        sizes = gradient[:, 0, mine].abs().sum((-1, -2, -3))
        assert float(sizes[0] / sizes[1]) == pytest.approx(float(weight[0, 1] / weight[1, 1]), rel=0.2)
    assert bool((weight > 0).all())


@pytest.mark.parametrize("name", SEVERAL)
def test_a_missing_keypoint_is_left_out_and_brings_no_nan(name: str) -> None:
    people = np.stack([np.stack([person(30 + t), person(95)]) for t in range(4)])
    people[2, 0, 2] = np.nan
    algorithm, windows, outputs = fixed(name, people, windows=2)
    for value in outputs.values():
        value.data += 1e-3 * torch.randn(value.shape, generator=torch.Generator().manual_seed(0))
    found = predict_windows(algorithm, windows, heatmaps=False)
    assert found.keypoints.shape == (4, 2, 1, 3, 2) and bool(found.keypoints.isfinite().all())
    assert int(found.scores.isnan().sum()) == 1
    loss = TemporalLoss(Temporal(epsilon=0.0, prob_threshold=0.0), 3)
    value = loss(found)
    assert 0 < float(value.detach()) < 5
    value.backward()
    assert all(v.grad is None or bool(v.grad.isfinite().all()) for v in outputs.values())


@pytest.mark.parametrize("name", SEVERAL)
def test_nobody_found_costs_nothing(name: str) -> None:
    algorithm, windows, _ = fixed(name, np.full((4, 1, 3, 2), np.nan))
    found = predict_windows(algorithm, windows, heatmaps=False)
    assert found.keypoints.shape == (0, 4, 1, 3, 2)
    subspace = Subspace("pca_singleview", np.array([[0, 1, 2]]), np.zeros(6), np.eye(6)[:2], None, 1.0, 1.0)
    for term in (TemporalLoss(Temporal(), 3), PcaSingleviewLoss(PcaSingleview(), subspace)):
        assert float(term(found).detach()) == 0


def test_poses_count_of_which_all_keypoints_were_found() -> None:
    people = np.stack([np.stack([person(30 + t)]) for t in range(2)])
    people[1, 0, 2] = np.nan
    algorithm, windows, _ = fixed("lightweight_openpose", people)
    mean = np.zeros(6)
    subspace = Subspace("pca_singleview", np.array([[0, 1, 2]]), mean, np.zeros((1, 6)), None, 1.0, 0.0)
    found = predict_windows(algorithm, windows, heatmaps=False)
    value = PcaSingleviewLoss(PcaSingleview(epsilon=0.0), subspace)(found)
    first: Any = found.keypoints[0, 0, 0].detach()
    assert float(value.detach()) == pytest.approx(float(first.norm(dim=-1).mean()), rel=1e-4)
