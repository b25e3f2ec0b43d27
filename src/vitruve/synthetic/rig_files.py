"""Rendered rigs on disk: labelled framesets, and recordings of one video a camera."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitruve.formats.calibration import write_cameras
from vitruve.formats.coordinates_3d import write_coordinates
from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.synthetic.limits import check_limits
from vitruve.synthetic.rig import RigScene

TRAINING_SET, CALIBRATION, RECORDING = "TrainingSet", "calibration", "recording"
"""Folders of a rendered rig; the truth in space lies beside the first and the last as ``<folder>_truth3D.csv``."""

_RIG = "rig"
_FPS = 25.0
# Recordings of the validation images and of videos are others than those of the training images.
_VALIDATION, _VIDEO = 100, 200


@dataclass(frozen=True)
class RigExtent:
    """How much a rendered rig holds.

    Attributes:
        cameras: 2 to 12.
        width: Of the images in pixels, 64 to 1280.
        height: Of the images in pixels, 64 to 1280.
        train: Framesets to train on, 1 to 5000.
        val: Framesets of other recordings to validate on, 0 to 5000.
        sessions: Recordings that the framesets to train on are spread over, and as many again to validate on, 1 to 50.
        frames: Frames of each video, 1 to 5000.
        occluders: Posts between the rodent and the cameras, 0 to 60.
        seed: Not negative; another one gives other cameras, another rodent and other recordings.

    Raises:
        InputError: A number is out of its range.
    """

    cameras: int = 6
    width: int = 320
    height: int = 256
    train: int = 120
    val: int = 30
    sessions: int = 4
    frames: int = 100
    occluders: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            **{"cameras": (2, 12), "width": (64, 1280), "height": (64, 1280), "train": (1, 5000), "val": (0, 5000)},
            **{"sessions": (1, 50), "frames": (1, 5000), "occluders": (0, 60), "seed": (0, 2**31)},
        }
        check_limits(self, limits)

    def scene(self, recording: int) -> RigScene:
        """One recording of the rig.

        Args:
            recording: Its number.

        Returns:
            The scene.
        """
        size = (self.width, self.height)
        return RigScene(self.seed, recording, views=self.cameras, size=size, posts=self.occluders)


def rig_labels(root: str | Path, extent: RigExtent | None = None) -> Labels:
    """Render labelled framesets: images on disk, and their labels with cameras, splits and truth in space.

    The images lie as a JARVIS training set has them, ``train|val/rig/<recording>/<camera>/Frame_<n>.jpg``. Frames
    of ``train`` and ``validation`` are of different recordings: other motion, litter and posts, the same rodent and
    cameras.

    Args:
        root: The folder to write to.
        extent: How much; see :class:`RigExtent`.

    Returns:
        V views, one instance a frame. Keypoints outside an image are NaN, hidden ones are labelled and occluded.

    Raises:
        InputError: An image cannot be written.
    """
    extent = extent or RigExtent()
    labels: list[Labels] = []
    for split, folder, first, count in (
        ("train", "train", 0, extent.train),
        ("validation", "val", _VALIDATION, extent.val),
    ):
        for session in range(min(extent.sessions, count)):
            scene = extent.scene(first + session)
            own = count // extent.sessions + (session < count % extent.sessions)
            rng = np.random.default_rng([extent.seed, 14, first + session])
            name = f"{_RIG}/{folder}{session:02d}"
            labels.append(_framesets(scene, Path(root), folder, name, split, _spread(own, scene.duration, rng)))
    return Labels.merge(labels)


def write_rig_recording(folder: str | Path, extent: RigExtent | None = None) -> Labels:
    """Write a recording of the rig that no labelled frameset is of: a video ``<camera>.mp4`` each, 25 frames a second.

    Args:
        folder: Where to.
        extent: The rig, and how many frames; see :class:`RigExtent`.

    Returns:
        The exact truth of its frames, in pixels and in space; the paths of videos are relative to the folder.

    Raises:
        InputError: A video cannot be written.
    """
    extent = extent or RigExtent()
    scene, root, truth = extent.scene(_VIDEO), Path(folder), []
    refs = [Path(f"{view}.mp4") for view in scene.view_names]
    with ExitStack() as stack:
        videos = [stack.enter_context(VideoWriter(root / ref, _FPS, crf=18, preset="superfast")) for ref in refs]
        for number in range(extent.frames):
            images, seen = scene.render(number / _FPS)
            for video, image in zip(videos, images, strict=True):
                video.write(image)
            shown = tuple(ImageRef(ref, number, scene.size) for ref in refs)
            truth.append(Frame(shown, seen, RECORDING, instances_3d=scene.in_space(number / _FPS)))
    return _labels(scene, root, RECORDING, truth)


def write_rig(root: Path, extent: RigExtent) -> None:
    """Fill a folder with a training set, the calibration, a recording, and the exact truth in space.

    Args:
        root: An empty folder.
        extent: How much; see :class:`RigExtent`.

    Raises:
        InputError: A file cannot be written.
    """
    labels = rig_labels(root / TRAINING_SET, extent)
    write_labels(labels, root / TRAINING_SET, format="jarvis")
    cameras = next(iter(labels.cameras.values()))
    write_cameras(dict(zip(labels.view_names, cameras, strict=True)), root / CALIBRATION, format="jarvis")
    write_coordinates(labels, root / f"{TRAINING_SET}_truth3D.csv")
    recorded = write_rig_recording(root / RECORDING, extent)
    write_coordinates(recorded, root / f"{RECORDING}_truth3D.csv")


def _framesets(scene: RigScene, root: Path, folder: str, name: str, split: str, indices: list[int]) -> Labels:
    frames = []
    for index in indices:
        images, seen = scene.render(index / _FPS)
        paths = [Path(folder, name, view, f"Frame_{index}.jpg") for view in scene.view_names]
        for path, image in zip(paths, images, strict=True):
            write_image(root / path, image)
        refs = tuple(ImageRef(path, None, scene.size) for path in paths)
        frames.append(Frame(refs, seen, name, split, scene.in_space(index / _FPS)))
    return _labels(scene, root, name, frames)


def _labels(scene: RigScene, root: Path, session: str, frames: list[Frame]) -> Labels:
    return Labels(
        scene.skeleton,
        tuple(frames),
        root=root,
        cameras={session: scene.cameras},
        scorer="rendered",
        view_names=scene.view_names,
    )


def _spread(count: int, duration: float, rng: np.random.Generator) -> list[int]:
    """Different numbers of frames all over a scene; where there is room for it, no two are neighbours."""
    order = np.arange(count)
    frames = np.floor((order + rng.uniform(0.2, 0.8, count)) / count * duration * _FPS).astype(int)
    return (np.maximum.accumulate(frames - order) + order).tolist()
