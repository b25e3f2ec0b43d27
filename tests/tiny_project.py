"""A project that trains in a second: small rendered images of two dots, exact truth, the smallest network of timm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SIZE = (80, 64)
SKELETON = Skeleton(("red", "green"), ((0, 1),))


def picture(points: np.ndarray) -> np.ndarray:
    """A red and a green dot at two points, in px."""
    image = np.full((SIZE[1], SIZE[0], 3), 50, np.uint8)
    for (x, y), color in zip(points, ((255, 40, 40), (40, 255, 40)), strict=True):
        cv2.circle(image, (round(x * 16), round(y * 16)), 4 * 16, color, -1, cv2.LINE_AA, 4)
    return image


def random_points(count: int, seed: int = 0) -> np.ndarray:
    """``(count, 2, 2)`` points that lie well within the image."""
    return np.random.default_rng(seed).uniform((10, 10), (SIZE[0] - 10, SIZE[1] - 10), (count, 2, 2))


def write_project(folder: Path, frames: int = 16, **training: Any) -> Path:
    """Write labels, images and ``config.yaml``; returns the folder."""
    items = []
    for index, points in enumerate(random_points(frames)):
        path = Path(f"labeled-data/dots/img{index:03d}.png")
        write_image(folder / path, picture(points))
        items.append(Frame((ImageRef(path),), Instances.from_keypoints(points[None, None].astype(np.float32))))
    write_labels(Labels(SKELETON, tuple(items), folder), folder / "CollectedData.csv")
    (folder / "config.yaml").write_text(yaml.safe_dump({**settings(folder, **training)}))
    return folder


def write_video(path: Path, frames: int, seed: int = 1) -> np.ndarray:
    """Write a video of the dots; returns their points."""
    points = random_points(frames, seed)
    with VideoWriter(path, 25, crf=10) as video:
        for each in points:
            video.write(picture(each))
    return points


def settings(folder: Path, model: Mapping[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    """Settings as a mapping; ``training`` overrides what they say of it."""
    return {
        "data": {"data_dir": str(folder), "image_resize_dims": {"height": 64, "width": 64}},
        "model": {"model_type": "heatmap", "backbone": "test_resnet", **(model or {})},
        "training": {
            "train_batch_size": 4,
            "train_prob": 0.75,
            "val_prob": 0.25,
            "backbone_pretrained": False,
            "max_epochs": 3,
            "check_val_every_n_epoch": 1,
            "precision": "32",
            "device": "cpu",
            "num_workers": 0,
            "imgaug": "none",
            "optimizer_params": {"learning_rate": 0.01},
            **training,
        },
        "eval": {"predict_vids_after_training": False},
        "inference": {"runtime": "torch"},
    }
