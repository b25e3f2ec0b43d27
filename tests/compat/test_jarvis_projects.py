"""JARVIS' own projects and commands."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from vitruve import api
from vitruve.cli import project, project_predict
from vitruve.cli.main import build
from vitruve.compat import jarvis
from vitruve.errors import ConfigError, InputError
from vitruve.project import Project

CONFIG = """
DATASET:
  DATASET_2D: Hand
  DATASET_3D: Hand
CENTERDETECT:
  COMPOUND_COEF: 1
  IMAGE_SIZE: 320
KEYPOINTDETECT:
  COMPOUND_COEF: 3
  BOUNDING_BOX_SIZE: 192
  NUM_JOINTS: 2
HYBRIDNET:
  NUM_CAMERAS: 4
  ROI_CUBE_SIZE: 144
  GRID_SPACING: 2
KEYPOINT_NAMES: [a, b]
SKELETON: [[a, b]]
"""


@pytest.fixture
def hand(tmp_path: Path) -> Path:
    """A project as JARVIS keeps it: in ``projects``, with its set in ``datasets`` beside that."""
    folder = tmp_path / "JARVIS-HybridNet" / "projects" / "Hand_Project"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    (tmp_path / "JARVIS-HybridNet" / "datasets" / "Hand").mkdir(parents=True)
    return folder


def test_a_project_of_jarvis_is_opened_as_it_is(hand: Path) -> None:
    opened = Project.open("Hand_Project", hand.parent)
    assert opened.dataset("3D") == hand.parent.parent / "datasets" / "Hand"
    found = jarvis.settings(hand)
    assert list(found) == ["CenterDetect", "KeypointDetect", "HybridNet"]
    assert [config.model.model_dump()["model_size"] for config in found.values()] == ["medium", "large", "large"]
    assert found["HybridNet"].model.model_dump()["roi_cube_size"] == 144.0
    assert found["CenterDetect"].training.train_batch_size == 2  # 8 images of 4 cameras
    assert all(config.data.data_dir == opened.dataset("3D") for config in found.values())


def test_what_is_written_for_jarvis_names_sets_by_absolute_paths(hand: Path, tmp_path: Path) -> None:
    jarvis.write_config(Project(hand), tmp_path / "for_jarvis.yaml")
    again = jarvis.read_config(tmp_path / "for_jarvis.yaml")
    assert str(hand.parent.parent / "datasets" / "Hand") == again.DATASET.DATASET_3D
    assert again.HYBRIDNET == Project(hand).config.HYBRIDNET


def test_a_set_that_is_not_there_is_told(hand: Path) -> None:
    (hand.parent.parent / "datasets" / "Hand").rmdir()
    with pytest.raises(ConfigError, match=r"DATASET\.DATASET_2D=Hand: there is neither"):
        jarvis.settings(hand)


@pytest.mark.parametrize(
    ("words", "verb", "expected"),
    [
        ("create-project P --dataset3d set", "create", {"name": "P", "dataset3d": Path("set"), "dataset2d": None}),
        (
            "train centerDetect --num_epochs 5 --pretrained_weights Hand P",
            "train",
            {"what": "center", "epochs": 5, "pretrained": "Hand", "weights": None},
        ),
        ("train keypointDetect --weights_path run P", "train", {"what": "keypoint", "weights": "run"}),
        (
            "train hybridNet --weights_keypoint_detect k --weights_hybridnet None --mode bifpn P",
            "train",
            {"what": "hybridnet", "weights_keypoint": "k", "weights": None, "mode": "bifpn"},
        ),
        (
            "train all --num_epochs_center 1 --num_epochs_keypoint 2 --num_epochs_hybridnet 3 --pretrain None P",
            "train",
            {"what": "all", "epochs_center": 1, "epochs_keypoint": 2, "epochs_hybridnet": 3, "pretrained": None},
        ),
        (
            "predict predict2d --weights_keypoint_detect k --frame_start 3 --number_frames 10 P v.mp4",
            "predict_2d",
            {"video": Path("v.mp4"), "weights_keypoint_detect": "k", "frame_start": 3, "number_frames": 10},
        ),
        (
            "predict predict3d --weights_center_detect c --weights_hybridnet latest --dataset_name Hand P rec",
            "predict_3d",
            {"recording": Path("rec"), "weights_center_detect": "c", "dataset_name": "Hand", "number_frames": -1},
        ),
    ],
)
def test_jarvis_commands_are_the_verbs_of_projects(
    monkeypatch: pytest.MonkeyPatch, words: str, verb: str, expected: dict[str, Any]
) -> None:
    calls: list[dict[str, Any]] = []
    order = {"create": ["name"], "train": ["name", "what"], "predict_2d": ["name", "video"]}
    names = {**order, "predict_3d": ["name", "recording"]}[verb]

    def noted(*given: Any, **more: Any) -> None:
        calls.append({**dict(zip(names, given, strict=False)), **more})

    monkeypatch.setattr(project_predict if verb.startswith("predict") else project, verb, noted)
    done = CliRunner().invoke(build(), ["jarvis", *words.split()], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert calls[0]["name"] == "P"
    assert {key: calls[0].get(key) for key in expected} == expected


def test_analyses_are_those_of_the_project(monkeypatch: pytest.MonkeyPatch, hand: Path) -> None:
    calls: list[tuple[Any, ...]] = []

    def noted(*given: Any, **more: Any) -> Any:
        calls.append((*given, more))
        return SimpleNamespace(files={"report": "report.html"})

    for verb in ("analyze_validation", "plot_error_histogram", "plot_error_per_keypoint"):
        monkeypatch.setattr(api, verb, noted)
    monkeypatch.setattr(Project, "run", lambda self, stage: self.models(stage) / "newest")

    def say(*words: str) -> None:
        done = CliRunner().invoke(build(), ["jarvis", "analyze", *words, str(hand)], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    with pytest.raises(InputError, match="holds no analysis"):
        say("plot-error-histogram")
    say("analyze-validation-data")
    run, labels, more = calls.pop()
    assert run.name == "newest" and labels == Project(hand).dataset("3D")
    assert more["output"].parent == hand / "analysis"
    for name in ("Validation_Predictions_20200101-000000", "Validation_Predictions_20210101-000000"):
        (hand / "analysis" / name).mkdir(parents=True)
    say("plot-error-histogram", "--cutoff", "30")
    assert calls.pop() == (hand / "analysis" / name, {"cutoff": 30.0})
    say("plot-error-per-keypoint", "--analysis_path", "there")
    assert calls.pop() == (Path("there"), {})


def test_launch_says_what_there_is_instead() -> None:
    with pytest.raises(InputError, match="vitruve project --help"):
        CliRunner().invoke(build(), ["jarvis", "launch"], catch_exceptions=False)
