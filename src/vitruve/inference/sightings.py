"""How often a locator found something: one that never does would silently make every crop the whole image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitruve.errors import InputError
from vitruve.inference.shots import CalibratedRecording, Source
from vitruve.media.recordings import Recording
from vitruve.structures.instances import Instances

_SELDOM = 0.9
"""Share of images without a find from which on something is wrong with the locator, not with the images."""


class Sightings:
    """Counts in how many images a locator found something.

    Args:
        threshold: ``crop.threshold``.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._seen = self._lost = self._unsure = 0
        self._best = 0.0

    def add(self, found: np.ndarray, likelihoods: np.ndarray) -> None:
        """Count the images of one instant.

        Args:
            found: Bool ``(V,)``: whether something was located in each view.
            likelihoods: ``(V,)``: the highest one of each view, from 0.
        """
        self._seen += len(found)
        self._lost += int((~found).sum())
        self._unsure += int((~found & (likelihoods < self._threshold)).sum())
        self._best = float(likelihoods.max(initial=self._best))

    def check(self, what: str, *, needed: bool = False) -> None:
        """Warn where nothing was located in nearly all images.

        Args:
            what: What was counted, for the message.
            needed: Nothing at all is an error.

        Raises:
            InputError: Nothing was located in any image, although it was needed.
        """
        if not self._seen or self._lost < _SELDOM * self._seen:
            return
        if 2 * self._unsure < self._lost:
            why = (
                "most show something, but the cameras put it at no common place; check that the calibration is theirs, "
                "and that frame n of all videos shows the same instant"
            )
        else:
            why = (
                f"the likelihood is at best {self._best:.2f}, crop.threshold={self._threshold:g} is needed; train the "
                "locator for longer, or lower crop.threshold"
            )
        message = (
            f"crop.locator: nothing was located in {self._lost} of {self._seen} {what} "
            f"({self._lost / self._seen:.0%}): {why}"
        )
        if needed and self._lost == self._seen:
            raise InputError(message)
        warnings.warn(f"{message}; without a box the whole image is looked at", stacklevel=2)


def best_likelihoods(instances: Instances, columns: Sequence[int] | None = None) -> tuple[float, ...]:
    """How sure a network is of the keypoint, or else of the instance, that it is surest of in each view.

    Args:
        instances: ``(V, N, ...)`` as numpy arrays.
        columns: The keypoints that count; None for all.

    Returns:
        One number a view, from 0; 0 where there is none.
    """
    known = instances.keypoint_scores if instances.num_keypoints else instances.scores
    if known is None:
        return (0.0,) * instances.keypoints.shape[0]
    if instances.num_keypoints and columns is not None:
        known = known[..., list(columns)]
    return tuple(np.nan_to_num(known).reshape(len(known), -1).max(1, initial=0.0).tolist())


def frames_of(source: Source) -> str:
    """What a message calls the frames of a source."""
    if isinstance(source, (str, Path)):
        return f"frames of {Path(source).name}"
    videos = source.videos if isinstance(source, CalibratedRecording) else source
    if isinstance(videos, Recording):
        return f"frames of {', '.join(path.name for path in videos)}"
    return "images"
