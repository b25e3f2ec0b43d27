from __future__ import annotations

import numpy as np
import pytest
import torch

from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.training.display import Display
from vitruve.training.module import distances
from vitruve.training.optim import Plan


def batch(truth: np.ndarray | None = None, truth_3d: np.ndarray | None = None) -> Batch:
    def instances(points: np.ndarray | None) -> Instances | None:
        return None if points is None else Instances.from_keypoints(torch.from_numpy(points).float())

    count = len(truth) if truth is not None else len(truth_3d)  # type: ignore[arg-type]
    return Batch(
        torch.zeros(count, 1, 1, 3, 8, 8, dtype=torch.uint8),
        torch.eye(3).expand(count, 1, 3, 3),
        instances(truth),
        instances(truth_3d),
    )


def decoded(points: np.ndarray) -> Instances:
    return Instances.from_keypoints(torch.from_numpy(points).float())


def test_distances_are_those_of_labelled_keypoints() -> None:
    truth = np.zeros((2, 1, 1, 3, 2))
    truth[0, 0, 0, 1] = np.nan
    found = np.zeros_like(truth)
    found[:, 0, 0, :, 0], found[1, 0, 0, :, 1] = 3, 4
    errors = distances(decoded(found), batch(truth))
    assert sorted(errors[np.isfinite(errors)]) == pytest.approx([3, 3, 5, 5, 5])


def test_instances_are_matched_before_they_are_measured() -> None:
    truth = np.array([[[[[0.0, 0]], [[50, 50]], [[np.nan, np.nan]]]]])
    found = np.array([[[[[51.0, 50]], [[0, 2]], [[90, 90]], [[np.nan, np.nan]]]]])
    assert sorted(distances(decoded(found), batch(truth))) == pytest.approx([1, 2])


def test_none_found_and_none_there() -> None:
    truth = np.zeros((2, 1, 3, 4, 2))
    assert len(distances(decoded(np.zeros((2, 1, 0, 4, 2))), batch(truth))) == 0
    assert len(distances(decoded(truth), batch(np.full_like(truth, np.nan)))) == 0


def test_points_in_space_are_measured_in_space() -> None:
    truth = np.zeros((2, 1, 2, 3))
    found = truth + np.array([1, 2, 2])
    assert distances(decoded(found), batch(np.zeros((2, 1, 1, 2, 2)), truth)) == pytest.approx([3] * 4)


def test_what_is_shown_where_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = {"step": 1.0, "train_supervised_loss": 0.5, "val_pixel_error": 2.25, "seconds_left": 61.0}
    with Display(Plan(48, 2, 0)) as display:
        for epoch in range(24):
            display.show({**numbers, "epoch": float(epoch)})
            display.show({**numbers, "epoch": float(epoch)})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 13 and lines[0].startswith("epoch 1/24") and lines[-1].startswith("epoch 24/24")
    assert "loss 0.5000" in lines[0] and "error 2.25 px" in lines[0] and "1:01 left" in lines[0]
    with Display(Plan(48, 2, 0), "mm") as display:
        display.show({**numbers, "epoch": 0.0, "val_supervised_loss": float("nan")})
    (line,) = capsys.readouterr().err.splitlines()
    assert "error 2.25 mm" in line and "validation loss" not in line
