"""Where labels come from that a network is to look through: tasks of a server or store, label files, images, videos."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitruve.annotation.cvat.images import fetch_images
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.store.store import Store
from vitruve.errors import InputError, ServerError
from vitruve.formats.cvat_xml import NAME as XML
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.cvat_xml_writer import FILE_NAME
from vitruve.formats.hub import read_labels, recognise
from vitruve.formats.notes import LabelsWarning
from vitruve.formats.shapes import labels_of
from vitruve.media.images import IMAGE_SUFFIXES, image_size
from vitruve.media.sources import natural_key
from vitruve.media.video import VIDEO_SUFFIXES, VideoReader
from vitruve.structures.annotation import AnnotationTask, LabelSpec
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

_PICKLES = {".pkl", ".pickle", ".npy", ".pt", ".pth"}
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Source:
    """Labels of one task.

    Attributes:
        name: Of the task.
        labels: What is labelled; without classes of its own, where nothing is labelled yet.
        specs: The labels of the task it comes from, or none.
        task: Its number on the server, or None.
        bare: Nothing says which classes there are: those of the network count.
    """

    name: str
    labels: Labels
    specs: tuple[LabelSpec, ...] = ()
    task: int | None = None
    bare: bool = False


def file_sources(
    path: Path, format: str | None = None, root: Path | None = None, every: int = 1, suffix: str = ""
) -> Iterator[Source]:
    """Labels that lie in files.

    Args:
        path: A label file, a folder of images, an image, or a video.
        format: Of the label file; found by looking inside by default.
        root: The folder that names of images start from; by default as the format has it.
        every: Of a video, every n-th frame.
        suffix: Of the images in a folder; all of them by default.

    Yields:
        One source for each folder of images that a label file names, one for a file of CVAT, images or a video.

    Raises:
        InputError: There is no such file, or it is a pickle.
    """
    if path.suffix.lower() in _PICKLES:
        raise InputError(
            f"{path}: a pickle can run any code, so none is read; give a label file (COCO, CVAT's XML, ...), a folder "
            "of images, or tasks of the annotation store"
        )
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a label file, a folder of images, or a video")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        yield Source(path.stem, _video(path, every), bare=True)
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        yield Source(path.stem, _images(path.parent, [path]), bare=True)
    elif path.is_dir() and format is None and not (path / FILE_NAME).is_file():
        ends = {f".{suffix.lower().lstrip('.')}"} if suffix else IMAGE_SUFFIXES
        found = sorted((f for f in path.rglob("*") if f.suffix.lower() in ends & IMAGE_SUFFIXES), key=natural_key)
        if not found:
            raise InputError(f"{path}: holds no image that ends in {', '.join(sorted(ends))}")
        yield Source(path.resolve().name, _images(path, found), bare=True)
    elif (format or recognise(path).NAME) == XML:
        file = path / FILE_NAME if path.is_dir() else path
        task = read_task(file)
        yield task_source(task, root or file.parent, number=False)
    else:
        yield from _by_session(read_labels(path, format, root), path.stem)


def task_source(task: AnnotationTask, root: Path, *, number: bool = True) -> Source:
    """A task as labels.

    Args:
        task: The task.
        root: The folder that names of its images start from.
        number: Its number is one of the server that is written to.

    Returns:
        The source.
    """
    return Source(task.name, labels_of(task, root=root), task.labels, task.id if number else None)


def server_sources(server: CvatServer, names: Sequence[str], root: Path | None, cache: Path) -> Iterator[Source]:
    """Tasks of a server; their images are fetched where no folder has them.

    Args:
        server: The server.
        names: Numbers or names of tasks.
        root: The folder that names of images start from, or None.
        cache: Takes what is fetched, a folder a task.

    Yields:
        The tasks.

    Raises:
        InputError: Two tasks have the name.
        ServerError: There is none, or the server has some of its images no more.
    """
    for number in [server.find(name).id for name in names]:
        task = server.read(number)
        place = root or cache / f"task_{number}"
        if root is None:
            lost = fetch_images(server, task, place).missing
            if lost:
                raise ServerError(
                    f"{server.url}: task {number} ({task.name}): {len(lost)} of {len(task.frames)} images are missing "
                    f"there (first: {lost[0].name}); delete these frames in CVAT, or give the folder that has them"
                )
        yield task_source(task, place)


def store_sources(store: Store, names: Sequence[str], root: Path) -> Iterator[Source]:
    """Tasks of an annotation store.

    Args:
        store: The store.
        names: Names or numbers of tasks; all of them where none is named.
        root: The folder that names of images start from.

    Yields:
        The tasks.

    Raises:
        InputError: There is no such task, or two have the name.
    """
    for task in [store.find(name) for name in names] or store.tasks():
        yield task_source(store.read(task), root)


def check_images(source: Source) -> None:
    """Refuse a source whose images are not there.

    Args:
        source: The source.

    Raises:
        InputError: Images are missing, or there is no frame, or there are several views.
    """
    labels = source.labels
    if not labels.frames:
        raise InputError(f"{source.name}: holds no image")
    if len(labels[0].images) > 1:
        raise InputError(f"{source.name}: has {len(labels[0].images)} views; proposals are for images of one")
    lost = [labels.path(f.first_image) for f in labels if not labels.path(f.first_image).is_file()]
    if lost:
        raise InputError(
            f"{source.name}: {len(lost)} of {len(labels)} images are missing (first: {lost[0]}); give the folder that "
            "their names start from"
        )


def fitted(source: Source, skeleton: Skeleton, categories: tuple[str, ...]) -> Source:
    """Labels with the keypoints of a network in its order, and all classes that it or they know.

    Args:
        source: The source.
        skeleton: The network's.
        categories: The network's.

    Returns:
        The source, whose classes are its own followed by those that only the network has.

    Raises:
        InputError: The keypoints differ.
    """
    labels = source.labels
    if source.bare:
        labels = replace(labels, skeleton=skeleton, categories=categories)
        empty = Instances.empty(len(skeleton), (1,))
        frames = tuple(replace(frame, instances=empty) for frame in labels)
        return replace(source, labels=replace(labels, frames=frames))
    ours, theirs = labels.skeleton.names, skeleton.names
    if theirs and set(ours) != set(theirs):
        raise InputError(
            f"{source.name}: has the keypoints {', '.join(ours) or 'none'}, and the network {', '.join(theirs)}; both "
            "must have the same"
        )
    if ours and not theirs:
        raise InputError(f"{source.name}: holds poses, and the network finds boxes; give a network that finds poses")
    if theirs:
        order = [ours.index(name) for name in theirs]
        frames = tuple(replace(f, instances=f.instances.numpy().reordered(order)) for f in labels)
        labels = replace(labels, skeleton=skeleton, frames=frames)
    known = tuple(dict.fromkeys((*labels.categories, *network_names(labels.categories, categories))))
    return replace(source, labels=labels.with_categories(known))


def network_names(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, ...]:
    """What a network's classes are called in labels: one single class is the other single one, whatever its name.

    Args:
        ours: Classes of the labels.
        theirs: Of the network.

    Returns:
        As many names as the network has classes.
    """
    return tuple(ours) if len(ours) == len(theirs) == 1 else tuple(theirs)


def predictions_for(source: Source, found: Labels, own: Sequence[str]) -> Labels:
    """Predictions under the classes of a source; those of classes that it does not have are left out.

    Args:
        source: As :func:`fitted` gives it.
        found: Of the same images.
        own: The classes that the source itself has.

    Returns:
        The predictions.
    """
    named = replace(found, categories=network_names(own, found.categories) if own else found.categories)
    placed = named.with_categories(source.labels.categories)
    strange = [name for name in named.categories if own and name not in own]
    if not strange:
        return placed
    known = np.array([name in own for name in source.labels.categories])
    frames, dropped = [], 0
    for frame in placed:
        classes = np.asarray(frame.instances.categories)[0]
        keep = known[classes] & (classes >= 0)
        dropped += int((~keep).sum())
        frames.append(replace(frame, instances=frame.instances[:, keep]))
    if dropped:
        warnings.warn(
            f"{source.name}: has no class {', '.join(strange[:_NAMED])}: {dropped} predictions are left out",
            LabelsWarning,
            stacklevel=2,
        )
    return replace(placed, frames=tuple(frames))


def _by_session(labels: Labels, name: str) -> Iterator[Source]:
    groups: dict[str, list[int]] = {}
    for number, frame in enumerate(labels):
        groups.setdefault(frame.session or name, []).append(number)
    for session, numbers in groups.items():
        yield Source(session, labels[numbers])


def _images(root: Path, files: Sequence[Path]) -> Labels:
    return _unlabelled(root, [ImageRef(file.relative_to(root), size=image_size(file)) for file in files])


def _video(path: Path, every: int) -> Labels:
    with VideoReader(path) as video:
        count = video.count()
        height, width = video.read([0])[0].shape[:2]
    return _unlabelled(path.parent, [ImageRef(Path(path.name), n, (width, height)) for n in range(0, count, every)])


def _unlabelled(root: Path, images: Sequence[ImageRef]) -> Labels:
    frames = tuple(Frame((image,), Instances.empty(0, (1,)), image.path.stem) for image in images)
    return Labels(Skeleton(()), frames, root, (), scorer="nobody")
