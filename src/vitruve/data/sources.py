"""From the section ``data`` to labels: one file or several sets, one skeleton, nothing that is to be left out."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitruve.data.dataset import checked
from vitruve.data.filters import filtered
from vitruve.data.settings import DataSettings
from vitruve.data.source_settings import DataSet
from vitruve.errors import ConfigError, InputError, nearest
from vitruve.formats.dataset_version import is_version, read_version
from vitruve.formats.hub import read_labels
from vitruve.formats.skeleton_file import read_skeleton
from vitruve.structures.conversion import convert, sources_of
from vitruve.structures.labels import Frame, Labels
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import KNOWN

_NAMED = 3


def load_labels(data: DataSettings) -> Labels:
    """What is learned: all labels that the settings name, their images checked, as :func:`read_sets` gives them.

    Args:
        data: The section ``data``.

    Returns:
        The labels, filtered.

    Raises:
        ConfigError: The settings do not fit the labels, or the filter leaves nothing.
        InputError: A file or an image is not as it should be.
    """
    return filtered(checked(without_missing(read_sets(data), data.missing_images)), data.filter)


def own_skeleton_labels(data: DataSettings) -> Labels:
    """What a network is measured against: the same labels with the joints of their files, where all have the same.

    Args:
        data: The section ``data``.

    Returns:
        The labels, filtered. Their images need not be there.

    Raises:
        ConfigError: The settings do not fit the labels, or the filter leaves nothing.
        InputError: A file is not as it should be.
    """
    return filtered(read_sets(data, converted=False), data.filter)


def read_sets(data: DataSettings, *, converted: bool = True) -> Labels:
    """All label files as one set.

    Args:
        data: The section ``data``.
        converted: To the known skeleton that ``data.skeleton`` names, if it does; False keeps that of the files where
            all have the same.

    Returns:
        The labels.

    Raises:
        ConfigError: The settings do not fit the labels.
        InputError: A file is not as it should be.
    """
    for file in filter(is_version, data.label_files()):
        # A run will name it, so it must be what it was when it was made.
        read_version(file)
    target = KNOWN.get(data.skeleton) if isinstance(data.skeleton, str) else None
    parts = [_read(data, each) for each in data.sets] if data.sets else [_read_one(data)]
    if target is not None and not converted and len({frozenset(part.skeleton.names) for part in parts}) == 1:
        return _merged(parts)
    if target is not None:
        parts = [_as(part, target) for part in parts]
    return _described(_merged(parts), data)


def without_missing(labels: Labels, missing: str) -> Labels:
    """Labels whose images are there.

    Args:
        labels: Any labels.
        missing: ``skip`` to go on without images that are not there; ``error`` otherwise.

    Returns:
        The same labels, or with ``skip`` those of the images that are there.

    Raises:
        InputError: Several images are not there, or none is.
    """
    there = [_is_there(labels, frame) for frame in labels]
    lost = [frame for frame, found in zip(labels, there, strict=True) if not found]
    # A single one is reported by whoever reads it, with its whole path.
    if not lost or (missing == "error" and len(lost) == 1):
        return labels
    names = ", ".join(frame.name for frame in lost[:_NAMED]) + (", .." if len(lost) > _NAMED else "")
    what = f"{len(lost)} of the {len(labels)} images that are labelled are not there ({names}, below {labels.root})"
    if missing == "error" or len(lost) == len(labels):
        more = "" if len(lost) == len(labels) else ", or go on without them: data.missing_images=skip"
        raise InputError(f"{what}; put them where the labels say{more}")
    warnings.warn(f"{what} and are left out", stacklevel=2)
    return labels[np.array(there)]


def _is_there(labels: Labels, frame: Frame) -> bool:
    return all(image.missing or labels.path(image).is_file() for image in frame.images)


def _read_one(data: DataSettings) -> Labels:
    files = data.label_files()
    return read_labels(files[0] if len(files) == 1 else files, data.label_format, data.data_dir, data.view_names or ())


def _read(data: DataSettings, one: DataSet) -> Labels:
    folder = one.data_dir or data.data_dir
    labels = read_labels((folder or Path()) / one.csv_file, one.label_format, folder)
    if one.share < 1:
        count = max(1, round(one.share * len(labels)))
        labels = labels[np.sort(np.random.default_rng(0).permutation(len(labels))[:count])]
    return labels if one.split is None else labels.with_splits([one.split] * len(labels))


def _as(labels: Labels, skeleton: Skeleton) -> Labels:
    found, sources = convert(labels, skeleton), sources_of(labels.skeleton, skeleton)
    lacking = [name for name, parts in zip(skeleton.names, sources, strict=True) if not parts]
    if lacking:
        warnings.warn(
            f"{', '.join(lacking)}: not labelled below {labels.root}, so nothing is learned of them there", stacklevel=2
        )
    return found


def _merged(parts: Sequence[Labels]) -> Labels:
    return parts[0] if len(parts) == 1 else Labels.merge(_same_categories(_same_skeleton(parts)))


def _same_skeleton(parts: Sequence[Labels]) -> list[Labels]:
    """The sets with keypoints in the order of the first one's."""
    first = parts[0].skeleton
    for part in parts[1:]:
        if set(part.skeleton.names) != set(first.names):
            raise ConfigError(
                f"data.sets: the labels below {part.root} have keypoints {', '.join(part.skeleton.names)}, the first "
                f"ones {', '.join(first.names)}; name the skeleton to learn: data.skeleton={'|'.join(KNOWN)}"
            )
    return [parts[0], *(convert(part, first) for part in parts[1:])]


def _same_categories(parts: Sequence[Labels]) -> list[Labels]:
    """The sets with one list of categories; where each has just one, they are the same."""
    if all(len(part.categories) == 1 for part in parts):
        return [replace(part, categories=parts[0].categories) for part in parts]
    names = tuple(dict.fromkeys(name for part in parts for name in part.categories))
    return [part.with_categories(names) for part in parts]


def _described(labels: Labels, data: DataSettings) -> Labels:
    """Labels whose skeleton is the one the settings describe."""
    names = labels.skeleton.names
    if data.num_keypoints is not None and data.num_keypoints != len(names):
        raise ConfigError(f"data.num_keypoints={data.num_keypoints}: the label file has {len(names)} keypoints")
    for name in data.keypoint_names or ():
        if name not in names:
            raise ConfigError(f"data.keypoint_names: '{name}' is not in the label file{nearest(name, names)}")
    if data.keypoint_names is not None and Counter(data.keypoint_names) != Counter(names):
        missing = next(name for name in names if name not in data.keypoint_names)
        raise ConfigError(f"data.keypoint_names: '{missing}' of the label file is missing")
    try:
        data.check_columns(len(names))
    except ValueError as error:
        raise ConfigError(f"data.{error}") from None
    if data.skeleton is None or (isinstance(data.skeleton, str) and data.skeleton in KNOWN):
        return labels
    if isinstance(data.skeleton, str):
        skeleton = read_skeleton((data.data_dir or Path()) / data.skeleton)
    else:
        skeleton = Skeleton.from_dict({"names": list(names), **data.skeleton})
    if skeleton.names != names:
        raise ConfigError(
            f"data.skeleton: names {', '.join(skeleton.names)}, but the label file has {', '.join(names)}; "
            f"list the same keypoints in the same order, or name one of {', '.join(KNOWN)}"
        )
    return replace(labels, skeleton=skeleton)
