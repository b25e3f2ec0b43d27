"""Whole groups dealt out to splits so that each split holds its share of everything.

What a group holds is a row of counts: frames, crops of each cluster, instances of each class. The splits are those
that minimise the chi-square distance between what each split is made of and what everything is made of, of each kind
of count (clusters, classes) by its degrees of freedom, and, less, that between its size and the size wanted; a
cluster or class that a split lacks although there are groups enough costs more than any imbalance. Groups are dealt
out greedily, the largest first, then moved and exchanged while that helps, several times over in different orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from vitruve.errors import ConfigError

# With many groups one try comes as near as another.
_STARTS, _STARTS_OF_MANY, _MANY = 16, 2, 200
_ROUNDS = 200
_MOST_PAIRS = 20_000
_ABSENT = 10.0
# Of few groups no choice has the size that is wanted; then what a split is made of counts before a few frames more.
_SIZE = 0.25
# A tenth of a point too much in a split of a tenth.
_GAIN = 1e-5


@dataclass(frozen=True, eq=False)
class _Problem:
    """What is to be dealt out; the first column is frames.

    Attributes:
        held: Shares of all there is of each column.
        has: Whether a group has any of it.
        parts: The share of each column within its kind.
        kinds: Which columns are of a kind, 0 or 1.
        wanted: The share of each split.
        enough: Whether there are groups enough for each split to have some.
    """

    held: Float[np.ndarray, "G C"]
    has: Float[np.ndarray, "G C"]
    parts: Float[np.ndarray, " C"]
    kinds: Float[np.ndarray, "C N"]
    wanted: Float[np.ndarray, " S"]
    enough: Float[np.ndarray, " C"]

    @property
    def weights(self) -> Float[np.ndarray, " C"]:
        """By which every kind counts as much."""
        return np.asarray(1 / (self.kinds @ self.kinds.sum(0)))

    def cost(self, sums: Float[np.ndarray, "*lead S C"], counts: Float[np.ndarray, "*lead S C"]) -> np.ndarray:
        """What splits cost that hold these shares, from so many groups."""
        size = _SIZE * (sums[..., 0] - self.wanted) ** 2 / self.wanted
        amounts = sums * self.parts
        made_of = amounts / np.maximum(amounts @ self.kinds @ self.kinds.T, 1e-9)
        freedom = self.kinds @ np.maximum(self.kinds.sum(0) - 1, 1)
        away = self.wanted[:, None] * (made_of - self.parts) ** 2 / self.parts / freedom
        absent = _ABSENT * self.enough * (counts < 0.5)
        return np.asarray((away + absent).sum((-1, -2)) + size.sum(-1))


def split_balanced(
    groups: Sequence[str], contents: Sequence[Float[np.ndarray, "F _"]], shares: Mapping[str, float], seed: int = 0
) -> list[str]:
    """A split that never parts a group, and gives each split its share of everything that frames hold.

    Args:
        groups: The group of each of F frames.
        contents: How much of each thing every frame holds, ``(F, C)`` for each kind of things; at least 0. That
            there are frames is one kind by itself.
        shares: How much of everything goes to each split, 0 to 1, together 1; those of share 0 are left out.
        seed: Of the orders in which groups are dealt out.

    Returns:
        One split a frame.

    Raises:
        ConfigError: There are fewer groups than splits, or a share is not from 0 to 1.
    """
    wanted = {name: share for name, share in shares.items() if share > 1e-9}
    if any(share < 0 for share in shares.values()) or abs(sum(wanted.values()) - 1) > 1e-6:
        text = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise ConfigError(f"split: shares are {text}; none may be negative, and together they are 1")
    names, members = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    if len(names) < len(wanted):
        raise ConfigError(
            f"split: {len(names)} {'group' if len(names) == 1 else 'groups'} cannot fill {len(wanted)} splits without "
            "being parted; choose groups that tell more apart, or another method"
        )
    problem = _problem(members, len(names), contents, np.array(list(wanted.values())))
    rng = np.random.default_rng(seed)
    starts = _STARTS if len(names) < _MANY else _STARTS_OF_MANY
    found = [_searched(problem, rng, first=start == 0) for start in range(starts)]
    _, places = min(found, key=lambda each: each[0])
    kinds = list(wanted)
    return [kinds[places[member]] for member in members]


def _problem(
    members: Int[np.ndarray, " F"], count: int, contents: Sequence[np.ndarray], wanted: np.ndarray
) -> _Problem:
    held, parts = [], []
    for kind in (np.ones((len(members), 1)), *contents):
        used = kind[:, kind.sum(0) > 0]
        if not used.shape[1]:
            continue
        sums = np.zeros((count, used.shape[1]))
        np.add.at(sums, members, used)
        held.append(sums / sums.sum(0))
        parts.append(used.sum(0) / used.sum())
    shares = np.concatenate(held, 1)
    has = (shares > 0).astype(np.float64)
    kinds = np.repeat(np.eye(len(parts)), [len(each) for each in parts], 0)
    enough = (has.sum(0) >= len(wanted)).astype(np.float64)
    return _Problem(shares, has, np.concatenate(parts), kinds, wanted, enough)


def _searched(problem: _Problem, rng: np.random.Generator, first: bool) -> tuple[float, Int[np.ndarray, " G"]]:
    """The cost of a split that no move and no exchange makes better, and the split of each group."""
    total, splits = len(problem.held), len(problem.wanted)
    size = problem.held @ problem.weights
    # The largest first, in further tries any: among equal ones chance decides.
    order = np.argsort(-size + 1e-9 * rng.uniform(size=total)) if first else rng.permutation(total)
    places = np.full(total, -1)
    sums, counts = np.zeros((splits, problem.held.shape[1])), np.zeros((splits, problem.held.shape[1]))
    for rank, group in enumerate(order):
        tried = [_with(problem, sums, counts, int(group), split) for split in range(splits)]
        empty = [split for split in range(splits) if not (places == split).any()]
        open_splits = empty if total - rank <= len(empty) else list(range(splits))
        costs = {split: float(_lacking(problem, tried[split][0])) for split in open_splits}
        best = min(costs, key=lambda split: costs[split])
        places[group] = best
        sums, counts = tried[best]
    for _ in range(_ROUNDS):
        cost = float(problem.cost(sums, counts))
        move = _best_move(problem, places, sums, counts)
        swap = None if move[0] < cost - _GAIN else _best_swap(problem, places, sums, counts, rng)
        if move[0] < cost - _GAIN:
            changes = [(move[1], move[2])]
        elif swap is not None and swap[0] < cost - _GAIN:
            changes = [(swap[1], int(places[swap[2]])), (swap[2], int(places[swap[1]]))]
        else:
            break
        for group, split in changes:
            sums, counts = _without(problem, sums, counts, group, int(places[group]))
            sums, counts = _with(problem, sums, counts, group, split)
            places[group] = split
    return float(problem.cost(sums, counts)), places


def _lacking(problem: _Problem, sums: np.ndarray) -> np.ndarray:
    """While groups are dealt out: how far splits are from being full, those that are over counting more."""
    away = (problem.wanted[:, None] - sums) / problem.wanted[:, None]
    return np.asarray((problem.weights * problem.wanted[:, None] * away**2).sum())


def _with(problem: _Problem, sums: np.ndarray, counts: np.ndarray, group: int, split: int) -> tuple[np.ndarray, ...]:
    sums, counts = sums.copy(), counts.copy()
    sums[split] += problem.held[group]
    counts[split] += problem.has[group]
    return sums, counts


def _without(problem: _Problem, sums: np.ndarray, counts: np.ndarray, group: int, split: int) -> tuple[np.ndarray, ...]:
    sums, counts = sums.copy(), counts.copy()
    sums[split] -= problem.held[group]
    counts[split] -= problem.has[group]
    return sums, counts


def _best_move(problem: _Problem, places: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> tuple[float, int, int]:
    """The cheapest split of one group moved: its cost, the group, and where to."""
    best = (np.inf, 0, 0)
    full = np.bincount(places, minlength=len(problem.wanted)) > 1
    for source in np.flatnonzero(full):
        mine = np.flatnonzero(places == source)
        for target in range(len(problem.wanted)):
            if target == source:
                continue
            costs = _shifted(problem, sums, counts, int(source), target, problem.held[mine], problem.has[mine])
            least = int(costs.argmin())
            if costs[least] < best[0]:
                best = (float(costs[least]), int(mine[least]), target)
    return best


def _best_swap(
    problem: _Problem, places: np.ndarray, sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator
) -> tuple[float, int, int]:
    """The cheapest split after an exchange of two groups: its cost, and the two; of many pairs, some are looked at."""
    best = (np.inf, 0, 0)
    for a in range(len(problem.wanted)):
        for b in range(a + 1, len(problem.wanted)):
            first, second = np.flatnonzero(places == a), np.flatnonzero(places == b)
            pairs = np.stack(np.meshgrid(first, second, indexing="ij"), -1).reshape(-1, 2)
            if len(pairs) > _MOST_PAIRS:
                pairs = pairs[rng.choice(len(pairs), _MOST_PAIRS, replace=False)]
            held = problem.held[pairs[:, 0]] - problem.held[pairs[:, 1]]
            has = problem.has[pairs[:, 0]] - problem.has[pairs[:, 1]]
            costs = _shifted(problem, sums, counts, a, b, held, has)
            least = int(costs.argmin())
            if costs[least] < best[0]:
                best = (float(costs[least]), int(pairs[least, 0]), int(pairs[least, 1]))
    return best


def _shifted(
    problem: _Problem,
    sums: np.ndarray,
    counts: np.ndarray,
    source: int,
    target: int,
    held: Float[np.ndarray, "M C"],
    has: Float[np.ndarray, "M C"],
) -> Float[np.ndarray, " M"]:
    """The cost of each of M ways to bring something from one split to another."""
    others = [split for split in range(len(problem.wanted)) if split not in (source, target)]
    rest = replace(problem, wanted=problem.wanted[others])
    two = replace(problem, wanted=problem.wanted[[source, target]])
    changed = np.stack([sums[source] - held, sums[target] + held], 1)
    groups = np.stack([counts[source] - has, counts[target] + has], 1)
    return np.asarray(two.cost(changed, groups) + rest.cost(sums[others], counts[others]))
