"""A project whose run was never trained: tables of predictions are all that is looked at here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.media.video import VideoWriter

FRAMES = 12


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the project ``mouse``, its run ``outputs/first``, and a video whose frames differ."""
    project = tmp_path / "home" / "mouse"
    run = project / "outputs" / "first"
    run.mkdir(parents=True)
    settings = "data: {data_dir: .}\nmodel: {model_type: heatmap}\ntraining: {}\n"
    for folder in (project, run):
        (folder / "config.yaml").write_text(settings)
    (run / "model.json").write_text("{}")
    with VideoWriter(project / "videos" / "mouse00.mp4", 25) as writer:
        for n in range(FRAMES):
            writer.write(np.full((48, 64, 3), 40 + 15 * n, np.uint8))
    return project.parent
