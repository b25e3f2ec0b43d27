"""Searches on their page: which there are, what begins one, what its trials have reached."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from app.conftest import shown
from vitruve.app.figures.study import importance_bars, parallel_coordinates, trial_curves
from vitruve.app.job_kinds import kind_of
from vitruve.app.pages import study as page
from vitruve.app.place import Place
from vitruve.app.study import (
    Range,
    beginnings,
    checked_search,
    find_studies,
    override_value,
    proposed_range,
    read_choices,
    search_arguments,
    settings_to_search,
    trials_table,
)
from vitruve.config.compose import compose
from vitruve.errors import ConfigError
from vitruve.jobs import Job, Jobs
from vitruve.tuning.folder import StudyFiles
from vitruve.tuning.tune import open_study

RATE = "training.optimizer_params.learning_rate"
BATCH = "training.train_batch_size"

HERE = {"host": "here", "run": "", "reason": ""}
STATE: dict[str, Any] = {
    "name": "s",
    "objective": "val_pixel_error",
    "direction": "minimize",
    "space": [
        {"key": RATE, "low": 1e-4, "high": 1e-2, "log": True, "int": False},
        {"key": BATCH, "choices": [2, 4]},
    ],
    "trials": [
        {"number": 0, "state": "complete", "stopping": False, "value": 3.0, "epoch": 1,
         "params": {RATE: 1e-3, BATCH: 4}, "curve": [[0, 5.0], [1, 3.0]], "begun": 1.0, **HERE, "seconds": 2.0},
        {"number": 1, "state": "running", "stopping": True, "value": None, "epoch": None,
         "params": {RATE: 1e-4, BATCH: 2}, "curve": [[0, 4.0], [1, 4.5]], "begun": 2.0, **HERE, "seconds": 1.0},
    ],
    "best": 0, "done": 1, "running": 1, "max_trials": 8, "importances": {}, "begun": 1.0, "now": 4.0,
}  # fmt: skip


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], Path, dict[str, str]]]:
    """What was handed in, and not begun."""
    found: list[tuple[tuple[str, ...], Path, dict[str, str]]] = []

    def submit(jobs: Jobs, arguments: Any, folder: Path, **more: Any) -> Job:
        found.append((tuple(arguments), folder, more["about"]))
        return Job(jobs.folder / "job-000001", tuple(arguments), folder)

    monkeypatch.setattr(Jobs, "submit", submit)
    return found


@pytest.fixture
def study(place: Place) -> Path:
    """A study of two keys in the project, of which nothing was tried."""
    assert place.project is not None
    folder = place.project.path / "outputs" / "search"
    space = {RATE: {"low": 1e-4, "high": 1e-2, "log": True}, BATCH: {"choices": [2, 4]}}
    config = compose(str(place.project.config), quiet=True).config
    StudyFiles(folder).write_settings(
        config.model_copy(update={"tune": config.tune.model_copy(update={"space": space})})
    )
    return folder


def test_overrides_are_what_hydra_reads(place: Place) -> None:
    assert place.project is not None
    ranges = [Range(RATE, 1e-5, 0.1, True), Range(BATCH, choices=(2, 4)), Range("training.optimizer", choices=("SGD",))]
    arguments = search_arguments(
        place.project.config, ranges, "outputs/it's, a = name", {"max_trials": 5}, place.project
    )
    assert arguments[:2] == ["tune", "config.yaml"]
    made = compose(str(place.project.config), None, arguments[2:], quiet=True)
    assert made.config.tune.space == {
        "training": {
            "optimizer_params": {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}},
            "train_batch_size": {"choices": [2, 4]},
            "optimizer": {"choices": ["SGD"]},
        }
    }
    assert (made.config.tune.max_trials, made.config.tune.port) == (5, None)
    assert made.run_dir.name == "it's, a = name"


@pytest.mark.parametrize("text", ["null", "True", "a b", "x=1,y", "{a: 1}", "back\\slash", "it's", "12", "/a/b-c.d"])
def test_any_text_comes_back_from_an_override(text: str, place: Place) -> None:
    assert place.project is not None
    made = compose(str(place.project.config), None, [f"model.model_name={override_value(text)}"], quiet=True)
    assert made.config.model.model_name == text


def test_a_wrong_space_is_told_before_anything_starts(place: Place) -> None:
    assert place.project is not None
    config = place.project.config

    def check(*ranges: Range) -> tuple[str, str]:
        return checked_search(config, search_arguments(config, ranges, "outputs/x", {}, place.project))  # type: ignore[arg-type]

    assert check(Range(RATE, 1e-4, 1e-2)) == ("val_pixel_error", "minimize")
    for wrong in (Range(RATE, 1, 0.1), Range(BATCH, 1.5, 4), Range("training.nothing", 1, 2), Range(RATE, 0, 1, True)):
        with pytest.raises(ConfigError, match=wrong.key):
            check(wrong)
    with pytest.raises(ConfigError):
        check()


def test_ranges_begin_around_what_is_set(place: Place) -> None:
    assert place.project is not None
    config = compose(str(place.project.config), quiet=True).config
    fields = settings_to_search(config)
    assert proposed_range(RATE, fields[RATE], config) == Range(RATE, pytest.approx(1e-4), pytest.approx(1e-2), True)
    assert proposed_range(BATCH, fields[BATCH], config) == Range(BATCH, 4, 16)
    decay, momentum = ("training.optimizer_params.weight_decay", "training.optimizer_params.momentum")
    # It is null, and may be any number from 0 on: its end has to be said.
    assert proposed_range(decay, fields[decay], config) == Range(decay, 0, None)
    assert proposed_range(momentum, fields[momentum], config) == Range(momentum, 0.45, pytest.approx(0.95))
    assert read_choices("4, 8.5, true, adam,") == (4, 8.5, True, "adam")


def test_values_of_trials_that_are_not_over_are_their_best_so_far() -> None:
    table = trials_table(STATE)
    assert table["trial"].tolist() == [1, 0]
    assert table["state"].tolist() == ["stopping", "complete"]
    assert table["val_pixel_error"].tolist() == [4.0, 3.0]
    assert table["learning_rate"].tolist() == [1e-4, 1e-3]


def test_figures_hold_the_trials() -> None:
    curves = trial_curves(STATE)
    assert [list(line.y) for line in curves.data] == [[4.0, 4.5], [5.0, 3.0]]
    axes = parallel_coordinates(STATE).data[0].dimensions
    assert [axis.label for axis in axes] == ["learning_rate", "train_batch_size", "val_pixel_error"]
    assert list(axes[0]["values"]) == pytest.approx([-3.0, -4.0])
    assert list(axes[1]["values"]) == [1.0, 0.0]
    assert list(axes[2]["values"]) == [3.0, 4.0]
    assert list(importance_bars({RATE: 0.75, BATCH: 0.25}).data[0].x) == [25.0, 75.0]


def test_studies_and_settings_of_a_project_are_found(place: Place, study: Path) -> None:
    assert place.project is not None
    assert find_studies(place.project) == [study]
    assert list(beginnings(place.project)) == ["config.yaml", "outputs/first/config.yaml"]


def test_without_a_search_the_page_says_what_one_is(place: Place) -> None:
    test = shown(page, place)
    assert "No search" in test.info[0].value
    next(each for each in test.button if each.label == "New search").click().run()
    assert test.session_state[f"study:{place.project.path}/tab"] == "New search"


def test_a_search_begins_as_the_command_says(place: Place, submitted: list[Any]) -> None:
    assert place.project is not None
    test = shown(page, place)
    start = next(button for button in test.button if button.label.startswith("Start a search of 32"))
    assert not start.disabled
    start.click().run()
    arguments, folder, about = submitted[0]
    assert arguments[:2] == ("tune", "config.yaml") and arguments[-1] == "hydra.run.dir=outputs/search"
    assert any(word.startswith(f"tune.space.{RATE}=") for word in arguments)
    assert folder == place.project.path
    assert (about["kind"], about["study"]) == ("tune", "outputs/search")
    # What goes on is seen at once.
    assert test.session_state[f"study:{place.project.path}/tab"] == "Searches"


def test_a_search_that_was_stopped_goes_on_with_its_study(tmp_path: Path) -> None:
    given = ("tune", "config.yaml", "hydra.run.dir=outputs/search")
    job = Job(tmp_path / "job", given, tmp_path, about={"kind": "tune", "study": "outputs/search"})
    assert kind_of(job).go_on(job) == given
    files = StudyFiles(tmp_path / "outputs" / "search")
    files.path.mkdir(parents=True)
    files.settings.write_text("tune: {}\n")
    again = kind_of(job).go_on(job)
    assert again == ("tune", "resume=outputs/search", "tune.port=null")
    assert kind_of(replace(job, arguments=again)).go_on(replace(job, arguments=again)) == again


def test_a_search_that_begins_is_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.project is not None
    job = Job(place.jobs.folder / "job-000001", ("tune",), place.project.path, "Search", created=1.0)
    job = replace(job, about={"kind": "tune", "project": str(place.project.path), "study": "outputs/search"})
    job.path.mkdir(parents=True)
    job.save()
    job.write("runner", {"pid": os.getpid(), "started": psutil.Process().create_time()})
    files: list[Path] = []
    monkeypatch.setattr(page, "watch", lambda where, watched, key: files.extend(watched.files))
    test = shown(page, place)
    assert any("appears here" in each.value for each in test.caption)
    assert files == [StudyFiles(place.project.path / "outputs/search").settings]


def test_a_search_of_the_app_is_stopped_by_its_card_alone(place: Place, study: Path) -> None:
    assert place.project is not None
    shared, _ = open_study(study)
    trial = shared.study.ask()
    shared.space.suggest(trial)
    shared.begin(trial, study / "trials/trial_0000")
    about = {"kind": "tune", "project": str(place.project.path), "study": "outputs/search"}
    job = Job(place.jobs.folder / "job-000001", ("tune",), place.project.path, "Search", about, 1.0)
    job.path.mkdir(parents=True)
    job.save()
    job.write("runner", {"pid": os.getpid(), "started": psutil.Process().create_time()})
    test = shown(page, place)
    labels = [button.label for button in test.button if button.label.startswith("Stop")]
    assert sorted(labels) == ["Stop", "Stop trial 0"]
    # Empty figures would say nothing.
    assert any("first epoch" in each.value for each in test.caption)
    assert "Settings and objective" not in [each.value for each in test.subheader]
    # One that has failed does not push its trials down.
    job.write("end", {"code": 2, "time": 2.0})
    job.log.write_text("error: out of memory\n")
    test = shown(page, place)
    assert any("out of memory" in each.label for each in test.expander)


def test_a_trial_and_a_search_are_stopped_and_gone_on_with(place: Place, study: Path, submitted: list[Any]) -> None:
    shared, _ = open_study(study)
    trial = shared.study.ask()
    shared.space.suggest(trial)
    shared.begin(trial, study / "trials/trial_0000")
    test = shown(page, place)
    next(button for button in test.button if button.label == "Stop trial 0").click().run()
    assert shared.stopped(trial)
    next(button for button in test.button if button.label == "Stop the search").click().run()
    assert shared.halted() == 1
    shared.study.tell(trial, 2.0)
    test = shown(page, place)
    next(button for button in test.button if button.label.startswith("Go on: ")).click().run()
    assert submitted[0][0] == ("tune", "resume=outputs/search", "tune.max_trials=32", "tune.port=null")


def test_a_damaged_study_is_told_in_one_line(place: Place, study: Path) -> None:
    given = yaml.safe_load((study / "study.yaml").read_text())
    given["tune"]["space"] = {"training.nothing": {"low": 1, "high": 2}}
    (study / "study.yaml").write_text(yaml.safe_dump(given))
    test = shown(page, place)
    assert "training.nothing" in test.error[0].value
