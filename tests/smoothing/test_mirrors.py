from __future__ import annotations

import pytest

from vitruve.errors import InputError
from vitruve.smoothing.mirrors import by_columns, by_names, other_sides

NAMES = ("paw_top", "stop_sign", "nose_top", "paw_bot", "tail", "nose_bot", "ear_top")


def test_keypoints_are_matched_by_the_words_of_their_names() -> None:
    assert by_names(("bot", "top"), NAMES).tolist() == [[3, 0], [5, 2]]
    with pytest.raises(InputError, match="left, right"):
        by_names(("left", "right"), NAMES)


def test_columns_are_checked() -> None:
    assert by_columns([[0, 2], [3, 5]], NAMES).tolist() == [[0, 3], [2, 5]]
    for columns, words in (
        ([[0, 1]], "one list"),
        ([[0, 1], [2]], "equally long"),
        ([[0, 1], [2, 7]], "no keypoint 7"),
        ([[0, 1], [1, 2]], "two places"),
    ):
        with pytest.raises(InputError, match=words):
            by_columns(columns, NAMES)


def test_the_other_side_of_the_body() -> None:
    assert other_sides(("paw_l", "nose", "paw_r", "right.ear", "left.ear", "tail_l")).tolist() == [2, 1, 0, 4, 3, 5]
