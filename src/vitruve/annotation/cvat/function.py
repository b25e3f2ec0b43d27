"""A trained run as a function of ``cvat-cli task auto-annotate``: poses as skeletons, detections as boxes.

::

    cvat-cli --server-host https://cvat.example.org task auto-annotate 7 \
        --function-module vitruve.annotation.cvat.function -p run=str:outputs/my_run --conf-threshold 0.5

Labels and keypoints are matched with the task's by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitruve.errors import ConfigError, MissingExtraError
from vitruve.formats.shapes import task_of
from vitruve.inference.open import open_run
from vitruve.structures.annotation import Shape
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.labels import Labels

if TYPE_CHECKING:
    from PIL.Image import Image

    from vitruve.inference.predictor import Predictor

_THRESHOLD = 0.5


def create(
    run: str,
    label: str = "",
    threshold: float = _THRESHOLD,
    keypoint_threshold: float = 0.0,
    locator: str = "",
    runtime: str = "",
) -> RunFunction:
    """Load a run as a function that CVAT's tools take.

    Args:
        run: The run directory.
        label: What the task calls the run's one class, where it has a name of its own.
        threshold: Instances less sure than this are left out, 0 to 1, where ``--conf-threshold`` says nothing.
        keypoint_threshold: Keypoints less sure than this count as not visible, 0 to 1.
        locator: Run that says where the animals are, or empty.
        runtime: What carries the network out, or empty for what the run says.

    Returns:
        The function.

    Raises:
        ConfigError: A name is given to one class, but the run has several, or it needs several cameras.
        RunError: The directory is no finished run.
        MissingExtraError: cvat-sdk is not installed.
    """
    opened = open_run(Path(run), runtime or None, 1, locator=Path(locator) if locator else None)
    task = opened.predictor.algorithm.task
    if task.views > 1:
        raise ConfigError(f"{run}: needs {task.views} cameras at a time; a task of CVAT shows one")
    if label and len(task.categories) > 1:
        raise ConfigError(f"label={label}: the run has {len(task.categories)} classes, which have names of their own")
    categories = (label,) if label else task.categories
    return RunFunction(opened.predictor, categories, threshold, keypoint_threshold)


class RunFunction:
    """A predictor with the interface of a detection function of cvat-sdk. Made by :func:`create`.

    Args:
        predictor: The network.
        categories: What its classes are called in the task.
        threshold: Instances less sure than this are left out.
        keypoint_threshold: Keypoints less sure than this count as not visible.

    Attributes:
        spec: What it finds, as cvat-sdk describes it.
    """

    def __init__(
        self, predictor: Predictor, categories: Sequence[str], threshold: float, keypoint_threshold: float
    ) -> None:
        try:
            import cvat_sdk.auto_annotation as auto
        except ImportError as error:
            raise MissingExtraError("cvat-sdk", "cvat", "auto-annotation of CVAT's tasks") from error
        self._auto, self._predictor = auto, predictor
        self._categories = tuple(categories)
        self._threshold, self._keypoint_threshold = threshold, keypoint_threshold
        self._skeleton = predictor.algorithm.task.skeleton
        parts = [auto.keypoint_spec(name, number) for number, name in enumerate(self._skeleton.names)]
        self.spec = auto.DetectionFunctionSpec(
            labels=[
                auto.skeleton_label_spec(name, number, parts)
                if parts
                else auto.label_spec(name, number, type="rectangle")
                for number, name in enumerate(self._categories)
            ]
        )

    def detect(self, context: Any, image: Image) -> list[Any]:
        """What there is in one image.

        Args:
            context: cvat-sdk's, with ``conf_threshold``.
            image: The image.

        Returns:
            Shapes of cvat-sdk with scores: skeletons with all their keypoints, or rectangles.
        """
        pixels = np.asarray(image.convert("RGB"))
        frame = next(iter(self._predictor.predict(pixels)))
        threshold = self._threshold if context.conf_threshold is None else context.conf_threshold
        frame = replace(frame, instances=self._sure(frame.instances, threshold))
        labels = Labels(self._skeleton, (frame,), categories=self._categories)
        kind = "skeleton" if self._skeleton.names else "rectangle"
        drawn = task_of(labels, "image", source="auto").drawn()
        return [self._shape(shape) for shape in drawn if shape.kind == kind]

    def _sure(self, found: Instances, threshold: float) -> Instances:
        """Those that are sure enough; without an own score, an instance is as sure as its keypoints on average."""
        scores, joints = found.scores, found.keypoint_scores
        if joints is not None:
            visible = np.where(joints >= self._keypoint_threshold, found.visible, UNLABELLED)
            found = replace(found, visible=visible.astype(found.visible.dtype))
            if scores is None:
                there = (visible > UNLABELLED) & np.isfinite(joints)
                total = np.where(there, joints, 0.0).sum(-1)
                scores = total / np.maximum(there.sum(-1), 1)
        if scores is None:
            return replace(found, tracks=None)
        keep = np.asarray(scores[0] >= threshold)
        return replace(found, scores=scores, tracks=None)[:, keep]

    def _shape(self, shape: Shape) -> Any:
        number = self._categories.index(shape.label)
        if shape.kind == "rectangle":
            return self._auto.rectangle(number, list(shape.points), score=shape.score)
        elements = [
            self._auto.keypoint(
                self._skeleton.index(part.label), list(part.points), outside=part.outside, score=part.score
            )
            for part in shape.parts
        ]
        return self._auto.skeleton(number, elements, score=shape.score)
