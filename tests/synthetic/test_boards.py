from __future__ import annotations

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.geometry.board import Board
from vitruve.synthetic.boards import BoardRecording, ring_of_cameras

BOARD = Board(8, 5, 40.0)


@pytest.mark.parametrize("count", [2, 6])
def test_the_board_is_moved_about_the_place_that_all_cameras_look_at(count: int) -> None:
    made = BoardRecording.waved(BOARD, ring_of_cameras(count), 40, reach=50.0)
    middles = made.rotation @ BOARD.middle + made.translation
    for camera in made.cameras:
        inside = middles @ camera.rotation.T + camera.translation
        assert (inside[:, 2] > 400).all() and np.abs(inside[:, :2]).max() < 100
    # Each instant is seen by one camera at least.
    assert np.isfinite(made.corners()).all((-1, -2)).any(1).mean() > 0.9


def test_cameras_that_look_at_no_common_place_are_refused() -> None:
    one = ring_of_cameras(1)
    for cameras in (one, one * 3):
        with pytest.raises(InputError, match="do not look at one place; give two or more"):
            BoardRecording.waved(BOARD, cameras, 5)
