"""From settings to what training works on: checked labels with their split, and the task."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitruve.algorithms import registry
from vitruve.algorithms.base import Algorithm, Task
from vitruve.codecs.anchors import Shapes
from vitruve.config.schema import Config
from vitruve.data import splits
from vitruve.data.calibrations import with_cameras
from vitruve.data.centers import center_labels
from vitruve.data.context import check_context, check_neighbours
from vitruve.data.images import ImageCache
from vitruve.data.limbs import with_limbs
from vitruve.data.object_boxes import box_labels, box_sizes, check_boxes, input_size
from vitruve.data.reconstruction import reconstructed
from vitruve.data.sources import load_labels
from vitruve.errors import ConfigError
from vitruve.formats.split_file import splits_of_file
from vitruve.run import RunFiles
from vitruve.structures.labels import Frame, Labels
from vitruve.training.crops import Cropping
from vitruve.training.settings import TrainingSettings
from vitruve.training.supervised_terms import check_views

_MULTIPLE = 32


@dataclass(frozen=True)
class Prepared:
    """What :func:`vitruve.training.fit.fit` takes.

    Attributes:
        labels: Checked and split.
        task: What the network is built for.
        kind: The algorithm's class.
        cache: Holds the images, as far as its bound allows.
        cropping: Knows which part of each image is looked at.
    """

    labels: Labels
    task: Task
    kind: type[Algorithm]
    cache: ImageCache
    cropping: Cropping = field(default_factory=lambda: Cropping(Config()))


def prepare(config: Config, run: RunFiles | None = None) -> Prepared:
    """Read and check the labels, draw the split, and find out what the network has to be.

    Args:
        config: All settings.
        run: The run, where it may keep something from before it was interrupted.

    Returns:
        Labels, task and algorithm.

    Raises:
        ConfigError: Settings and labels do not fit, or a split is empty.
        InputError: The label file or an image is not as it should be, or a context algorithm's frames have no
            neighbours.
    """
    kind = registry.get(config.model.model_type)
    files = config.data.label_files()
    labels = load_labels(config.data)
    if config.data.target == "center":
        labels = center_labels(labels)
    if kind.needs.views or kind.needs.cameras:
        labels = with_cameras(labels, config.data.data_dir, config.data.camera_params_file)
    if kind.needs.truth_3d:
        labels = reconstructed(labels)
    if any(each.split for each in config.data.sets) and config.training.split.method != "given":
        raise ConfigError(
            f"training.split.method={config.training.split.method}: data.sets say themselves what they are for; "
            "set it to given, or leave their split out"
        )
    if kind.needs.boxes:
        labels = box_labels(labels)
    if kind.needs.limbs:
        labels = with_limbs(labels)
    labels = labels.with_splits(draw_split(labels, config.training, config.data.data_dir))
    check_truth(labels, kind, config.model.model_type)
    _check_splits(labels)
    views = len(labels[0].images)
    check_needs(labels, kind, config.model.model_type)
    check_views(config, labels, kind)
    most = max(frame.instances.keypoints.shape[1] for frame in labels)
    if most > 1 and not kind.needs.instances:
        raise ConfigError(
            f"model.model_type={config.model.model_type}: finds one animal an image, "
            f"but {files[0]} labels up to {most}; "
            "keep one individual, or choose an algorithm for several"
        )
    cache = ImageCache(config.data.cache_gb)
    cropping = Cropping(config, run)
    labels = cropping.labels(labels, cache)
    size = _input_size(labels, config, kind)
    task = Task(
        labels.skeleton,
        size,
        views,
        labels.categories,
        config.data.downsample_factor,
        config.training.uniform_heatmaps_for_nan_keypoints,
        _anchors(labels, size, config, kind),
    )
    # Whether an image is whole shows when it is decoded: now, before anything is written.
    lacking = check_context(labels, kind.needs, cache, config.model.model_type)
    for line in (lacking, check_neighbours(labels, kind.needs, cache)):
        if line is not None:
            warnings.warn(line, stacklevel=2)
    cache.fill(labels, [image for frame in labels if frame.split != "unused" for image in frame.images])
    return Prepared(labels, task, kind, cache, cropping)


def draw_split(labels: Labels, settings: TrainingSettings, data_dir: Path | None = None) -> list[str]:
    """The split of each frame, as ``training.split`` and its neighbours ask for.

    Args:
        labels: All frames.
        settings: The section ``training``.
        data_dir: Where a file of splits is looked for.

    Returns:
        ``train``, ``validation``, ``test`` or ``unused`` a frame.

    Raises:
        ConfigError: A split that is needed would be empty.
        InputError: The file of splits is not as it should be.
    """
    count, seed = len(labels), settings.rng_seed_data_pt
    shares = (settings.train_prob, settings.val_prob)
    method = settings.split.method
    if method == "given":
        names = [_given(frame) for frame in labels]
    elif method == "every_nth":
        nth = settings.split.every_nth
        names = splits.split_every_nth(count, nth.validation, nth.test, nth.offset)
    elif settings.split.file is not None:
        names = splits_of_file(labels, (data_dir or Path()) / settings.split.file)
    elif method == "group":
        groups = splits.group_names([frame.name for frame in labels], settings.split.group_pattern)
        names = splits.split_by_group(groups, *shares, seed)
    elif method == "random":
        names = splits.split_random(count, *shares, seed)
    else:
        names = splits.split_lightning_pose(count, *shares, seed)
    return splits.keep_train_frames(names, seed, settings.train_frames)


def _given(frame: Frame) -> str:
    if frame.split is None:
        raise ConfigError(
            f"training.split.method=given: the label file does not say to which split {frame.name} belongs; "
            "take another method"
        )
    return frame.split


def _check_splits(labels: Labels) -> None:
    for name in ("train", "validation"):
        part = labels.split(name)
        if not len(part):
            raise ConfigError(f"training.train_prob, training.val_prob: no labelled frame is left for {name}")
        if len(labels.skeleton) and not any(bool((frame.instances.visible > 0).any()) for frame in part):
            raise ConfigError(
                f"no keypoint is labelled in any of the {len(part)} frames of the {name} split; "
                "label more frames or change training.rng_seed_data_pt"
            )


def check_truth(labels: Labels, kind: type[Algorithm], name: str) -> None:
    """Compare what an algorithm learns, keypoints or classes, with what is labelled.

    Args:
        labels: All frames.
        kind: The algorithm's class.
        name: Its name, for messages.

    Raises:
        ConfigError: That is not labelled.
    """
    if kind.needs.boxes:
        check_boxes(labels, name)
    elif not kind.needs.classes and not len(labels.skeleton):
        raise ConfigError(
            f"model.model_type={name}: learns keypoints, but these labels have none; take "
            "model.model_type=classifier for classes of images, faster_rcnn for boxes"
        )
    if kind.needs.classes and (len(labels.categories) < 2 or any(f.instances.categories is None for f in labels)):
        raise ConfigError(
            f"model.model_type={name}: learns classes, but these labels do not have one each; give a folder with one "
            "subfolder of images a class, and data.label_format=class_folders"
        )


def check_needs(labels: Labels, kind: type[Algorithm], name: str) -> None:
    """Compare what an algorithm needs with what the labels have, before the first batch does.

    Args:
        labels: All frames.
        kind: The algorithm's class.
        name: Its name, for messages.

    Raises:
        ConfigError: A view has no camera, or a frame no points in space.
    """
    for frame in labels:
        if kind.needs.cameras and len(labels.cameras.get(frame.session, ())) != len(frame.images):
            raise ConfigError(
                f"model.model_type={name}: needs a calibrated camera for each view, but session '{frame.session}' "
                f"({frame.name}) has {len(labels.cameras.get(frame.session, ()))} for {len(frame.images)} views"
            )
        if kind.needs.truth_3d and frame.instances_3d is None:
            raise ConfigError(
                f"model.model_type={name}: learns from points in millimetres, but {frame.name} has none; "
                "give labels with points in space, or choose an algorithm for images"
            )


def _anchors(labels: Labels, size: tuple[int, int], config: Config, kind: type[Algorithm]) -> Shapes:
    if not kind.needs.boxes:
        return ()
    return kind.fitted(config.model, box_sizes(labels.split("train"), size, config.data.tiles))


def _input_size(labels: Labels, config: Config, kind: type[Algorithm]) -> tuple[int, int]:
    dims = config.data.image_resize_dims
    if dims.width is not None and dims.height is not None:
        return dims.width, dims.height
    if kind.needs.boxes:
        return input_size(labels, config.data.tiles)
    sizes = np.array([image.shown_size for frame in labels for image in frame.images])
    width, height = np.median(sizes, 0)
    return tuple(max(_MULTIPLE, round(side / _MULTIPLE) * _MULTIPLE) for side in (width, height))
