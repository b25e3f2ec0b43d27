"""Labels as frames to look through: whole, or the part of each image that a network of the project looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitruve.app.composed import composed
from vitruve.app.media import file_url, frame_url, picture_size
from vitruve.app.place import Place
from vitruve.app.projects import POSES, AppProject
from vitruve.app.workspace import Workspace
from vitruve.curation.statistics import NO_SPLIT
from vitruve.data.centers import center_labels
from vitruve.data.crop_settings import CropSettings
from vitruve.data.crops import with_label_boxes
from vitruve.data.reconstruction import reconstructed
from vitruve.errors import VitruveError
from vitruve.pipeline.view_dataset import furthest_first, shown_frame
from vitruve.project.folder import Stage
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.visualize.viewer_page import ShownFrame

_OF_BROWSERS = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Look:
    """What is shown of each image.

    Attributes:
        name: For people.
        width: Images are shrunk to so many pixels, as a network is given them; 0 for their own size.
        crop: How the part that a network looks at is cut out; None for whole images.
        aspect: Width over height of that part.
        center: The middle of the animal is the only keypoint.
    """

    name: str
    width: int = 0
    crop: CropSettings | None = None
    aspect: float = 1.0
    center: bool = False


WHOLE = Look("Whole images")


def looks(project: AppProject) -> list[Look]:
    """The ways in which the networks of a project look at images, and whole images first.

    Args:
        project: The project.

    Returns:
        The looks; only whole images where the settings cannot be read.
    """
    try:
        return [WHOLE, *(_of_poses(project) if project.kind == POSES else _of_rig(project))]
    except VitruveError:
        return [WHOLE]


def with_drawn_splits(project: AppProject, file: Path, labels: Labels) -> Labels:
    """Labels with the split that a training of the project draws.

    Args:
        project: The project.
        file: The label file.
        labels: What it holds; splits that it gives itself stay.

    Returns:
        The labels; unchanged where the settings do not say how this file is split.
    """
    if project.kind != POSES or not len(labels) or any(frame.split for frame in labels):
        return labels
    from vitruve.training.prepare import draw_split

    try:
        config = composed(project.config)
        if config.data.sets or file not in config.data.label_files():
            return labels
        return labels.with_splits(draw_split(labels, config.training, config.data.data_dir))
    except VitruveError:
        return labels


def split_counts(labels: Labels) -> dict[str, int]:
    """How many frames each split has, in the order in which splits are listed everywhere.

    Args:
        labels: The labels.

    Returns:
        By name; :data:`NO_SPLIT` for frames of none.
    """
    names = [frame.split or NO_SPLIT for frame in labels]
    return {
        name: names.count(name) for name in ("train", "validation", "test", "unused", NO_SPLIT) if names.count(name)
    }


def chosen(labels: Labels, split: str | None = None, session: str | None = None) -> Labels:
    """The frames of a split and of a recording.

    Args:
        labels: The labels.
        split: As :func:`split_counts` names it; None for all.
        session: A recording; None for all.

    Returns:
        Those frames, possibly none.
    """
    return labels[
        np.array(
            [split in (None, frame.split or NO_SPLIT) and session in (None, frame.session) for frame in labels],
            bool,
        )
    ]


def looked_at(labels: Labels, look: Look) -> Labels:
    """Labels as a network is given them.

    Args:
        labels: At least one frame.
        look: How.

    Returns:
        The same frames, with boxes around what is shown, and the middle of the animal as the only keypoint.
    """
    if look.crop is not None:
        names = look.crop.anchors or labels.skeleton.names
        anchors = [labels.skeleton.names.index(name) for name in names if name in labels.skeleton.names]
        labels = with_label_boxes(labels, look.crop, anchors, look.aspect)
    return center_labels(labels) if look.center else labels


def is_calibrated(labels: Labels) -> bool:
    """Whether every frame is seen by two calibrated cameras at least."""
    return bool(labels.cameras) and all(len(labels.cameras.get(frame.session, ())) > 1 for frame in labels)


def in_space(labels: Labels) -> tuple[Labels, list[int]]:
    """Labels with points in space, and which of them to look at first.

    Args:
        labels: At least one frame, calibrated.

    Returns:
        The same frames, those points that are not known triangulated; and their numbers, that first whose labels are
        furthest from where the cameras see the points.
    """
    solid = reconstructed(labels)
    return solid, furthest_first(solid)


def shown_labels(
    place: Place, labels: Labels, numbers: Sequence[int], *, look: Look = WHOLE, space: bool = False
) -> list[ShownFrame]:
    """Frames for :func:`vitruve.app.parts.viewer.show_frames`.

    Args:
        place: Where; images outside the workspace are not shown.
        labels: As :func:`looked_at` or :func:`in_space` gives them.
        numbers: Of the frames.
        look: What is shown of their images.
        space: With points in space.

    Returns:
        The frames.
    """
    found = []
    for number in numbers:
        frame = labels[number]
        images = tuple(address(place.workspace, labels, image, look.width) for image in frame.images)
        shown = shown_frame(labels, frame, images, in_space=space)
        sizes = shown.sizes
        if sizes is None and look.width:
            # A shrunk picture does not tell in which pixels the labels are.
            each = zip(frame.images, images, strict=True)
            sizes = np.array([_size(labels, image, url) for image, url in each], np.float64)
        found.append(replace(shown, sizes=sizes, areas=_areas(frame)))
    return found


def address(workspace: Workspace, labels: Labels, image: ImageRef, width: int = 0) -> str | None:
    """Where the browser finds an image of labels.

    Args:
        workspace: The folders.
        labels: Where the image is named.
        image: An image, or a frame of a video.
        width: For smaller pictures, in pixels; 0 for the image's own.

    Returns:
        The address; None where the image is not there, or not in the workspace.
    """
    if image.missing:
        return None
    path = labels.path(image)
    if not workspace.holds(path) or not path.is_file():
        return None
    if image.index is None and not width and path.suffix.lower() in _OF_BROWSERS:
        return file_url(workspace, path)
    return frame_url(workspace, path, image.index or 0, width)


def unseen(place: Place, labels: Labels) -> str:
    """What keeps images from being shown.

    Args:
        place: Where.
        labels: Any labels.

    Returns:
        One line; empty where the first images can be shown.
    """
    for image in (image for frame in labels.frames[:1] for image in frame.images if not image.missing):
        path = labels.path(image)
        if not place.workspace.holds(path):
            return f"{path}: not in the folders of this app; name its folder, too: vitruve launch FOLDER FOLDER"
        if not path.is_file():
            return f"{path}: not there; put the images where the labels say"
    return ""


def _areas(frame: Frame) -> np.ndarray | None:
    if all(image.box is None for image in frame.images):
        return None
    return np.array([[np.nan] * 4 if image.box is None else image.box for image in frame.images], np.float64)


def _size(labels: Labels, image: ImageRef, address: str | None) -> tuple[int, int]:
    """Of the image itself; of one that cannot be shown, any."""
    try:
        return image.size or (picture_size(labels.path(image)) if address else (1, 1))
    except VitruveError:
        return (1, 1)


def _of_rig(project: AppProject) -> list[Look]:
    config = project.rig.config
    side, box = config.CENTERDETECT.IMAGE_SIZE, config.KEYPOINTDETECT.BOUNDING_BOX_SIZE
    return [
        Look(f"{Stage.CENTER}: middle of the animal, {side} px", side, center=True),
        Look(f"{Stage.KEYPOINT}: crops of {box} px", crop=CropSettings(from_labels=True, size=float(box))),
    ]


def _of_poses(project: AppProject) -> list[Look]:
    config = composed(project.config)
    width, height = config.data.image_resize_dims.width, config.data.image_resize_dims.height
    found = []
    if width:
        found.append(Look(f"Images shrunk to {width} px", width))
    if config.crop.from_labels:
        aspect = width / height if width and height else 1.0
        found.append(Look("Crops around the animal", crop=config.crop, aspect=aspect))
    return found
