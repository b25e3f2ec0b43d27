from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.config.schema import Config
from vitruve.data.dataset import checked
from vitruve.data.images import ImageCache
from vitruve.evaluation.matching import align
from vitruve.inference.load import load_run
from vitruve.inference.predictor import Predictor
from vitruve.media.images import read_image, write_image
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.training.fit import fit
from vitruve.training.prepare import Prepared

SIZE = (96, 80)
SKELETON = Skeleton(("head", "tail"), ((0, 1),))


def rendered(folder: Path, count: int) -> Labels:
    """None to three worms an image, each a line from a red head to a green tail; they lie apart."""
    rng, frames = np.random.default_rng(0), []
    for index in range(count):
        picture = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
        cells = rng.permutation([(x, y) for x in (20, 48, 76) for y in (20, 58)])[: index % 4]
        worms = np.zeros((len(cells), 2, 2), np.float32)
        for worm, cell in zip(worms, cells, strict=True):
            angle, middle = rng.uniform(0, 2 * np.pi), cell + rng.uniform(-4, 4, 2)
            step = 9 * np.array([np.cos(angle), np.sin(angle)])
            worm[:] = middle + step, middle - step
            ends = [tuple(round(v * 16) for v in end) for end in worm]
            cv2.line(picture, *ends, (150, 150, 150), 2, cv2.LINE_AA, 4)
            for end, color in zip(ends, ((255, 40, 40), (40, 255, 40)), strict=True):
                cv2.circle(picture, end, 3 * 16, color, -1, cv2.LINE_AA, 4)
        path = Path(f"worms/img{index:03d}.png")
        write_image(folder / path, picture)
        split = "train" if index < count * 3 // 4 else "validation"
        frames.append(Frame((ImageRef(path),), Instances.from_keypoints(worms[None]), split=split))
    return Labels(SKELETON, tuple(frames), folder)


def measured(truth: Labels, predicted: Labels) -> tuple[float, float]:
    """Mean distance of matched keypoints in px, and the share of images with the right number of instances."""
    distance = np.linalg.norm(align(truth, predicted).keypoints() - truth.keypoints(), axis=-1)
    right = [t.instances.present.sum() == p.instances.present.sum() for t, p in zip(truth, predicted, strict=True)]
    return float(np.nanmean(distance)), float(np.mean(right))


def test_an_outside_bottom_up_algorithm_trains_and_predicts(
    tmp_path: Path, outside_package: Callable[[str, str], None]
) -> None:
    outside_package("worms", "bottom_up:BottomUp")
    labels = checked(rendered(tmp_path, 64))
    config = Config.from_mapping(
        {
            "model": {"model_type": "worms", "most": 4},
            "training": {
                "train_batch_size": 8,
                "max_epochs": 14,
                # Elastic changes and mirror images of frames without any instance have to work, too.
                "imgaug": {"rotate": 0.3, "elastic": 0.3, "elastic_alpha": 2.0, "hflip": 0.5},
                "precision": "32",
                "optimizer_params": {"learning_rate": 1e-2},
            },
        }
    )
    task = Task(labels.skeleton, (96, 64))
    kind = registry.get("worms")
    held_out = labels.split("validation")
    torch.manual_seed(0)
    untrained = Predictor(kind(config.model, task)).predict_labels(held_out)
    run = RunFiles(tmp_path / "run")
    fit(config, Prepared(labels, task, kind, ImageCache(1)), run, quiet=True)

    predictor = Predictor(load_run(run.path).algorithm, 5)
    predicted = predictor.predict_labels(held_out)
    distance, right = measured(held_out, predicted)
    assert distance < 2.5 and right >= 0.8
    distance, right = measured(held_out, untrained)
    assert not (distance < 8 or right >= 0.5)
    scores = np.concatenate([f.instances.scores[f.instances.present] for f in predicted])
    assert scores.min() > 0.3 and scores.max() <= 1

    images = [read_image(labels.path(frame.images[0])) for frame in held_out]
    streamed = list(predictor.predict(images))
    for one, other in zip(streamed, predicted, strict=True):
        assert one.instances.keypoints.shape == (1, 4, 2, 2)
        np.testing.assert_allclose(one.instances.keypoints, other.instances.keypoints, atol=1e-3)
