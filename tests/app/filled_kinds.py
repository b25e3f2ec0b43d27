"""A rig's and a detector's project that have one of everything that pages read; nothing in them is trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import vitruve
from calibrated_scene import picture, points_in_space, rig, scene_labels, write_videos
from vitruve.app.place import Place
from vitruve.app.projects import open_project
from vitruve.app.workspace import Workspace
from vitruve.config.compose import compose
from vitruve.formats import jarvis
from vitruve.formats.analysis_points import TRUTH, write_analysis_points
from vitruve.formats.calibration import write_cameras
from vitruve.formats.coordinates_3d import FILE_NAMES, PredictionInfo, format_rows, header_lines, write_info
from vitruve.formats.hub import write_labels
from vitruve.media.images import write_image
from vitruve.pipeline.diagnostics import write_for_labels
from vitruve.pipeline.predict_3d import CALIBRATION
from vitruve.project import Stage
from vitruve.project.stages import stage_settings
from vitruve.run import RunFiles
from vitruve.structures.instances import Instances
from vitruve.structures.labels import ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

FRAMES = 4
_CLIPS = {"clips": 2, "frames": 2, "new": 1, "videos": 1, "video_frames": 3, "plants": 3, "width": 128, "height": 96}


def fill_rig(home: Path, name: str = "rat", keypoint: str = "red", camera: str = "left") -> Place:
    """Three networks of calibrated cameras, their predictions on labels, points in space and pixels, an analysis.

    Args:
        home: Where to.
        name: Of the project, its set and its recording.
        keypoint: The first one.
        camera: The first one.

    Returns:
        The project, open.
    """
    labels = _calibrated(home / "datasets" / name, name, keypoint, camera)
    project = vitruve.create_project(name, labels.root, folder=home / "projects").project
    recording = home / name
    for path, view in zip(write_videos(home / "made", "walk", FRAMES), labels.view_names, strict=True):
        (recording / f"{view}.mp4").parent.mkdir(exist_ok=True)
        path.rename(recording / f"{view}.mp4")
    points, confidence = points_in_space(FRAMES), np.full((FRAMES, 4), 0.9)
    for stage in Stage:
        run = project.models(stage) / f"Run_{len(name)}"
        _run(run, stage_settings(stage, project.config, labels.root, views=3), labels.skeleton)
        write_labels(replace(labels, root=run), run / "predictions.csv", format="lightning_pose")
        write_for_labels(RunFiles(run), labels, {}, "predictions")
    for dims in (2, 3):
        folder = project.predictions / f"predictions{dims}D" / f"Predictions_{dims}D_20260101-000000"
        folder.mkdir(parents=True)
        head = "\n".join(header_lines(labels.skeleton.names, dims))
        (folder / FILE_NAMES[dims]).write_text(f"{head}\n{format_rows(points[..., :dims] + 40, confidence)}")
        source = recording if dims == 3 else recording / f"{camera}.mp4"
        write_info(PredictionInfo(str(source), None, 0), folder / "info.yaml")
        write_cameras(dict(zip(labels.view_names, rig(), strict=True)), folder / CALIBRATION)
    names = [frame.session + f"/Frame_{number}" for number, frame in enumerate(labels)]
    methods = {TRUTH: points, "HybridNet": points + 1.0}
    write_analysis_points(project.analysis / "Validation_Predictions_1", names, methods)
    workspace = Workspace.of([home])
    return Place(workspace, open_project(workspace, f"projects/{name}"))


def _calibrated(folder: Path, name: str, keypoint: str, camera: str) -> Labels:
    scene = scene_labels(FRAMES, sessions=(name,)).with_splits(["train"] * 3 + ["validation"])
    skeleton = Skeleton.from_names((keypoint, *scene.skeleton.names[1:]))
    scene = replace(scene, skeleton=skeleton, view_names=(camera, *scene.view_names[1:]), root=folder)
    frames = []
    for frame, paths in zip(scene, jarvis.image_names(scene, name), strict=True):
        for view, path in enumerate(paths):
            write_image(folder / path, picture(frame.instances.keypoints[view, 0]))
        found = Instances.from_keypoints(frame.instances.keypoints)
        refs = tuple(ImageRef(path, None, (96, 80)) for path in paths)
        frames.append(replace(frame, images=refs, instances=found, instances_3d=None))
    labels = replace(scene, frames=tuple(frames))
    jarvis.write(labels, folder)
    return labels


def fill_field(home: Path, name: str = "field", plant: str = "grass") -> Place:
    """A detector with what it found on its labels.

    Args:
        home: Where to.
        name: Of the project and its video.
        plant: What grass is called.

    Returns:
        The project, open.
    """
    project = vitruve.example("field", home / name, smallest=8, largest=40, **_CLIPS)
    labels = json.loads((project / "labels.json").read_text())
    for each in labels["categories"]:
        each["name"] = plant if each["name"] == "grass" else each["name"]
    (project / "labels.json").write_text(json.dumps(labels))
    video = next((project / "videos").glob("*.mp4"))
    video.rename(video.with_name(f"{name}.mp4"))
    run = project / "outputs" / name
    settings = yaml.safe_load((project / "config.yaml").read_text())
    _run(run, settings | {"data": settings["data"] | {"data_dir": str(project)}}, Skeleton(()))
    for each in labels["annotations"]:
        each["score"] = 0.7
    (run / "predictions.json").write_text(json.dumps(labels))
    (run / "video_preds").mkdir()
    shutil.copy(run / "predictions.json", run / "video_preds" / f"{name}.json")
    workspace = Workspace.of([home])
    return Place(workspace, open_project(workspace, name))


def _run(path: Path, settings: Mapping[str, Any], skeleton: Skeleton) -> None:
    """A run that counts as finished, without a network that could predict."""
    path.mkdir(parents=True)
    files = RunFiles(path)
    given = path / "given.yaml"
    given.write_text(yaml.safe_dump(dict(settings)))
    files.config.write_text(compose(str(given), quiet=True).config.to_yaml())
    given.unlink()
    task = {"skeleton": {"names": list(skeleton.names), "edges": [list(edge) for edge in skeleton.edges]}}
    files.write_model({"model": dict(settings["model"]), "task": task})
    files.weights.write_bytes(b"")
    files.write_status("COMPLETED", 1, 1)
    files.write_metrics([{"epoch": 0, "train_loss": 2.0, "val_loss": 3.0}, {"epoch": 1, "train_loss": 1.0}])
