"""Limbs chosen from labels are those of the body that made them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.data.limbs import with_limbs
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAMES = ("head", "hand", "foot", "chest", "hip")
BODY = {(0, 3), (1, 3), (2, 4), (3, 4)}


def moving(count: int, people: int = 2, seed: int = 0) -> Labels:
    """Bodies of limbs of constant length in random directions, near and far away, some keypoints missing."""
    rng = np.random.default_rng(seed)
    frames = []
    for index in range(count):
        points = np.zeros((people, 5, 2))
        for person in points:
            for child, parent in ((4, 3), (0, 3), (1, 3), (2, 4)):
                angle = rng.uniform(0, 2 * np.pi)
                length = {0: 0.7, 1: 1.6, 2: 1.4, 4: 1.2}[child]
                person[child] = person[parent] + length * np.array([np.cos(angle), np.sin(angle)])
        points = points * rng.uniform(10, 80, (people, 1, 1)) + rng.uniform(0, 500, (people, 1, 2))
        points[rng.uniform(size=points.shape[:2]) < 0.2] = np.nan
        points[0, 1:] = np.nan  # of one keypoint alone nothing can be told
        frames.append(Frame((ImageRef(Path(f"{index}.png")),), Instances.from_keypoints(points[None])))
    return Labels(Skeleton(NAMES), tuple(frames), Path())


def edges(labels: Labels) -> set[tuple[int, int]]:
    return {(min(a, b), max(a, b)) for a, b in labels.skeleton.edges}


def test_the_limbs_of_a_body_are_found_and_named() -> None:
    with pytest.warns(UserWarning, match="has no edges; limbs to learn were chosen.*head-chest"):
        found = with_limbs(moving(300))
    assert edges(found) == BODY
    assert found.skeleton.names == NAMES and len(found) == 300


def test_edges_that_are_there_are_kept_and_joined() -> None:
    labels = moving(300)
    labels = replace(labels, skeleton=Skeleton(NAMES, ((4, 3), (3, 0), (0, 1))))
    with pytest.warns(UserWarning, match="do not reach all keypoints.*: foot-hip"):
        found = with_limbs(labels)
    assert found.skeleton.edges == ((4, 3), (3, 0), (0, 1), (2, 4))


def test_a_whole_skeleton_is_left_alone() -> None:
    labels = replace(moving(3), skeleton=Skeleton(NAMES, ((0, 1), (1, 2), (2, 3), (3, 4))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert with_limbs(labels) is labels
        single = Labels(Skeleton(("middle",)), (), Path())
        assert with_limbs(single) is single


def test_keypoints_never_labelled_together_are_joined_all_the_same() -> None:
    points = np.full((1, 1, 5, 2), np.nan)
    points[..., :2, :] = [[0, 0], [10, 0]]
    labels = Labels(Skeleton(NAMES), (Frame((ImageRef(Path("a.png")),), Instances.from_keypoints(points)),), Path())
    with pytest.warns(UserWarning, match="head-hand"):
        found = with_limbs(labels)
    assert len(found.skeleton.edges) == 4 and (0, 1) in found.skeleton.edges


def test_of_few_labels_short_limbs_are_preferred() -> None:
    points = np.array([[0, 0], [30, 0], [12, 0], [40, 0], [22, 1]], float)[None, None]
    labels = Labels(Skeleton(NAMES), (Frame((ImageRef(Path("a.png")),), Instances.from_keypoints(points)),), Path())
    with pytest.warns(UserWarning):
        assert edges(with_limbs(labels)) == {(0, 2), (2, 4), (1, 4), (1, 3)}
