from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitruve.data.splits import (
    SPLITS,
    group_names,
    keep_train_frames,
    split_by_group,
    split_every_nth,
    split_lightning_pose,
    split_random,
)
from vitruve.errors import ConfigError

# Drawn by Lightning Pose 2.4.3 for 90 frames at .8 / .1, in the order in which its data sets hold them.
KNOWN = {
    0: ([58, 38, 9, 67, 30, 59, 45, 28, 42], [74, 48, 49, 33, 43, 84, 11, 20, 4]),
    1: ([50, 0, 11, 46, 51, 53, 6, 52, 77], [80, 86, 14, 37, 64, 48, 40, 32, 82]),
}


def _where(names: list[str], split: str) -> set[int]:
    return {i for i, name in enumerate(names) if name == split}


@pytest.mark.parametrize("seed", KNOWN)
def test_the_split_of_lightning_pose_frame_by_frame(seed: int) -> None:
    names = split_lightning_pose(90, 0.8, 0.1, seed)
    validation, test = KNOWN[seed]
    assert _where(names, "validation") == set(validation)
    assert _where(names, "test") == set(test)
    assert names.count("train") == 72


@pytest.mark.parametrize(
    ("count", "train", "validation", "sizes"),
    [
        (90, 0.95, 0.05, (86, 4, 0)),
        (90, 0.8, 0.1, (72, 9, 9)),
        (20, 0.8, 0.1, (18, 2, 0)),  # two would be left to test: too few
        (24, 0.7, 0.1, (16, 2, 6)),
        (10, 0.95, 0.05, (9, 1, 0)),  # validation gets a frame whatever its share
        (2, 0.5, 0.1, (1, 1, 0)),
        (100, 0.29, 0.57, (29, 57, 14)),  # the product of the floats lies below 29
        (100, 0.58, 0.07, (58, 7, 35)),
        (50, 0.5, 0.08, (25, 4, 21)),
        (1000, 0.1, 0.7, (100, 700, 200)),
    ],
)
def test_sizes(count: int, train: float, validation: float, sizes: tuple[int, int, int]) -> None:
    names = split_lightning_pose(count, train, validation, 0)
    assert tuple(names.count(name) for name in SPLITS[:3]) == sizes


@given(st.integers(2, 300), st.integers(1, 99), st.integers(0, 99), st.integers(0, 5))
def test_sizes_for_any_shares_in_percent(count: int, train: int, validation: int, seed: int) -> None:
    validation = min(validation, 100 - train)
    trains, validates = train * count // 100, validation * count // 100
    rest = count - trains - validates
    trains, rest = (trains + rest, 0) if rest < 5 else (trains, rest)
    if not validates:
        trains, validates = trains - 1, 1
    if trains < 1:
        with pytest.raises(ConfigError):
            split_lightning_pose(count, train / 100, validation / 100, seed)
        return
    names = split_lightning_pose(count, train / 100, validation / 100, seed)
    assert Counter(names) == Counter({"train": trains, "validation": validates, "test": rest})


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    split_lightning_pose(50, 0.8, 0.1, 0)
    keep_train_frames(["train"] * 5, 0, 2)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("split", [split_lightning_pose, split_random])
def test_too_few_frames(split: Callable[[int, float, float, int], list[str]]) -> None:
    with pytest.raises(ConfigError, match="of 1 labelled frames none is left for"):
        split(1, 0.8, 0.1, 0)


def test_random_keeps_every_share_however_small() -> None:
    assert Counter(split_random(20, 0.8, 0.1, 0)) == Counter(train=16, validation=2, test=2)
    assert Counter(split_random(90, 0.95, 0.05, 0)) == Counter(train=86, validation=4)  # no test share was asked for
    assert Counter(split_random(7, 0.7, 0.3, 0)) == Counter(train=5, validation=2)
    assert split_random(30, 0.8, 0.1, 4) == split_random(30, 0.8, 0.1, 4) != split_random(30, 0.8, 0.1, 5)


def test_every_nth() -> None:
    names = split_every_nth(12, 4, 3)
    assert _where(names, "validation") == {3, 7, 11}
    assert _where(names, "test") == {2, 6, 10}  # every third of those that are left
    assert split_every_nth(12, 4, 0).count("test") == 0
    with pytest.raises(ConfigError, match=r"^training\.split\.every_nth: of 3 .* none is left for validation"):
        split_every_nth(3, 4, 0)
    with pytest.raises(ConfigError, match="none is left for training"):
        split_every_nth(3, 2, 1)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=60), st.integers(0, 20))
def test_groups_are_never_parted_and_no_split_is_empty(groups: list[str], seed: int) -> None:
    if len(set(groups)) < 3:
        with pytest.raises(ConfigError, match="groups cannot fill 3 splits"):
            split_by_group(groups, 0.6, 0.2, seed)
        return
    names = split_by_group(groups, 0.6, 0.2, seed)
    for group in set(groups):
        assert len({name for name, own in zip(names, groups, strict=True) if own == group}) == 1
    assert set(names) == {"train", "validation", "test"}
    assert names == split_by_group(groups, 0.6, 0.2, seed)


def test_groups_come_near_their_shares() -> None:
    groups = [f"session{i // 5}" for i in range(200)]
    sizes = Counter(split_by_group(groups, 0.7, 0.2, 0))
    assert abs(sizes["train"] - 140) <= 5 and abs(sizes["validation"] - 40) <= 5 and abs(sizes["test"] - 20) <= 5
    assert set(split_by_group(groups, 0.8, 0.2, 0)) == {"train", "validation"}
    assert split_by_group(groups, 0.7, 0.2, 0) != split_by_group(groups, 0.7, 0.2, 1)


def test_groups_by_folder_or_by_pattern() -> None:
    names = ["labeled/mouse1_a/img01.png", "labeled/mouse1_b/img01.png", "labeled/mouse2_a/img01.png"]
    assert group_names(names, None) == ["labeled/mouse1_a", "labeled/mouse1_b", "labeled/mouse2_a"]
    assert group_names(names, r"(mouse\d)_") == ["mouse1", "mouse1", "mouse2"]
    assert group_names(names, r"mouse\d") == ["mouse1", "mouse1", "mouse2"]
    with pytest.raises(ConfigError, match="not a regular expression"):
        group_names(names, "(")
    with pytest.raises(ConfigError, match=r"does not match image labeled/mouse2_a/img01\.png"):
        group_names(names, "mouse1")


@pytest.mark.parametrize("keep", [0.25, 10, 1, 500])
def test_some_training_frames_are_kept(keep: float) -> None:
    names = split_lightning_pose(90, 0.8, 0.1, 0)
    kept = keep_train_frames(names, 0, keep)
    wanted = {0.25: 18, 10: 10, 1: 72, 500: 72}[keep]
    assert kept.count("train") == wanted and kept.count("unused") == 72 - wanted
    assert _where(kept, "validation") == _where(names, "validation")
    order = torch.randperm(90, generator=torch.Generator().manual_seed(0))[:72].tolist()
    assert _where(kept, "train") == set(order[:wanted])


def test_a_share_of_the_frames_is_rounded_up() -> None:
    names = ["train"] * 7 + ["test"]
    for share in (0.01, 0.3, 0.5, 0.99):
        assert keep_train_frames(names, 0, share).count("train") == math.ceil(share * 7)
