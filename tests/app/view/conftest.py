"""A rig's project: a training set of rendered framesets, in which one label is 12 px off, and a prediction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vitruve
from calibrated_scene import SKELETON, VIEWS, picture, points_in_space, rig, scene_labels
from vitruve.app.place import Place
from vitruve.app.projects import open_project
from vitruve.app.workspace import Workspace
from vitruve.formats import jarvis
from vitruve.formats.calibration import write_cameras
from vitruve.formats.coordinates_3d import PredictionInfo, format_rows, header_lines, write_info
from vitruve.media.images import write_image
from vitruve.pipeline.predict_3d import CALIBRATION
from vitruve.structures.instances import Instances
from vitruve.structures.labels import ImageRef

FRAMES, OFF = 6, 2
"""Framesets, the last two to validate on; and the one with the wrong label."""


@pytest.fixture(scope="session")
def rig_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the set ``walk`` and the project ``rat`` of it; not to be changed."""
    home = tmp_path_factory.mktemp("view")
    folder = home / "walk"
    scene = scene_labels(FRAMES).with_splits(["train"] * 4 + ["validation"] * 2)
    frames = []
    for number, (frame, paths) in enumerate(zip(scene, jarvis.image_names(scene, "walk"), strict=True)):
        for view, path in enumerate(paths):
            write_image(folder / path, picture(frame.instances.keypoints[view, 0]))
        keypoints = frame.instances.keypoints.copy()
        if number == OFF:
            keypoints[1, 0, 3] += (12, 0)
        frames.append(
            replace(
                frame,
                images=tuple(ImageRef(path) for path in paths),
                instances=Instances.from_keypoints(keypoints),
                instances_3d=None,
            )
        )
    jarvis.write(replace(scene, frames=tuple(frames), root=folder), folder)
    project = vitruve.create_project("rat", folder, folder=home / "projects").project
    made = project.predictions / "predictions3D" / "Predictions_3D_20260101-000000"
    made.mkdir(parents=True)
    points = points_in_space(FRAMES)
    confidence = np.full(points.shape[:2], 0.9)
    confidence[1, 0] = 0.3
    head = "\n".join(header_lines(SKELETON.names))
    (made / "data3D.csv").write_text(f"{head}\n{format_rows(points, confidence)}")
    write_info(PredictionInfo(str(home / "recording"), None, 5), made / "info.yaml")
    write_cameras(dict(zip(VIEWS, rig(), strict=True)), made / CALIBRATION)
    return home


@pytest.fixture
def rat(rig_home: Path) -> Place:
    """The project ``rat``, open."""
    workspace = Workspace.of([rig_home])
    return Place(workspace, open_project(workspace, "projects/rat"))
