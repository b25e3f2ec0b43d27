"""JARVIS' own projects and commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from vitruve import api
from vitruve.cli.main import build
from vitruve.compat import jarvis
from vitruve.errors import ConfigError, InputError, RunError
from vitruve.pipeline import analyze_3d
from vitruve.project import Project, analysis, prediction

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


class Asked:
    """Stands in for the work of commands: notes what is asked for, and answers with what commands print."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        predicted = SimpleNamespace(folder="f", located=1, frames=1, seconds=1.0, frames_per_second={"read": 1.0})
        made = SimpleNamespace(files={"report": "report.html"})
        created = SimpleNamespace(reasons=(), project=SimpleNamespace(path="p", config_file="c"))
        for place, verb, answer in (
            (api, "create_project", created),
            (api, "train_project", []),
            (prediction, "predict_2d", predicted),
            (prediction, "predict_3d", predicted),
            (prediction, "create_videos_2d", Path("v.mp4")),
            (prediction, "create_videos_3d", [Path("v.mp4")]),
            (analysis, "analyze_validation", made),
            (api, "plot_error_histogram", Path("h.png")),
            (api, "plot_error_per_keypoint", Path("k.png")),
        ):
            monkeypatch.setattr(place, verb, self._verb(verb, answer))

    def _verb(self, name: str, answer: Any) -> Any:
        def noted(*given: Any, **more: Any) -> Any:
            self.calls.append((name, given, more))
            return answer

        return noted


def jarvis_says(words: str) -> str:
    done = CliRunner().invoke(build(), ["jarvis", *words.split()], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def every(epochs: int) -> dict[str, int]:
    """Epochs of whichever network is trained."""
    return dict.fromkeys(("center", "keypoint", "hybridnet"), epochs)


P = "Hand_Project"
OLDER, LATEST = "Validation_Predictions_20200101-000000", "Validation_Predictions_20210101-000000"
COMMANDS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "create-project --dataset2d flat --dataset3d set New",
        "create_project",
        {"0": "New", "1": Path("set"), "2": Path("flat")},
    ),
    (
        f"train centerDetect --num_epochs 5 --weights_path run --pretrained_weights Hand {P}",
        "train_project",
        {"0": P, "1": "center", "epochs": every(5), "weights": "run", "pretrained": "Hand"},
    ),
    (
        f"train keypointDetect --num_epochs 6 --weights_path run --pretrained_weights None {P}",
        "train_project",
        {"0": P, "1": "keypoint", "epochs": every(6), "weights": "run", "pretrained": None},
    ),
    (
        f"train hybridNet --num_epochs 7 --weights_keypoint_detect k --weights_hybridnet None --mode bifpn {P}",
        "train_project",
        {"1": "hybridnet", "epochs": every(7), "weights_keypoint": "k", "weights": None, "mode": "bifpn"},
    ),
    (
        f"train all --num_epochs_center 1 --num_epochs_keypoint 2 --num_epochs_hybridnet 3 --pretrain EcoSet {P}",
        "train_project",
        {"1": "all", "epochs": {"center": 1, "keypoint": 2, "hybridnet": 3}, "pretrained": "EcoSet"},
    ),
    (
        "predict predict2d --weights_center_detect c --weights_keypoint_detect k --frame_start 3 --number_frames 10 "
        f"{P} my_video.mp4",
        "predict_2d",
        {
            "1": Path("my_video.mp4"),
            "weights_center_detect": "c",
            "weights_keypoint_detect": "k",
            "frame_start": 3,
            "number_frames": 10,
        },
    ),
    (
        "predict predict3d --weights_center_detect c --weights_hybridnet h --frame_start 3 --number_frames -1 "
        f"--dataset_name My_Hand {P} my_recording",
        "predict_3d",
        {
            "1": Path("my_recording"),
            "weights_center_detect": "c",
            "weights_hybridnet": "h",
            "frame_start": 3,
            "number_frames": -1,
            "dataset_name": "My_Hand",
        },
    ),
    (
        "visualize create-videos3d --prediction_path Predictions_3D_x --data_csv data3D_smoothed.csv --frame_start 2 "
        f"--number_frames 9 --video_cam_list Cam_A,Cam_B --dataset_name My_Hand --output_dir my_out --recording r {P}",
        "create_videos_3d",
        {
            "1": "Predictions_3D_x",
            "table": "data3D_smoothed.csv",
            "frame_start": 2,
            "number_frames": 9,
            "cameras": ["Cam_A", "Cam_B"],
            "dataset_name": "My_Hand",
            "output": Path("my_out"),
            "recording": Path("r"),
        },
    ),
    (
        "visualize create-videos2d --prediction_path latest --data_csv data2D.csv --frame_start 2 --number_frames 9 "
        f"--output_dir my_out {P}",
        "create_videos_2d",
        {"1": "latest", "table": "data2D.csv", "frame_start": 2, "number_frames": 9, "output": Path("my_out")},
    ),
    (
        f"analyze analyze-validation-data --weights_center_detect c --weights_hybridnet h --cameras Cam_A,Cam_B {P}",
        "analyze_validation",
        {"weights_center_detect": "c", "weights_hybridnet": "h", "cameras": ["Cam_A", "Cam_B"]},
    ),
    (
        f"analyze plot-error-histogram --analysis_path latest --cutoff 30 {P}",
        "plot_error_histogram",
        {"0": LATEST, "cutoff": 30.0, "each_keypoint": False},
    ),
    (f"analyze plot-error-per-keypoint --analysis_path latest {P}", "plot_error_per_keypoint", {"0": LATEST}),
    (
        f"analyze plot-error-histogram-per-keypoint --analysis_path {OLDER} --cutoff -1 {P}",
        "plot_error_histogram",
        {"0": OLDER, "cutoff": None, "each_keypoint": True},
    ),
]


@pytest.mark.parametrize(
    ("words", "verb", "expected"), COMMANDS, ids=[words.split(" -")[0] for words, _, _ in COMMANDS]
)
def test_commands_of_jarvis_with_its_own_options(
    monkeypatch: pytest.MonkeyPatch, hand: Path, words: str, verb: str, expected: dict[str, Any]
) -> None:
    monkeypatch.chdir(hand.parent.parent)
    for name in (OLDER, LATEST):
        (hand / "analysis" / name).mkdir(parents=True)
    asked = Asked(monkeypatch)
    jarvis_says(words)
    ((name, given, more),) = asked.calls
    assert name == verb
    found = {**{str(number): value for number, value in enumerate(given)}, **more}
    if verb.startswith("plot"):
        found["0"] = found["0"].name
    assert {key: found[key] for key in expected} == expected


def test_no_command_of_jarvis_is_missing() -> None:
    def below(command: Any, path: str) -> Iterator[str]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from below(inner, f"{path} {name}".strip())
        if not hasattr(command, "commands"):
            yield path

    there = set(below(get_command(build()).commands["jarvis"], ""))  # type: ignore[attr-defined]
    assert there == {words.split(" -")[0] for words, _, _ in COMMANDS} | {"launch", "launch-cli"}


def test_options_of_projects_work_as_well(monkeypatch: pytest.MonkeyPatch, hand: Path) -> None:
    asked = Asked(monkeypatch)
    jarvis_says(f"visualize create-videos3d {hand} somewhere --cameras Cam_A --threshold 0.5 -o my_out")
    _, given, more = asked.calls[0]
    assert given[1] == "somewhere" and more["table"] is None
    assert (more["cameras"], more["threshold"], more["output"]) == (["Cam_A"], 0.5, Path("my_out"))


def test_without_an_analysis_the_command_that_makes_one_is_named(hand: Path) -> None:
    with pytest.raises(InputError, match="analyze-validation-data Hand_Project"):
        jarvis_says(f"analyze plot-error-histogram {hand}")
    (hand / "analysis" / OLDER).mkdir(parents=True)
    with pytest.raises(InputError, match=f"Validation_Pred: no such analysis.* holds {OLDER}"):
        jarvis_says(f"analyze plot-error-histogram {hand} --analysis_path Validation_Pred")


def test_an_analysis_lies_in_the_project(monkeypatch: pytest.MonkeyPatch, hand: Path) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(analyze_3d, "analyze_validation", lambda *given, **more: calls.append((*given, more)))
    runs = {"CenterDetect": None, "HybridNet": hand / "models" / "HybridNet" / "newest"}
    monkeypatch.setattr(Project, "run", lambda self, stage, which="latest": runs[stage] or untrained())
    analysis.analyze_validation(Project(hand), cameras=["a", "b"])
    ((run, labels, more),) = calls
    assert run.name == "newest" and labels == Project(hand).dataset("3D")
    assert more["output"].parent == hand / "analysis" and more["cameras"] == ["a", "b"]
    assert more["locator"] is None  # the one that the run keeps
    with pytest.raises(RunError):
        analysis.analyze_validation(Project(hand), weights_center_detect="Run_1")


def untrained() -> None:
    raise RunError("not trained")


@pytest.mark.parametrize("command", ["launch", "launch-cli"])
def test_launch_says_what_there_is_instead(command: str) -> None:
    with pytest.raises(InputError, match="vitruve project --help"):
        jarvis_says(command)
