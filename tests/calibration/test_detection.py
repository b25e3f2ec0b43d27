from __future__ import annotations

import numpy as np
import pytest
from board_views import recording

from vitruve.calibration.detection import find_corners, why_none
from vitruve.geometry.board import Board
from vitruve.synthetic.boards import BoardRecording, ring_of_cameras

CHARUCO = Board(8, 5, 40.0, 30.0)


def _pictures(board: Board, instants: int = 2) -> tuple[BoardRecording, list[np.ndarray]]:
    made = BoardRecording.waved(board, ring_of_cameras(2, (400, 300), spread=0.2), instants, reach=40.0, seed=2)
    return made, list(made.images(0))


@pytest.mark.parametrize("board", [Board(8, 5, 40.0), Board(5, 8, 40.0), CHARUCO], ids=["wide", "high", "charuco"])
def test_corners_are_found_to_a_fraction_of_a_pixel_each_under_its_number(board: Board) -> None:
    made, pictures = _pictures(board)
    for picture, exact in zip(pictures, made.corners()[:, 0], strict=True):
        found = find_corners(board, picture)
        assert found is not None
        off = np.linalg.norm(found - exact, axis=-1)
        assert np.nanmedian(off) < 0.2 and np.nanmax(off) < 1.0
        assert np.isfinite(off).sum() > 20


def test_large_images_are_measured_as_they_are_wherever_the_board_was_found() -> None:
    """Corners must be as exact as pixels of the whole image are, near, and far away in a small part of it."""
    for radius in (700.0, 1800.0):
        cameras = ring_of_cameras(2, (720, 540), radius=radius, spread=0.2)
        made = BoardRecording.waved(Board(8, 5, 40.0), cameras, 1, reach=0.0, seed=1)
        found = find_corners(made.board, next(made.images(0)))
        assert found is not None
        off = np.linalg.norm(found - made.corners()[0, 0], axis=-1)
        assert np.median(off) < 0.1 and np.max(off) < 0.5


def test_a_dark_board_is_found_and_measured() -> None:
    made, pictures = _pictures(Board(8, 5, 40.0))
    found = find_corners(made.board, pictures[0] // 6 + 20)
    assert found is not None
    assert np.median(np.linalg.norm(found - made.corners()[0, 0], axis=-1)) < 0.2


def test_a_board_that_looks_alike_is_found_in_one_of_its_orders() -> None:
    board = Board(7, 7, 40.0)
    made, pictures = _pictures(board)
    for picture, exact in zip(pictures, made.corners()[:, 0], strict=True):
        found = find_corners(board, picture)
        assert found is not None
        turned = [np.linalg.norm(found - exact[turn], axis=-1).max() for turn in board.turns]
        assert min(turned) < 1.0


def test_part_of_a_charuco_board_is_enough() -> None:
    made, pictures = _pictures(CHARUCO, 1)
    picture = pictures[0].copy()
    picture[:, : int(np.median(made.corners()[0, 0, :, 0]))] = 90
    found = find_corners(CHARUCO, picture)
    assert found is not None
    assert 6 <= np.isfinite(found[:, 0]).sum() < len(CHARUCO.points)
    assert find_corners(Board(8, 5, 40.0), picture) is None


def _blurred(picture: np.ndarray) -> np.ndarray:
    kernel = np.ones(31) / 31
    once = np.apply_along_axis(np.convolve, 0, picture.astype(float), kernel, "same")
    return np.apply_along_axis(np.convolve, 1, once, kernel, "same").astype(np.uint8)


def test_the_reason_is_told_when_no_board_is_found() -> None:
    _, plain = _pictures(Board(8, 5, 40.0), 1)
    _, marked = _pictures(CHARUCO, 1)
    empty = np.full((240, 320), 120, np.uint8)
    rough = list(np.random.default_rng(0).integers(60, 200, (2, 240, 320)).astype(np.uint8))
    assert "8x5 squares is seen, not one of 9x6" in why_none(Board(9, 6, 40.0), plain)
    assert "ChArUco board" in why_none(Board(9, 6, 40.0), marked)
    assert "dictionary=4X4_50" in why_none(Board(8, 5, 40.0, 30.0, "5X5_50"), marked)
    assert "their arrangement is another one" in why_none(Board(5, 8, 40.0, 30.0), marked)
    assert "are dark" in why_none(Board(8, 5, 40.0), [empty // 10])
    assert "overexposed" in why_none(Board(8, 5, 40.0), [empty + 120])
    assert "hardly any contrast" in why_none(Board(8, 5, 40.0), [empty])
    assert "are blurred" in why_none(Board(8, 5, 40.0), [_blurred(plain[0])])
    assert "no board of 8x5 squares is seen whole" in why_none(Board(8, 5, 40.0), rough)


def test_rendered_corners_are_hidden_behind_the_board() -> None:
    made = recording(spread=3.0, cameras=3, instants=20)
    known = ~np.isnan(made.corners()).all((-1, -2))
    assert not known.all() and known.any(0).all()
