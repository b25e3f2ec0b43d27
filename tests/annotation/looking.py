"""A network that sees what a test says, rendered labels with gaps, and what a reviewer does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from annotation.conftest import png
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

BOXES = Skeleton(())
CLASSES = ("dock", "clover")
POSE = Skeleton(("nose", "left", "right", "tail"), ((0, 1), (0, 2), (0, 3)), ((1, 2),), (0.1,) * 4)
SIZE = (120, 90)


def boxes(*rows: Sequence[float], classes: Sequence[int] = (), scores: Sequence[float] = ()) -> Instances:
    """Objects without keypoints, of one view."""
    count = len(rows)
    return Instances(
        np.zeros((1, count, 0, 2)),
        np.zeros((1, count, 0), np.int8),
        scores=np.array([scores], np.float64).reshape(1, count) if scores else None,
        boxes=np.array([rows], np.float64).reshape(1, count, 4),
        categories=np.array([classes or [0] * count], np.int64).reshape(1, count),
    )


def poses(*rows: Any, scores: Sequence[float] = ()) -> Instances:
    """Poses of one view; predicted ones with scores."""
    points = np.array([rows], np.float64).reshape(1, len(rows), 4, 2)
    made = Instances.from_keypoints(points, categories=np.zeros((1, len(rows)), np.int64))
    if not scores:
        return made
    each = np.array([scores], np.float64)
    return replace(made, scores=each, keypoint_scores=np.repeat(each[..., None], 4, -1))


def seen(instances: Instances, skeleton: Skeleton = BOXES, classes: Sequence[str] = CLASSES) -> Labels:
    """Labels or predictions of one image that is not there."""
    frame = Frame((ImageRef(Path("a.png"), size=SIZE),), instances)
    return Labels(skeleton, (frame,), categories=tuple(classes))


def labels(root: Path, *drawn: Instances, skeleton: Skeleton = BOXES, classes: Sequence[str] = CLASSES) -> Labels:
    """Labels of as many images, which are written."""
    frames = []
    for number, each in enumerate(drawn):
        name = Path("clip one") / f"{number}.png"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(*SIZE, 40 + 20 * number))
        frames.append(Frame((ImageRef(name, size=SIZE),), each, "clip one"))
    return Labels(skeleton, tuple(frames), root, tuple(classes))


@dataclass
class Sees:
    """Stands for an opened run: what it finds in an image, by the image's name.

    Attributes:
        found: By the name of the image's file.
        skeleton: Its keypoints.
        categories: Its classes.
        looked: How many images it was shown.
    """

    found: Mapping[str, Instances]
    skeleton: Skeleton = BOXES
    categories: tuple[str, ...] = CLASSES
    looked: int = 0
    identity: str = "weights torch"
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def predictor(self) -> Any:
        """As that of a run."""
        task = SimpleNamespace(skeleton=self.skeleton, categories=self.categories, views=1)
        return SimpleNamespace(algorithm=SimpleNamespace(task=task), predict_labels=self.predict)

    def predict(self, given: Labels, advance: Callable[[int], None] | None = None) -> Labels:
        """Predictions of labelled frames."""
        self.looked += len(given)
        if advance is not None:
            advance(len(given))
        frames = []
        for frame in given:
            image = frame.first_image
            name = image.path.name if image.index is None else str(image.index)
            nothing = self.found.get(name)
            if nothing is None:
                nothing = boxes(scores=()) if not len(self.skeleton) else poses()
                nothing = replace(nothing, scores=np.zeros((1, 0)))
            frames.append(replace(frame, instances=nothing))
        return replace(given, frames=tuple(frames), skeleton=self.skeleton, categories=self.categories)

    def use(self, patch: pytest.MonkeyPatch) -> Sees:
        """Be what runs are opened as."""
        patch.setattr("vitruve.annotation.proposals.propose.open_run", lambda *given, **more: self)
        return self
