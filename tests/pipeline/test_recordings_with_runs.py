"""From run directories with real, tiny networks to files: the functions, and the commands of a project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

import vitruve
from ball_rig import BALLS, write_recording
from calibrated_scene import VIEWS, rig
from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.cli.main import build
from vitruve.data.centers import CENTER
from vitruve.errors import ConfigError, InputError
from vitruve.formats.calibration import write_cameras
from vitruve.formats.coordinates_3d import read_coordinates, read_info
from vitruve.inference.open import open_run
from vitruve.media.video import VideoReader
from vitruve.run import RunFiles
from vitruve.structures.skeleton import Skeleton
from vitruve.training.callbacks import save_weights

FRAMES = 6


def write_run(place: Path, kind: str, skeleton: Skeleton, views: int, **model: Any) -> Path:
    """A run as training leaves it, with random weights."""
    torch.manual_seed(0)
    algorithm_type = registry.get(kind)
    settings = algorithm_type.Config(model_type=kind, backbone="test_resnet", **model)
    algorithm = algorithm_type(settings, Task(skeleton, (64, 64), views))
    files = RunFiles(place)
    save_weights(algorithm, files.weights)
    record = {"model": settings.model_dump(mode="json"), "task": algorithm.task.to_dict(), "scorer": "net"}
    files.write_model({**record, "views": list(VIEWS) if views > 1 else []})
    config = {
        "data": {"data_dir": str(place), "csv_file": "none.csv"},
        "model": {"model_type": kind, "backbone": "test_resnet", **model},
        # Of random weights, any likelihood will do.
        "crop": {"size": 64.0, "threshold": 0.0},
        "inference": {"runtime": "torch", "batch_size": 2},
    }
    files.config.write_text(yaml.safe_dump(config))
    files.write_status("COMPLETED", 1, 1)
    return place


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three runs and a training set with two calibrations."""
    home = tmp_path_factory.mktemp("projects") / "balls"
    models, run = home / "models", "Run_20240101-120000"
    write_run(models / "CenterDetect" / run, "efficienttrack", CENTER, 1)
    write_run(models / "KeypointDetect" / run, "efficienttrack", BALLS, 1)
    cube = {"roi_cube_size": 96.0, "grid_spacing": 8.0}
    write_run(models / "HybridNet" / run, "hybridnet", BALLS, len(VIEWS), **cube)
    for name in ("monday", "tuesday"):
        write_cameras(dict(zip(VIEWS, rig(), strict=True)), home / "set" / "calib_params" / name, "jarvis")
    (home / "config.yaml").write_text("DATASET:\n  DATASET_3D: set\n")
    write_recording(home / "recording", FRAMES, calibration=False)
    return home


def command(project: Path, *words: object) -> str:
    done = CliRunner().invoke(build(), ["project", *map(str, words), "--folder", str(project.parent)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_a_recording_is_predicted_and_drawn_by_the_commands_of_a_project(project: Path) -> None:
    said = command(
        project,
        "predict3d",
        "balls",
        project / "recording",
        "--dataset-name",
        "tuesday",
        "--frame-start",
        1,
        "--smooth",
    )
    (folder,) = (project / "predictions" / "predictions3D").iterdir()
    assert f"{folder}: 5 of 5 frames located" in said and "end_to_end" in said
    info = read_info(folder / "info.yaml")
    assert (info.dataset_name, info.frame_start, info.number_frames) == ("tuesday", 1, 5)
    found = read_coordinates(folder)
    points = np.stack([frame.instances_3d.keypoints[0] for frame in found])  # type: ignore[union-attr]
    assert points.shape == (5, 4, 3) and np.isfinite(points).all()
    assert (folder / "data3D_smoothed.csv").is_file() and (folder / "bones.csv").is_file()
    assert json.loads((folder / "report.json").read_text())["cameras"] == sorted(VIEWS)
    said = command(project, "create-videos3d", "balls", "--cameras", "left,right", "--threshold", 0)
    videos = sorted((project / "visualization").glob("Videos_3D_*/*.mp4"))
    assert [video.stem for video in videos] == ["left", "right"] and all(str(video) in said for video in videos)
    with VideoReader(videos[0]) as reader:
        assert reader.count() == 5


def test_one_video_is_predicted_and_drawn_by_the_commands_of_a_project(project: Path) -> None:
    said = command(project, "predict2d", "balls", project / "recording" / "left.mp4", "--number-frames", 4)
    (folder,) = (project / "predictions" / "predictions2D").iterdir()
    assert f"{folder}: 4 of 4 frames located" in said
    assert len(read_coordinates(folder)) == 4 == read_info(folder / "info.yaml").number_frames
    command(project, "create-videos2d", "balls", folder.name)
    (video,) = (project / "visualization").glob("Videos_2D_*/left.mp4")
    with VideoReader(video) as reader:
        assert reader.count() == 4


def test_the_functions_need_no_project(project: Path, tmp_path: Path) -> None:
    run = project / "models" / "HybridNet" / "Run_20240101-120000"
    calibration = project / "set" / "calib_params" / "monday"
    made = vitruve.predict_3d(
        run, project / "recording", calibration, output=tmp_path, cameras=["left", "right"], number_frames=2
    )
    assert made.folder.parent == tmp_path and made.frames == 2
    assert read_info(made.folder / "info.yaml").dataset_name == str(calibration.resolve())
    (video,) = vitruve.create_videos_3d(made.folder, cameras=["right"])
    assert video == made.folder / "videos" / "right.mp4"


def test_a_runtime_that_is_named_is_that_of_the_locator_as_well(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models, name = project / "models", "Run_20240101-120000"
    with caplog.at_level("INFO"):
        opened = open_run(
            models / "KeypointDetect" / name, "torch_bf16", locator=models / "CenterDetect" / name, frames_expected=1
        )
    assert opened.runtime == "torch_bf16"
    said = [message for message in caplog.messages if "runtime" in message]
    assert len(said) == 2 and all(f"{name}: runtime torch_bf16" in message for message in said)


def test_runs_and_predictions_that_do_not_fit(project: Path, tmp_path: Path) -> None:
    flat = project / "models" / "KeypointDetect" / "Run_20240101-120000"
    solid = project / "models" / "HybridNet" / "Run_20240101-120000"
    calibration = project / "set" / "calib_params" / "monday"
    with pytest.raises(ConfigError, match="efficienttrack gives no points in space; take a run of hybridnet"):
        vitruve.predict_3d(flat, project / "recording", calibration, output=tmp_path)
    with pytest.raises(ConfigError, match=r"looks at several cameras together; .*predict3d"):
        vitruve.predict_2d(solid, project / "recording" / "left.mp4", output=tmp_path)
    assert not list(tmp_path.iterdir())
    from vitruve.project import Project, prediction

    with pytest.raises(InputError, match="Predictions_3D_x: no such prediction"):
        prediction.create_videos_3d(Project(project), "Predictions_3D_x")
    with pytest.raises(InputError, match=r"--data-csv data4D\.csv: no such file in .*Predictions_3D_"):
        prediction.create_videos_3d(Project(project), table="data4D.csv")
    empty = Project(tmp_path)
    with pytest.raises(InputError, match="holds no prediction; make one with: vitruve project predict2d"):
        prediction.create_videos_2d(empty)
