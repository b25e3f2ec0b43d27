from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.config.schema import Config
from vitruve.data.dataset import checked
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError
from vitruve.inference.load import load_run
from vitruve.inference.predictor import Predictor
from vitruve.inference.shots import Shot
from vitruve.media.images import read_image, write_image
from vitruve.run import RunFiles
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.training.fit import fit
from vitruve.training.prepare import Prepared, check_needs

SIZE = (80, 60)
COLORS = ((255, 60, 60), (60, 90, 255))


def camera(degrees: float) -> Camera:
    """Looks at the origin from 100 mm away, turned about the vertical axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Camera(
        np.array([[90.0, 0, 39.5], [0, 90, 29.5], [0, 0, 1]]),
        np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        np.array([0.0, 0, 100]),
        np.zeros(8),
        np.array(SIZE, float),
    )


def rendered(folder: Path, count: int) -> Labels:
    """Two coloured balls in space, seen by two cameras at a right angle."""
    cameras, rng, frames = (camera(0), camera(90)), np.random.default_rng(0), []
    for index in range(count):
        points = rng.uniform(-20, 20, (1, 2, 3))
        images, seen = [], []
        for view, eye in enumerate(cameras):
            pixels = eye.project(points[0])
            picture = np.full((SIZE[1], SIZE[0], 3), 30, np.uint8)
            for (x, y), color in zip(pixels, COLORS, strict=True):
                cv2.circle(picture, (round(x * 16), round(y * 16)), 4 * 16, color, -1, cv2.LINE_AA, 4)
            path = Path(f"view{view}/img{index:03d}.png")
            write_image(folder / path, picture)
            images.append(ImageRef(path))
            seen.append(pixels)
        frames.append(
            Frame(
                tuple(images),
                Instances.from_keypoints(np.stack(seen)[:, None].astype(np.float32)),
                session="one",
                split="train" if index < count * 3 // 4 else "validation",
                instances_3d=Instances.from_keypoints(points.astype(np.float32)),
            )
        )
    skeleton = Skeleton(("red", "blue"))
    return Labels(skeleton, tuple(frames), folder, cameras={"one": cameras}, view_names=("front", "side"))


def error_mm(truth: Labels, predicted: Labels) -> float:
    pairs = [(t.instances_3d, p.instances_3d) for t, p in zip(truth, predicted, strict=True)]
    return float(np.mean([np.linalg.norm(t.keypoints - p.keypoints, axis=-1) for t, p in pairs]))


def test_an_outside_two_view_algorithm_trains_and_predicts(
    tmp_path: Path, outside_package: Callable[[str, str], None]
) -> None:
    outside_package("two_view", "volumetric:Volumetric")
    assert "two_view" in registry.names()
    labels = checked(rendered(tmp_path, 32))
    config = Config.from_mapping(
        {
            "model": {"model_type": "two_view", "half_mm": 30.0},
            "training": {
                "train_batch_size": 8,
                "max_epochs": 35,
                "imgaug": "none",
                "precision": "32",
                "lr_scheduler": "cosine",
                "lr_scheduler_params": {"cosine": {"warmup_epochs": 0.0}},
                "optimizer_params": {"learning_rate": 1e-2},
            },
        }
    )
    task = Task(labels.skeleton, (64, 64), views=2)
    kind = registry.get("two_view")
    torch.manual_seed(0)
    held_out = labels.split("validation")
    untrained = Predictor(kind(config.model, task), 5).predict_labels(held_out)
    run = RunFiles(tmp_path / "run")
    fit(config, Prepared(labels, task, kind, ImageCache(1)), run, quiet=True)

    predictor = Predictor(load_run(run.path).algorithm, 5)
    predicted = predictor.predict_labels(held_out)
    assert error_mm(held_out, predicted) < 2.5 < 8 < error_mm(held_out, untrained)
    # The points in space, seen by the cameras, are the predictions of the views.
    assert predicted.keypoints().shape == held_out.keypoints().shape
    assert np.abs(predicted.keypoints() - held_out.keypoints()).mean() < 2
    assert predicted.keypoint_scores().shape == (8, 2, 1, 2)
    last = float(run.read_metrics()[-1]["val_pixel_error"])
    assert last == pytest.approx(error_mm(held_out, predicted), rel=0.3)

    shots = [
        Shot(f, tuple(read_image(labels.path(image)) for image in f.images), labels.cameras[f.session])
        for f in held_out
    ]
    streamed = [prediction.frame for prediction in predictor.stream(shots)]
    for one, other in zip(streamed, predicted, strict=True):
        np.testing.assert_allclose(one.instances_3d.keypoints, other.instances_3d.keypoints, atol=1e-4)


def test_what_it_needs_is_compared_with_the_labels_first(
    tmp_path: Path, outside_package: Callable[[str, str], None]
) -> None:
    outside_package("two_view", "volumetric:Volumetric")
    labels, kind = rendered(tmp_path, 2), registry.get("two_view")
    check_needs(labels, kind, "two_view")
    with pytest.raises(ConfigError, match="calibrated camera for each view, but session 'one'"):
        check_needs(replace(labels, cameras={}), kind, "two_view")
    flat = tuple(replace(frame, instances_3d=None) for frame in labels)
    with pytest.raises(ConfigError, match=r"points in millimetres, but view0/img000\.png has none"):
        check_needs(replace(labels, frames=flat), kind, "two_view")
