from __future__ import annotations

import itertools

import pytest

from vitruve.data.dataset import Pick
from vitruve.data.loaders import EpochBatches
from vitruve.data.windows import WindowPick


def frames(batches: list[list[Pick | WindowPick]]) -> list[list[int]]:
    return [[pick.index for pick in batch if isinstance(pick, Pick)] for batch in batches]


@pytest.mark.parametrize(
    ("count", "size", "ranks"), list(itertools.product((8, 13, 17, 32, 33, 47), (1, 2, 4), (2, 3, 4)))
)
def test_each_epoch_is_shared_out_whole_and_disjoint(count: int, size: int, ranks: int) -> None:
    for epoch in range(3):
        shares = [
            frames(EpochBatches(count, size, shuffle=True, seed=5, rank=rank, ranks=ranks).picks(epoch))
            for rank in range(ranks)
        ]
        assert sorted(index for share in shares for batch in share for index in batch) == list(range(count))
        assert len({len(share) for share in shares}) == 1, "all take as many steps"
        sizes = [len(batch) for share in shares for batch in share]
        assert min(sizes) >= min(size, 2) and max(sizes) <= max(size, 4)
    assert shares != [frames(EpochBatches(count, size, shuffle=True, seed=5, rank=0, ranks=ranks).picks(0))]


def test_together_they_have_the_batches_of_one_process_with_larger_ones() -> None:
    whole = EpochBatches(24, 8, shuffle=True, seed=3, at_least=5, windows=4).picks(2)
    shares = [
        EpochBatches(24, 4, shuffle=True, seed=3, at_least=5, windows=2, rank=rank, ranks=2).picks(2) for rank in (0, 1)
    ]
    assert len(whole) == len(shares[0]) == 5
    for batch, one, other in zip(whole, *shares, strict=True):
        assert set(batch) == set(one) | set(other) and not set(one) & set(other)
        assert [pick for pick in batch if isinstance(pick, Pick)] == [
            pick for pick in (*one, *other) if isinstance(pick, Pick)
        ]


@pytest.mark.parametrize("count", [3, 4, 9, 10])
def test_validation_frames_are_shared_out_once_each(count: int) -> None:
    shares = [frames(EpochBatches(count, 2, shuffle=False, rank=rank, ranks=3).picks(0)) for rank in range(3)]
    assert sorted(index for share in shares for batch in share for index in batch) == list(range(count))
    assert all(share and all(batch for batch in share) for share in shares)
