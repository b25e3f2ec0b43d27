from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from vitruve.structures.instances import OCCLUDED, UNLABELLED, VISIBLE, Instances, apply_matrix

LEAD, N, K = (3, 2), 4, 5


def _instances(seed: int = 0, lead: tuple[int, ...] = LEAD) -> Instances:
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0, 100, (*lead, N, K, 2))
    keypoints[..., 1, 2, :] = np.nan
    low = rng.uniform(0, 50, (*lead, N, 2))
    return Instances(
        keypoints,
        np.where(np.isnan(keypoints[..., 0]), UNLABELLED, VISIBLE).astype(np.int8),
        keypoint_scores=rng.uniform(size=(*lead, N, K)),
        scores=rng.uniform(size=(*lead, N)),
        boxes=np.concatenate([low, low + rng.uniform(1, 50, (*lead, N, 2))], -1),
        categories=np.zeros((*lead, N), np.int64),
        tracks=np.arange(N) + np.zeros((*lead, N), np.int64),
        areas=rng.uniform(1, 50, (*lead, N)),
        head_boxes=np.concatenate([low, low + rng.uniform(1, 9, (*lead, N, 2))], -1),
        crowds=rng.uniform(size=(*lead, N)) < 0.5,
    )


def _slow(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    x, y, w = matrix.astype(np.float64) @ np.array([*point, 1.0])
    return np.array([x / w, y / w])


def _matrices(kind: str, lead: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(7)
    matrix = np.eye(3) + rng.uniform(-0.3, 0.3, (*lead, 3, 3))
    matrix[..., :2, 2] = rng.uniform(-20, 20, (*lead, 2))
    matrix[..., 2, :] = (0, 0, 1)
    if kind == "projective":
        matrix[..., 2, :2] = rng.uniform(-1e-3, 1e-3, (*lead, 2))
    if kind == "scaled":
        matrix *= 2.0
    return matrix


@pytest.mark.parametrize("kind", ["affine", "projective", "scaled"])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("torched", [False, True])
def test_transformed_agrees_with_homogeneous_coordinates_one_by_one(kind: str, batched: bool, torched: bool) -> None:
    instances = _instances()
    matrices = _matrices(kind, LEAD if batched else ())
    given: Any = instances.map(torch.from_numpy) if torched else instances
    moved = given.transformed(torch.from_numpy(matrices) if torched else matrices).numpy()
    for lead in np.ndindex(LEAD):
        matrix = matrices[lead] if batched else matrices
        for n, k in np.ndindex(N, K):
            expected = _slow(matrix, instances.keypoints[(*lead, n, k)])
            np.testing.assert_allclose(moved.keypoints[(*lead, n, k)], expected, rtol=1e-9, atol=1e-9)
        for n in range(N):
            x1, y1, x2, y2 = instances.boxes[(*lead, n)]  # type: ignore[index]
            corners = np.array([_slow(matrix, np.array(c)) for c in ((x1, y1), (x2, y1), (x1, y2), (x2, y2))])
            expected = np.concatenate([corners.min(0), corners.max(0)])
            np.testing.assert_allclose(moved.boxes[(*lead, n)], expected, rtol=1e-9, atol=1e-9)  # type: ignore[index]
    np.testing.assert_array_equal(moved.visible, instances.visible)
    np.testing.assert_array_equal(moved.keypoint_scores, instances.keypoint_scores)
    assert np.isnan(moved.keypoints[..., 1, 2, :]).all()


@pytest.mark.parametrize("kind", ["affine", "projective"])
def test_points_keep_their_digits_where_a_network_is_trained_in_half_precision(kind: str) -> None:
    """bfloat16 would round 301.77 to 302: truth, decoded keypoints and errors would all be off by a pixel."""
    rng = np.random.default_rng(0)
    points, matrices = rng.uniform(0, 1000, (2, 4, 5, 2)), _matrices(kind, (2,))
    instances = Instances.from_keypoints(torch.from_numpy(points).float())
    with torch.autocast("cpu", torch.bfloat16):
        moved = instances.transformed(torch.from_numpy(matrices).float()).keypoints
    assert moved.dtype == torch.float32
    np.testing.assert_allclose(moved.numpy(), apply_matrix(matrices, points), rtol=2e-5, atol=2e-3)


def test_the_precision_of_the_points_is_kept() -> None:
    points = np.zeros((1, 2, 2), np.float32)
    assert apply_matrix(np.eye(3), points).dtype == np.float32
    assert apply_matrix(torch.eye(3, dtype=torch.float64), torch.from_numpy(points)).dtype == torch.float32


def test_points_in_space_are_not_moved_in_the_plane() -> None:
    with pytest.raises(ValueError, match="three dimensions"):
        Instances.from_keypoints(np.zeros((1, 2, 3))).transformed(np.eye(3))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("visible", (N,)),
        ("keypoint_scores", (N, K, 2)),
        ("scores", (N, K)),
        ("boxes", (N, 2)),
        ("categories", (1, N)),
        ("tracks", (N + 1,)),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(name: str, shape: tuple[int, ...]) -> None:
    whole = {"keypoints": np.zeros((N, K, 2)), "visible": np.zeros((N, K), np.int8)}
    value = np.zeros(shape, np.int64 if name in ("categories", "tracks") else np.float64)
    with pytest.raises(Exception, match=name):  # the shape checker of the tests may be quicker than the class
        Instances(**{**whole, name: value})


def test_no_sentinel_is_needed_for_what_is_missing() -> None:
    keypoints = np.array([[[1.0, 2.0], [np.nan, 3.0], [np.nan, np.nan]]])
    for array in (keypoints, torch.from_numpy(keypoints)):
        instances = Instances.from_keypoints(array).numpy()
        np.testing.assert_array_equal(instances.visible, [[VISIBLE, UNLABELLED, UNLABELLED]])


def test_indexing_keeps_arrays_parallel() -> None:
    instances = _instances()
    one = instances[1]
    assert one.keypoints.shape == (2, N, K, 2) and one.scores is not None and one.scores.shape == (2, N)
    picked = instances[0, 1][[2, 0]]
    np.testing.assert_array_equal(picked.tracks, [2, 0])
    np.testing.assert_array_equal(picked.keypoints, instances.keypoints[0, 1, [2, 0]])
    assert picked.num_keypoints == K


@pytest.mark.parametrize("torched", [False, True])
def test_present_tells_padding_from_instances(torched: bool) -> None:
    keypoints = np.full((4, 2, 2), np.nan)
    visible = np.zeros((4, 2), np.int8)
    visible[1, 0] = OCCLUDED
    boxes = np.full((4, 4), np.nan)
    boxes[2] = (0, 0, 5, 5)
    plain, boxed = Instances(keypoints, visible), Instances(keypoints, visible, boxes=boxes)
    if torched:
        plain, boxed = plain.map(torch.from_numpy), boxed.map(torch.from_numpy)
    np.testing.assert_array_equal(np.asarray(plain.present), [False, True, False, False])
    np.testing.assert_array_equal(np.asarray(boxed.present), [False, True, True, False])


def test_a_detector_has_no_keypoints() -> None:
    boxes = np.array([[0.0, 0.0, 10.0, 20.0]])
    found = Instances(np.zeros((1, 0, 2)), np.zeros((1, 0), np.int8), boxes=boxes)
    assert found.present.tolist() == [True]
    np.testing.assert_allclose(found.transformed(np.diag([2.0, 3.0, 1.0])).boxes, [[0, 0, 20, 60]])


def test_empty_has_no_instance_below_any_axes() -> None:
    empty = Instances.empty(3, (2, 5), dims=3)
    assert empty.keypoints.shape == (2, 5, 0, 3, 3) and empty.present.shape == (2, 5, 0)


def test_tensors_with_gradients_come_back_as_arrays() -> None:
    found = Instances.from_keypoints(torch.ones(1, 2, 2, requires_grad=True)).numpy()
    assert isinstance(found.keypoints, np.ndarray) and isinstance(found.visible, np.ndarray)


@pytest.mark.parametrize("torched", [False, True])
def test_areas_grow_as_the_plane_does(torched: bool) -> None:
    instances = _instances()
    matrix = 2.0 * np.array([[0.0, -3.0, 5.0], [2.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    given: Any = instances.map(torch.from_numpy) if torched else instances
    moved = given.transformed(torch.from_numpy(matrix) if torched else matrix).numpy()
    np.testing.assert_allclose(moved.areas, 6 * np.asarray(instances.areas))
    x1, y1, x2, y2 = np.moveaxis(np.asarray(instances.head_boxes), -1, 0)
    expected = np.stack([5 - 3 * y2, 1 + 2 * x1, 5 - 3 * y1, 1 + 2 * x2], -1)
    np.testing.assert_allclose(moved.head_boxes, expected, atol=1e-9)
    np.testing.assert_array_equal(moved.crowds, instances.crowds)
