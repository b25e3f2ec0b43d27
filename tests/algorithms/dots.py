"""Batches of rendered dots for any algorithm, as its needs ask for."""

from __future__ import annotations

import numpy as np
import torch

from vitruve.algorithms.base import Algorithm, Task
from vitruve.errors import ConfigError
from vitruve.structures.batch import Batch
from vitruve.structures.camera import Camera
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

SKELETON = Skeleton.from_names(("nose", "left_ear", "right_ear"))
CLASSES = ("red", "green", "blue")
SIDE = 64
_FOCAL, _DISTANCE = 400.0, 1000.0
# What an algorithm has to be told about the dots, where it asks for it.
_BOX = 12.0
_MEASURES = {"roi_cube_size": 256.0, "grid_spacing": 8.0, "num_stages": 2, "head_channels": 32}
# Of detectors: how few candidates do for three objects.
_MEASURES |= {"fpn_channels": 32, "anchor_scale": 2.0, "sampled_regions": 64, "proposals": 100, "candidates": 100}


def _cameras(count: int) -> Camera:
    """Cameras around the origin that look at it; images of twice the input's size."""
    rotations, translations = [], []
    for view in range(count):
        angle = 1.2 * view
        c, s = np.cos(angle), np.sin(angle)
        rotations.append([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        translations.append([0, 0, _DISTANCE])
    intrinsics = np.array([[_FOCAL, 0, SIDE - 0.5], [0, _FOCAL, SIDE - 0.5], [0, 0, 1]])
    return Camera(
        np.tile(intrinsics, (count, 1, 1)),
        np.array(rotations),
        np.array(translations, np.float64),
        np.zeros((count, 8)),
        np.tile([2.0 * SIDE, 2.0 * SIDE], (count, 1)),
    )


def dots(kind: type[Algorithm], count: int = 4, views: int = 1, seed: int = 0) -> Batch:
    """Black pictures with one coloured dot a keypoint; original images are twice as large as the input.

    For algorithms of classes, a picture has the dot of its class alone; for those of boxes, each dot is an object of a
    class of its own.
    """
    needs = kind.needs
    frames = 2 * needs.context + 1
    rng = np.random.default_rng(seed)
    space = rng.uniform(-100, 100, (count, 3, 3))
    cameras = _cameras(views)
    original = cameras.project(space[:, None]).astype(np.float64)  # (B, V, K, 2)
    y, x = np.mgrid[:SIDE, :SIDE]
    points = (original + 0.5) / 2 - 0.5
    away = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    images = np.round(250 * np.exp(-away / (2 * 2.5**2))).astype(np.uint8)  # (B, V, 3, H, W): a channel a keypoint
    truth = Instances.from_keypoints(torch.from_numpy(original[:, :, None]).float())
    if needs.classes:
        chosen = np.arange(count) % len(CLASSES)
        images *= (np.arange(3) == chosen[:, None])[:, None, :, None, None].astype(np.uint8)
        classes = torch.from_numpy(np.tile(chosen[:, None, None], (1, views, 1)))
        truth = Instances(truth.keypoints[..., :0, :], truth.visible[..., :0], categories=classes)
    if needs.boxes:
        middle = torch.from_numpy(original).float()
        boxes = torch.cat([middle - _BOX, middle + _BOX], -1)
        classes = torch.arange(3).expand(count, views, 3)
        nothing = torch.zeros(count, views, 3, 0, 2)
        truth = Instances(nothing, nothing[..., 0].to(torch.int8), boxes=boxes, categories=classes)
    to_image = np.tile(np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]], np.float32), (count, views, 1, 1))
    rig = cameras.map(lambda a: torch.from_numpy(np.tile(a, (count, *[1] * a.ndim))).float())
    return Batch(
        torch.from_numpy(np.repeat(images[:, :, None], frames, 2)),
        torch.from_numpy(to_image),
        truth,
        truth_3d=Instances.from_keypoints(torch.from_numpy(space[:, None]).float()) if needs.truth_3d else None,
        cameras=rig if needs.cameras else None,
    )


def build(kind: type[Algorithm], name: str, views: int = 1, **changes: object) -> Algorithm:
    """The smallest network there is, always from the same seed."""
    torch.manual_seed(0)
    settings: dict[str, object] = {key: value for key, value in _MEASURES.items() if key in kind.Config.model_fields}
    settings |= {key: changes.pop(key) for key in list(changes) if key in kind.Config.model_fields}
    skeleton, categories = (
        (Skeleton(()), CLASSES) if kind.needs.classes or kind.needs.boxes else (SKELETON, ("object",))
    )
    task = Task(skeleton, (SIDE, SIDE), views, categories, **changes)  # type: ignore[arg-type]
    try:
        return kind(kind.Config(model_type=name, backbone="test_resnet", **settings), task)
    except ConfigError:  # it asks for a transformer
        torch.manual_seed(0)
        return kind(kind.Config(model_type=name, backbone="test_vit", **settings), task)
