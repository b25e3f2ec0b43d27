"""Boxes in a grid: targets against a slow reference, and people there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from crowds import NUMBERS, people, photographs, rendered, similarity, skeleton

from vitruve.codecs import grid, grid_decode
from vitruve.structures.skeleton import Skeleton
from vitruve.structures.skeletons import known_skeleton
from vitruve.synthetic.crowd import FIGURES

SIZE = (384, 384)


def _layout(kind: Skeleton, stride: int = 32, neighbourhood: int = 9, spokes: bool = True) -> grid.Layout:
    return grid.Layout(grid.root_limbs(kind, spokes), len(kind), stride, neighbourhood)


def _targets(
    points: np.ndarray, boxes: np.ndarray | None, layout: grid.Layout, size: tuple[int, int] = SIZE
) -> tuple[dict[str, torch.Tensor], list[grid.Collision]]:
    keypoints = torch.from_numpy(points).float()
    around = grid.person_boxes(keypoints, None if boxes is None else torch.from_numpy(boxes).float(), size)
    targets = grid.encode(keypoints[None], around[None], layout, size)
    return {name: value[0] for name, value in targets.items()}, grid.collisions(keypoints, around, layout, size)


def _read(targets: dict[str, torch.Tensor], layout: grid.Layout) -> grid_decode.Persons:
    """What a network would give that knows the truth, decoded."""
    raw = {name: value.logit(1e-6).numpy() for name, value in targets.items()}
    return grid_decode.decode(raw["response"], raw["response"], raw["place"], raw["size"], raw["limbs"], layout)


def _reference(points: np.ndarray, boxes: np.ndarray, layout: grid.Layout, size: tuple[int, int]) -> dict:
    """Cell by cell, person by person, the smallest first so that larger ones replace them."""
    columns, rows = size[0] // layout.stride, size[1] // layout.stride
    shape = (layout.kinds, rows, columns)
    found = {"response": np.zeros(shape), "place": np.zeros((shape[0], 2, rows, columns))}
    found["size"], owner = np.zeros_like(found["place"]), np.full(shape, -1)
    order = np.argsort((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    for person in order:
        x1, y1, x2, y2 = boxes[person]
        for kind in range(layout.kinds):
            root = kind == layout.root
            x, y = ((x1 + x2) / 2, (y1 + y2) / 2) if root else points[person, kind]
            side = max(x2 - x1, y2 - y1) / 8
            width, height = (x2 - x1, y2 - y1) if root else (side, side)
            if not np.isfinite(x):
                continue
            u, v = (x + 0.5) / layout.stride, (y + 0.5) / layout.stride
            if not (0 <= u < columns and 0 <= v < rows):
                continue
            cell = (kind, int(v), int(u))
            found["response"][cell], owner[cell] = 1, person
            found["place"][kind, :, int(v), int(u)] = u - int(u), v - int(v)
            found["size"][kind, :, int(v), int(u)] = width / size[0], height / size[1]
    n = layout.neighbourhood
    found["limbs"] = np.zeros((len(layout.limbs), n, n, rows, columns))
    for limb, (a, b) in enumerate(layout.limbs):
        for y in range(rows):
            for x in range(columns):
                for i in range(n):
                    for j in range(n):
                        to = (y + i - n // 2, x + j - n // 2)
                        if 0 <= to[0] < rows and 0 <= to[1] < columns and owner[a, y, x] >= 0:
                            found["limbs"][limb, i, j, y, x] = owner[a, y, x] == owner[b, to[0], to[1]]
    return found


@pytest.mark.parametrize(("stride", "neighbourhood", "size"), [(32, 9, (384, 320)), (16, 5, (128, 160))])
def test_targets_are_those_of_the_slow_reference(stride: int, neighbourhood: int, size: tuple[int, int]) -> None:
    kind = skeleton(6)
    layout = _layout(kind, stride, neighbourhood)
    points = people(4, kind, size, 1, (30, 100))
    points[0, 0], points[1, 2] = [-0.5, size[1] - 0.6], [size[0] - 0.5, 5]  # the last is outside
    targets, _ = _targets(points, None, layout, size)
    boxes = grid.person_boxes(torch.from_numpy(points).float(), None, size).numpy()
    for name, wanted in _reference(points.astype(np.float32), boxes, layout, size).items():
        np.testing.assert_allclose(targets[name].numpy(), wanted, atol=1e-5, err_msg=name)


def test_the_tree_and_its_spokes() -> None:
    kind = Skeleton(("head", "neck", "tail"), ((0, 1), (1, 2)))
    assert grid.root_limbs(kind, False) == ((3, 1), (1, 0), (1, 2))
    assert grid.root_limbs(kind, True) == ((3, 1), (1, 0), (3, 0), (1, 2), (3, 2))
    paper = known_skeleton("openpose_mpii15")  # 16 kinds and 15 limbs: 1311 channels as in the paper
    layout = _layout(paper, spokes=False)
    assert 6 * layout.kinds + 81 * len(layout.limbs) == 1311


def test_the_box_of_a_person() -> None:
    points = torch.tensor([[[10.0, 20], [30, 60]], [[torch.nan] * 2, [torch.nan] * 2], [[50, 50], [400, 60]]])
    given = torch.tensor([[0.0, 0, 20, 70], [0, 0, 50, 50], [torch.nan] * 4])
    found = grid.person_boxes(points, given, (200, 100))
    torch.testing.assert_close(found[0], torch.tensor([0.0, 0, 30, 70]))  # as given, and around its keypoints
    assert bool(found[1].isnan().all())  # nothing of it is labelled
    torch.testing.assert_close(found[2], torch.tensor([15.0, 15, 199.5, 95]))  # enlarged, within the input


@pytest.mark.parametrize("spokes", [True, False])
@pytest.mark.parametrize("count", NUMBERS)
def test_people_of_any_skeleton_are_found_again(count: int, spokes: bool) -> None:
    kind = skeleton(count)
    points = people(3, kind, SIZE, count)
    if not spokes:  # what hangs on one that is missing cannot be reached along a tree
        points = people(3, kind, SIZE, count, missing=False)
    layout = _layout(kind, spokes=spokes)
    targets, lost = _targets(points, None, layout)
    assert lost == []
    found = _read(targets, layout)
    assert len(found.points) == 3
    areas = (np.nanmax(points, 1) - np.nanmin(points, 1)).prod(-1)
    assert similarity(found.points, points, areas, 0.05).min() > 0.99
    assert bool((np.isnan(found.points[..., 0]) == (found.scores == 0)).all())


def test_people_of_photographs_are_found_again(data_dir: Path) -> None:
    kind = known_skeleton("coco17")
    layout = _layout(kind)
    for points, boxes, areas in photographs(data_dir, SIZE):
        targets, lost = _targets(points, boxes, layout)
        assert lost == []
        found = _read(targets, layout)
        assert len(found.points) == len(points)
        assert similarity(found.points, points, areas, np.array(kind.sigmas)).min() > 0.99
        around = np.concatenate([np.nanmin(points, 1), np.nanmax(points, 1)], -1)
        wanted = np.where([True, True, False, False], np.minimum(boxes, around), np.maximum(boxes, around))
        np.testing.assert_allclose(np.sort(found.boxes, 0), np.sort(wanted.clip(-0.5, 383.5), 0), atol=0.1)


@pytest.mark.parametrize("joints", FIGURES)
def test_people_of_rendered_crowds_are_found_again_but_for_collisions(joints: int) -> None:
    kind = FIGURES[joints]
    layout, whole = _layout(kind), 0
    for points, boxes, areas in rendered(joints, SIZE):
        targets, lost = _targets(points, boxes, layout)
        smaller = {person for each in lost for person in each.persons[1:]}
        free = [person for person in range(len(points)) if person not in smaller]
        alike = similarity(_read(targets, layout).points, points, areas, np.array(kind.sigmas))
        assert alike[free].min(initial=1) > 0.95
        whole += len(free)
    assert whole > 5


def test_what_collides_is_listed_and_the_larger_person_is_kept() -> None:
    kind = skeleton(3)
    points = np.array([[[40.0, 40], [80, 40], [40, 90]], [[50.0, 50], [70, 100], [200, 200]]])
    layout = _layout(kind)
    targets, lost = _targets(points, None, layout)
    assert lost == [grid.Collision(0, (1, 1), (1, 0))]
    found = _read(targets, layout)
    assert len(found.points) == 2
    small, large = sorted(found.points, key=lambda each: np.nanmax(each))
    np.testing.assert_allclose(large, points[1], atol=0.01)
    assert np.isnan(small[0]).all()
    np.testing.assert_allclose(small[1:], points[0, 1:], atol=0.01)


def test_limbs_end_in_the_neighbourhood() -> None:
    kind = Skeleton(("a", "neck"), ((0, 1),))
    points = np.array([[[20.0, 20], [20, 340]]])
    for neighbourhood, reached in ((9, [False, False]), (21, [True, True])):
        layout = _layout(kind, neighbourhood=neighbourhood)
        found = _read(_targets(points, None, layout)[0], layout)
        assert np.isfinite(found.points[0, :, 0]).tolist() == reached


def test_scores_are_response_times_iou_and_the_better_of_two_boxes_stays() -> None:
    kind = Skeleton(("neck",))
    layout = grid.Layout(((1, 0),), 1)
    shape = (2, 3, 3)
    response, iou = np.full(shape, -9.0, np.float32), np.zeros(shape, np.float32)
    place, size = np.zeros((2, 2, 3, 3), np.float32), np.zeros((2, 2, 3, 3), np.float32)  # half the input
    limbs = np.full((1, 9, 9, 3, 3), 9, np.float32)
    response[:, 1, 1], response[:, 1, 2] = 4, 6  # the second is surer, but its box is worse
    iou[:, 1, 1], iou[:, 1, 2] = 2, -1
    place[:, 0, 1, 1], place[:, 0, 1, 2] = 3, -3  # on either side of the edge between two cells
    found = grid_decode.decode(response, iou, place, size, limbs, layout)
    assert len(found.points) == 1 == len(kind)
    x = (1 + 1 / (1 + np.exp(-3))) * 32 - 0.5
    np.testing.assert_allclose(found.points[0, 0], [x, 47.5], rtol=1e-6)
    np.testing.assert_allclose(found.scores[0, 0], 1 / (1 + np.exp(-4)) / (1 + np.exp(-2)), rtol=1e-6)
    np.testing.assert_allclose(found.boxes[0], [x - 24, 23.5, x + 24, 71.5], rtol=1e-6)
    place[:, 0, 1, 1], place[:, 0, 1, 2] = -9, 9  # far apart, they are two
    apart = grid_decode.decode(response, iou, place, size - 3, limbs, layout)
    assert len(apart.points) == 2


def test_the_keypoint_goes_to_the_person_whose_limb_is_surer() -> None:
    layout = grid.Layout(((1, 0),), 1)
    response = np.full((2, 2, 4), -9.0, np.float32)
    response[1, 0, 0] = response[1, 0, 3] = 5
    response[0, 1, 1] = 5
    limbs = np.full((1, 9, 9, 2, 4), -9.0, np.float32)
    limbs[0, 5, 5, 0, 0], limbs[0, 5, 2, 0, 3] = 1, 3  # a row down, one to the right and two to the left
    blank = np.full((2, 2, 2, 4), -2.0, np.float32)
    found = grid_decode.decode(response, -response * 0 + 5, blank, blank, limbs, layout)
    assert np.isfinite(found.points[:, 0, 0]).tolist() == [False, True]
    assert found.cells[1].tolist() == [5]


def test_an_empty_image_has_nobody() -> None:
    layout = _layout(skeleton(3))
    targets, lost = _targets(np.full((1, 3, 2), np.nan), None, layout)
    assert not any(bool(value.any()) for value in targets.values()) and lost == []
    assert _read(targets, layout).points.shape == (0, 3, 2)
