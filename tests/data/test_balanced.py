"""Whole groups dealt out to splits in proportion."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vitruve.data.balanced import split_balanced
from vitruve.errors import ConfigError

SHARES = {"train": 0.75, "validation": 0.25, "test": 0.0}


def frames(seed: int, groups: int = 12, count: int = 96, things: int = 4) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    members = np.concatenate([np.arange(groups), rng.integers(0, groups, count - groups)])
    habits = rng.dirichlet(np.full(things, 0.4), groups)
    return [f"clip{i:02d}" for i in members], np.stack([rng.multinomial(5, habits[i]) for i in members]).astype(float)


def imbalance(names: list[str], contents: np.ndarray) -> float:
    """How far what splits are made of is from what all is made of, and their sizes from the shares, plainly."""
    split, total = np.array(names), 0.0
    for name, share in (("train", 0.75), ("validation", 0.25)):
        held = contents[split == name]
        total += 0.25 * ((split == name).mean() - share) ** 2 / share
        for column, mine in zip(contents.T, held.T, strict=True):
            usual = column.sum() / contents.sum()
            total += share * (mine.sum() / held.sum() - usual) ** 2 / usual / (contents.shape[1] - 1)
            total += 10 * (mine.sum() == 0)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_no_group_is_parted_and_everything_is_on_both_sides(seed: int) -> None:
    groups, contents = frames(seed)
    names = split_balanced(groups, [contents], SHARES, seed)
    assert set(names) == {"train", "validation"}
    assert all(len({n for n, g in zip(names, groups, strict=True) if g == group}) == 1 for group in groups)
    for name in ("train", "validation"):
        assert (contents[np.array(names) == name].sum(0) > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_it_comes_near_the_best_of_all_splits(seed: int) -> None:
    groups, contents = frames(seed, groups=9, count=60)
    known = sorted(set(groups))
    best = np.inf
    for held in itertools.product((False, True), repeat=len(known)):
        if any(held) and not all(held):
            where = dict(zip(known, held, strict=True))
            best = min(best, imbalance(["validation" if where[g] else "train" for g in groups], contents))
    assert imbalance(split_balanced(groups, [contents], SHARES, seed), contents) <= 1.05 * best + 1e-4


def test_the_same_seed_gives_the_same_split_whatever_groups_are_called() -> None:
    groups, contents = frames(5, groups=30, count=300)
    first = split_balanced(groups, [contents], SHARES, 3)
    assert first == split_balanced(groups, [contents], SHARES, 3)
    assert first == split_balanced([f"x{group}" for group in groups], [contents], SHARES, 3)


def test_a_class_of_one_group_does_not_keep_the_others_from_being_balanced() -> None:
    groups = [f"g{i}" for i in range(8) for _ in range(4)]
    common, rare = np.ones(32), np.array([1.0] * 4 + [0.0] * 28)
    names = np.array(split_balanced(groups, [np.stack([common, rare], 1)], SHARES))
    assert (names == "validation").sum() == 8


def test_three_splits_each_get_a_group() -> None:
    names = split_balanced(["a", "b", "c", "a"], [], {"train": 0.8, "validation": 0.1, "test": 0.1})
    assert set(names) == {"train", "validation", "test"}


def test_too_few_groups_and_wrong_shares_are_said() -> None:
    with pytest.raises(ConfigError, match="1 group cannot fill 2 splits"):
        split_balanced(["a"] * 5, [], SHARES)
    with pytest.raises(ConfigError, match="together they are 1"):
        split_balanced(["a", "b"], [], {"train": 0.9, "validation": 0.2})
