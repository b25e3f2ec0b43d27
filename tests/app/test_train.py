"""The page of trainings: what it hands in, what it refuses, what it shows of jobs and runs."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from app.conftest import BACKBONE, Submitted, field_of, shown
from vitruve.app.pages import compare_runs, queue, train
from vitruve.app.parts.jobs import go_on
from vitruve.app.parts.runs import run_label, runs_of
from vitruve.app.place import Place
from vitruve.app.projects import AppProject, RunEntry
from vitruve.app.training.progress import Step, about_steps
from vitruve.app.workspace import Workspace
from vitruve.errors import RunError
from vitruve.jobs import Job
from vitruve.run import RunFiles

_RIG = {"cameras": 3, "width": 96, "height": 80, "train": 3, "val": 2, "sessions": 2, "frames": 3, "occluders": 4}


field = partial(field_of, form="train")


def test_fields_begin_with_the_settings_and_become_a_job(place: Place, submitted: Submitted) -> None:
    assert place.project is not None
    test = shown(train, place)
    assert field(test, "name").value == "heatmap" and field(test, "epochs").value == 44
    assert field(test, "start").label == "Train 44 epochs into outputs/heatmap"
    field(test, "epochs").set_value(3)
    field(test, "weights").set_value("outputs/first")
    field(test, "more").set_value("model.backbone=resnet10t")
    field(test, "name").set_value("first").run()
    # A run is called so already.
    run = place.project.path / "outputs" / "first_2"
    assert field(test, "start").label == "Train 3 epochs into outputs/first_2"
    field(test, "start").click().run()
    assert not test.exception
    [job] = submitted
    first = place.project.path / "outputs" / "first"
    assert job.arguments == (
        *("train", str(place.project.config), "training.max_epochs=3", f"model.checkpoint={first}"),
        *("training.backbone_pretrained=false", "model.backbone=resnet10t", f"hydra.run.dir={run}"),
    )
    assert job.folder == place.project.path and job.waits
    assert job.about == {
        **about_steps([Step(run, 3)]),
        **{"kind": "train", "project": str(place.project.path), "run": "outputs/first_2"},
    }
    assert any("vitruve train" in code.value for code in test.code)


def test_two_browsers_do_not_take_one_name(place: Place, submitted: Submitted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job, "state", property(lambda job: "queued"))
    browsers = [shown(train, place) for _ in range(2)]
    for test in browsers:
        field(test, "start").click().run()
    names = [job.about["run"] for job in submitted]
    assert names == ["outputs/heatmap", "outputs/heatmap_2"]
    assert [job.arguments[-1].rpartition("/")[2] for job in submitted] == ["heatmap", "heatmap_2"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name", "../other", "give letters, digits"),
        ("more", "training.nonsense=3", "training.nonsense: unknown key"),
        ("more", "hydra.run.dir=/x", "leave it out"),
        ("more", "training.train_batch_size=0", "training.train_batch_size"),
        ("more", "data.csv_file=a,b", "holds several values"),
        ("more", "data.csv_file=gone.csv", "no such file or folder"),
    ],
)
def test_what_is_wrong_is_said_in_place_and_nothing_can_be_begun(
    place: Place, submitted: Submitted, name: str, value: str, said: str
) -> None:
    test = shown(train, place)
    field(test, name).set_value(value).run()
    [error] = test.error
    assert said in error.value and "\n" not in error.value
    assert not [button for button in test.button if "start" in button.key] and not submitted


def test_settings_that_cannot_be_read_are_said(place: Place) -> None:
    assert place.project is not None
    place.project.config.write_text("training: {max_epochs: many}\n")
    [error] = shown(train, place).error
    assert "training.max_epochs" in error.value


def job_of(place: Place, run: Path, epochs: int, end: int | None) -> Job:
    """A training that was begun, and that ended with an exit code."""
    assert place.project is not None
    path = place.jobs.folder / "job-000001"
    path.mkdir(parents=True)
    about = {**about_steps([Step(run, epochs)]), "kind": "train", "project": str(place.project.path)}
    job = Job(path, ("train", "config.yaml"), place.project.path, "Train it", about, 1.0)
    job.save()
    job.write("process", {"pid": 0, "started": 0.0, "time": 10.0})
    if end is not None:
        job.write("end", {"code": end, "time": 75.0})
    return job


def test_a_training_that_was_stopped_shows_its_curves_and_goes_on_once(place: Place, submitted: Submitted) -> None:
    assert place.project is not None
    run = place.project.path / "outputs" / "begun"
    RunFiles(run).write_status("INTERRUPTED", 1, 5)
    RunFiles(run).write_metrics([{"epoch": 0, "train_supervised_loss": 2, "val_pixel_error": 9}])
    job = job_of(place, run, 5, end=143)
    test = shown(train, place)
    assert any("stopped" in mark.value for mark in test.markdown) and any(
        "took 1 min 5 s" in c.value for c in test.caption
    )
    assert len(test.get("plotly_chart")) == 2
    submitted.append(job)
    next(button for button in test.button if button.label == "Go on").click().run()
    again = submitted[-1]
    assert again.arguments == ("train", f"resume={run}") and again.about == {**job.about, "goes_on": job.id}
    with pytest.raises(RunError, match="goes on already"):
        go_on(place, job)
    assert [button.label for button in test.button].count("Go on") == 1


def test_a_failure_says_why_in_one_line(place: Place) -> None:
    job = job_of(place, place.workspace.home / "nothing", 5, end=2)
    job.log.write_text("warning: x\nerror: config.yaml: data.data_dir='x': no such folder\n")
    test = shown(queue, place)
    assert [error.value for error in test.error] == ["error: config.yaml: data.data_dir='x': no such folder"]
    next(button for button in test.button if button.label == "Remove from the list").click().run()
    assert not job.path.exists() and "Nothing was started yet" in test.info[0].value


def test_runs_that_were_begun_on_a_command_line_are_found_and_go_on(place: Place, submitted: Submitted) -> None:
    assert place.project is not None
    run = place.project.path / "outputs" / "by hand"
    RunFiles(run).write_status("INTERRUPTED", 2, 7, message="stopped in epoch 2")
    (run / "config.yaml").write_text("{}")
    test = shown(train, place)
    assert any("Interrupted after 2 of 7 epochs" in caption.value for caption in test.caption)
    next(button for button in test.button if button.label == "Go on").click().run()
    assert submitted[0].arguments == ("train", f"resume={run}")


def test_nothing_says_what_to_do_next(place: Place, empty: Place) -> None:
    test = shown(train, place)
    assert "Begin a training on the left" in test.info[0].value
    assert test.subheader[1].value == "Newest run: outputs/first" and len(test.get("plotly_chart")) == 2
    assert "Nothing was started yet" in shown(queue, empty).info[0].value
    assert place.project is not None
    shutil.rmtree(place.project.path / "outputs")
    assert "train a network first" in shown(compare_runs, place).info[0].value


def test_runs_are_compared_by_their_best_values_and_the_settings_that_differ(place: Place) -> None:
    assert place.project is not None
    outputs = place.project.path / "outputs"
    shutil.copytree(outputs / "first", outputs / "other")
    RunFiles(outputs / "other").write_metrics([{"epoch": e, "val_pixel_error": 30 - e} for e in range(3)])
    config = outputs / "other" / "config.yaml"
    text = config.read_text()
    assert f"backbone: {BACKBONE}" in text
    config.write_text(text.replace(f"backbone: {BACKBONE}", "backbone: resnet18"))
    test = shown(compare_runs, place)
    summary, settings = (table.value for table in test.dataframe)
    row = summary.set_index("run").loc["outputs/other"]
    assert (row["epochs"], row["best validation"], row["unit"], row["in epoch"]) == (3, 28.0, "px", 3)
    assert settings.loc["model.backbone"].to_dict() == {"outputs/first": BACKBONE, "outputs/other": "resnet18"}
    assert list(settings.index) == ["model.backbone"]


def test_the_address_leads_back_to_the_chosen_runs(place: Place) -> None:
    test = shown(compare_runs, place, run="outputs/first")
    assert test.multiselect[0].value == ["outputs/first"] and test.query_params["run"] in (
        "outputs/first",
        ["outputs/first"],
    )
    assert shown(compare_runs, place, run="/etc/passwd").multiselect[0].value == ["outputs/first"]


def test_unfinished_runs_are_offered_only_where_they_are_of_use(place: Place) -> None:
    assert place.project is not None
    run = place.project.path / "outputs" / "begun"
    RunFiles(run).write_status("FAILED", 2, 7)
    (run / "config.yaml").write_text("{}")
    assert [entry.name for entry in runs_of(place)] == ["outputs/first"]
    labels = {entry.name: run_label(entry) for entry in runs_of(place, finished=False)}
    assert labels == {"outputs/first": "outputs/first", "outputs/begun": "outputs/begun (failed, 2 of 7 epochs)"}
    assert runs_of(Place(place.workspace, None)) == []


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A project of several cameras whose networks are not trained; tests leave it as it is."""
    import vitruve

    home = tmp_path_factory.mktemp("rig")
    vitruve.example("rig", home / "rig", seed=2, **_RIG)
    made = vitruve.create_project(home / "projects" / "own", home / "rig" / "TrainingSet").project
    return Place(Workspace.of([home]), AppProject(made.path, "rig"))


def test_all_networks_of_a_rig_are_one_job(rig: Place, submitted: Submitted) -> None:
    assert rig.project is not None
    test = shown(train, rig)
    for stage, count in (("CenterDetect", 2), ("KeypointDetect", 3), ("HybridNet", 4)):
        next(each for each in test.number_input if f"epochs:{stage}" in each.key).set_value(count)
    field(test, "finetune").set_value(True).run()
    # All of HybridNet once more is as many epochs again.
    assert "all networks, 13 epochs" in field(test, "start").label
    field(test, "start").click().run()
    assert not test.exception
    [job] = submitted
    name = job.about["run"]
    assert " ".join(job.arguments[2:]) == (
        f"{rig.project.path} all --run {name} --epochs-center 2 --epochs-keypoint 3 --epochs-hybridnet 4 --finetune"
    )
    models = rig.project.path / "models"
    runs = [models / "CenterDetect" / name, models / "KeypointDetect" / name, models / "HybridNet" / name]
    assert job.about["runs"].split("\n") == [*map(str, runs), f"{runs[-1]}-finetune"]
    assert job.about["epochs"] == "2 3 4 4"


def test_a_network_without_what_it_is_built_on_is_not_begun(rig: Place, submitted: Submitted) -> None:
    test = shown(train, rig)
    test.radio[0].set_value("hybridnet").run()
    assert any("KeypointDetect has no run yet" in warning.value for warning in test.warning)
    field(test, "start").click().run()
    assert not submitted and any("it has not been trained" in error.value for error in test.error)


def test_a_run_says_how_it_stands(tmp_path: Path) -> None:
    assert run_label(RunEntry(tmp_path, "a")) == "a"
