from __future__ import annotations

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.synthetic import SCENES, make_scene


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_keeps_the_contract(name: str) -> None:
    scene = make_scene(name, seed=5)
    images, truth = scene.render(scene.duration / 3)
    width, height = scene.size
    assert images.dtype == np.uint8 and images.shape[1:] == (height, width, 3)
    assert truth.keypoints.shape[0] == images.shape[0]
    assert truth.keypoints.shape[2:] == (len(scene.skeleton), 2)
    assert set(np.unique(truth.visible)) <= {0, 1, 2}
    assert (np.isnan(truth.keypoints).any(-1) == (truth.visible == 0)).all()
    again, _ = make_scene(name, seed=5).render(scene.duration / 3)
    np.testing.assert_array_equal(images, again)


def test_an_unknown_scene_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no scene 'mause' \(did you mean 'mouse'\?\)"):
        make_scene("mause")
