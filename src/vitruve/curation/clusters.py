"""Images that look alike as clusters of points, and frames that are nearly the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from vitruve.errors import ConfigError, InputError

ClusterMethod = Literal["kmeans", "hdbscan"]

NEAR = 1 / 3
"""Frames that are nearer to one another than this share of the median distance of two frames are near duplicates."""

_COMPONENTS = 50
_MOST_CLUSTERS = 20
_JUDGED = 2000
_STARTS = 4
_FEWEST = 5
_BLOCK = 1000


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which points lie together.

    Attributes:
        numbers: ``(M,)`` the cluster of each point, from 0, the largest first.
        count: How many there are.
        rule: Why there are so many, in words.
    """

    numbers: Int[np.ndarray, " M"]
    count: int
    rule: str


def reduced(points: Float[np.ndarray, "M P"], seed: int = 0) -> Float[np.ndarray, "M Q"]:
    """Principal components of points: at most 50, which is what distances of images are made of.

    Args:
        points: At least one.
        seed: Of the randomised decomposition.

    Returns:
        As many rows.
    """
    rows = points.astype(np.float64) - points.mean(0, dtype=np.float64)
    count = min(_COMPONENTS, *rows.shape)
    if len(rows) < 2 or not rows.any():
        return np.zeros((len(rows), count))
    return np.asarray(PCA(count, svd_solver="auto", random_state=seed).fit_transform(rows))


def cluster(
    points: Float[np.ndarray, "M Q"], method: str = "kmeans", count: int | None = None, seed: int = 0
) -> Clusters:
    """Find out which points lie together.

    k-means has the number of clusters, 2 to 20, whose mean silhouette (Rousseeuw 1987) is highest, over at most 2000
    points. HDBSCAN (Campello, Moulavi and Sander 2013) finds their number; it needs a hundredth of the points, at least
    5, for each, and what it takes for noise goes to the cluster whose middle is nearest.

    Args:
        points: At least one.
        method: ``kmeans`` or ``hdbscan``.
        count: How many clusters k-means makes; None for the rule.
        seed: Of k-means and of the points that are judged by.

    Returns:
        The clusters.

    Raises:
        ConfigError: There is no such method, or a number is asked of HDBSCAN.
        InputError: There are fewer different points than clusters.
    """
    if method not in get_args(ClusterMethod):
        raise ConfigError(f"--cluster-method {method}: no such method; there are {', '.join(get_args(ClusterMethod))}")
    if method == "hdbscan":
        if count is not None:
            raise ConfigError(f"--clusters {count}: hdbscan finds the number itself; leave it out, or take kmeans")
        return _dense(points)
    different = len(np.unique(points, axis=0))
    if count is not None:
        if not 1 <= count <= different:
            raise InputError(f"--clusters {count}: there are {different} different crops; ask for 1 to {different}")
        return _sorted(_k_means(points, count, seed), "as asked for")
    highest = min(_MOST_CLUSTERS, different - 1)
    if highest < 2:
        return Clusters(np.zeros(len(points), np.int64), 1, "too few different crops to tell clusters apart")
    best, score = np.zeros(len(points), np.int64), -2.0
    for number in range(2, highest + 1):
        found = _k_means(points, number, seed)
        judged = min(_JUDGED, len(points))
        value = float(silhouette_score(points, found, sample_size=judged, random_state=seed))
        if value > score:
            best, score = found, value
    return _sorted(best, f"highest mean silhouette of 2 to {highest} clusters: {score:.2f}")


def near_duplicates(points: Float[np.ndarray, "F Q"], near: float = NEAR) -> tuple[Int[np.ndarray, " F"], float]:
    """Groups of frames that are nearly the same, each with one of its group at least.

    Args:
        points: One a frame, as :func:`reduced` gives them.
        near: How near is nearly the same, as a share of the median distance between two frames.

    Returns:
        The group of each frame, from 0, and the distance below which two are near duplicates.
    """
    limit = near * typical_distance(points)
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(points), _BLOCK):
        a, b = np.nonzero(distances(points[start : start + _BLOCK], points) <= limit)
        rows.append(a + start)
        columns.append(b)
    a, b = np.concatenate(rows), np.concatenate(columns)
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), shape=(len(points), len(points)))
    return connected_components(graph, directed=False)[1].astype(np.int64), limit


def typical_distance(points: Float[np.ndarray, "F Q"]) -> float:
    """The median distance between two of some points, over at most a thousand of them.

    Args:
        points: Any number.

    Returns:
        0 where there are fewer than two.
    """
    some = points[np.unique(np.linspace(0, len(points) - 1, min(_BLOCK, len(points))).round().astype(int))]
    pairs = distances(some, some)[np.triu_indices(len(some), 1)]
    return float(np.median(pairs)) if len(pairs) else 0.0


def distances(some: Float[np.ndarray, "M Q"], others: Float[np.ndarray, "N Q"]) -> Float[np.ndarray, "M N"]:
    """Euclidean distances of points from others.

    Args:
        some: Any number of points.
        others: Any number.

    Returns:
        One row for each of ``some``.
    """
    squared = (some**2).sum(1)[:, None] - 2 * some @ others.T + (others**2).sum(1)
    return np.sqrt(np.maximum(squared, 0))


def _k_means(points: np.ndarray, count: int, seed: int) -> Int[np.ndarray, " M"]:
    return np.asarray(KMeans(count, n_init=_STARTS, random_state=seed).fit_predict(points), np.int64)


def _dense(points: np.ndarray) -> Clusters:
    least = max(_FEWEST, len(points) // 100)
    found = np.zeros(len(points), np.int64)
    if len(points) >= 2 * least:
        found = np.asarray(HDBSCAN(min_cluster_size=least, copy=True).fit_predict(points), np.int64)
    known = np.unique(found[found >= 0])
    if not len(known):
        found[:] = 0
    elif (found < 0).any():
        middles = np.stack([points[found == number].mean(0) for number in known])
        lost = found < 0
        found[lost] = known[distances(points[lost], middles).argmin(1)]
    return _sorted(found, f"hdbscan with at least {least} crops a cluster")


def _sorted(found: Int[np.ndarray, " M"], rule: str) -> Clusters:
    """Clusters with numbers by their size, the largest first."""
    names, inverse, sizes = np.unique(found, return_inverse=True, return_counts=True)
    place = np.empty(len(names), np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(names))
    return Clusters(place[inverse], len(names), rule)
