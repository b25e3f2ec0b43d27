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
    shown = [_shown(labels, frame, cache, side, in_space, lost) for frame in labels]
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


def _chosen(labels: Labels, count: int, worst: bool) -> list[int]:
    if worst:
        away = np.linalg.norm(reprojected(labels) - labels.keypoints()[:, :, 0], axis=-1).reshape(len(labels), -1)
        order = np.argsort(-np.nan_to_num(away).max(1), kind="stable")
        return [int(number) for number in order[:count]]
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


def _shown(
    labels: Labels, frame: Frame, cache: ImageCache, side: int, in_space: bool, lost: Collection[Path]
) -> ShownFrame:
    one = labels[[0]]
    one = replace(one, frames=(frame,))
    seen = points = None
    if frame.instances_3d is not None and len(labels.cameras.get(frame.session, ())) == len(frame.images):
        seen = reprojected(one)[0]
        points = frame.instances_3d.keypoints[0] if in_space else None
    images = tuple(_picture(labels, image, cache, side, lost) for image in frame.images)
    return ShownFrame(
        frameset_name(frame) if len(frame.images) > 1 else frame.name,
        images,
        np.array([image.size for image in frame.images], np.float64),
        _first(frame.instances),
        seen,
        points,
        f"{frame.split} split" if frame.split else "",
    )


def _first(instances: Instances) -> Float[np.ndarray, "V K 2"]:
    """The keypoints of the first instance of each view that is labelled."""
    views, count, joints = instances.visible.shape
    if not count:
        return np.full((views, joints, 2), np.nan)
    labelled = np.where((instances.visible > 0)[..., None], instances.keypoints, np.nan)
    return np.asarray(labelled[:, 0], np.float64)
