"""Average precision in validation."""

from __future__ import annotations

import pytest
import torch

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Task
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton
from vitruve.training.precision import figures, pairs


def test_people_are_compared_by_their_keypoints_in_original_pixels() -> None:
    algorithm = _several()
    points = torch.tensor([[10.0, 10], [40, 20], [60, 70]]) + torch.tensor([0.0, 200])[:, None, None]
    truth = Instances.from_keypoints(points.repeat(2, 1, 1, 1, 1))
    batch = Batch(torch.zeros(2, 1, 1, 3, 8, 8, dtype=torch.uint8), torch.eye(3).repeat(2, 1, 1, 1), truth)
    missed = points.clone()
    missed[1] += 100
    for place, wanted in ((points, 1.0), (missed, 0.5)):
        found = Instances.from_keypoints(place.repeat(2, 1, 1, 1, 1), scores=torch.tensor([0.9, 0.5]).repeat(2, 1, 1))
        shown = figures(pairs(found, batch), algorithm)
        assert shown == {"AP": pytest.approx(wanted, abs=0.01), "AP50": pytest.approx(wanted, abs=0.01)}
    assert figures([], algorithm) == {}


def _several() -> Algorithm:
    kind = registry.get("pose_proposal")
    config = kind.Config(model_type="pose_proposal", backbone="test_resnet", head_channels=8)
    return kind(config, Task(Skeleton(("a", "neck", "c")), (64, 64)))
