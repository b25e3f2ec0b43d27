from __future__ import annotations

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.geometry.board import Board


def test_corners_are_numbered_row_by_row() -> None:
    board = Board(5, 4, 10.0)
    assert board.corners == (4, 3)
    np.testing.assert_array_equal(board.points[[0, 3, 4, 11]], [[10, 10, 0], [40, 10, 0], [10, 20, 0], [40, 30, 0]])
    np.testing.assert_array_equal(board.middle, board.points.mean(0))


@pytest.mark.parametrize(("columns", "rows", "count"), [(8, 5, 1), (8, 6, 2), (7, 5, 2), (8, 8, 2), (7, 7, 4)])
def test_the_print_looks_alike_in_just_the_turns_that_are_told(columns: int, rows: int, count: int) -> None:
    board = Board(columns, rows, 1.0)
    assert len(board.turns) == count
    image = board.image(4)
    alike = sum(
        np.rot90(image, quarter).shape == image.shape and (np.rot90(image, quarter) == image).all()
        for quarter in range(4)
    )
    assert alike == count
    assert len(Board(columns, rows, 1.0, 0.5).turns) == 1


def test_the_print_of_a_charuco_board_has_corners_at_its_points() -> None:
    image = Board(5, 4, 10.0, 7.0).image(20)
    assert image.shape == (6 * 20, 7 * 20)
    # The first corner lies between a black and a white square.
    assert image[22, 22] == 0 and image[22, 58] == 255


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((3, 5, 10.0), "checkerboard 3x5: has too few squares; count the squares .* at least 4 by 4"),
        ((3, 3, 10.0, 5.0), "ChArUco board 3x3: has too few squares; .* at least 3 by 4"),
        ((8, 2, 10.0, 5.0), "ChArUco board 8x2: has too few"),
        ((8, 5, 0.0), "above 0"),
        ((8, 5, 10.0, 12.0), "inside squares"),
        ((8, 5, 10.0, 5.0, "4X4_51"), "did you mean '4X4_50'"),
        ((30, 20, 10.0, 5.0), "fewer markers"),
    ],
)
def test_an_impossible_board_is_refused(values: tuple[float, ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Board(*values)  # type: ignore[arg-type]
