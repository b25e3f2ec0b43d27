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
        self._seen = self._lost = 0
        self._best = 0.0

    def add(self, found: np.ndarray, likelihoods: Sequence[float]) -> None:
        """Count the images of one instant.

        Args:
            found: Bool ``(V,)``: whether something was located in each view.
            likelihoods: The highest one of each view, from 0.
        """
        self._seen += len(found)
        self._lost += int((~found).sum())
        self._best = max(self._best, *likelihoods)

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
        message = (
            f"crop.locator: nothing was located in {self._lost} of {self._seen} {what} "
            f"({self._lost / self._seen:.0%}): the likelihood is at best {self._best:.2f}, "
            f"crop.threshold={self._threshold:g} is needed; train the locator for longer, or lower crop.threshold"
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
