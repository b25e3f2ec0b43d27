from __future__ import annotations

import numpy as np
import pytest

from vitruve.structures.mask import Mask


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_an_array_comes_back(share: float) -> None:
    inside = np.random.default_rng(3).random((7, 5)) < share
    mask = Mask.from_array(inside)
    assert mask.size == (5, 7)
    np.testing.assert_array_equal(mask.array(), inside)


def test_runs_go_down_the_columns_as_in_coco() -> None:
    # COCO's own order: the first run is of pixels outside, and the first column comes first.
    mask = Mask((3, 2), np.array([1, 2, 3]))
    np.testing.assert_array_equal(mask.array(), [[False, True, False], [True, False, False]])
    np.testing.assert_array_equal(Mask.from_array(mask.array()).runs, [1, 2, 3])


def test_a_union_holds_what_either_holds() -> None:
    one, other = (np.random.default_rng(seed).random((6, 9)) < 0.3 for seed in (1, 2))
    np.testing.assert_array_equal((Mask.from_array(one) | Mask.from_array(other)).array(), one | other)


def test_runs_that_do_not_fill_the_image_are_refused() -> None:
    with pytest.raises(ValueError, match="runs of 5 pixels for an image of 3 x 2"):
        Mask((3, 2), np.array([1, 2, 2]))


@pytest.mark.parametrize("seed", range(20))
def test_a_union_of_several(seed: int) -> None:
    parts = np.random.default_rng(seed).random((4, 5, 7)) < np.random.default_rng(seed).choice([0, 0.1, 0.5, 1])
    np.testing.assert_array_equal(Mask.union([Mask.from_array(part) for part in parts]).array(), parts.any(0))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_belongs_to_both_and_to_neither(share: float) -> None:
    one, other = np.random.default_rng(1).random((2, 6, 9)) < share
    mask = Mask.from_array(one)
    np.testing.assert_array_equal((mask & Mask.from_array(other)).array(), one & other)
    np.testing.assert_array_equal((~mask).array(), ~one)
    assert mask.area == one.sum()
