"""Clusters of points, and frames that are nearly the same."""

from __future__ import annotations

import numpy as np
import pytest

from vitruve.curation.clusters import cluster, distances, near_duplicates, reduced, typical_distance
from vitruve.errors import ConfigError, InputError


def blobs(count: int, each: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around corners of a simplex, far apart; the n-th group has a few more than the one before."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count), [each + 5 * i for i in range(count)])
    points = 20 * np.eye(count)[truth] + rng.normal(size=(len(truth), count))
    order = rng.permutation(len(truth))
    return points[order], truth[order]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_what_lies_apart_is_found_with_its_number(count: int, method: str) -> None:
    points, truth = blobs(count)
    found = cluster(points, method)
    assert found.count == count
    # Numbers by size: the truth's last group is the largest.
    assert (found.numbers == count - 1 - truth).all()
    assert found.rule


def test_a_number_may_be_asked_for_but_no_more_than_there_are_points() -> None:
    points, _ = blobs(3)
    assert cluster(points, count=5).count == 5
    assert cluster(points, count=1).count == 1
    with pytest.raises(InputError, match="--clusters 7: there are 2 different crops"):
        cluster(np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0]]), count=7)
    with pytest.raises(ConfigError, match="hdbscan finds the number itself"):
        cluster(points, "hdbscan", 3)
    with pytest.raises(ConfigError, match="no such method"):
        cluster(points, "dbscan")


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_are_clusters_too(count: int, method: str) -> None:
    found = cluster(np.arange(2.0 * count).reshape(count, 2), method)
    assert len(found.numbers) == count
    assert found.count == len(set(found.numbers.tolist()))
    assert cluster(np.zeros((20, 3)), method).count == 1


def test_the_same_seed_gives_the_same_clusters() -> None:
    points = np.random.default_rng(1).normal(size=(300, 6))
    assert (cluster(points, seed=4).numbers == cluster(points, seed=4).numbers).all()


def test_components_keep_distances() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 200))
    kept = reduced(points.astype(np.float32))
    slow = np.array([[np.linalg.norm(a - b) for b in points] for a in points])
    np.testing.assert_allclose(distances(kept, kept), slow, rtol=1e-4, atol=2e-3)
    assert reduced(points[:1]).shape[0] == 1
    upper = slow[np.triu_indices(80, 1)]
    assert typical_distance(kept) == pytest.approx(np.median(upper), rel=1e-3)


def test_near_duplicates_are_chains_of_frames_that_are_alike() -> None:
    # Two clips whose frames follow one another in small steps, and one frame by itself.
    line = np.stack([np.arange(10) * 0.2, np.zeros(10)], 1)
    points = np.concatenate([line, np.add(line, (0, 8)), [[30.0, 30.0]]])
    groups, limit = near_duplicates(points)
    assert limit == pytest.approx(typical_distance(points) / 3)
    assert len(set(groups[:10])) == len(set(groups[10:20])) == 1
    assert len(set(groups)) == 3
