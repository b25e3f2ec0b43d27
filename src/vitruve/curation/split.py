"""Splits of labelled frames: by what they show, with whole groups, and what leaks through."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from vitruve.curation.clusters import NEAR, near_duplicates, reduced, typical_distance
from vitruve.curation.crops import Crop, Of, crop_images
from vitruve.curation.embedding import Embedder
from vitruve.curation.leakage import Leakage, leakage_of
from vitruve.curation.tsne_map import MOST_CROPS, Map, map_of
from vitruve.data.balanced import split_balanced
from vitruve.data.images import ImageCache
from vitruve.data.splits import group_names, split_by_group, split_every_nth, split_random
from vitruve.errors import ConfigError, InputError, nearest
from vitruve.formats.split_file import splits_of_file
from vitruve.inference.progress import with_progress
from vitruve.structures.labels import Labels

Method = Literal["clusters", "group", "random", "every-nth", "list"]

_GROUPED = ("clusters", "group")
"""The methods that part no group."""
_log = logging.getLogger(__name__)

_DAY = r"(?<!\d)(20\d{6}|20\d\d[-_]\d\d[-_]\d\d)"


@dataclass(frozen=True)
class SplitPlan:
    """How labelled frames are shared.

    Attributes:
        method: ``clusters`` gives each split its share of every cluster and class, with whole groups; ``group`` deals
            whole groups out at random; ``random`` and ``every-nth`` frames, whatever they show; ``list`` reads
            :attr:`validation_list`.
        group: What is never parted: ``session`` (the clip or task), ``folder``, ``day`` (the date in the path), or a
            regular expression on the path whose first group (or whole match) names the group.
        validation: Share of the frames that validates.
        test: Share that tests.
        nth: With ``every-nth``, every how many frames one validates; of the first ones on, as OBDB counts.
        seed: The same seed gives the same split.
        near: Frames that are nearly the same are one group, whatever they are called, unless too few groups would be
            left.
        validation_list: The images that validate, or a table of splits.
        test_list: The images that test.
        cluster_method: ``kmeans`` or ``hdbscan``.
        clusters: How many clusters; None for as many as show themselves.
        of: What the map shows.
        most: Crops on the map at most.
    """

    method: str = "clusters"
    group: str = "session"
    validation: float = 0.1
    test: float = 0.0
    nth: int = 10
    seed: int = 0
    near: bool = True
    validation_list: Path | None = None
    test_list: Path | None = None
    cluster_method: str = "kmeans"
    clusters: int | None = None
    of: Of = "instances"
    most: int = MOST_CROPS

    def __post_init__(self) -> None:
        methods = get_args(Method)
        if self.method not in methods:
            raise ConfigError(
                f"--method {self.method}: no such method{nearest(self.method, methods)}; there are {', '.join(methods)}"
            )
        if not 0 < self.validation < 1 or not 0 <= self.test < 1 or self.validation + self.test >= 1:
            raise ConfigError(
                f"--validation {self.validation:g}, --test {self.test:g}: shares of the frames, such as 0.1 and 0; "
                "some must be left to train"
            )
        if self.nth < 2:
            raise ConfigError(f"--nth {self.nth}: every how many frames one validates, at least 2")
        if (self.method == "list") != (self.validation_list is not None):
            raise ConfigError(f"--method {self.method}, --list {self.validation_list}: a list goes with --method list")
        if self.test_list is not None and self.validation_list is None:
            raise ConfigError(f"--test-list {self.test_list}: give the list of validation images, too: --list")

    @property
    def shares(self) -> dict[str, float]:
        """How much of the frames each split is to have."""
        return {"train": 1 - self.validation - self.test, "validation": self.validation, "test": self.test}

    @property
    def splits(self) -> int:
        """How many splits are to have frames."""
        return sum(share > 0 for share in self.shares.values())


@dataclass(frozen=True, eq=False)
class Split:
    """A split and what is known of it.

    Attributes:
        labels: With the split of each frame.
        groups: What was not parted, for each frame.
        map: Of all crops, with the splits.
        leakage: What it lets through.
        plan: How it was made.
    """

    labels: Labels
    groups: tuple[str, ...]
    map: Map
    leakage: Leakage
    plan: SplitPlan

    def shares(self, kind: str) -> dict[str, dict[str, float]]:
        """How much of each split is of each cluster or class.

        Args:
            kind: ``cluster`` or ``class``.

        Returns:
            For each split, the share of each, 0 to 1: clusters of the crops on the map, classes of all instances.
        """
        counts = _counts(self.map) if kind == "cluster" else _classes(self.labels)
        names = [str(number) for number in range(counts.shape[1])] if kind == "cluster" else self.labels.categories
        held = np.array([frame.split for frame in self.labels])
        found: dict[str, dict[str, float]] = {}
        for split in ("train", "validation", "test"):
            sums = counts[held == split].sum(0)
            if sums.sum() > 0:
                found[split] = {
                    name: float(part)
                    for name, part, all_of in zip(names, sums / sums.sum(), counts.sum(0), strict=True)
                    if all_of
                }
        return found


def split_labels(
    labels: Labels, plan: SplitPlan = SplitPlan(), embedder: Embedder | None = None, cache: ImageCache | None = None
) -> Split:
    """Share labelled frames between training, validation and test.

    Args:
        labels: The frames.
        plan: How.
        embedder: What makes points of images; None for resnet18.
        cache: Decoded images.

    Returns:
        The split, its map, and what leaks.

    Raises:
        ConfigError: There are too few groups, or a pattern does not fit.
        InputError: There is no frame, or an image or a list cannot be read.
    """
    if not len(labels):
        raise InputError(f"{labels.root}: these labels hold no frame; there is nothing to split")
    names = None if plan.method in _GROUPED else _by_frame(labels, plan)
    groups, shares = groups_of(labels, plan.group), plan.shares
    # Before the images are looked at, which takes minutes.
    check_groups(groups, plan)
    embedder, cache = embedder or Embedder.of_backbone(seed=plan.seed), cache or ImageCache(2.0)
    points = frame_points(labels, embedder, plan.seed, cache)
    alike, limit = near_duplicates(points, NEAR)
    clips, typical = groups_of(labels, "session"), typical_distance(points)
    if names is None and plan.near:
        groups = _joined_where_possible(groups, alike, plan)
    drawn = map_of(
        labels,
        embedder,
        of=plan.of,
        method=plan.cluster_method,
        clusters=plan.clusters,
        most=plan.most,
        seed=plan.seed,
        cache=cache,
    )
    if plan.method == "clusters":
        names = split_balanced(groups, [_counts(drawn), _classes(labels)], shares, plan.seed)
    elif names is None:
        names = split_by_group(groups, shares["train"], shares["validation"], plan.seed)
    made = labels.with_splits(names)
    return Split(made, tuple(groups), drawn.with_labels(made), leakage_of(made, points, limit, typical, clips), plan)


def proposed_method(labels: Labels, plan: SplitPlan = SplitPlan()) -> tuple[str, str]:
    """The method by which labels can be split best.

    Args:
        labels: The frames.
        plan: What else is wished for.

    Returns:
        ``clusters``, or ``random`` where there are too few groups to part none of them; and why, in words.

    Raises:
        ConfigError: The pattern of the groups does not fit.
    """
    count = len(set(groups_of(labels, plan.group)))
    if count < plan.splits:
        said = f"all frames are of one {plan.group}" if count == 1 else f"there are {count} groups by {plan.group}"
        return "random", f"{said}: {plan.splits} splits cannot but part it"
    return "clusters", f"no {plan.group} is parted, and each cluster has its share in every split"


def groups_of(labels: Labels, by: str) -> list[str]:
    """What is never parted, for each frame.

    Args:
        labels: The frames.
        by: ``session``, ``folder``, ``day``, or a regular expression; see :class:`SplitPlan`.

    Returns:
        One group a frame. Without a session, the folder of the image, or its video.

    Raises:
        ConfigError: The expression is broken or does not match an image.
    """
    paths = [frame.first_image.path.as_posix() for frame in labels]
    if by in ("session", "folder"):
        folders = [
            path if frame.first_image.index is not None else path.rpartition("/")[0]
            for path, frame in zip(paths, labels, strict=True)
        ]
        named = by == "session"
        return [frame.session or folder if named else folder for frame, folder in zip(labels, folders, strict=True)]
    return group_names(paths, _DAY if by == "day" else by, "--group")


def joined(some: Sequence[str], others: Sequence[str]) -> list[str]:
    """Groups of frames that are joined wherever either of two kinds of groups joins them.

    Args:
        some: The group of each frame.
        others: Its group of the other kind.

    Returns:
        One group a frame, named by the first of its groups in ``some``.
    """
    parent: dict[tuple[int, str], tuple[int, str]] = {}

    def root(node: tuple[int, str]) -> tuple[int, str]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(some, others, strict=True):
        first, second = sorted((root((0, a)), root((1, b))))
        parent[second] = first
    return [root((0, a))[1] for a in some]


def frame_points(
    labels: Labels, embedder: Embedder, seed: int = 0, cache: ImageCache | None = None
) -> Float[np.ndarray, "F Q"]:
    """What each frame looks like, as a whole: its first view that is there.

    Args:
        labels: The frames.
        embedder: Makes points of images.
        seed: Of the decomposition into principal components.
        cache: Decoded images.

    Returns:
        One row a frame.

    Raises:
        InputError: An image cannot be read.
    """
    crops = [Crop(number, frame.images.index(frame.first_image)) for number, frame in enumerate(labels)]
    images = with_progress("Comparing frames", crop_images(labels, crops, embedder.size, cache), len(crops))
    return reduced(embedder(images), seed)


def _by_frame(labels: Labels, plan: SplitPlan) -> list[str]:
    """The methods that look at no groups."""
    if plan.validation_list is not None:
        return splits_of_file(labels, plan.validation_list, plan.test_list)
    if plan.method == "random":
        return split_random(len(labels), 1 - plan.validation - plan.test, plan.validation, plan.seed)
    return split_every_nth(len(labels), plan.nth, round(1 / plan.test) if plan.test else 0, offset=0)


def check_groups(groups: Sequence[str], plan: SplitPlan) -> None:
    """Refuse a plan that cannot be carried out without parting a group.

    Args:
        groups: Of each frame.
        plan: How frames are to be shared.

    Raises:
        ConfigError: There are fewer groups than splits.
    """
    count, needed = len(set(groups)), plan.splits
    if plan.method in _GROUPED and count < needed:
        raise ConfigError(
            f"--group {plan.group}: {count} {'group' if count == 1 else 'groups'} for {needed} splits, and none "
            "is to be parted; name groups that tell more frames apart, or take --method random"
        )


def _joined_where_possible(groups: list[str], alike: Int[np.ndarray, " F"], plan: SplitPlan) -> list[str]:
    """Groups with near duplicates joined, unless too few would be left: what leaks then is measured, as everywhere."""
    found = joined(groups, [str(number) for number in alike])
    if len(set(found)) >= plan.splits:
        return found
    _log.warning(
        "near duplicates are in nearly all groups, so they are not kept together; leakage.csv says how much leaks"
    )
    return groups


def _counts(drawn: Map) -> Float[np.ndarray, "F K"]:
    """How many crops of each cluster every frame holds."""
    counts = np.zeros((len(drawn.labels), drawn.count))
    np.add.at(counts, (np.array([crop.frame for crop in drawn.crops]), drawn.clusters), 1)
    return counts


def _classes(labels: Labels) -> Float[np.ndarray, "F C"]:
    """How many instances of each class every frame holds."""
    counts = np.zeros((len(labels), len(labels.categories)))
    for row, frame in zip(counts, labels, strict=True):
        instances = frame.instances
        if instances.categories is None:
            continue
        counted = np.asarray(instances.present & (instances.categories >= 0))
        if instances.crowds is not None:
            counted &= ~instances.crowds
        np.add.at(row, instances.categories[counted], 1)
    return counts
