"""Which frames train, which validate, which test."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from vitruve.errors import ConfigError

SPLITS = ("train", "validation", "test", "unused")

# Fewer test frames than this say nothing; Lightning Pose gives them to training, and so does its split here.
_FEWEST_TEST = 5


def split_lightning_pose(count: int, train: float, validation: float, seed: int) -> list[str]:
    """The split Lightning Pose draws from the same numbers, frame by frame.

    Sizes are ``floor(train * count)`` and ``floor(validation * count)`` of the shares as they are written (0.29 of 100
    is 29, although the nearest binary number to 0.29 lies below it); a rest below five frames goes to training,
    and validation has one frame at least. The order is ``torch.randperm`` under the seed.

    Args:
        count: Number of frames.
        train: Share that trains, 0 to 1.
        validation: Share that validates, 0 to 1.
        seed: Seed of the draw (``training.rng_seed_data_pt``).

    Returns:
        One of ``train``, ``validation``, ``test`` a frame, in the frames' order.

    Raises:
        ConfigError: The shares do not leave a frame for training and one for validation.
    """
    trains, validates = _sizes(count, train, validation)
    rest = count - trains - validates
    if rest < _FEWEST_TEST:
        trains += rest
    if validates == 0:
        trains, validates = trains - 1, 1
    _check(trains, validates, count)
    return _assign(_randperm(count, seed), trains, validates)


def split_random(count: int, train: float, validation: float, seed: int) -> list[str]:
    """A random split that keeps every share it was asked for, however small the test set.

    Args and errors as for :func:`split_lightning_pose`.

    Returns:
        One split a frame.
    """
    trains, validates = _sizes(count, train, validation)
    if train + validation > 1 - 1e-9:
        trains = count - validates  # no test share was asked for, so no frame is left over for it
    _check(trains, validates, count)
    return _assign(np.random.default_rng(seed).permutation(count), trains, validates)


def split_every_nth(count: int, validation: int, test: int, offset: int | None = None) -> list[str]:
    """Every n-th frame validates, every m-th of the others tests: no chance involved.

    Args:
        count: Number of frames.
        validation: Every how many frames one validates; at least 2.
        test: Every how many of the remaining frames one tests; 0 for none.
        offset: Which of each ``validation`` frames validates, from 0 (OBDB's); None for the last.

    Returns:
        One split a frame.

    Raises:
        ConfigError: No frame is left to train on or to validate with.
    """
    place = validation - 1 if offset is None else offset
    names = ["validation" if i % validation == place else "train" for i in range(count)]
    others = [i for i, name in enumerate(names) if name == "train"]
    if test:
        for i in others[test - 1 :: test]:
            names[i] = "test"
    _check(names.count("train"), names.count("validation"), count, "training.split.every_nth")
    return names


def split_by_group(groups: Sequence[str], train: float, validation: float, seed: int) -> list[str]:
    """A random split that never parts a group, such as the frames of one session.

    Groups are dealt in random order, each to the split that is furthest below its share.

    Args:
        groups: The group of each frame.
        train: Share that trains, 0 to 1.
        validation: Share that validates, 0 to 1.
        seed: Seed of the order.

    Returns:
        One split a frame.

    Raises:
        ConfigError: There are too few groups for the splits asked for.
    """
    shares = {"train": train, "validation": validation, "test": max(0.0, 1 - train - validation)}
    wanted = {name: share for name, share in shares.items() if share > 1e-9}
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    if len(members) < len(wanted):
        raise ConfigError(
            f"training.split: {len(members)} groups cannot fill {len(wanted)} splits; "
            "choose a group_pattern that tells more groups apart, or another method"
        )
    order = [sorted(members)[i] for i in np.random.default_rng(seed).permutation(len(members))]
    names = [""] * len(groups)
    filled = dict.fromkeys(wanted, 0)
    for place, group in enumerate(order):
        empty = [name for name in wanted if not filled[name]]
        # As many groups left as splits without one: each must get its own.
        open_names = empty if len(order) - place <= len(empty) else list(wanted)
        target = max(open_names, key=lambda name: wanted[name] * len(groups) - filled[name])
        for index in members[group]:
            names[index] = target
        filled[target] += len(members[group])
    return names


def group_names(names: Sequence[str], pattern: str | None, setting: str = "training.split.group_pattern") -> list[str]:
    """The group each image belongs to.

    Args:
        names: Image paths.
        pattern: A regular expression whose first group (or whole match) names the group; None takes the folder.
        setting: What asks for the pattern, for messages.

    Returns:
        One group an image.

    Raises:
        ConfigError: The expression is broken or does not match an image.
    """
    if pattern is None:
        return [name.rpartition("/")[0] for name in names]
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{setting}={pattern!r}: not a regular expression ({error})") from error
    groups = []
    for name in names:
        match = expression.search(name)
        if match is None:
            raise ConfigError(f"{setting}={pattern!r}: does not match image {name}")
        groups.append(match.group(1) if expression.groups else match.group(0))
    return groups


def keep_train_frames(names: Sequence[str], order_seed: int, keep: float) -> list[str]:
    """Leave only some training frames, as ``training.train_frames`` says; the others become ``unused``.

    Args:
        names: A split a frame.
        order_seed: Seed of the order in which training frames are kept (the split's own).
        keep: Up to 1 a share of the training frames, above 1 their number.

    Returns:
        The splits with the surplus unused.
    """
    order = [i for i in _randperm(len(names), order_seed) if names[i] == "train"]
    count = math.ceil(keep * len(order)) if keep <= 1 else int(keep)
    surplus = set(order[max(1, count) :])
    return ["unused" if i in surplus else name for i, name in enumerate(names)]


def _sizes(count: int, train: float, validation: float) -> tuple[int, int]:
    # A hair more than the product: 0.29 * 100 must be 29 although the float product lies below it.
    return math.floor(train * count + 1e-9), math.floor(validation * count + 1e-9)


def _check(train: int, validation: int, count: int, keys: str = "training.train_prob, training.val_prob") -> None:
    for name, number in (("training", train), ("validation", validation)):
        if number < 1:
            raise ConfigError(
                f"{keys}: of {count} labelled frames none is left for {name}; label more frames or change "
                f"{'it' if ',' not in keys else 'the shares'}"
            )


def _assign(order: np.ndarray, trains: int, validates: int) -> list[str]:
    names = ["test"] * len(order)
    for place, index in enumerate(order):
        if place < trains + validates:
            names[int(index)] = "train" if place < trains else "validation"
    return names


def _randperm(count: int, seed: int) -> np.ndarray:
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).numpy()
