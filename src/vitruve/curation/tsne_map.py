"""A map of a data set: each crop of it as a point in the plane, near those that look like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, UInt8
from sklearn.manifold import TSNE

from vitruve.curation.clusters import cluster, reduced
from vitruve.curation.crops import Crop, Of, crop_images, crops_of
from vitruve.curation.embedding import Embedder
from vitruve.data.images import ImageCache
from vitruve.inference.progress import progress, with_progress
from vitruve.structures.labels import Labels
from vitruve.visualize.sheets import shrunk

MOST_CROPS = 3000
"""Crops on a map at most, if nothing else is asked for: t-SNE of more takes minutes."""

_PERPLEXITY = 30.0
_FEWEST = 4
_THUMBNAIL = 48


@dataclass(frozen=True, eq=False)
class Map:
    """A map of a data set.

    Attributes:
        labels: What the crops are from.
        crops: What each point stands for.
        points: ``(M, 2)`` places on the map, from -1 to 1.
        clusters: ``(M,)`` the cluster of each, from 0, the largest first.
        thumbnails: ``(M, h, w, 3)`` RGB.
        rule: Why there are so many clusters.
        origin: Which network the points are from.
    """

    labels: Labels
    crops: tuple[Crop, ...]
    points: Float[np.ndarray, "M 2"]
    clusters: Int[np.ndarray, " M"]
    thumbnails: UInt8[np.ndarray, "M h w 3"]
    rule: str
    origin: str

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.clusters.max()) + 1

    @property
    def classes(self) -> list[str]:
        """The class of each crop; empty where it is not known."""
        names = self.labels.categories
        return [names[crop.category] if 0 <= crop.category < len(names) else "" for crop in self.crops]

    def with_labels(self, labels: Labels) -> Map:
        """The same map of the same frames, with other splits for instance.

        Args:
            labels: As many frames, in the same order.

        Returns:
            The map.
        """
        return replace(self, labels=labels)


def map_of(
    labels: Labels,
    embedder: Embedder | None = None,
    *,
    of: Of = "instances",
    method: str = "kmeans",
    clusters: int | None = None,
    most: int = MOST_CROPS,
    perplexity: float = _PERPLEXITY,
    seed: int = 0,
    cache: ImageCache | None = None,
) -> Map:
    """Make a map of a data set: embeddings of crops, their clusters, and their places in a plane.

    The plane is that of t-SNE (van der Maaten and Hinton 2008). Clusters are those of the embeddings' 50 principal
    components, not of the plane, whose distances say little.

    Args:
        labels: With boxes, keypoints, or neither.
        embedder: Makes points of crops; None for resnet18 with published weights, or random ones without a connection.
        of: ``instances``, or ``images`` for whole ones.
        method: ``kmeans`` or ``hdbscan``; see :func:`vitruve.curation.clusters.cluster`.
        clusters: How many there are; None for as many as show themselves.
        most: Crops at most; of more, so many are drawn.
        perplexity: How many neighbours of a point matter, at least 1; less where there are fewer than three times as
            many points.
        seed: The same seed gives the same map.
        cache: Decoded images.

    Returns:
        The map.

    Raises:
        InputError: There is no frame, an image cannot be read, or there are fewer crops than clusters.
        ConfigError: There is no such method.
    """
    embedder = embedder or Embedder.of_backbone(seed=seed)
    crops = crops_of(labels, of, most, seed)
    thumbnails: list[np.ndarray] = []

    def seen() -> Iterator[np.ndarray]:
        images = crop_images(labels, crops, embedder.size, cache)
        for image in with_progress("Embedding what is on the map", images, len(crops)):
            thumbnails.append(shrunk(image, _THUMBNAIL))
            yield image

    features = reduced(embedder(seen()), seed)
    with progress(f"Placing {len(crops)} on the map", None):
        found = cluster(features, method, clusters, seed)
        points = plane(features, perplexity, seed)
    return Map(labels, tuple(crops), points, found.numbers, np.stack(thumbnails), found.rule, embedder.origin)


def plane(
    features: Float[np.ndarray, "M Q"], perplexity: float = _PERPLEXITY, seed: int = 0
) -> Float[np.ndarray, "M 2"]:
    """Points in the plane whose neighbours are those they have in many dimensions.

    Args:
        features: One row a point.
        perplexity: How many neighbours matter.
        seed: Of what chance decides.

    Returns:
        From -1 to 1; of fewer than four points, the two first components.
    """
    if len(features) < _FEWEST or not np.ptp(features, axis=0).any():
        found = np.zeros((len(features), 2))
        found[:, : min(2, features.shape[1])] = features[:, :2]
    else:
        near = max(1.0, min(perplexity, (len(features) - 1) / 3))
        wide = features if features.shape[1] > 1 else np.pad(features, ((0, 0), (0, 1)))
        found = TSNE(2, perplexity=near, init="pca", learning_rate="auto", random_state=seed).fit_transform(wide)
    found = found.astype(np.float64) - (found.max(0) + found.min(0)) / 2
    reach = float(np.abs(found).max())
    return found / reach if reach > 0 else found
