"""From one label format to another, together with the images, saying what is lost."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitruve.errors import InputError
from vitruve.formats.hub import format_for, get_format, read_labels, recognise, write_labels
from vitruve.formats.image_check import impossible_keypoints, missing_images
from vitruve.formats.image_folder import Pixels, gather_images
from vitruve.formats.notes import LabelsWarning, features
from vitruve.formats.session_cameras import FOLDER, attached, found_calibrations, write_found
from vitruve.formats.skeleton_file import FILE_NAME, write_skeleton
from vitruve.structures.labels import Frame, ImageRef, Labels

_SKELETON = ("edges", "swaps", "details")


@dataclass(frozen=True)
class Conversion:
    """What a conversion wrote.

    Attributes:
        source_format: The format that was read.
        target_format: The format that was written.
        destination: The file or folder.
        frames: Frames written.
        instances: Instances written.
        keypoints: Labelled keypoints written, over all frames.
        images: Image files written.
        notes: All that was lost, skipped or changed, one sentence each.
    """

    source_format: str
    target_format: str
    destination: Path
    frames: int
    instances: int
    keypoints: int
    images: int
    notes: tuple[str, ...]


def convert(
    source: str | Path,
    destination: str | Path,
    to: str | None = None,
    from_: str | None = None,
    *,
    first_instance: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Convert labels, and carry their images along where the destination is a folder.

    A folder becomes a project that can be used as it is: labels, and images where the format has them, usually in
    ``labeled-data/<session>/``; frames of videos and of package files are written as PNG. Cameras are read from, and
    written to, the calibrations beside the labels where the format holds none. A file holds labels only and points at
    the images where they are.

    Args:
        source: A label file or a project folder.
        destination: A file with one of the format's suffixes, or a folder.
        to: The format to write; by default the one whose files end like the destination, else ``lightning_pose``.
        from_: The format to read; found by looking inside by default.
        first_instance: Where the format to write holds one animal, keep the first of each image.
        overwrite: Replace labels that are there already.

    Returns:
        What was written and what was not.

    Raises:
        InputError: Something in the source is not as it should be, the destination exists, or the source has
            several instances an image and the format to write has room for one.
    """
    place, target = Path(source), Path(destination)
    reader = recognise(place) if from_ is None else get_format(from_)
    writer = format_for(target) if to is None else get_format(to)
    to = writer.NAME
    in_folder = target.is_dir() or not target.suffix
    if not overwrite and (target.is_file() or (in_folder and any(_labels_in(target)))):
        raise InputError(f"{target}: holds labels already; choose another place, or give --overwrite")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LabelsWarning)
        labels = read_labels(place, reader.NAME)
    notes = [str(item.message) for item in caught if issubclass(item.category, LabelsWarning)]
    if "cameras" in writer.KEEPS and len(labels.view_names) > 1 and not labels.cameras:
        labels = attached(labels, found_calibrations(labels, place if place.is_dir() else place.parent))
    if "instances" not in writer.KEEPS:
        labels = _one_instance(labels, to, first_instance, notes)
    opener: Callable[[Path], Pixels] | None = getattr(reader, "open_embedded", None)
    embedded = opener(place) if opener else None
    images = 0
    notes += impossible_keypoints(labels)
    if in_folder:
        layout = getattr(writer, "image_names", None)
        names = layout(labels, target.resolve().name) if layout else None
        labels = labels if layout else _plain_sessions(labels)
        labels, images, said = gather_images(labels, target, place, embedded, names)
        notes += said
    else:
        notes += missing_images(labels, embedded)
        labels = _pointing(labels, target.parent, embedded, "videos" in writer.KEEPS, notes)
    lost = {name: words for name, words in features(labels).items() if name not in writer.KEEPS}
    if in_folder and any(name in lost for name in _SKELETON):
        lost = {name: words for name, words in lost.items() if name not in _SKELETON}
        write_skeleton(labels.skeleton, target / FILE_NAME)
        notes.append(f"edges, left-right pairs and the like are in {FILE_NAME}, beside the labels")
    if in_folder and len(labels.view_names) > 1 and lost.pop("cameras", ""):
        write_found(labels, target)
        notes.append(f"cameras are in {FOLDER}/, beside the labels")
    notes += [f"{words} are not kept by {to}" for words in lost.values()]
    write_labels(labels, target, to)
    return Conversion(
        reader.NAME,
        to,
        target,
        len(labels),
        sum(int(frame.instances.present.any(0).sum()) for frame in labels),
        sum(int((frame.instances.visible > 0).sum()) for frame in labels),
        images,
        tuple(notes),
    )


def _labels_in(folder: Path) -> list[Path]:
    return [
        *folder.glob("CollectedData*"),
        *folder.glob("labeled-data/*/CollectedData*"),
        *folder.glob("*.slp"),
        *folder.glob("annotations/instances_*.json"),
        *folder.glob("annotations.json"),
    ]


def _plain_sessions(labels: Labels) -> Labels:
    """The same labels whose sessions are names of single folders."""
    frames = tuple(replace(frame, session=frame.session.replace("/", "_")) for frame in labels)
    cameras = {session.replace("/", "_"): rig for session, rig in labels.cameras.items()}
    return replace(labels, frames=frames, cameras=cameras)


def _one_instance(labels: Labels, to: str, first: bool, notes: list[str]) -> Labels:
    crowded = [frame for frame in labels.frames if int(frame.instances.present.any(0).sum()) > 1]
    if not crowded:
        return labels
    if not first:
        raise InputError(
            f"{len(crowded)} of {len(labels)} images hold several instances (first: '{crowded[0].name}'); "
            f"{to} holds one an image: convert to coco, deeplabcut or sleap, or give --first-instance to keep the "
            "first only"
        )
    dropped = sum(int(frame.instances.present.any(0).sum()) - 1 for frame in crowded)
    notes.append(f"{dropped} instances in {len(crowded)} images were left out: {to} holds one an image, the first")
    return replace(labels, frames=tuple(_first(frame) for frame in labels.frames))


def _first(frame: Frame) -> Frame:
    there = np.flatnonzero(frame.instances.present.any(0))[:1]
    return replace(frame, instances=frame.instances[:, there])


def _pointing(labels: Labels, folder: Path, embedded: Pixels | None, videos: bool, notes: list[str]) -> Labels:
    """The same labels with image names that start from another folder, or are absolute where not in it.

    Names of images that are not there stay as they are: of predictions, often only the names are left.
    """
    there = {path: path.is_file() for path in {labels.path(image) for frame in labels for image in frame.images}}

    def moved(image: ImageRef) -> ImageRef:
        if not there[labels.path(image)]:
            return image
        whole = Path(os.path.abspath(labels.path(image)))  # noqa: PTH100 - resolve() would follow links
        inside = whole.is_relative_to(folder.absolute())
        return replace(image, path=whole.relative_to(folder.absolute()) if inside else whole)

    images = [image for frame in labels for image in frame.images]
    if any(there[labels.path(image)] and (image.index is None or videos) for image in images):
        notes.append("images were not copied: the labels point at them where they are")
    held = sum(embedded is not None and embedded(image) is not None for image in images)
    if held:
        notes.append(f"{held} images lie inside the source and cannot be pointed at: a folder would hold them")
    frames = tuple(replace(frame, images=tuple(moved(image) for image in frame.images)) for frame in labels)
    return replace(labels, frames=frames, root=folder)
