"""Algorithms that learn limbs are given some, and the run remembers which."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tiny_project import settings
from vitruve.config.schema import Config
from vitruve.training.prepare import prepare


def test_labels_without_edges_are_given_limbs_where_the_algorithm_needs_them(project: Path) -> None:
    with pytest.warns(UserWarning, match="limbs to learn were chosen"):
        ready = prepare(Config.from_mapping(settings(project, {"model_type": "lightweight_openpose"})))
    skeleton = ready.task.skeleton
    assert (
        len(skeleton.edges)
        == len(skeleton) - 1
        == len({b for _, b in skeleton.edges} | {a for a, _ in skeleton.edges}) - 1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prepare(Config.from_mapping(settings(project, {"model_type": "heatmap"}))).task.skeleton.edges == ()
