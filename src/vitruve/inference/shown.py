"""How many keypoints a drawn video shows: one that shows few looks broken, and says nothing of why."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float

_log = logging.getLogger(__name__)

FEW = 0.2
"""Share of keypoints below which it is said that few are shown."""

_BINS = 100


class Shown:
    """Counts the keypoints of a video that reach the threshold of drawing, in constant memory.

    Args:
        threshold: Likelihood from which a keypoint is drawn, 0 to 1.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._reached = 0
        self._counts = np.zeros(_BINS + 1, np.int64)

    def add(self, scores: Float[np.ndarray, "*lead"]) -> None:
        """Count keypoints.

        Args:
            scores: Their likelihoods, NaN where there is none.
        """
        found = np.nan_to_num(scores).ravel().clip(0, 1)
        self._reached += int((found >= self._threshold).sum())
        self._counts += np.bincount((found * _BINS).astype(int), minlength=_BINS + 1)

    def warn(self, video: Path) -> None:
        """Say so in a warning when few keypoints are shown.

        Args:
            video: The drawn video.
        """
        total = int(self._counts.sum())
        if not total or self._reached >= FEW * total:
            return
        half = int(np.searchsorted(self._counts.cumsum(), total / 2)) / _BINS
        _log.warning(
            "%s: shows %d of %d keypoints, those with a likelihood of at least %g; half of all have %.2f or more. Draw "
            "again from a lower confidence on (--threshold, eval.confidence_thresh_for_vid); thresholds of other "
            "programs do not fit, as their likelihood is another number",
            video,
            self._reached,
            total,
            self._threshold,
            half,
        )
