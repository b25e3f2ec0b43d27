"""What is said of a locator that finds nothing: that it is unsure, or that cameras contradict one another."""

from __future__ import annotations

import numpy as np
import pytest

from vitruve.inference.sightings import Sightings


@pytest.mark.parametrize(
    ("likelihoods", "words", "not_words"),
    [
        ((0.1, 0.2), "at best 0.20, crop.threshold=0.5 is needed; train the locator for longer", "calibration"),
        ((0.9, 0.8), "the cameras put it at no common place; check that the calibration is theirs", "threshold"),
    ],
)
def test_the_reason_is_the_usual_one(likelihoods: tuple[float, float], words: str, not_words: str) -> None:
    seen = Sightings(0.5)
    for _ in range(10):
        seen.add(np.zeros(2, bool), np.array(likelihoods))
    with pytest.warns(UserWarning, match=words) as told:
        seen.check("frames of a.mp4, b.mp4")
    assert not_words not in str(told[0].message) and "20 of 20 frames of a.mp4" in str(told[0].message)
