"""The first page: what there is, an example, what to do next."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vitruve
from app.conftest import shown
from vitruve.app.overview import EXAMPLES, example_arguments, facts, next_steps, run_rows
from vitruve.app.pages import overview
from vitruve.app.place import Place
from vitruve.app.projects import POSES, RIG, AppProject, RunEntry
from vitruve.cli.main import build
from vitruve.jobs import Job, Jobs


def test_the_first_start_offers_an_example_as_a_job(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[dict[str, Any]] = []

    def submit(self: Jobs, arguments: Sequence[str], folder: Path, **more: Any) -> Job:
        handed.append({"arguments": tuple(arguments), "folder": folder, **more})
        return Job(self.folder / "job-000001", tuple(arguments), Path(folder))

    monkeypatch.setattr(Jobs, "submit", submit)
    test = shown(overview, empty)
    assert "There is no project" in test.markdown[0].value
    write = next(each for each in test.button if each.label == "Write it to example_mouse")
    test = write.click().run()
    assert not test.exception and not test.error
    target = str(empty.workspace.home / "example_mouse")
    assert handed == [
        {
            "arguments": ("example", "mouse", target, "--set", "frames=80", "--set", "video_frames=100"),
            "folder": empty.workspace.home,
            "title": "Example mouse",
            "about": {"example": "mouse", "kind": "example"},
            "waits": False,
        }
    ]


def test_examples_that_are_there_can_be_opened(empty: Place) -> None:
    vitruve.example("mouse", empty.workspace.home / "example_mouse", frames=2, video_frames=1)
    (empty.workspace.home / "example_rig" / "TrainingSet").mkdir(parents=True)
    test = shown(overview, empty)
    assert not [each for each in test.button if each.label.startswith("Write")]
    test = next(each for each in test.button if each.label == "Open example_mouse").click().run()
    assert test.session_state["project"] == str(empty.workspace.home / "example_mouse")
    example = next(each for each in test.selectbox if each.key == "overview/example")
    test = example.set_value("rig").run()
    assert not test.exception and any("example_rig" in each.value for each in test.caption)


def test_all_examples_are_there(tmp_path: Path) -> None:
    app = build()
    for name in EXAMPLES:
        first, given, *_ = example_arguments(name, tmp_path / name)
        assert (first, given) == ("example", name)
        # A number below its range is refused by the verb: names and extents are those that it knows.
        bad = CliRunner().invoke(app, [*example_arguments(name, tmp_path / name), "--set", "seed=-1"])
        assert isinstance(bad.exception, vitruve.errors.InputError) and "seed" in str(bad.exception)


def test_an_open_project_says_what_it_is(place: Place) -> None:
    assert place.project is not None
    test = shown(overview, place)
    assert not test.error and test.subheader[0].value == "mouse"
    runs = test.dataframe[0].value
    assert list(runs["run"]) == ["outputs/first"] and list(runs["state"]) == ["finished"]
    assert list(runs["epochs"]) == ["2 of 2"] and "px" in runs["result"][0]
    assert "median" not in runs["result"][0]
    projects = test.dataframe[1].value
    assert list(projects["project"]) == ["mouse"] and list(projects["finished"]) == [1]


def test_runs_and_settings_that_are_damaged_are_said(place: Place) -> None:
    assert place.project is not None
    first = place.project.runs()[0]
    first.files.status.write_text("{")
    (first.path / "model.json").unlink()
    assert run_rows([first]) == [{"run": "outputs/first", "state": "unknown", "epochs": "", "result": ""}]
    place.project.config.write_text("data: [\n")
    ((name, said),) = facts(place.project)
    assert name == "settings" and "not valid YAML" in said


def test_what_to_do_next(place: Place, tmp_path: Path) -> None:
    assert place.project is not None
    pages = [step.page for step in next_steps(place.project, [], 0)]
    assert pages[0] == "train" and "predict" not in pages
    done = next_steps(place.project, place.project.runs(), 2)
    assert [step.page for step in done[:2]] == ["queue", "predict"]
    (tmp_path / "rig").mkdir()
    (tmp_path / "rig" / "config.yaml").write_text("DATASET: {DATASET_2D: images}\nCENTERDETECT: {}\n")
    rig = AppProject(tmp_path / "rig", RIG)
    center = RunEntry(place.project.runs()[0].path, "a", "CenterDetect")
    step = next_steps(rig, [center], 0)[0]
    assert (step.page, step.why) == ("train", "not trained yet: KeypointDetect")
    for kind in (POSES, RIG):
        for each in next_steps(AppProject(tmp_path / "rig", kind), [center], 1):
            importlib.import_module(f"vitruve.app.pages.{each.page}")
