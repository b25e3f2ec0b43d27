from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from board_views import recording, views_of

from vitruve.calibration.report import describe
from vitruve.calibration.solve import Solution, camera_centers, solve
from vitruve.errors import InputError
from vitruve.geometry.board import Board
from vitruve.structures.camera import Camera, stack_cameras
from vitruve.synthetic.boards import BoardRecording


def _off(solution: Solution, cameras: tuple[Camera, ...]) -> np.ndarray:
    """How far cameras are from where they should be, mm."""
    centers = camera_centers(solution.bundle.cameras) - camera_centers(stack_cameras(cameras))
    return np.linalg.norm(centers, axis=-1)


@pytest.mark.parametrize("board", [Board(8, 5, 40.0), Board(7, 7, 30.0), Board(8, 6, 35.0)], ids=str)
def test_exact_corners_give_the_rig_back_however_boards_look_alike(board: Board) -> None:
    made = recording(board, spread=1.6)
    solution = solve(views_of(made, turned=True))
    assert solution.used.all()
    assert _off(solution, made.cameras).max() < 0.01
    np.testing.assert_allclose(solution.bundle.cameras.intrinsics, stack_cameras(made.cameras).intrinsics, atol=0.05)


def _fisheye_rig() -> BoardRecording:
    made = recording(cameras=3, instants=40, spread=1.0)
    lens = np.array([0.08, -0.03, 0.01, -0.002, 0, 0, 0, 0])
    cameras = [
        replace(each, intrinsics=each.intrinsics * [[0.5], [0.5], [1]] + [[0, 0, 160], [0, 0, 120], [0, 0, 0]])
        for each in made.cameras
    ]
    cameras = [replace(each, distortion=lens * (1 + 0.1 * i), fisheye=np.ones(())) for i, each in enumerate(cameras)]
    return BoardRecording.waved(Board(8, 5, 60.0), cameras, 40, reach=220.0, seed=1)


def test_exact_corners_give_fisheye_lenses_back() -> None:
    made = _fisheye_rig()
    views = views_of(made)
    solution = solve(views, lens="fisheye")
    found, truth = solution.bundle.cameras, stack_cameras(made.cameras)
    assert found.fisheye is not None and (found.fisheye == 1).all()
    assert np.nanmax(abs(solution.bundle.residuals(solution.sightings))) < 1e-3
    assert _off(solution, made.cameras).max() < 0.05
    np.testing.assert_allclose(found.intrinsics, truth.intrinsics, atol=0.05)
    np.testing.assert_allclose(found.distortion[:, :4], truth.distortion[:, :4], atol=0.05)
    assert not found.distortion[:, 4:].any()


def test_noise_moves_cameras_no_further_than_is_told() -> None:
    made = recording(cameras=4, instants=30)
    solution = solve(views_of(made, 0.3))
    report = describe(solution)
    told = np.array([item["position_deviation_mm"] for item in report["cameras"]])
    assert (_off(solution, made.cameras) <= 4 * told + 1e-9).all() and told[0] == 0
    assert 0.3 < report["error_px"]["mean"] < 0.4
    assert report["rig_size_mm"] == pytest.approx(
        np.linalg.norm(np.subtract(*camera_centers(stack_cameras(made.cameras))[[0, -1]])), rel=0.01
    )


def test_images_that_contradict_the_others_are_left_out() -> None:
    made = recording(instants=24)
    views = views_of(made, 0.1)
    # Of two images alone nobody knows which one is wrong.
    by_all = np.bincount(views.instant)[views.instant] == 3
    wrong = np.flatnonzero((views.camera == 0) & by_all)[:3]
    pixels = views.pixels.copy()
    pixels[wrong] = np.roll(pixels[wrong], 1, 0)
    solution = solve(replace(views, pixels=pixels))
    np.testing.assert_array_equal(np.flatnonzero(~solution.used), wrong)
    assert _off(solution, made.cameras).max() < 1.5


def test_a_camera_that_sees_less_sharply_keeps_its_boards() -> None:
    made = recording(cameras=4, instants=30)
    views = views_of(made, 0.05)
    blurred = views.camera == 3
    noise = np.random.default_rng(1).normal(size=views.pixels.shape) * 1.0
    solution = solve(replace(views, pixels=np.where(blurred[:, None, None], views.pixels + noise, views.pixels)))
    assert solution.used[blurred].mean() > 0.9
    assert describe(solution)["cameras"][3]["boards_used"] > 20
    assert _off(solution, made.cameras).max() < 5


def test_cameras_hang_together_through_others() -> None:
    made = recording(cameras=4, instants=40)
    views = views_of(made)
    # Neighbours alone share instants: 0-1, then 1-2, then 2-3.
    third = views.instant % 3
    views = views.where((views.camera == third) | (views.camera == third + 1))
    solution = solve(views, primary=2)
    assert {pair.cameras for pair in solution.pairs} == {(0, 1), (1, 2), (2, 3)}
    np.testing.assert_array_equal(solution.bundle.cameras.translation[2], 0)
    truth = camera_centers(stack_cameras(made.cameras))
    found = camera_centers(solution.bundle.cameras)
    wanted = np.linalg.norm(truth[:, None] - truth, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found, axis=-1), wanted, atol=0.05)


def test_groups_that_share_no_board_are_named() -> None:
    views = views_of(recording(cameras=4, instants=40))
    half = views.instant % 2
    with pytest.raises(InputError, match=r"cameras cam0, cam1 and cameras cam2, cam3 never see the board at the same"):
        solve(views.where((views.camera < 2) == (half == 0)))


def test_recordings_that_are_not_synchronous_are_told() -> None:
    views = views_of(recording(cameras=2, instants=40))
    late = np.where(views.camera == 1, views.instant + 7, views.instant)
    with pytest.raises(InputError, match="boards that tell no common pose: are they recorded at the same instants"):
        solve(replace(views, instant=late))


def test_advice_names_what_is_missing() -> None:
    made = recording(cameras=2, instants=40)
    views = views_of(made, 0.1)
    assert describe(solve(views))["cameras"][0]["boards_used"] > 20
    left = np.nanmax(views.pixels[..., 0], -1) < 330
    few = views.where((views.camera == 1) | left)
    advice = " ".join(describe(solve(few))["cameras"][0]["advice"])
    assert "right" in advice and "of the image have shown the board" in advice
    brown = solve(views, lens="brown").bundle.cameras.distortion
    assert (brown[:, 2:5] != 0).all()
