"""How far the predictions of one runtime lie from those of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vitruve.algorithms.base import Algorithm
from vitruve.inference.runtimes.base import CompiledNetwork
from vitruve.inference.samples import Samples
from vitruve.structures.instances import Instances

CONFIDENT = 0.5
"""Likelihood from which a keypoint of the reference counts."""
FEW_CONFIDENT = 0.1
"""Share of confident keypoints below which the reference says too little for them to be judged by."""
PERCENTILE = 95
OUTLIER_PERCENTILE = 99.9


@dataclass(frozen=True)
class Deviation:
    """How far predictions lie from the reference, in pixels of the original images (millimetres in space).

    Attributes:
        px: 95th percentile. Infinite where more than five in a hundred keypoints have no partner.
        outlier_px: 99.9th percentile of those that have one: the largest, where there are few.
        confident_share: Share of the reference's keypoints that are confident, 0 to 1.
        compared: How many keypoints of the reference this is judged by.
    """

    px: float
    outlier_px: float
    confident_share: float
    compared: int


def predictions(
    algorithm: Algorithm, network: CompiledNetwork, samples: Samples, batch_size: int, device: torch.device
) -> list[Instances]:
    """What an algorithm finds with a network in the place of its own.

    Args:
        algorithm: Left as it was.
        network: Stands in.
        samples: The inputs.
        batch_size: Inputs that go through together.
        device: Where the algorithm is.

    Returns:
        Instances of each batch, as numpy arrays, in original pixels.
    """
    own = algorithm.network
    found = []
    try:
        algorithm.network = network
        with torch.inference_mode():
            for batch in samples.batches(batch_size, device):
                found.append(algorithm.decode(algorithm(batch), batch).numpy())
    finally:
        algorithm.network = own
    return found


def deviation(reference: Sequence[Instances], other: Sequence[Instances]) -> Deviation:
    """The distance between keypoints, over the confident ones of the reference.

    A keypoint is compared with the nearest of its kind in the same image, so the order of instances does not
    matter. Where hardly any keypoint is confident, all count; instances without keypoints are compared by the
    corners of their boxes.

    Args:
        reference: Predictions, batch by batch.
        other: Predictions on the same inputs.

    Returns:
        The deviation; 0 where the reference found nothing and neither did the other.
    """
    pairs = [_distances(a, b) for a, b in zip(reference, other, strict=True)]
    distances = np.concatenate([distance for distance, _ in pairs])
    confident = np.concatenate([score for _, score in pairs]) >= CONFIDENT
    share = float(confident.mean()) if len(confident) else 0.0
    chosen = distances if share < FEW_CONFIDENT else distances[confident]
    if not len(chosen):
        apart = 0.0 if not any(_points(part)[0].size for part in other) else float("inf")
        return Deviation(apart, 0.0, share, 0)
    finite = chosen[np.isfinite(chosen)]
    # Not interpolated: between a finite and an infinite distance that would not be a number.
    return Deviation(
        float(np.percentile(chosen, PERCENTILE, method="higher")),
        float(np.percentile(finite, OUTLIER_PERCENTILE, method="higher")) if len(finite) else 0.0,
        share,
        len(chosen),
    )


def _distances(reference: Instances, other: Instances) -> tuple[np.ndarray, np.ndarray]:
    """Distances and scores of all keypoints of the reference that are there."""
    distances, scores = [np.empty(0)], [np.empty(0)]
    for (points, score), (candidates, _) in zip(_images(reference), _images(other), strict=True):
        apart = np.linalg.norm(points[:, None] - candidates[None], axis=-1)
        apart = np.where(np.isnan(apart), np.inf, apart).min(1, initial=np.inf)
        there = np.isfinite(points).all(-1)
        distances.append(apart[there])
        scores.append(score[there])
    return np.concatenate(distances), np.concatenate(scores)


def _images(instances: Instances) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """``(N, K, D)`` points and ``(N, K)`` scores, image by image."""
    points, scores = _points(instances)
    for place in np.ndindex(points.shape[:-3]):
        yield points[place], scores[place]


def _points(instances: Instances) -> tuple[np.ndarray, np.ndarray]:
    points, scores = instances.keypoints, instances.keypoint_scores
    if instances.num_keypoints == 0 and instances.boxes is not None:
        points = instances.boxes.reshape(*instances.boxes.shape[:-1], 2, 2)
        scores = None if instances.scores is None else np.repeat(instances.scores[..., None], 2, -1)
    return points.astype(np.float64), np.ones(points.shape[:-1]) if scores is None else scores
