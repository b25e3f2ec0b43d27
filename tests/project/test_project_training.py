"""Projects from a rendered rig: made, trained in order, gone on with, moved."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rigs import TINY, shrunk, training_set
from safetensors.numpy import load_file
from typer.testing import CliRunner

import vitruve
from vitruve.cli.main import build
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, Interrupted, RunError
from vitruve.formats.hub import write_labels
from vitruve.pipeline.report import outcome
from vitruve.project import Project, Stage
from vitruve.project import training as work
from vitruve.project.folder import is_finished
from vitruve.run import RunFiles


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set and a project of it, all of whose networks are trained."""
    folder = tmp_path_factory.mktemp("home")
    training_set(folder / "rig")
    made = vitruve.create_project("mouse", folder / "rig", folder=folder / "projects")
    vitruve.train_project(shrunk(made.project), epochs=1, overrides=TINY, quiet=True)
    return folder


@pytest.fixture
def new(home: Path, tmp_path: Path) -> Project:
    """A project that is not trained."""
    return shrunk(vitruve.create_project(tmp_path / "projects" / "new", home / "rig").project)


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_file(RunFiles(run).weights)


def test_all_networks_are_ordinary_runs_built_on_one_another(home: Path) -> None:
    project = Project.open("mouse", home / "projects")
    center, keypoint, hybrid = (project.run(stage) for stage in Stage)
    assert len({run.name for run in (center, keypoint, hybrid)}) == 1
    assert center.parent == project.path / "models" / "CenterDetect"
    for run in (center, keypoint, hybrid):
        assert is_finished(run) and vitruve.load_run(run, frames_expected=1).predictor is not None
        assert list((project.path / "logs" / run.parent.name / run.name).rglob("events.out.tfevents*"))
    # Only the network in space was learned: the other is KeypointDetect's.
    own, before = weights(hybrid), weights(keypoint)
    shared = [name for name in own if name.startswith("network.")]
    assert len(shared) == len(before)
    assert all(np.array_equal(own[name], before[name]) for name in shared)
    for run in (keypoint, hybrid):
        found = weights(run / "locator")
        assert all(np.array_equal(found[name], value) for name, value in weights(center).items())
    assert json.loads(RunFiles(center).model.read_text())["task"]["skeleton"]["names"] == ["center"]


def test_a_project_can_be_moved_with_its_set(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "elsewhere", symlinks=True)
    project = Project.open(tmp_path / "elsewhere" / "projects" / "mouse")
    assert project.dataset("3D") == tmp_path / "elsewhere" / "rig"
    assert str(home) not in project.config_file.read_text()
    assert project.run("hybridnet").is_relative_to(tmp_path)
    assert list((project.path / "logs").rglob("events.out.tfevents*")) or (project.logs(Stage.CENTER)).is_dir()


def test_the_command_line_makes_shows_and_lists(home: Path, tmp_path: Path) -> None:
    def say(*words: str) -> str:
        done = CliRunner().invoke(build(), ["project", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    told = say("create", "again", "--dataset3d", str(home / "rig"), "--folder", str(tmp_path / "projects"))
    assert "BOUNDING_BOX_SIZE 64 px: 98 of 100" in told and "100% of 3 framesets fit" in told
    assert "again  CenterDetect 0, KeypointDetect 0, HybridNet 0" in say("list", "--folder", str(tmp_path / "projects"))
    shown = say("show", str(home / "projects" / "mouse"))
    assert "CenterDetect: 1 run\n" in shown and "1 epochs; mean error: validation" in shown
    (millimetres,) = re.findall(r"1 epochs; mean error in space: validation ([\d.]+) mm", shown)
    row = RunFiles(Project.open("mouse", home / "projects").run("hybridnet")).read_metrics()[0]
    assert float(millimetres) == pytest.approx(float(row["val_pixel_error"]), abs=0.01)
    run = Project.open("mouse", home / "projects").run("hybridnet")
    space, images, *_ = outcome(run)
    assert space == f"mean error in space: validation {millimetres} mm"
    assert images.startswith("mean error in the images: ") and " px" in images
    assert f"validation {millimetres} mm" in (RunFiles(run).evaluation / "report.html").read_text()


def test_latest_is_the_newest_finished_run(home: Path, new: Project) -> None:
    with pytest.raises(RunError, match="has not been trained; train it with: vitruve project train new center"):
        new.run("center")
    trained = Project.open("mouse", home / "projects").run("center")
    for name in ("Run_20200101-000000", "Run_20210101-000000"):
        shutil.copytree(trained, new.models(Stage.CENTER) / name)
    unfinished = new.models(Stage.CENTER) / "Run_20220101-000000"
    RunFiles(unfinished).write_status("TRAINING", 1, 5)
    assert new.run(Stage.CENTER).name == "Run_20210101-000000"
    assert new.run("CenterDetect", "Run_20200101-000000").name == "Run_20200101-000000"
    with pytest.raises(RunError, match="training did not finish"):
        new.run("center", "Run_20220101-000000")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, home: Path) -> dict[str, Any]:
    """Training that only copies a trained run; ``stop`` names the network at which Ctrl-C comes."""
    calls: dict[str, Any] = {"trained": [], "resumed": [], "configs": [], "stop": None}

    def finished(directory: Path) -> Path:
        source = Project.open("mouse", home / "projects").run(directory.parent.name)
        shutil.copytree(source, directory, dirs_exist_ok=True)
        return directory

    def train(config: Config, directory: Path, *, quiet: bool) -> Path:
        calls["configs"].append(config)
        if directory.parent.name == calls["stop"]:
            RunFiles(directory).write_status("INTERRUPTED", 1, 5)
            raise Interrupted("stopped")
        calls["trained"].append(directory)
        return finished(directory)

    def resume(directory: Path, *, quiet: bool) -> Path:
        calls["resumed"].append(directory)
        if RunFiles(directory).config.is_file():
            calls["configs"].append(Config.load(RunFiles(directory).config))
        return finished(directory)

    monkeypatch.setattr(work, "train_networks", train)
    monkeypatch.setattr(work, "resume_networks", resume)
    return calls


def test_a_training_that_was_stopped_goes_on_where_it_was(new: Project, fake: dict[str, Any]) -> None:
    fake["stop"] = "KeypointDetect"
    with pytest.raises(Interrupted, match="goes on with: vitruve project train new all --resume"):
        vitruve.train_project(new, finetune=True, quiet=True)
    fake["stop"] = None
    runs = vitruve.train_project(new, finetune=True, resume=True, quiet=True)
    name = runs[0].name
    assert [run.parent.name for run in fake["trained"]] == ["CenterDetect", "HybridNet", "HybridNet"]
    assert fake["resumed"] == [new.models(Stage.KEYPOINT) / name]
    assert [run.name for run in runs] == [name, name, name, f"{name}-finetune"]
    last = fake["configs"][-1]
    assert last.model.mode == "all" and last.model.checkpoint == (new.models(Stage.HYBRID) / name).absolute()
    assert last.training.optimizer_params.learning_rate == pytest.approx(0.0003)
    assert new.run("hybridnet").name == f"{name}-finetune"
    with pytest.raises(RunError, match="nothing to go on with"):
        vitruve.train_project(new, finetune=True, resume=True, quiet=True)


def test_a_training_is_named_and_goes_on_by_its_name(new: Project, fake: dict[str, Any]) -> None:
    fake["stop"] = "KeypointDetect"
    names = ("Run_20300101-000000", "Run_20310101-000000")
    for name in names:
        with pytest.raises(Interrupted):
            vitruve.train_project(new, run=name, quiet=True)
    fake["stop"] = None
    runs = vitruve.train_project(new, run=names[0], resume=True, quiet=True)
    assert {run.name for run in runs} == {names[0]}
    assert fake["resumed"] == [new.models(Stage.KEYPOINT) / names[0]]
    with pytest.raises(RunError, match="no training called Run_x to go on with"):
        vitruve.train_project(new, run="Run_x", resume=True)
    with pytest.raises(InputError, match="must begin with Run_"):
        vitruve.train_project(new, run="../Run_x")


def test_checking_a_training_trains_nothing(new: Project, fake: dict[str, Any]) -> None:
    runs = vitruve.train_project(new, run="Run_a", finetune=True, check=True)
    folders = [new.models(stage) for stage in (*Stage, Stage.HYBRID)]
    assert runs == [folder / name for folder, name in zip(folders, [*["Run_a"] * 3, "Run_a-finetune"], strict=True)]
    assert not fake["trained"] and not any(run.exists() for run in runs)
    with pytest.raises(ConfigError, match=r"training\.epochs: unknown"):
        vitruve.train_project(new, overrides=["training.epochs=3"], check=True)


def test_a_training_that_was_stopped_goes_on_where_the_project_has_moved(
    fake: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home / "rig", tmp_path / "rig")
    new = vitruve.create_project(tmp_path / "projects" / "own", tmp_path / "rig").project
    fake["stop"] = "KeypointDetect"
    with pytest.raises(Interrupted):
        vitruve.train_project(new, quiet=True)
    begun = fake["configs"][-1]
    stopped = new.models(Stage.KEYPOINT) / new.runs(Stage.KEYPOINT)[0].name
    RunFiles(stopped).config.write_text(begun.to_yaml())
    (tmp_path / "elsewhere").mkdir()
    for name in ("rig", "projects"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    fake["stop"] = None
    moved = Project.open(tmp_path / "elsewhere" / "projects" / "own")
    vitruve.train_project(moved, resume=True, quiet=True)
    resumed = fake["configs"][-2]
    assert resumed.data.data_dir == tmp_path / "elsewhere" / "rig"
    assert resumed.crop.locator == moved.run("center")
    assert resumed.model == begun.model and resumed.training == begun.training


def test_a_project_named_from_the_current_folder_trains_all_networks(
    new: Project, fake: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(new.path.parent.parent)
    runs = vitruve.train_project("new", quiet=True)
    assert [run.is_absolute() for run in runs] == [False] * 3
    _, keypoint, hybrid = fake["configs"]
    assert keypoint.crop.locator == hybrid.crop.locator == runs[0].absolute()
    assert hybrid.model.checkpoint == runs[1].absolute()


def test_a_single_network_starts_from_what_is_named(new: Project, fake: dict[str, Any], home: Path) -> None:
    other = Project.open("mouse", home / "projects")
    vitruve.train_project(new, pretrained=other.path / "models", quiet=True)
    center, keypoint, hybrid = fake["configs"]
    assert center.model.checkpoint == other.run("center") and keypoint.model.checkpoint == other.run("keypoint")
    assert hybrid.model.checkpoint == new.run("keypoint").absolute()
    vitruve.train_project(new, "hybridnet", weights="latest", mode="bifpn", epochs={"hybridNet": 9}, quiet=True)
    again = fake["configs"][-1]
    assert again.model.checkpoint.parent.name == "HybridNet" and again.model.mode == "bifpn"
    assert again.training.max_epochs == 9 and again.crop.locator == new.run("center").absolute()
    vitruve.train_project(new, "keypoint", quiet=True)
    assert fake["configs"][-1].model.checkpoint is None
    vitruve.train_project(new, "hybridnet", finetune=True, quiet=True)
    assert fake["configs"][-1].model.mode == "all" and fake["configs"][-1].model.checkpoint.parent.name == "HybridNet"


def changed(project: Project, old: str, new: str) -> Project:
    text = project.config_file.read_text()
    assert old in text
    project.config_file.write_text(text.replace(old, new))
    return Project(project.path)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda p: vitruve.train_project(p, "hybridnet"), RunError, "CenterDetect: it has not been trained"),
        (lambda p: vitruve.train_project(p, "nose"), InputError, "no network of a project"),
        (lambda p: vitruve.train_project(p, weights="latest"), InputError, "--weights: goes with one network"),
        (lambda p: vitruve.train_project(p, "center", finetune=True), InputError, "--finetune: is of HybridNet"),
        (lambda p: vitruve.train_project(p, pretrained="Rat"), RunError, "pretrained 'Rat': no such folder"),
        (lambda p: vitruve.train_project(p, resume=True), RunError, "no training to go on with"),
        (lambda p: vitruve.train_project(p, mode="some"), InputError, "must be one of 3D_only"),
        (lambda p: vitruve.train_project(p, overrides=["training.epochs=3"]), ConfigError, "training.epochs: unknown"),
        (
            lambda p: vitruve.train_project(changed(p, "NUM_CAMERAS: 3", "NUM_CAMERAS: 6")),
            ConfigError,
            "HYBRIDNET.NUM_CAMERAS=6, but .* has 3 cameras",
        ),
        (
            lambda p: vitruve.train_project(changed(p, "rig ", "rag ")),
            ConfigError,
            "DATASET.DATASET_2D=.*rag: there is neither",
        ),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_trained(
    new: Project, wrong: Callable[[Project], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        wrong(new)
    assert not (new.path / "models").exists()


def test_framesets_larger_than_the_cube_are_told(
    new: Project, fake: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    project = changed(changed(new, "GRID_SPACING: 15", "GRID_SPACING: 5"), "ROI_CUBE_SIZE: 240", "ROI_CUBE_SIZE: 20")
    vitruve.train_project(project, quiet=True)
    assert "3 of 3 framesets are larger (first: train/rig/" in caplog.text


def test_sets_that_make_no_project(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; give a TrainingSet"):
        vitruve.create_project(tmp_path / "p" / "a", tmp_path / "nowhere")
    with pytest.raises(InputError, match="neither is given"):
        vitruve.create_project(tmp_path / "p" / "a")
    broken = tmp_path / "broken"
    shutil.copytree(home / "rig", broken)
    lost = next((broken / "train").rglob("*.jpg"))
    lost.unlink()
    made = vitruve.create_project(tmp_path / "lost" / "a", broken)
    assert re.match(rf"1 of \d+ images are not there \(first: {re.escape(str(lost))}\)", made.reasons[-1])
    assert "training needs the images" in made.reasons[-1]
    whole = vitruve.create_project(tmp_path / "whole" / "a", home / "rig")
    assert made.reasons[:-1] == whole.reasons and (made.crop, made.cube) == (whole.crop, whole.cube)
    flat = training_set(tmp_path / "flat").views([0])
    shutil.rmtree(tmp_path / "flat" / "annotations")
    write_labels(flat, tmp_path / "flat", format="jarvis")
    with pytest.raises(InputError, match="is a 2D export, without calibrations"):
        vitruve.create_project(tmp_path / "p" / "a", tmp_path / "flat")
    assert not (tmp_path / "p").exists()
    made = vitruve.create_project(tmp_path / "p" / "a", dataset2d=tmp_path / "flat")
    assert made.cube is None and made.project.config.HYBRIDNET.ROI_CUBE_SIZE is None
    with pytest.raises(InputError, match="is there already"):
        vitruve.create_project(tmp_path / "p" / "a", dataset2d=tmp_path / "flat")
