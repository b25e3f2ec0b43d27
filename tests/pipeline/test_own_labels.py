"""The labels that a run learned from, as its evaluation finds them again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tiny_project import write_project
from vitruve.config.schema import Config
from vitruve.data.centers import CENTER
from vitruve.errors import InputError
from vitruve.pipeline.report import own_labels
from vitruve.run import RunFiles


def test_a_network_that_finds_the_middle_is_compared_with_the_middle(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "set")
    config = Config.load(folder / "config.yaml")
    whole = own_labels(config, RunFiles(tmp_path))
    middle = config.model_copy(update={"data": config.data.model_copy(update={"target": "center"})})
    found = own_labels(middle, RunFiles(tmp_path))
    assert found.skeleton == CENTER and len(found) == len(whole)
    np.testing.assert_allclose(found.keypoints()[:, 0, 0, 0], whole.centers()[:, 0, 0], atol=1e-4)


def test_labels_that_have_moved_are_asked_for(tmp_path: Path) -> None:
    config = Config.load(write_project(tmp_path / "set") / "config.yaml")
    (tmp_path / "set").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"CollectedData\.csv: the labels of .* say where they are: --labels"):
        own_labels(config, RunFiles(tmp_path / "run"))
