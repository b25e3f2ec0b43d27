"""A drawing that shows few keypoints says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.inference.shown import Shown


@pytest.mark.parametrize(("likely", "said"), [(0, True), (1, True), (2, False), (10, False)])
def test_fewer_than_one_in_five_are_few(caplog: pytest.LogCaptureFixture, likely: int, said: bool) -> None:
    shown = Shown(0.5)
    for number in range(10):
        shown.add(np.full((1, 7), 0.9 if number < likely else np.nan if number == 9 else 0.2))
    shown.warn(Path("a.mp4"))
    assert [f"a.mp4: shows {7 * likely} of 70 keypoints" in line for line in caplog.messages] == [True] * said
