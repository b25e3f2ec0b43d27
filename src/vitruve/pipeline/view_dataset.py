"""Labelled sets to look at: a page that needs no other file, and a sheet of pictures."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from vitruve.atomic import atomic_write
from vitruve.data.dataset import checked
from vitruve.data.images import ImageCache
from vitruve.data.reconstruction import reconstructed
from vitruve.data.scenes import Scenes
from vitruve.errors import InputError
from vitruve.formats.analysis_points import frameset_name
from vitruve.formats.hub import read_labels
from vitruve.formats.image_check import absent_images
from vitruve.media.images import write_image
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.visualize.scene3d import upright
from vitruve.visualize.sheets import frames_sheet, shrunk
from vitruve.visualize.viewer_page import ShownFrame, viewer_page

Picture = UInt8[np.ndarray, "_ _ 3"]

_ON_SHEET = 12
_GREY = 110
# An image of unknown size that is not there is so much larger than its outermost label.
_ROOM = 1.1
_FILES = {False: "dataset2d.html", True: "dataset3d.html"}


def view_dataset(
    source: str | Path,
    output: str | Path | None = None,
    *,
    in_space: bool = False,
    frames: int = 50,
    split: str | None = None,
    worst: bool = False,
    side: int = 640,
) -> dict[str, Path]:
    """Write a page to look through labelled frames, and a sheet of pictures of some of them.

    Args:
        source: Labels of any format. Images that are not there are shown grey, and a warning counts them.
        output: The HTML file; the sheet gets its name with ``.png``. ``dataset2d.html`` or ``dataset3d.html`` in the
            current folder by default.
        in_space: Show points in space, too: those of the labels, or else their robust triangulation.
        frames: At most so many, spread evenly over the set; all images are in the page.
        split: Only frames of this split.
        worst: Those whose labels are furthest from the points in space first, instead of evenly spread ones.
        side: Longer side of the images in the page, in pixels.

    Returns:
        The files: ``page`` and ``sheet``.

    Raises:
        InputError: The labels or an image are not as they should be, or points in space are asked for and cameras are
            not calibrated.
    """
    labels = read_labels(Path(source))
    if split is not None:
        there = ", ".join(sorted({str(frame.split) for frame in labels}))
        labels = labels.split(split)
        if not len(labels):
            raise InputError(f"{source}: has no frame in the split '{split}'; there is {there}")
    calibrated = bool(labels.cameras) and all(len(labels.cameras.get(f.session, ())) > 1 for f in labels)
    if (in_space or worst) and not calibrated:
        raise InputError(
            f"{source}: its cameras are not calibrated, so there is nothing in space; "
            "look at it with: vitruve visualize dataset2d"
        )
    labels = reconstructed(labels) if calibrated else labels
    labels = labels[_chosen(labels, frames, worst)]
    absent, named = absent_images(labels)
    lost = {image.path for image in absent}
    labels = checked(_sized(labels, lost), without_images=True)
    cache = ImageCache(0)
    shown = []
    for frame in labels:
        pictures = tuple(_picture(labels, image, cache, side, lost) for image in frame.images)
        shown.append(shown_frame(labels, frame, pictures, in_space=in_space))
    up = upright(labels.cameras[labels[0].session]) if calibrated else np.array([0.0, 0.0, 1.0])
    views = labels.view_names or ("",)
    page = Path(output or _FILES[in_space])
    about = {"Labels": str(source), "Frames": f"{len(labels)}", "Keypoints": str(len(labels.skeleton))}
    if absent:
        about["Images"] = f"{len(absent)} of {named} are not there and shown grey"
        warnings.warn(
            f"{len(absent)} of the {named} images are not there and shown grey (first: {labels.path(absent[0])})",
            stacklevel=2,
        )
    title = "Labels in space" if in_space else "Labels"
    atomic_write(page, viewer_page(shown, labels.skeleton, title, about, views=views, up=up.tolist()))
    sheet = page.with_suffix(".png")
    some = [shown[int(i)] for i in np.unique(np.linspace(0, len(shown) - 1, min(_ON_SHEET, len(shown))).round())]
    write_image(sheet, frames_sheet(some, labels.skeleton, views if len(views) > 1 else (), up))
    return {"page": page, "sheet": sheet}


def reprojected(labels: Labels) -> Float[np.ndarray, "F V K 2"]:
    """Points in space of labels, as their cameras see them; NaN where either is missing.

    Args:
        labels: Of one animal, with points in space and cameras.

    Returns:
        Pixels of the original images.
    """
    scenes = Scenes(labels)
    found = []
    for number, frame in enumerate(labels):
        points = np.full((len(labels.skeleton), 3), np.nan)
        if frame.instances_3d is not None and frame.instances_3d.keypoints.size:
            points = frame.instances_3d.keypoints[0].astype(np.float64)
        found.append(scenes.cameras(number).project(points[None]))
    return np.stack(found)


def furthest_first(labels: Labels) -> list[int]:
    """Frames by how far a label lies from where its camera sees the point in space.

    Args:
        labels: Of one animal, with points in space and cameras.

    Returns:
        Numbers of all frames, that with the largest distance first.
    """
    away = np.linalg.norm(reprojected(labels) - labels.keypoints()[:, :, 0], axis=-1).reshape(len(labels), -1)
    return [int(number) for number in np.argsort(-np.nan_to_num(away).max(1), kind="stable")]


def shown_frame(
    labels: Labels, frame: Frame, images: tuple[Picture | str | None, ...], *, in_space: bool = False
) -> ShownFrame:
    """What is labelled in a frame, for :func:`vitruve.visualize.viewer_page.viewer_data`.

    Args:
        labels: Where its skeleton, cameras and classes stand.
        frame: The frame.
        images: Pictures of its views, or their addresses.
        in_space: With points in space, where the frame has some.

    Returns:
        Everything but the part of the images that is shown.
    """
    seen = points = None
    if frame.instances_3d is not None and len(labels.cameras.get(frame.session, ())) == len(frame.images):
        seen = reprojected(replace(labels, frames=(frame,)))[0]
        points = frame.instances_3d.keypoints[0] if in_space else None
    sizes = None
    if all(image.size is not None for image in frame.images):
        sizes = np.array([image.size for image in frame.images], np.float64)
    every = _labelled(frame.instances)
    return ShownFrame(
        frameset_name(frame) if len(frame.images) > 1 else frame.name,
        images,
        sizes,
        every[:, 0] if every.shape[1] else np.full((len(images), len(labels.skeleton), 2), np.nan),
        seen,
        points,
        f"{frame.split} split" if frame.split else "",
        tuple(every[:, 1:]),
        _boxes(labels, frame),
    )


def _chosen(labels: Labels, count: int, worst: bool) -> list[int]:
    if worst:
        return furthest_first(labels)[:count]
    return [int(n) for n in np.unique(np.linspace(0, len(labels) - 1, min(count, len(labels))).round())]


def _sized(labels: Labels, lost: Collection[Path]) -> Labels:
    """Images that are not there get the size that their camera is calibrated at, or else one that holds all labels."""
    if not lost:
        return labels
    points = labels.keypoints()
    reach = np.nanmax(points.reshape(-1, 2), 0, initial=1.0) * _ROOM
    frames = []
    for frame in labels:
        rig = labels.cameras.get(frame.session, ())
        images = []
        for view, image in enumerate(frame.images):
            if image.path in lost and image.size is None:
                size = rig[view].size if rig and np.isfinite(rig[view].size).all() else reach
                image = replace(image, size=(math.ceil(size[0]), math.ceil(size[1])))
            images.append(image)
        frames.append(replace(frame, images=tuple(images)))
    return replace(labels, frames=tuple(frames))


def _picture(labels: Labels, image: ImageRef, cache: ImageCache, side: int, lost: Collection[Path]) -> Picture | None:
    if image.missing:
        return None
    if image.path not in lost:
        return shrunk(cache.read(labels, image), side)
    assert image.size is not None
    return shrunk(np.full((*image.size[::-1], 3), _GREY, np.uint8), side)


def _labelled(instances: Instances) -> Float[np.ndarray, "V N K 2"]:
    """Keypoints that are labelled, NaN elsewhere; instances without any are left out."""
    points = np.where((instances.visible > 0)[..., None], instances.keypoints, np.nan).astype(np.float64)
    return points[:, np.isfinite(points).any((0, 2, 3))]


def _boxes(labels: Labels, frame: Frame) -> tuple[tuple[tuple[Float[np.ndarray, " 4"], str], ...], ...]:
    """What stands in each box of each view; its class where there are several."""
    boxes, classes = frame.instances.boxes, frame.instances.categories
    if boxes is None:
        return ()
    named = len(labels.categories) > 1 and classes is not None
    views = []
    for view in range(len(boxes)):
        there = np.flatnonzero(np.isfinite(boxes[view]).all(-1))
        views.append(
            tuple(
                (boxes[view, n].astype(np.float64), labels.categories[int(classes[view, n])] if named else "")  # type: ignore[index]
                for n in there
            )
        )
    return tuple(views)
