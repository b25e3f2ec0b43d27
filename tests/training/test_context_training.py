"""A context algorithm from labels to a video."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tiny_project import settings, write_project, write_video
from vitruve import api
from vitruve.config.schema import Config
from vitruve.errors import InputError
from vitruve.training.prepare import prepare

CONTEXT = {"model_type": "heatmap_mhcrnn"}


def _renumbered(folder: Path, numbers: list[int]) -> Path:
    """A project whose images have other numbers."""
    write_project(folder, frames=len(numbers))
    images, table = folder / "labeled-data" / "dots", folder / "CollectedData.csv"
    text = table.read_text()
    for index in reversed(range(len(numbers))):
        shutil.move(images / f"img{index:03d}.png", images / f"img{numbers[index]:03d}.png")
        text = text.replace(f"img{index:03d}.png", f"img{numbers[index]:03d}.png")
    table.write_text(text)
    return folder


def test_no_context_frames_is_said_before_training(tmp_path: Path) -> None:
    project = _renumbered(tmp_path / "none", [10 * index for index in range(1, 13)])
    with pytest.raises(InputError, match=r"img010\.png: has no context frames, nor has any other of the 12"):
        prepare(Config.from_mapping(settings(project, CONTEXT)))
    prepare(Config.from_mapping(settings(project)))  # single frames need none


def test_some_missing_context_frames_are_said_before_training(tmp_path: Path) -> None:
    project = _renumbered(tmp_path / "some", [*range(3, 14), 50])
    with pytest.warns(UserWarning, match=r"^context frames: 5 of 12 labelled images lack some \(10 in all; first: "):
        prepare(Config.from_mapping(settings(project, CONTEXT)))


@pytest.mark.filterwarnings("ignore:context frames")
def test_a_trained_context_model_predicts_every_frame_of_a_video(project: Path, tmp_path: Path) -> None:
    config = Config.from_mapping(settings(project, CONTEXT, max_epochs=2))
    (folder,) = api.train(config, run_dir=tmp_path / "run", quiet=True)
    run = api.load_run(folder, runtime="torch", batch_size=4)
    write_video(tmp_path / "clip.mp4", 7)
    found = run.predict(tmp_path / "clip.mp4")
    points = found.keypoints()[:, 0, 0]
    assert len(points) == 7 and np.isfinite(points).all()
    # A labelled frame of a video sees what it sees when the whole video is predicted.
    np.testing.assert_allclose(run.predict(found).keypoints()[:, 0, 0], points, atol=1e-2)
