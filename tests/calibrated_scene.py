"""A project of calibrated views that trains in seconds: coloured balls in space, exact truth in space and in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from tiny_project import settings
from vitruve.algorithms.base import Needs
from vitruve.data.augment import PRESETS
from vitruve.data.dataset import PoseDataset, collate
from vitruve.data.images import ImageCache
from vitruve.formats.anipose import write_calibration
from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.batch import Batch
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

SIZE = (96, 80)
VIEWS = ("left", "middle", "right")
SKELETON = Skeleton.from_names(("red", "green", "blue", "white"))
COLORS = ((255, 40, 40), (40, 255, 40), (60, 60, 255), (255, 255, 255))
DISTANCE = 400.0


def rig(views: int = 3, distorted: bool = True) -> tuple[Camera, ...]:
    """Cameras on an arc around the origin that look at it; lengths in any unit."""
    cameras = []
    for view in range(views):
        angle = 0.9 * (view - (views - 1) / 2)
        c, s = np.cos(angle), np.sin(angle)
        distortion = np.array([-0.2, 0.05, 0.002, -0.001, 0, 0, 0, 0]) * (1 + 0.3 * view) * distorted
        cameras.append(
            Camera(
                np.array([[260.0, 0, 47.0 + view], [0, 255.0, 40.0 - view], [0, 0, 1]]),
                np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
                np.array([2.0 * view, -3.0, DISTANCE]),
                distortion,
                np.array(SIZE, np.float64),
            )
        )
    return tuple(cameras)


def points_in_space(count: int, seed: int = 0) -> np.ndarray:
    """``(count, 4, 3)`` points that all cameras see."""
    return np.random.default_rng(seed).uniform(-42, 42, (count, len(SKELETON), 3))


def seen(points: np.ndarray, cameras: Sequence[Camera]) -> np.ndarray:
    """``(count, V, 4, 2)`` points in pixels."""
    return np.asarray(stack_cameras(tuple(cameras)).project(points[:, None]))


def picture(pixels: np.ndarray) -> np.ndarray:
    """The balls of one view."""
    image = np.full((SIZE[1], SIZE[0], 3), 50, np.uint8)
    for (x, y), color in zip(pixels, COLORS, strict=True):
        cv2.circle(image, (round(x * 16), round(y * 16)), 4 * 16, color, -1, cv2.LINE_AA, 4)
    return image


def scene_labels(
    count: int = 8, views: int = 3, sessions: Sequence[str] = ("walk",), seed: int = 0, calibrated: bool = True
) -> Labels:
    """Labels without images; frames are dealt out to the sessions in turn."""
    cameras = rig(views)
    frames = []
    for index, pixels in enumerate(seen(points_in_space(count, seed), cameras)):
        session = sessions[index % len(sessions)]
        paths = [Path(f"labeled-data/{session}_{view}/img{index:03d}.png") for view in VIEWS[:views]]
        images = tuple(ImageRef(path, None, SIZE) for path in paths)
        frames.append(Frame(images, Instances.from_keypoints(pixels[:, None].astype(np.float32)), session))
    rigs = dict.fromkeys(sessions, cameras) if calibrated else {}
    return Labels(SKELETON, tuple(frames), Path(), cameras=rigs, view_names=VIEWS[:views])


def write_project(
    folder: Path,
    frames: int = 12,
    views: int = 3,
    sessions: Sequence[str] = ("walk",),
    calibrated: bool = True,
    model: Mapping[str, Any] | None = None,
    **training: Any,
) -> dict[str, Any]:
    """Write images, one label file a view and the calibration; returns the settings."""
    labels = scene_labels(frames, views, sessions, calibrated=calibrated)
    for frame in labels:
        for view, image in enumerate(frame.images):
            write_image(folder / image.path, picture(frame.instances.keypoints[view, 0]))
    write_labels(labels, folder / "CollectedData.csv")
    if calibrated:
        write_calibration(dict(zip(VIEWS, rig(views), strict=False)), folder / "calibration.toml")
    values = settings(folder, {"model_type": "heatmap_multiview_transformer", "backbone": "test_vit", **(model or {})})
    values["data"] |= {
        "csv_file": [f"CollectedData_{view}.csv" for view in VIEWS[:views]],
        "view_names": list(VIEWS[:views]),
    }
    values["training"] |= training
    (folder / "config.yaml").write_text(yaml.safe_dump(values))
    return values


def write_videos(folder: Path, session: str, frames: int, views: int = 3, seed: int = 1) -> list[Path]:
    """Write one video a view; returns the files."""
    paths = []
    pixels = seen(points_in_space(frames, seed), rig(views))
    for view, name in enumerate(VIEWS[:views]):
        paths.append(folder / f"{session}_{name}.mp4")
        with VideoWriter(paths[-1], 25, crf=10) as video:
            for each in pixels[:, view]:
                video.write(picture(each))
    return paths


class Pictures(ImageCache):
    """The images of :func:`scene_labels`, which are on no disk."""

    def __init__(self, labels: Labels) -> None:
        super().__init__(0)
        self._pictures = {
            image.path: picture(frame.instances.keypoints[view, 0])
            for frame in labels
            for view, image in enumerate(frame.images)
        }

    def read(self, labels: Labels, image: ImageRef) -> np.ndarray:
        """The balls as this view sees them."""
        return self._pictures[image.path]


def scene_batch(count: int = 4, calibrated: bool = True, preset: str = "none", seed: int = 0) -> Batch:
    """A training batch of 64 x 64 pixels."""
    labels = scene_labels(count, calibrated=calibrated, seed=seed)
    data = PoseDataset(labels, (64, 64), Needs(views=True), Pictures(labels), PRESETS[preset], seed, move_scenes=True)
    return collate([data[index] for index in range(count)])
