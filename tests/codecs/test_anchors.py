from __future__ import annotations

import numpy as np
import pytest
import torch

from vitruve.codecs.anchors import best_overlap, fit, ladder, place

STRIDES = (4, 8, 16, 32, 64)


def test_a_ladder_has_areas_and_ratios_as_asked() -> None:
    shapes = np.array(ladder(STRIDES, 8.0, (0.5, 1.0, 2.0), octaves=2))
    assert shapes.shape == (5, 6, 2)
    np.testing.assert_allclose(shapes.prod(-1) ** 0.5, np.outer(STRIDES, [8] * 3 + [8 * 2**0.5] * 3))
    np.testing.assert_allclose(shapes[0, :3, 1] / shapes[0, :3, 0], [0.5, 1, 2])


def test_anchors_stand_in_the_middle_of_their_cells() -> None:
    first, second = place((((2.0, 4.0),), ((8.0, 8.0), (6.0, 2.0))), (4, 8), (12, 8))
    assert first.shape == (6, 4) and second.shape == (4, 4)
    assert first[0].tolist() == [1, 0, 3, 4] and first[1].tolist() == [5, 0, 7, 4] and first[3].tolist() == [1, 4, 3, 8]
    assert second[1].tolist() == [1, 3, 7, 5] and second[2].tolist() == [8, 0, 16, 8]


def test_rows_of_a_head_are_in_the_order_of_the_anchors() -> None:
    from vitruve.algorithms.detection import by_anchor

    # Channel = shape, value = 100 * shape + 10 * row + column.
    maps = torch.stack([100 * a + 10 * torch.arange(2)[:, None] + torch.arange(3) for a in range(2)])[None].float()
    assert by_anchor([maps], 1)[0, :, 0].tolist() == [0, 100, 1, 101, 2, 102, 10, 110, 11, 111, 12, 112]


@pytest.mark.parametrize("scale", [2.0, 4.0])
def test_objects_made_like_anchors_are_fitted_exactly(scale: float) -> None:
    sizes = np.array([shape for level in ladder(STRIDES, scale, (1.5,)) for shape in level])
    found = fit(sizes, STRIDES)
    assert best_overlap(sizes, found).min() > 0.99
    assert len(found[0]) == 1


def test_anchors_of_small_flat_objects_are_better_than_torchvisions() -> None:
    rng = np.random.default_rng(0)
    across = np.exp(rng.uniform(np.log(8), np.log(60), 400))
    sizes = np.stack([across, across * np.exp(rng.normal(-0.7, 0.2, 400))], -1)
    usual, fitted = best_overlap(sizes, ladder(STRIDES, 8.0)), best_overlap(sizes, fit(sizes, STRIDES))
    assert fitted.mean() > usual.mean() + 0.1 and (fitted > 0.5).mean() > 0.95


def test_best_overlap_is_that_of_boxes_with_one_middle() -> None:
    found = best_overlap(np.array([[4.0, 2.0], [8.0, 8.0]]), (((4.0, 4.0), (8.0, 4.0)),))
    np.testing.assert_allclose(found, [0.5, 0.5])


def test_without_objects_the_anchors_are_torchvisions() -> None:
    assert fit(np.zeros((0, 2)), STRIDES) == ladder(STRIDES, 8.0)
