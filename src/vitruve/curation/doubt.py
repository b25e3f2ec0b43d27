"""How unsure networks are of images: entropy of what one says, spread of what several say."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from vitruve.data.dataset import PoseDataset, collate
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError
from vitruve.evaluation.matching import match_instances
from vitruve.evaluation.oks import instance_boxes, instance_classes, instance_scores
from vitruve.geometry.boxes import overlaps
from vitruve.inference.predictor import Predictor
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Labels

_LEAST = 1e-12


def seen_by(
    predictor: Predictor, labels: Labels, cache: ImageCache | None = None
) -> tuple[list[Instances], Float[np.ndarray, " F"]]:
    """What a network finds in images, and the entropy of it.

    Args:
        predictor: The network.
        labels: The images, one view each; what is labelled is not looked at.
        cache: Decoded images.

    Returns:
        The instances of each image, ``(N, ...)``, and the entropy, at least 0: of heatmaps where the network has some,
        of scores otherwise.

    Raises:
        ConfigError: The network looks at several views together.
        InputError: An image cannot be read.
    """
    algorithm, cache = predictor.algorithm, cache or ImageCache(0)
    if algorithm.needs.views:
        raise ConfigError(
            f"--run: {algorithm.config.model_type} looks at several views; take a network for single ones"
        )
    if predictor.locator is not None:
        labels = predictor.locator.locate(labels, cache)
    data = PoseDataset(labels, algorithm.task.input_size, algorithm.needs, cache)
    device = next(algorithm.parameters()).device.type
    found: list[Instances] = []
    entropies: list[float] = []
    with torch.inference_mode():
        for start in range(0, len(labels), predictor.batch_size):
            group = range(start, min(len(labels), start + predictor.batch_size))
            batch = collate([data[number] for number in group]).to(device)
            outputs = algorithm(batch)
            decoded = algorithm.decode(outputs, batch).numpy()
            shown = [decoded[number][0] for number in range(len(group))]
            found += [each[np.asarray(each.present)] for each in shown]
            if algorithm.gives_heatmaps:
                entropies += [float(value) for value in entropy_of_maps(outputs["heatmaps"][:, 0].float())]
            else:
                entropies += [entropy_of_scores(each) for each in found[-len(group) :]]
    return found, np.array(entropies)


def entropy_of_maps(maps: Float[torch.Tensor, "B K h w"]) -> Float[torch.Tensor, " B"]:
    """The mean entropy of the keypoints' probability maps, as a share of that of a uniform map.

    Args:
        maps: Before the softmax.

    Returns:
        0 (every keypoint in one cell) to 1 (anywhere).
    """
    logs = maps.flatten(2).log_softmax(-1)
    entropy = -(logs.exp() * logs).sum(-1) / np.log(logs.shape[-1])
    return entropy.mean(-1)


def entropy_of_scores(found: Instances) -> float:
    """The entropy of scores as probabilities of yes and no, in bits.

    Of keypoints it is the mean; of instances without keypoints the sum over them (Brust, Kaeding and Denzler 2019),
    so that images with many doubtful objects come first.

    Args:
        found: ``(N, ...)`` in one image.

    Returns:
        At least 0; 0 where nothing is found.
    """
    keypoints = found.keypoint_scores
    if keypoints is not None and np.isfinite(keypoints).any():
        return float(np.nanmean(_binary_entropy(np.asarray(keypoints, np.float64))))
    scores = found.scores
    return (
        0.0 if scores is None or not len(scores) else float(np.nansum(_binary_entropy(np.asarray(scores, np.float64))))
    )


def spread_of(members: Sequence[Instances]) -> float:
    """How far several networks are from agreeing on one image.

    Of keypoints it is their root mean square distance from their mean over the networks, in pixels, of instances that
    lie nearest those of the first. Of boxes it is 1 minus the mean overlap of each with the best of its class of each
    other network, weighted by its score.

    Args:
        members: What each of at least two networks finds, ``(N, ...)``.

    Returns:
        At least 0; 0 where none finds anything.
    """
    if members[0].num_keypoints:
        return _keypoint_spread([np.asarray(each.keypoints, np.float64) for each in members])
    away, weights = [0.0], [_LEAST]
    for a, own in enumerate(members):
        scores = instance_scores(own)
        for b, other in enumerate(members):
            if a != b and len(scores):
                same = instance_classes(own)[:, None] == instance_classes(other)
                best = np.where(same, overlaps(instance_boxes(own), instance_boxes(other)), 0).max(1, initial=0.0)
                away += list((1 - best) * scores)
                weights += list(scores)
    return float(np.sum(away) / np.sum(weights))


def _keypoint_spread(members: Sequence[Float[np.ndarray, "_ K 2"]]) -> float:
    if not len(members[0]):
        return 0.0
    aligned = []
    for each in members:
        places = match_instances(members[0], each)
        taken = np.full(members[0].shape, np.nan)
        taken[places >= 0] = each[places[places >= 0]]
        aligned.append(taken)
    stacked = np.stack(aligned)
    with warnings.catch_warnings():
        # A keypoint that no network finds has no mean, and does not count.
        warnings.simplefilter("ignore", RuntimeWarning)
        squared = ((stacked - np.nanmean(stacked, 0)) ** 2).sum(-1)
        value = float(np.sqrt(np.nanmean(squared)))
    return value if np.isfinite(value) else 0.0


def _binary_entropy(probabilities: np.ndarray) -> np.ndarray:
    p = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))
