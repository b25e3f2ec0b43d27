from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


@pytest.fixture(scope="session")
def labels_of() -> Callable[..., Labels]:
    """Labels of (F, V, N, K, D) keypoints on images view0/0.png, view0/1.png and so on."""

    def make(
        keypoints: np.ndarray,
        scores: np.ndarray | None = None,
        names: tuple[str, ...] = ("nose", "tail", "paw"),
        view_names: tuple[str, ...] = (),
    ) -> Labels:
        frames = tuple(
            Frame(
                tuple(ImageRef(Path(f"view{v}/{n}.png")) for v in range(keypoints.shape[1])),
                Instances.from_keypoints(frame, keypoint_scores=None if scores is None else scores[n]),
            )
            for n, frame in enumerate(keypoints)
        )
        return Labels(Skeleton(names), frames, scorer="net", view_names=view_names)

    return make
