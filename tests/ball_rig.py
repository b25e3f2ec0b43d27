"""Recordings of coloured balls between calibrated cameras, and stand-ins for networks that see exactly these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from calibrated_scene import COLORS, SIZE, SKELETON, VIEWS, picture, rig, seen
from vitruve.algorithms.base import Algorithm, ImageAlgorithm, Needs, Task
from vitruve.algorithms.settings import ModelSettings
from vitruve.config.schema import Config
from vitruve.data.centers import CENTER
from vitruve.data.crop_settings import CropSettings
from vitruve.formats.anipose import write_calibration
from vitruve.geometry.triangulation import triangulate_robust
from vitruve.inference.locate import NetworkLocator
from vitruve.inference.open import Opened
from vitruve.inference.predictor import Predictor
from vitruve.media.video import VideoWriter
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

BALLS = Skeleton(SKELETON.names, ((0, 1), (1, 2), (2, 3)))
# Apart from one another in all three views.
_PLACES = np.array([[-30.0, -24, 0], [30, -22, 5], [-28, 24, -5], [5, 4, 12]])


def path_of_balls(frames: int) -> np.ndarray:
    """``(T, 4, 3)``: they keep their distances and move a little from frame to frame."""
    time = np.arange(frames)[:, None]
    return _PLACES + np.stack([4 * np.sin(0.3 * time), 3 * np.cos(0.2 * time), 2 * np.sin(0.5 * time)], -1)


def write_recording(
    folder: Path,
    frames: int,
    *,
    lengths: Mapping[str, int] | None = None,
    empty: Mapping[int, Sequence[str]] | None = None,
    calibration: bool = True,
) -> np.ndarray:
    """Write ``<camera>.mp4`` and the calibration; the points.

    Args:
        folder: Where to.
        frames: Of each video.
        lengths: Of videos that have another number.
        empty: By the number of a frame, the views that show nothing in it.
        calibration: Write it beside the videos.
    """
    points = path_of_balls(frames)
    cameras = rig(len(VIEWS))
    pixels = seen(points, cameras)
    for view, name in enumerate(VIEWS):
        with VideoWriter(folder / f"{name}.mp4", 25, crf=4) as video:
            for index in range((lengths or {}).get(name, frames)):
                gone = name in (empty or {}).get(index, ())
                video.write(np.full((SIZE[1], SIZE[0], 3), 50, np.uint8) if gone else picture(pixels[index, view]))
    if calibration:
        write_calibration(dict(zip(VIEWS, cameras, strict=True)), folder / "calibration.toml")
    return points


class Colours(nn.Module):
    """The middle of what has each ball's colour, and how much of it there is."""

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in images.shape[-2:]), indexing="ij")
        points, likely = [], []
        for color in COLORS:
            away = (images.float() - torch.tensor(color)[:, None, None]).square().sum(1)
            weight = (-away / (2 * 40.0**2)).exp()
            mass = weight.sum((-1, -2))
            points.append(torch.stack([(weight * x).sum((-1, -2)), (weight * y).sum((-1, -2))], -1) / mass[:, None])
            likely.append((mass / 20).clamp(max=0.95))
        return {"points": torch.stack(points, 1), "likely": torch.stack(likely, 1)}


class BallsInSpace(Algorithm):
    """Robust triangulation of the balls' middles: what a network in space would give."""

    needs = Needs(views=True, cameras=True)

    def __init__(self) -> None:
        super().__init__(ModelSettings(), Task(BALLS, SIZE, len(VIEWS)))
        self.network = Colours()
        self.calls = 0
        self.fails_at = -1

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        self.calls += 1
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        count, views = batch.images.shape[:2]
        found = self.network(batch.images[:, :, 0].flatten(0, 1))
        return {name: value.reshape(count, views, *value.shape[1:]) for name, value in found.items()}

    def decode(self, outputs: dict[str, torch.Tensor], batch: Batch) -> Instances:
        assert batch.cameras is not None
        views = self.decode_views(outputs, batch)
        likely = outputs["likely"] * (outputs["likely"] > 0.3)
        points = triangulate_robust(batch.cameras, views.keypoints[:, :, 0], likely)
        return Instances.from_keypoints(points[:, None], keypoint_scores=outputs["likely"].amax(1)[:, None])

    def decode_views(self, outputs: dict[str, torch.Tensor], batch: Batch) -> Instances:
        found = Instances.from_keypoints(outputs["points"][:, :, None], keypoint_scores=outputs["likely"][:, :, None])
        return found.transformed(batch.to_image)

    def encode(self, batch: Batch) -> Any:
        raise AssertionError("nothing here trains")

    def loss(self, outputs: Any, targets: Any) -> Any:
        raise AssertionError("nothing here trains")

    def example_input(self, count: int) -> torch.Tensor:
        return torch.zeros(count, 3, SIZE[1], SIZE[0], dtype=torch.uint8)


class BallsInImages(ImageAlgorithm):
    """The balls' middles in single images."""

    def __init__(self, skeleton: Skeleton = BALLS) -> None:
        super().__init__(ModelSettings(), Task(skeleton, SIZE))
        self.network = Colours()

    def decode(self, outputs: dict[str, torch.Tensor], batch: Batch) -> Instances:
        count = len(self.task.skeleton)
        points, likely = outputs["points"][:, :, -count:], outputs["likely"][:, :, -count:]
        found = Instances.from_keypoints(points[:, :, None], keypoint_scores=likely[:, :, None])
        return found.transformed(batch.to_image)

    def encode(self, batch: Batch) -> Any:
        raise AssertionError("nothing here trains")

    def loss(self, outputs: Any, targets: Any) -> Any:
        raise AssertionError("nothing here trains")


def opened(algorithm: Algorithm, batch_size: int = 4, locator: bool = True) -> Opened:
    """A run in use whose network is a stand-in; its locator finds the white ball."""
    looking = None
    if locator:
        settings = CropSettings(size=90.0, threshold=0.3, smooth_window=1)
        center = Predictor(BallsInImages(CENTER), batch_size)
        looking = NetworkLocator(center, settings, SIZE[0] / SIZE[1], "white ball")
    predictor = Predictor(algorithm, batch_size, locator=looking)
    return Opened(predictor, {}, Config(), "torch", "balls")
