"""A trained run, opened for predicting from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from vitruve.inference.predictor import Predictor
    from vitruve.structures.labels import Frame, Labels
    from vitruve.structures.skeleton import Skeleton


class Run:
    """A trained run, ready to predict. Made by :func:`load_run`.

    Args:
        path: The run directory.
        predictor: Its network.
        record: ``model.json``.
        runtime: What carries the network out.
        identity: Names weights and runtime.
    """

    def __init__(
        self, path: Path, predictor: Predictor, record: Mapping[str, Any], runtime: str, identity: str
    ) -> None:
        self.path = path
        self.predictor = predictor
        self.record = record
        self.runtime = runtime
        self.identity = identity

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints that are predicted."""
        return self.predictor.algorithm.task.skeleton

    def predict(self, source: str | Path | np.ndarray | Labels | Iterable[np.ndarray] | Sequence[Path]) -> Labels:
        """Keypoints of everything in a source.

        Args:
            source: A video, an image, a folder of images, paths of images, a label file, a uint8 array ``(H, W, 3)`` or
                ``(T, H, W, 3)`` in RGB or ``(H, W)`` or ``(T, H, W)`` in grey, any iterable of arrays, or labels whose
                images are to be predicted.

        Returns:
            One frame an image, with keypoints in original pixels and likelihoods, 0 to 1. For long videos
            :meth:`stream` keeps memory constant.

        Raises:
            InputError: The source cannot be read.
        """
        from vitruve.structures.labels import Labels

        if isinstance(source, (str, Path)) and Path(source).is_file():
            from vitruve.pipeline.plan import is_label_file
            from vitruve.pipeline.predict import labels_for

            if is_label_file(Path(source)):
                source = labels_for(self.path, self.record, self.skeleton, Path(source))
        if isinstance(source, Labels):
            return self.predictor.predict_labels(source)
        return Labels(self.skeleton, tuple(self.stream(source)), scorer=str(self.record["scorer"]))

    def stream(self, source: str | Path | np.ndarray | Iterable[np.ndarray] | Sequence[Path]) -> Iterable[Frame]:
        """Like :meth:`predict`, one frame after the other.

        Args:
            source: As for :meth:`predict`, but labels.

        Yields:
            Frames with keypoints in original pixels and likelihoods, 0 to 1.

        Raises:
            InputError: The source cannot be read.
        """
        if isinstance(source, (str, Path)) and Path(source).is_dir():
            from vitruve.media.sources import expand_sources

            source = expand_sources([source])
        yield from self.predictor.predict(source)


def load_run(
    run: str | Path,
    *,
    runtime: str | None = None,
    batch_size: int | None = None,
    frames_expected: int | None = None,
    locator: str | Path | None = None,
    boxes: str | Path | None = None,
    flip: bool | None = None,
    scales: Sequence[float] | None = None,
) -> Run:
    """Load a trained network.

    Args:
        run: The run directory; nothing else is needed.
        runtime: What carries it out; None as the run's ``inference.runtime`` says.
        batch_size: Images that go through the network together; None as the run's settings say.
        frames_expected: How many images will be predicted, if known: for a few, ``auto`` does not measure first.
        locator: Run that says which part of an image is looked at; None for the one that the run keeps, if it does.
        boxes: A table of boxes, or a folder of them, in place of a locator.
        flip: Also look at the mirror image of each image; None as the run's ``inference.flip`` says.
        scales: Sizes in which each image is looked at, as factors of the network's input; None as the run's
            ``inference.scales`` says.

    Returns:
        The run, ready to predict.

    Raises:
        RunError: The directory is no finished run of one network, or is damaged.
        ConfigError: The runtime is unknown or cannot be used here, both a locator and boxes are given, or images cannot
            be looked at in these ways.
        InputError: There is no such table or folder of boxes.
    """
    from vitruve.inference.open import open_run

    where = {"locator": None if locator is None else Path(locator), "boxes": None if boxes is None else Path(boxes)}
    opened = open_run(Path(run), runtime, batch_size, frames_expected, **where, flip=flip, scales=scales)
    return Run(Path(run), opened.predictor, opened.record, opened.runtime, opened.identity)
