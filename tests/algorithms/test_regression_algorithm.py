from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from dots import SKELETON, build, dots

from vitruve.algorithms.base import Task
from vitruve.algorithms.regression.algorithm import Regression, RegressionSettings
from vitruve.structures.instances import Instances


def test_decoding_the_targets_gives_the_truth_in_original_pixels() -> None:
    algorithm, batch = build(Regression, "regression", 2), dots(Regression, 3, 2)
    targets = algorithm.encode(batch)
    outputs = {"points": targets["points"], "log_scale": torch.full((3, 2, 3, 2), -5.0)}
    found = algorithm.decode(outputs, batch)
    assert batch.truth is not None
    torch.testing.assert_close(found.keypoints, batch.truth.keypoints, atol=1e-3, rtol=0)


def test_targets_are_shares_of_the_input_from_edge_to_edge() -> None:
    algorithm, batch = build(Regression, "regression"), dots(Regression, 1)
    corners = torch.tensor([[-0.5, -0.5], [63.5, 31.5], [63.6, 10.0]])[None, None, None]
    truth = Instances.from_keypoints(corners).transformed(batch.to_image)
    targets = algorithm.encode(replace(batch, truth=truth))
    torch.testing.assert_close(targets["points"][0, 0, :2], torch.tensor([[0.0, 0.0], [1.0, 0.5]]))
    assert targets["learned"].tolist() == [[[True, True, False]]]


def test_occluded_keypoints_are_learned_where_their_place_is_known() -> None:
    algorithm, batch = build(Regression, "regression"), dots(Regression, 1)
    assert batch.truth is not None
    keypoints = batch.truth.keypoints.clone()
    keypoints[0, 0, 0, 2] = torch.nan
    visible = torch.tensor([2, 1, 1], dtype=torch.int8)[None, None, None]
    targets = algorithm.encode(replace(batch, truth=Instances(keypoints, visible)))
    assert targets["learned"].tolist() == [[[True, True, False]]]


@pytest.mark.parametrize("scale", [0.02, 0.1, 0.5])
def test_the_likelihood_is_the_chance_to_lie_within_twelve_input_pixels(scale: float) -> None:
    algorithm, batch = build(Regression, "regression"), dots(Regression, 1)
    outputs = {"points": torch.full((1, 1, 3, 2), 0.5), "log_scale": torch.full((1, 1, 3, 2), math.log(scale))}
    found = algorithm.decode(outputs, batch).keypoint_scores
    x = np.linspace(-12, 12, 20001)
    density = np.exp(-np.abs(x) / (64 * scale)) / (2 * 64 * scale)
    assert found is not None and float(found[0, 0, 0, 0]) == pytest.approx(np.trapezoid(density, x) ** 2, rel=1e-4)


def test_without_a_learned_scale_the_likelihood_is_one() -> None:
    algorithm, batch = build(Regression, "regression", regression_loss_type="mse"), dots(Regression, 2)
    outputs = algorithm(batch)
    found = algorithm.decode(outputs, batch)
    assert found.keypoint_scores is not None and bool((found.keypoint_scores == 1).all())
    assert list(algorithm.loss(outputs, algorithm.encode(batch))) == ["regression_mse"]


def test_any_size_of_input_will_do() -> None:
    task = Task(SKELETON, (96, 80))
    network = Regression(RegressionSettings(backbone="test_resnet"), task).eval()
    assert network.network(network.example_input(2))["points"].shape == (2, 3, 2)
