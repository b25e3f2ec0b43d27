"""What is put together before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibrated_scene import write_project, write_videos
from vitruve.config.schema import Config
from vitruve.data.windows import WindowPick
from vitruve.training.assemble import assemble
from vitruve.training.prepare import prepare


@pytest.mark.parametrize("moves", [True, False])
def test_windows_of_video_are_changed_as_labelled_frames_are(moves: bool, tmp_path: Path) -> None:
    """Where scenes move in space, no labelled view is ever turned by itself: neither is an unlabelled one."""
    values = write_project(tmp_path, 8, imgaug="dlc", imgaug_3d=moves)
    write_videos(tmp_path / "videos", "walk", 6)
    values["data"]["video_dir"] = str(tmp_path / "videos")
    values.setdefault("model", {})["losses_to_use"] = ["temporal"]
    values["dali"] = {"base": {"train": {"sequence_length": 8}}}
    config = Config.from_mapping(values)
    windows = assemble(config, prepare(config)).training_set.windows
    assert windows is not None
    turns = np.array([windows[WindowPick(0, step, 0)].to_image[:, 0, 1] for step in range(8)])
    assert (turns == 0).all() == moves
