"""Composite fields: targets against a slow reference, the map against its formula, and people there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from crowds import NUMBERS, people, photographs, rendered, similarity, skeleton

from vitruve.codecs import fields, fields_decode, limb_graph
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import known_skeleton
from vitruve.synthetic.crowd import FIGURES

SIZE, STRIDE = (432, 368), 8
GRID = (SIZE[0] // STRIDE, SIZE[1] // STRIDE)


def _raw(targets: torch.Tensor, ends: int) -> np.ndarray:
    """What a network would give that knows the truth."""
    sure = 12 * (2 * targets[:, :1].nan_to_num(0) - 1)
    scales = targets[:, 1 + 2 * ends :].nan_to_num(0.5).clamp_min(1e-3)
    known = targets[:, 1 : 1 + 2 * ends].nan_to_num(0)
    return torch.cat([sure, known, torch.zeros_like(scales), scales.expm1().log()], 1).numpy()


def _there_and_back(points: np.ndarray, kind: Skeleton, stride: int = STRIDE) -> tuple[np.ndarray, ...]:
    keypoints = torch.from_numpy(points).float()[None]
    sigmas = torch.tensor(kind.sigmas or (fields.SIGMA,) * len(kind))
    scales = fields.instance_sizes(keypoints)[..., None] * sigmas / stride
    edges = limb_graph.connected(len(kind), kind.edges)
    bridges = limb_graph.bridges(len(kind), edges)
    cells, size = fields.to_cells(keypoints, stride), (SIZE[0] // stride, SIZE[1] // stride)
    joints = fields.encode_joints(cells, scales, size)[0]
    limbs = fields.encode_limbs(cells, scales, torch.tensor(edges + bridges), size)[0]
    graph = fields_decode.graph(len(kind), edges, bridges)
    return fields_decode.decode(_raw(joints, 1), _raw(limbs, 2), graph, stride)


def _crowd(seed: int, people_count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-2, 14, (2, people_count, 3, 2))
    points[rng.random(points.shape[:-1]) < 0.2] = np.nan
    scales = rng.uniform(0.2, 2, (2, people_count, 3))
    scales[0, 0] = np.nan
    return torch.from_numpy(points).float(), torch.from_numpy(scales).float()


def test_joints_are_those_of_the_slow_reference() -> None:
    points, scales = _crowd(0)
    width, height = 13, 11
    found = fields.encode_joints(points, scales, (width, height)).numpy()
    wanted = np.full(found.shape, np.nan)
    wanted[:, :, 0] = 0
    for b, k in np.ndindex(2, 3):
        best = np.full((height, width), np.inf)
        for n in range(points.shape[1]):
            x, y = points[b, n, k].numpy()
            if np.isnan(x):
                continue
            left, top = np.round(x - np.float32(1.5)), np.round(y - np.float32(1.5))
            for row in range(height):
                for column in range(width):
                    if not (left <= column < left + 4 and top <= row < top + 4):
                        continue
                    away = np.hypot(x - column, y - row)
                    if away < best[row, column]:
                        best[row, column] = away
                        wanted[b, k, :, row, column] = 1, x - column, y - row, scales[b, n, k]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert (found[:, :, 0] == 1).sum() > 50


def test_limbs_are_those_of_the_slow_reference() -> None:
    points, scales = _crowd(1)
    width, height = 13, 11
    edges = [(0, 1), (2, 1)]
    found = fields.encode_limbs(points, scales, torch.tensor(edges), (width, height)).numpy()
    for b, limb in np.ndindex(2, 2):
        best = np.full((height, width), np.inf)
        wanted = np.full((7, height, width), np.nan)
        wanted[0] = 0
        for n in range(points.shape[1]):
            first, last = (points[b, n, k].double().numpy() for k in edges[limb])
            if np.isnan(first + last).any():
                continue
            along = last - first
            length = np.hypot(*along)
            margin = np.clip(1.5 / length, 0.25, 0.4)
            whole = all(-0.5 <= e[0] <= width - 0.5 and -0.5 <= e[1] <= height - 0.5 for e in (first, last))
            covered = set()
            for share in np.linspace(margin, 1 - margin, 400):  # finer than the codec: a superset of its cells
                x, y = np.round(first + share * along - 1)
                covered |= {(int(x) + i, int(y) + j) for i in range(3) for j in range(3)}
            for column, row in covered:
                if 0 <= column < width and 0 <= row < height:
                    cell = np.array([column, row])
                    away = abs(along[0] * (first - cell)[1] - along[1] * (first - cell)[0]) / length
                    if away < best[row, column]:
                        best[row, column] = away
                        one, other = (scales[b, n, k] for k in edges[limb])
                        wanted[:, row, column] = 1 if whole else np.nan, *(first - cell), *(last - cell), one, other
        spoken = ~np.isnan(found[b, limb, 1])
        assert spoken.sum() >= 0.9 * (~np.isnan(wanted[1])).sum() > 0
        agree = np.isclose(found[b, limb], wanted, atol=1e-4, equal_nan=True).all(0)
        assert agree.mean() > 0.97  # cells that only the finer steps of another limb touch may differ


def test_a_limb_is_three_cells_wide_and_leaves_out_its_ends() -> None:
    points = torch.tensor([[[[2.0, 5], [18, 5]]]])
    confidence = fields.encode_limbs(points, torch.ones(1, 1, 2), torch.tensor([[0, 1]]), (24, 11))[0, 0, 0]
    rows, columns = confidence.nonzero(as_tuple=True)
    assert set(rows.tolist()) == {4, 5, 6} and set(columns.tolist()) == set(range(5, 16))  # 6 to 14, and one around
    short = torch.tensor([[[[5.0, 5], [5.5, 5]]]])
    assert int(fields.encode_limbs(short, torch.ones(1, 1, 2), torch.tensor([[0, 1]]), (24, 11))[0, 0, 0].sum()) >= 9


def test_a_limb_that_leaves_the_field_teaches_no_confidence() -> None:
    points = torch.tensor([[[[2.0, 5], [30, 5]]]])
    confidence = fields.encode_limbs(points, torch.ones(1, 1, 2), torch.tensor([[0, 1]]), (24, 11))[0, 0, 0]
    assert bool(confidence[5, 12].isnan()) and not bool((confidence == 1).any())


def test_sizes_of_instances() -> None:
    nan = torch.nan
    points = torch.tensor(
        [
            [[0.0, 0], [4, 0], [4, 9]],  # a box of 4 x 9
            [[0.0, 0], [0, 6], [0, 12]],  # a line: half of that turned by 45 degrees
            [[0.0, 0], [4, 4], [nan, nan]],  # too few: its box
            [[0.0, 0], [nan, nan], [nan, nan]],
        ]
    )
    boxes = torch.tensor([[0.0, 0, 100, 100], [nan] * 4, [0, 0, 5, 20], [nan] * 4])
    torch.testing.assert_close(fields.instance_sizes(points, boxes), torch.tensor([6.0, 6, 10, nan]), equal_nan=True)
    assert bool(fields.instance_sizes(points)[2:].isnan().all())


def test_a_person_with_one_keypoint_is_there_without_a_size() -> None:
    points = torch.full((1, 1, 3, 2), torch.nan)
    points[0, 0, 1] = 5.0
    scales = fields.instance_sizes(points)[..., None].expand(-1, -1, 3)
    joints = fields.encode_joints(points, scales, (11, 11))[0, 1]
    assert int(joints[0].sum()) == 16 and bool(joints[3].isnan().all())


def test_ignored_cells_say_nothing() -> None:
    points, scales = _crowd(2)
    ignored = torch.zeros(2, 11, 13, dtype=torch.bool)
    ignored[0, 3:6, 4:9] = True
    whole = fields.encode_joints(points, scales, (13, 11))
    part = fields.without(whole, ignored)
    assert bool(part[0, :, :, 3:6, 4:9].isnan().all())
    torch.testing.assert_close(part[1], whole[1], equal_nan=True)
    assert fields.without(whole, None) is whole


def test_the_map_is_a_sum_of_gaussians_of_half_the_scale_and_at_least_a_pixel() -> None:
    for scale, sigma in ((6.0, 3.0), (1.0, 1.0)):
        joints = np.full((1, 5, 5, 5), -20, np.float32)
        joints[0, 1:3, 2, 2] = 0.25, -0.5  # at (2.25, 1.5) in cells
        joints[0, 0, 2, 2], joints[0, 4, 2, 2] = np.log(0.8 / 0.2), np.log(np.expm1(scale / 8))
        heights = np.zeros((1, 40, 40), np.float32)
        fields_decode._draw(joints, 8.0, heights)
        y, x = np.mgrid[:40, :40]
        away = (x - 21.5) ** 2 + (y - 15.5) ** 2
        wanted = 0.8 / 16 * np.exp(-away / (2 * sigma**2))
        near = (abs(x - 21.5) <= 2.5 * sigma) & (abs(y - 15.5) <= 2.5 * sigma)
        np.testing.assert_allclose(heights[0], np.where(near, wanted, 0), atol=1e-6)


@pytest.mark.parametrize("count", NUMBERS)
def test_people_of_any_skeleton_are_found_again(count: int) -> None:
    kind = skeleton(count)
    points = people(3, kind, SIZE, count)
    found, scores, total = _there_and_back(points, kind)
    assert len(found) == 3 and bool((np.diff(total) <= 0).all()) and bool(((scores >= 0) & (scores <= 1)).all())
    areas = (np.nanmax(points, 1) - np.nanmin(points, 1)).prod(-1)
    assert similarity(found, points, areas, 0.05).min() > 0.99
    assert bool((np.isnan(found[..., 0]) == (scores == 0)).all())


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_people_of_photographs_are_found_again(data_dir: Path, stride: int) -> None:
    kind = known_skeleton("coco17")
    for points, _, areas in photographs(data_dir, SIZE):
        found, _, _ = _there_and_back(points, kind, stride)
        assert similarity(found, points, areas, np.array(kind.sigmas)).min() > 0.95


@pytest.mark.parametrize("joints", FIGURES)
def test_people_of_rendered_crowds_are_found_again(joints: int) -> None:
    kind = FIGURES[joints]
    for points, _, areas in rendered(joints, SIZE):
        found, _, _ = _there_and_back(points, kind)
        assert similarity(found, points, areas, np.array(kind.sigmas)).min(initial=1) > 0.95


def test_columns_and_rows_are_treated_alike() -> None:
    """The decoder that checked one of its bounds in the wrong direction gave something else for a turned image."""
    kind = skeleton(14)
    points = people(3, kind, (320, 320), 3, (60, 110))
    results = []
    for turned in (False, True):
        keypoints = torch.from_numpy(points[..., ::-1].copy() if turned else points).float()[None]
        scales = fields.instance_sizes(keypoints)[..., None].expand(-1, -1, 14) * 0.05 / 8
        cells = fields.to_cells(keypoints, 8)
        joints = _raw(fields.encode_joints(cells, scales, (40, 40))[0], 1)
        limbs = _raw(fields.encode_limbs(cells, scales, torch.tensor(kind.edges), (40, 40))[0], 2)
        graph = fields_decode.graph(14, kind.edges)
        found = fields_decode.decode(joints, limbs, graph, 8)[0]
        results.append(found[..., ::-1] if turned else found)
    assert results[0].shape == results[1].shape == (3, 14, 2)
    order = [np.nanargmin(np.nansum(abs(results[1] - each), (1, 2))) for each in results[0]]
    np.testing.assert_allclose(results[0], results[1][order], atol=0.05)


@pytest.mark.parametrize("edge", [0, 1, 2, 3])
def test_at_an_edge_keypoints_are_as_sure_as_elsewhere(edge: int) -> None:
    """Half of the cells that point at them lie outside, so that people who leave the image were lost."""
    points = np.array([[[60.0, 100], [100, 100], [140, 100]]])
    points = points - [0, 100] if edge % 2 else points[..., ::-1] - [100, 0]
    points = points if edge < 2 else np.array(SIZE) - 1 - points
    found, scores, _ = _there_and_back(points, skeleton(3))
    np.testing.assert_allclose(found, points, atol=0.05)
    assert scores.min() > 0.95


def test_people_who_cross_both_have_the_keypoint_in_which_they_do() -> None:
    line = np.array([[0.0, 0], [40, 0], [80, 10], [120, 0], [160, 0]])
    points = np.stack([line + np.full(2, 100), line[:, ::-1] + np.array([170, 28])])
    assert np.hypot(*(points[0, 2] - points[1, 2])) == 2
    found, _, _ = _there_and_back(points, Skeleton(tuple("abcde"), ((0, 1), (1, 2), (2, 3), (3, 4))))
    order = np.argsort(found[:, 0, 0])
    np.testing.assert_allclose(found[order], points, atol=2.1)


def test_an_instance_that_is_there_twice_is_given_once() -> None:
    instances = np.zeros((2, 4, 4))
    instances[:, :, :2] = np.arange(4)[:, None] * 30 + 10
    instances[:, :, 2], instances[:, :, 3] = [[0.9], [0.5]], 4
    instances[1, 2, 0] += 20
    for apart in (1, 2):
        both = instances.copy()
        both[1, 3, 1] += 20 * (apart - 1)
        fields_decode._drop_doubles(both, np.zeros((4, 80, 80), bool), 0.15)
        assert (both[0, :, 2] > 0).all()
        assert (both[1, :, 2] > 0).tolist() == ([False, False, True, False] if apart == 1 else [True] * 4)


def test_a_way_that_does_not_lead_back_is_not_taken() -> None:
    kind = Skeleton(("a", "b"), ((0, 1),))
    points = torch.tensor([[[[10.0, 20], [30, 20]]]])
    scales = torch.full((1, 1, 2), 0.5)
    joints = _raw(fields.encode_joints(points, scales, (50, 40))[0], 1)
    limbs = _raw(fields.encode_limbs(points, scales, torch.tensor(kind.edges), (50, 40))[0], 2)
    graph = fields_decode.graph(2, kind.edges)
    together = fields_decode.decode(joints, limbs, graph, 8, min_keypoints=1)[0]
    assert len(together) == 1 and np.isfinite(together).all()
    limbs[0, 1] += 3.0  # the same limb begins three cells further on when seen from its end
    apart = fields_decode.decode(joints, limbs, graph, 8, min_keypoints=1)[0]
    assert len(apart) == 2


def test_a_single_keypoint_and_an_empty_image() -> None:
    graph = fields_decode.graph(1, ())
    nothing = np.full((1, 5, 6, 6), -9, np.float32)
    limbs = np.zeros((0, 9, 6, 6), np.float32)
    assert fields_decode.decode(nothing, limbs, graph, 8)[0].shape == (0, 1, 2)
    one = _raw(fields.encode_joints(torch.tensor([[[[3.0, 3.0]]]]), torch.ones(1, 1, 1), (6, 6))[0], 1)
    found = fields_decode.decode(one, limbs, graph, 8)[0]
    np.testing.assert_allclose(found, [[[27.5, 27.5]]], atol=0.01)
