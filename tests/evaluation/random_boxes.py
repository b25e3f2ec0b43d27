"""Instances that have boxes alone."""

from __future__ import annotations

import numpy as np

from vitruve.structures.instances import Instances


def boxes(rows, classes=None, **arrays):
    """Instances without keypoints."""
    values = np.array(rows, np.float64).reshape(-1, 4)
    count = len(values)
    numbers = np.zeros(count, np.int64) if classes is None else np.array(classes, np.int64)
    arrays = {name: np.array(value) for name, value in arrays.items()}
    return Instances(np.zeros((count, 0, 2)), np.zeros((count, 0), np.int8), boxes=values, categories=numbers, **arrays)


def random_set(rng, images, classes):
    """Truth and predictions with all that COCO has: crowds, empty images, classes that are rare, many guesses."""
    shares = rng.dirichlet(np.full(classes, 1.0))
    pairs = []
    for _ in range(images):
        n = int(rng.integers(0, 9))
        low = rng.uniform(0, 400, (n, 2))
        sides = rng.choice([12.0, 50.0, 180.0], (n, 1)) * rng.uniform(0.6, 1.4, (n, 2))
        wanted = np.concatenate([low, low + sides], 1)
        kinds = rng.choice(classes, n, p=shares)
        truth = boxes(wanted, kinds, areas=sides.prod(1) * rng.uniform(0.3, 1.0, n), crowds=rng.random(n) < 0.15)
        near = [wanted + sides[:, [0, 1, 0, 1]] * rng.normal(0, spread, wanted.shape) for spread in (0.02, 0.08, 0.2)]
        m = int(rng.integers(0, 40))
        low = rng.uniform(0, 400, (m, 2))
        found = np.concatenate([*near, np.concatenate([low, low + rng.uniform(5, 150, (m, 2))], 1)])
        found = np.concatenate([found[:, :2], np.maximum(found[:, 2:], found[:, :2] + 1)], 1)
        said = np.concatenate([np.tile(kinds, 3), rng.choice(classes, m)])
        said = np.where(rng.random(len(said)) < 0.1, rng.choice(classes, len(said)), said)
        kept = rng.random(len(found)) < 0.8
        # Scores that are alike: ties are resolved as the reference implementation does.
        scores = rng.random(len(found)).round(2)
        pairs.append((truth, boxes(found[kept], said[kept], scores=scores[kept])))
    return pairs
