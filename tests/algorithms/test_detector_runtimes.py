"""Runtimes give the boxes and scores that PyTorch gives, from the first to the last of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from dots import build, dots

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm
from vitruve.inference.runtimes.registry import RUNTIMES
from vitruve.structures.instances import Instances

DETECTORS = tuple(name for name, kind in registry.available().items() if kind.needs.boxes)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.parametrize("name", DETECTORS)
def test_detections_are_those_of_torch(name: str, runtime: str, tmp_path: Path) -> None:
    obstacle = RUNTIMES[runtime].unavailable(torch.device("cpu"))
    if obstacle is not None:
        pytest.skip(obstacle)
    detector = build(registry.get(name), name, score_threshold=0.001).eval()
    _spread(detector)
    batch = dots(registry.get(name))
    with torch.no_grad():
        wanted = detector.decode(detector(batch), batch)
        detector.network = RUNTIMES[runtime].compile(detector.network, detector.example_input(1), tmp_path)
        found = detector.decode(detector(batch), batch)
    assert wanted.scores is not None and found.scores is not None
    assert wanted.scores.shape == found.scores.shape and wanted.scores.shape[2] > 20
    for number in range(len(wanted.scores)):
        ours, theirs = _rows(found, number), _rows(wanted, number)
        alike = torch.isclose(ours[:, None], theirs, atol=0.02, rtol=1e-3).all(-1)
        # Each is there in the other; those of nearly the same score may have changed places.
        assert bool(alike.any(0).all()) and bool(alike.any(1).all())


def _rows(found: Instances, number: int) -> torch.Tensor:
    """Edges in pixels, class, and score in percent: 0.02 is little of each."""
    assert found.boxes is not None and found.categories is not None and found.scores is not None
    columns = (found.boxes[number, 0], found.categories[number, 0, :, None], 1e2 * found.scores[number, 0, :, None])
    rows = torch.cat([each.double() for each in columns], -1)
    return rows[rows.isfinite().all(-1)]


def _spread(detector: Algorithm) -> None:
    """Weights with which scores differ from one another: from the initial ones all are nearly alike, in any order."""
    generator = torch.Generator().manual_seed(1)
    for key, value in detector.named_parameters():
        if value.ndim > 1 and "backbone" not in key:
            value.data.normal_(std=value[0].numel() ** -0.5, generator=generator)
