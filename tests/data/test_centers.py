"""Labels of the middle alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitruve.data.centers import CENTER, center_labels
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton


def test_the_middle_of_the_box_around_what_is_labelled() -> None:
    points = np.full((2, 1, 3, 2), np.nan)
    points[0, 0] = [[10, 40], [30, 20], [12, 22]]
    frame = Frame((ImageRef(Path("a.png")), ImageRef(Path("b.png"))), Instances.from_keypoints(points), "s", "train")
    found = center_labels(Labels(Skeleton.from_names(("a", "b", "c")), (frame,)))
    assert found.skeleton == CENTER and found[0].split == "train" and found[0].session == "s"
    np.testing.assert_allclose(found[0].instances.keypoints[0, 0], [[20, 30]])
    # A view in which nothing is labelled has no middle to learn.
    assert np.isnan(found[0].instances.keypoints[1]).all()
    assert found[0].instances.visible.tolist() == [[[2]], [[0]]]
