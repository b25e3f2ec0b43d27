"""The pages of analysis: what is shown, what a job is told, and what is said where there is nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from app.conftest import shown
from vitruve.app.pages import analyze_3d, analyze_frames, analyze_videos, detectors
from vitruve.app.place import Place
from vitruve.app.projects import RIG, AppProject, RunEntry
from vitruve.app.workspace import Workspace
from vitruve.formats.analysis_points import TRUTH, write_analysis_points
from vitruve.structures.labels import Labels
from vitruve.structures.skeleton import Skeleton


def test_errors_on_the_page_are_those_of_the_report(place: Place) -> None:
    page = shown(analyze_frames, place)
    assert not page.warning and not page.error
    assert page.multiselect(key=_key(place, "analyze_frames:runs")).value == ["outputs/first"]
    told = page.dataframe[0].value.set_index("split")
    report = pd.read_csv(place.project.path / "outputs/first/evaluation/summary.csv").set_index("split")  # type: ignore[union-attr]
    assert told["keypoints"].to_dict() == report["keypoints"].to_dict()
    assert told["mean"].to_dict() == pytest.approx(report["mean_error_px"].to_dict(), rel=1e-3)
    # A part of them: other keypoints, one split, and those on the better side of a threshold.
    page.multiselect(key=_key(place, "analyze_frames:keypoints")).set_value(["nose"])
    page.multiselect(key=_key(place, "analyze_frames:splits")).set_value(["validation"])
    page.number_input(key=_key(place, "analyze_frames:threshold:pixel_error")).set_value(1000.0).run()
    assert not page.exception
    told = page.dataframe[0].value
    assert told["split"].tolist() == ["validation"] and told["good"].tolist() == [100]
    page.selectbox(key=_key(place, "analyze_frames:metric")).set_value("confidence").run()
    assert not page.exception and page.dataframe[0].value["mean"].between(0, 1).all()


def test_runs_are_set_against_one_another_and_the_worst_come_first(place: Place) -> None:
    assert place.project is not None
    outputs = place.project.path / "outputs"
    # The run is a copy: its images are to be those beside it.
    config = outputs / "first" / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    settings["data"]["data_dir"] = str(place.project.path)
    config.write_text(yaml.safe_dump(settings))
    page = shown(analyze_frames, place)
    page.segmented_control(key=_key(place, "analyze_frames:shown")).set_value("Run against run").run()
    assert "at least two runs" in page.info[0].value
    shutil.copytree(outputs / "first", outputs / "second")
    page = shown(analyze_frames, place)
    page.segmented_control(key=_key(place, "analyze_frames:shown")).set_value("Run against run").run()
    assert not page.exception and "in 0 % of them" in page.caption[0].value
    page.segmented_control(key=_key(place, "analyze_frames:shown")).set_value("Worst frames").run()
    assert not page.exception and not page.info
    worst = page.dataframe[0].value["value"]
    assert len(worst) == 12 and worst.is_monotonic_decreasing


def test_a_run_whose_labels_are_gone_is_left_out_with_the_reason(place: Place) -> None:
    assert place.project is not None
    (place.project.path / "outputs/first/predictions.csv").unlink()
    page = shown(analyze_frames, place)
    assert "outputs/first is left out" in page.warning[0].value and "predictions.csv" in page.warning[0].value


def _predicted(place: Place, run: str, away: float) -> None:
    """A table of a video as prediction writes it: two keypoints that go to the right, one pixel a frame."""
    assert place.project is not None
    folder = place.project.path / "outputs" / run / "video_preds"
    folder.mkdir(exist_ok=True)
    columns = [("s", name, coord) for name in ("nose", "tail") for coord in ("x", "y", "likelihood")]
    rows = [[n + away, 20.0, 0.9, n + 30 + away, 30.0, 0.8] for n in range(12)]
    names = pd.MultiIndex.from_tuples(columns, names=("scorer", "bodyparts", "coords"))
    pd.DataFrame(rows, columns=names).to_csv(folder / "mouse.csv")


def test_videos_of_several_runs_are_compared(place: Place) -> None:
    assert place.project is not None
    shutil.rmtree(place.project.path / "outputs/first/video_preds", ignore_errors=True)
    page = shown(analyze_videos, place)
    assert "No video is predicted yet" in page.info[0].value
    shutil.copytree(place.project.path / "outputs/first", place.project.path / "outputs/second")
    _predicted(place, "first", 0.0)
    _predicted(place, "second", 6.0)
    page = shown(analyze_videos, place)
    assert not page.exception and not page.warning
    told = page.dataframe[0].value
    motion = told[told["value"].str.startswith("Motion")]
    assert sorted(motion["run"]) == ["outputs/first", "outputs/second"] and motion["mean"].tolist() == [1, 1]
    page.segmented_control(key=_key(place, "analyze_videos:shown")).set_value("Distribution").run()
    assert not page.exception
    page.segmented_control(key=_key(place, "analyze_videos:shown")).set_value("Worst frames").run()
    assert not page.exception and not page.info
    page.selectbox(key=_key(place, "analyze_videos:worst:True")).set_value("likelihood").run()
    assert not page.exception
    page.multiselect(key=_key(place, "analyze_videos:tables:('mouse', 2)")).set_value([]).run()
    assert "Choose above" in page.info[0].value


def test_a_project_without_cameras_or_boxes_is_told_where_its_errors_are(place: Place) -> None:
    assert "several calibrated cameras" in shown(analyze_3d, place).info[0].value
    assert "keypoints, not boxes" in shown(detectors, place).info[0].value


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A project of several cameras with a run that counts as finished, and an analysis."""
    path = tmp_path / "rodent"
    write_analysis_points(
        path / "analysis" / "Validation_Predictions_1",
        ("a/Frame_0", "a/Frame_1"),
        {TRUTH: np.ones((2, 3, 3)), "HybridNet": np.ones((2, 3, 3)) + np.array([[[3.0, 0, 0]], [[0, 4.0, 0]]])},
    )
    (path / "config.yaml").write_text("CENTERDETECT: {}\n")
    run = RunEntry(path / "models" / "HybridNet" / "Run_1", "HybridNet/Run_1", "HybridNet")
    run.path.mkdir(parents=True)
    monkeypatch.setattr(AppProject, "runs", lambda self: [run])
    monkeypatch.setattr(RunEntry, "finished", property(lambda self: True))
    return Place(Workspace.of([tmp_path]), AppProject(path, RIG))


def test_errors_in_space_are_shown_with_a_cutoff(rig: Place) -> None:
    page = shown(analyze_3d, rig)
    assert page.dataframe[0].value[["framesets", "mpjpe_mm"]].to_numpy().tolist() == [[2, 3.5]]
    for name in ("Each keypoint", "Cameras and bones", "Worst framesets"):
        page.segmented_control(key=_key(rig, "analyze_3d:shown")).set_value(name).run()
        assert not page.exception, name
    assert page.dataframe[0].value["frameset"].tolist() == ["a/Frame_1", "a/Frame_0"]


def test_an_analysis_is_started_as_a_job(rig: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[Any] = []

    labels = Labels(Skeleton(("a",)), (), view_names=("Camera_A", "Camera_B", "Camera_C"))
    monkeypatch.setattr(Place, "jobs", property(lambda self: _NoJobs(handed)))
    monkeypatch.setattr(analyze_3d, "_label_source", lambda place, run: rig.project.path / "set")  # type: ignore[union-attr]
    monkeypatch.setattr(analyze_3d, "_read", lambda source, changed: labels)
    page = shown(analyze_3d, rig)
    cameras = page.multiselect(key=_key(rig, "analyze_3d:cameras"))
    cameras.set_value(["Camera_A"]).run()
    assert "at least two cameras" in page.error[0].value
    assert page.button(key=_key(rig, "analyze_3d:go")).disabled
    page.multiselect(key=_key(rig, "analyze_3d:cameras")).set_value(["Camera_A", "Camera_C"]).run()
    page.selectbox(key=_key(rig, "analyze_3d:split")).set_value("all").run()
    page.button(key=_key(rig, "analyze_3d:go")).click().run()
    arguments, folder, more = handed[0]
    assert arguments[:2] == ["analyze", "validation"] and folder == rig.project.path  # type: ignore[union-attr]
    given = dict(zip(arguments[3::2], arguments[4::2], strict=False))
    assert given["--split"] == "all" and given["--cameras"] == "Camera_A,Camera_C"
    assert more["about"]["kind"] == "analyze"


class _NoJobs:
    """Takes jobs and starts none."""

    def __init__(self, handed: list[Any]) -> None:
        self._handed = handed

    def submit(self, arguments: list[str], folder: Path, **more: Any) -> Any:
        self._handed.append((list(arguments), Path(folder), more))
        return type("Handed", (), {"id": "job-000001"})

    def all(self) -> list[Any]:
        return []


def _key(place: Place, key: str) -> str:
    assert place.project is not None
    return f"{key}:{place.project.path}"
