"""What can be said of a labelled project before anything is trained: sizes, numbers, views, directions, neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vitruve.data.context import neighbour
from vitruve.errors import InputError
from vitruve.formats.hub import read_labels, recognise
from vitruve.formats.lightning_pose import label_files_in
from vitruve.media.images import image_size
from vitruve.media.recordings import find_recordings
from vitruve.media.video import VideoReader
from vitruve.structures.labels import ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

Turning = Literal["upright", "both ways", "all ways", "unknown"]
"""How animals lie in their images: alike, alike or upside down, in every direction."""

_VIDEO_FOLDERS = ("videos", "videos_unlabeled", "unlabeled_videos")
_REACH = 2
_MOST_SIZES = 200
# Words for a camera or a mirror at the end of a keypoint's name. Not left, right, front and back: those are body parts.
_VIEW_WORD = re.compile(r"(?:top|bot|bottom|side|above|below|mirror(?:ed)?|direct|(?:cam|camera|view)[a-z0-9]*)", re.I)


@dataclass(frozen=True)
class Facts:
    """What a labelled project holds.

    Attributes:
        labels: Everything that is labelled.
        files: The label files, one a view.
        format: The format they are in.
        root: The folder that image names start from.
        size: Median width and height of the images, px.
        labelled: Frames with at least one labelled keypoint.
        coverage: For each keypoint the share of those frames in which it is labelled.
        videos: Folder of the videos, or None.
        video_count: How many recordings they are, each with all views.
        context: Share of the labelled frames whose images have their neighbours in time beside them.
        mirrors: Indices of the keypoints that show the same body parts, one tuple a view within the image; or none.
        calibrations: Calibration files of the cameras.
        turning: How animals lie in the images.
    """

    labels: Labels
    files: tuple[Path, ...]
    format: str
    root: Path
    size: tuple[int, int]
    labelled: int
    coverage: tuple[float, ...]
    videos: Path | None
    video_count: int
    context: float
    mirrors: tuple[tuple[int, ...], ...]
    calibrations: tuple[Path, ...]
    turning: Turning

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints."""
        return self.labels.skeleton

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that are images of their own; empty for one."""
        return self.labels.view_names if len(self.files) > 1 else ()


def find_facts(dataset: Path) -> Facts:
    """Look at a labelled project; of images only the headers are read.

    Args:
        dataset: A label file, or a project folder.

    Returns:
        What it holds.

    Raises:
        InputError: There are no labels, or an image is missing.
    """
    format = recognise(dataset).NAME
    files = label_files_in(dataset) if format == "lightning_pose" and dataset.is_dir() else [dataset]
    labels = read_labels(files[0] if len(files) == 1 else files, format)
    labelled = [frame for frame in labels if bool((frame.instances.visible > 0).any())]
    if not labelled:
        raise InputError(f"{dataset}: no keypoint is labelled in any of {len(labels)} frames; label some first")
    images = [image for frame in labelled for image in frame.images]
    step = max(1, len(images) // _MOST_SIZES)
    known = np.array([_size_of(labels, image) for image in images[::step]])
    width, height = np.median(known, 0)
    shown = np.stack([(frame.instances.visible > 0).any((0, 1)) for frame in labelled])
    names = {image.path for image in images}
    videos, count = _videos(labels.root, labels.view_names if len(files) > 1 else ())
    return Facts(
        labels,
        tuple(files),
        format,
        labels.root,
        (int(width), int(height)),
        len(labelled),
        tuple(float(share) for share in shown.mean(0)),
        videos,
        count,
        float(np.mean([_has_neighbours(labels, frame.images[0], names) for frame in labelled])),
        mirrored_views(labels.skeleton.names) if len(files) == 1 else (),
        tuple(sorted([*labels.root.glob("calibration*.toml"), *labels.root.glob("calibrations/*.toml")])),
        turning(np.stack([frame.instances.keypoints[0, 0] for frame in labelled])),
    )


def mirrored_views(names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Views within one image, by keypoint names that differ in their last word only: ``nose_top``, ``nose_bot``.

    Args:
        names: The keypoint names.

    Returns:
        One tuple of indices a view, in which the same places show the same body parts; empty where names tell of no
        views, or of fewer than two body parts that all of them share.
    """
    views: dict[str, dict[str, int]] = {}
    for index, name in enumerate(names):
        part, _, word = name.rpartition("_")
        if part and _VIEW_WORD.fullmatch(word):
            views.setdefault(word.lower(), {})[part] = index
    if len(views) < 2:
        return ()
    first, *others = views.values()
    shared = [part for part in first if all(part in other for other in others)]
    return tuple(tuple(view[part] for part in shared) for view in views.values()) if len(shared) > 1 else ()


def turning(keypoints: np.ndarray) -> Turning:
    """How animals lie in their images, by the turns that best lay each pose on their mean (Procrustes).

    Args:
        keypoints: ``(F, K, 2)``, NaN where missing.

    Returns:
        ``unknown`` where fewer than ten frames have three keypoints, or poses differ by more than a turn.
    """
    points = keypoints[..., 0] + 1j * keypoints[..., 1]
    points = points[(~np.isnan(points)).sum(1) >= 3]
    if len(points) < 10:
        return "unknown"
    poses = np.nan_to_num(points - np.nanmean(points, 1, keepdims=True))
    poses /= np.maximum(np.linalg.norm(poses, axis=1, keepdims=True), 1e-9)
    # The pose that all others are turns of is the first principal direction of the poses as complex vectors.
    values, vectors = np.linalg.eigh(poses.T @ poses.conj())
    if values[-1] < 0.6 * values.sum():
        return "unknown"
    turns = poses @ vectors[:, -1].conj()
    turns /= np.maximum(np.abs(turns), 1e-9)
    if abs(turns.mean()) > 0.5:
        return "upright"
    return "both ways" if abs((turns**2).mean()) > 0.5 else "all ways"


def _videos(root: Path, views: tuple[str, ...]) -> tuple[Path | None, int]:
    """The folder of the videos, and how many recordings they are."""
    for folder in (*(root / name for name in _VIDEO_FOLDERS), root):
        try:
            return folder, len(find_recordings(folder, views))
        except InputError:
            continue
    return None, 0


def _has_neighbours(labels: Labels, image: ImageRef, labelled: set[Path]) -> bool:
    """Whether both neighbours in time to either side lie beside an image.

    Where all of them are labelled, too, the numbers in the names more likely count labels than frames.
    """
    if image.index is not None:
        return True
    steps = [step for step in range(-_REACH, _REACH + 1) if step]
    found = [neighbour(image, step, lambda each: labels.path(each).is_file()) for step in steps]
    beside = [each.path for each in found if each is not None]
    return len(beside) == len(steps) and not labelled.issuperset(beside)


def _size_of(labels: Labels, image: ImageRef) -> tuple[int, int]:
    if image.size is not None:
        return image.size
    if image.index is None:
        return image_size(labels.path(image))
    with VideoReader(labels.path(image)) as reader:
        return reader.width, reader.height
