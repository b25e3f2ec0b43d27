"""A rendered field on disk: clips of labelled images as COCO has them, and videos with the truth of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.media.video import VideoWriter
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.synthetic.field import CLASSES, FieldScene
from vitruve.synthetic.limits import check_limits

LABELS, NEW_LABELS = "labels.json", "labels_new.json"
"""The annotations of the images to learn from, and of fields that nothing is learned from."""

_FPS = 25.0
# Labelled frames are so many frames of the recording apart; the camera moves by a fortieth of the picture meanwhile.
_STEP = 12
_CLIPS_A_DAY = 3
_NEW, _VIDEOS = 2001, 4002


@dataclass(frozen=True)
class FieldExtent:
    """How much a rendered field holds.

    Attributes:
        clips: Clips with labelled images to learn from, each of another field, three of them of one day, 1 to 2000.
        frames: Labelled images of each clip, nearly alike, 1 to 100.
        new: Clips for testing, of other fields and days, 0 to 2000.
        videos: Unlabelled videos, 0 to 100.
        video_frames: Frames of each video, 1 to 1000.
        plants: About so many are in an image, 1 to 100.
        smallest: The smallest plant from tip to tip in pixels, 6 to 1000.
        largest: The largest plant, not smaller, 6 to 1000.
        width: Of images in pixels, 96 to 4096.
        height: Of images in pixels, 96 to 2160.
        seed: Not negative; another one gives other fields and days.

    Raises:
        InputError: A number is out of its range.
    """

    clips: int = 24
    frames: int = 5
    new: int = 8
    videos: int = 2
    video_frames: int = 50
    plants: int = 12
    smallest: int = 10
    largest: int = 400
    width: int = 640
    height: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            **{"clips": (1, 2000), "frames": (1, 100), "new": (0, 2000), "videos": (0, 100), "video_frames": (1, 1000)},
            **{"plants": (1, 100), "smallest": (6, 1000), "largest": (self.smallest, 1000)},
            **{"width": (96, 4096), "height": (96, 2160), "seed": (0, 2**31)},
        }
        check_limits(self, limits)

    def scene(self, number: int) -> FieldScene:
        """The field of one clip.

        Args:
            number: Another one gives another field.

        Returns:
            The scene.
        """
        day = 100_003 * self.seed + number // _CLIPS_A_DAY
        across = (self.smallest, self.largest)
        return FieldScene(self.seed * 100_003 + number, self.plants, (self.width, self.height), across, day)


def task_name(number: int, seed: int = 0) -> str:
    """What OBDB calls a clip: date and time, row and side of the track, and the camera's own name for the file.

    Args:
        number: Which clip.
        seed: Of the fields.

    Returns:
        Such as ``FieldData 20200520145736 1L GH020068``; another one for each number.
    """
    # Fields for testing are of the year after, those of videos of the one after that.
    year, place = divmod(number, _NEW)
    day, turn = divmod(place, _CLIPS_A_DAY)
    rng = np.random.default_rng([seed, 9, year, day])
    begun = datetime(2020 + year, 5, 15, 9) + timedelta(days=day, seconds=int(rng.integers(4 * 3600)) + 1403 * turn)
    return f"FieldData {begun:%Y%m%d%H%M%S} {turn // 2 + 1}{'LR'[turn % 2]} GH{turn + 1:02d}{number:04d}"


def field_images(root: str | Path, extent: FieldExtent, *, new: bool = False) -> Labels:
    """Render clips of labelled images.

    Args:
        root: The folder to write to; images lie in ``images/<task>/`` or ``images_new/<task>/``, named by their number
            in the recording.
        extent: How much.
        new: Those for testing.

    Returns:
        One view, without keypoints; the session of a frame is its clip, and tracks tell a clip's plants apart. Plants
        of which hardly anything is seen are crowds.

    Raises:
        InputError: An image cannot be written.
    """
    first, count, folder = (_NEW, extent.new, "images_new") if new else (0, extent.clips, "images")
    frames: list[Frame] = []
    for number in range(first, first + count):
        scene, task = extent.scene(number), task_name(number, extent.seed)
        begin = int(np.random.default_rng([extent.seed, 8, number]).integers(round(0.5 * scene.duration * _FPS)))
        span = round(scene.duration * _FPS) - begin
        step = min(_STEP, max(1, span // extent.frames))
        for index in range(begin, begin + step * extent.frames, step):
            images, plants = scene.render(index / _FPS)
            path = Path(folder, task, f"frame_{index:06d}.jpg")
            write_image(Path(root) / path, images[0])
            frames.append(Frame((ImageRef(path, size=scene.size),), plants, session=task, id=len(frames) + 1))
    return Labels(Skeleton(()), tuple(frames), Path(root), CLASSES, scorer="rendered")


def field_video(root: str | Path, number: int, extent: FieldExtent) -> Labels:
    """Render ``videos/<task>.mp4``, 25 frames a second.

    Args:
        root: The folder that ``videos/`` lies in.
        number: Which video.
        extent: How much.

    Returns:
        The truth of its frames, with tracks; paths start from ``videos/``.

    Raises:
        InputError: The video cannot be written.
    """
    scene = extent.scene(_VIDEOS + number)
    path, folder, frames = Path(f"{task_name(_VIDEOS + number, extent.seed)}.mp4"), Path(root) / "videos", []
    folder.mkdir(parents=True, exist_ok=True)
    with VideoWriter(folder / path, _FPS, crf=18, preset="superfast") as video:
        for index in range(extent.video_frames):
            images, plants = scene.render(index / _FPS)
            video.write(images[0])
            frames.append(Frame((ImageRef(path, index, scene.size),), plants, session=path.stem))
    return Labels(Skeleton(()), tuple(frames), folder, CLASSES, scorer="rendered")


def write_field(root: Path, extent: FieldExtent) -> None:
    """Fill a folder: images with COCO annotations, and videos with the truth beside each, ``<video>_truth.json``.

    Args:
        root: An empty folder.
        extent: How much.

    Raises:
        InputError: A file cannot be written.
    """
    write_labels(field_images(root, extent), root / LABELS, format="coco")
    if extent.new:
        write_labels(field_images(root, extent, new=True), root / NEW_LABELS, format="coco")
    for number in range(extent.videos):
        truth = field_video(root, number, extent)
        write_labels(truth, truth.root / f"{truth[0].images[0].path.stem}_truth.json", format="coco")
