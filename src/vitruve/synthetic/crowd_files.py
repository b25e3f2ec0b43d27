"""A rendered crowd on disk: labelled images as COCO has them, and videos with the truth of every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.synthetic.crowd import CrowdScene, Seen
from vitruve.synthetic.limits import check_limits

LABELS, NEW_LABELS = "labels.json", "labels_new.json"
"""The annotations of the images to learn from, and of others that nothing is learned from."""

_FPS = 25.0
_NEW, _VIDEOS = 10_000, 20_000


@dataclass(frozen=True)
class CrowdExtent:
    """How much a rendered crowd holds.

    Attributes:
        people: At most so many are in an image, 1 to 50.
        joints: Keypoints of each: 3, 14 (CrowdPose), 17 (COCO) or 21.
        images: Labelled images to learn from, each of another square and other people, 1 to 5000.
        new: Labelled images for testing, 0 to 5000.
        videos: Unlabelled videos, 0 to 100.
        frames: Of each video, 1 to 5000.
        width: Of images in pixels, 96 to 1920.
        height: Of images in pixels, 96 to 1080.
        objects: Things that stand about and hide people, 0 to 40.
        seed: Not negative; another one gives other people and squares.

    Raises:
        InputError: A number is out of its range.
    """

    people: int = 5
    joints: int = 17
    images: int = 40
    new: int = 40
    videos: int = 10
    frames: int = 50
    width: int = 320
    height: int = 256
    objects: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            **{"people": (1, 50), "joints": (3, 21), "images": (1, 5000), "new": (0, 5000), "videos": (0, 100)},
            **{"frames": (1, 5000), "width": (96, 1920), "height": (96, 1080), "objects": (0, 40), "seed": (0, 2**31)},
        }
        check_limits(self, limits)

    def scene(self, number: int) -> CrowdScene:
        """One square with its people.

        Args:
            number: Another one gives others.

        Returns:
            The scene.

        Raises:
            InputError: There is no figure with so many joints.
        """
        # Pictures with one person or few are as common as full ones.
        rng = np.random.default_rng([self.seed, 7, number])
        people = self.people if number >= _VIDEOS else int(rng.integers(1, self.people + 1))
        size = (self.width, self.height)
        return CrowdScene(self.seed * 100_003 + number, people, self.joints, size, self.objects)


def crowd_images(root: str | Path, extent: CrowdExtent, *, new: bool = False) -> Labels:
    """Render labelled images, with boxes, areas, and what is to be ignored.

    Args:
        root: The folder to write to; images lie in ``images/`` or ``images_new/``, named by their COCO numbers.
        extent: How much.
        new: Those for testing.

    Returns:
        One view. Hidden keypoints are labelled as occluded; of whom hardly anything is seen has none, and is ignored.

    Raises:
        InputError: An image cannot be written.
    """
    first, count, folder = (_NEW, extent.new, "images_new") if new else (0, extent.images, "images")
    frames = []
    for number in range(count):
        scene = extent.scene(first + number)
        time = float(np.random.default_rng([extent.seed, 8, first + number]).uniform(10, scene.duration - 10))
        seen = scene.look(time)
        path = Path(folder, f"{first + number + 1:012d}.jpg")
        write_image(Path(root) / path, seen.image)
        # Nobody is followed from one image to another.
        frame = _frame(ImageRef(path, size=scene.size), replace(seen, people=replace(seen.people, tracks=None)))
        frames.append(replace(frame, id=first + number + 1))
    return Labels(extent.scene(first).skeleton, tuple(frames), Path(root), ("person",), scorer="rendered")


def crowd_video(root: str | Path, number: int, extent: CrowdExtent) -> Labels:
    """Render ``videos/crowd<number>.mp4``, 25 frames a second.

    Args:
        root: The folder that ``videos/`` lies in.
        number: Which video.
        extent: How much.

    Returns:
        The truth of its frames, with tracks; paths start from ``videos/``.

    Raises:
        InputError: The video cannot be written.
    """
    scene, path, frames = extent.scene(_VIDEOS + number), Path(f"crowd{number:02d}.mp4"), []
    folder = Path(root) / "videos"
    folder.mkdir(parents=True, exist_ok=True)
    with VideoWriter(folder / path, _FPS, crf=18, preset="superfast") as video:
        for index in range(extent.frames):
            seen = scene.look(20 + index / _FPS)
            video.write(seen.image)
            frames.append(_frame(ImageRef(path, index, scene.size), seen))
    return Labels(scene.skeleton, tuple(frames), folder, ("person",), scorer="rendered")


def write_crowd(root: Path, extent: CrowdExtent) -> None:
    """Fill a folder: images with COCO annotations, videos, and beside each ``<video>_truth``, its tracks.

    The truth of a video is there twice: as a table, and, with boxes, areas and what is hidden, as COCO's json.

    Args:
        root: An empty folder.
        extent: How much.

    Raises:
        InputError: A file cannot be written.
    """
    write_labels(crowd_images(root, extent), root / LABELS, format="coco")
    if extent.new:
        write_labels(crowd_images(root, extent, new=True), root / NEW_LABELS, format="coco")
    for number in range(extent.videos):
        truth = crowd_video(root, number, extent)
        stem = truth[0].images[0].path.stem
        write_labels(truth, truth.root / f"{stem}_truth.csv", format="deeplabcut")
        write_labels(truth, truth.root / f"{stem}_truth.json", format="coco")


def _frame(image: ImageRef, seen: Seen) -> Frame:
    return Frame((image,), seen.people, ignore=(seen.hidden,) if seen.hidden is not None else ())
