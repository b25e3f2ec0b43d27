"""How what goes on stands, for browsers that ask again and again."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from vitruve.app.job_kinds import kind_of
from vitruve.app.now import ADDRESS, Answers, Watched, now, warnings_of
from vitruve.app.progress import Standing, bars_of
from vitruve.app.training.progress import Step, about_steps
from vitruve.app.workspace import Workspace
from vitruve.errors import RunError
from vitruve.jobs import Job
from vitruve.run import RunFiles


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "home" / "mouse").mkdir(parents=True)
    return Workspace.of([tmp_path / "home"])


@pytest.fixture
def job(workspace: Workspace) -> Job:
    """One that runs: this process is taken for its own."""
    run = workspace.home / "mouse" / "run"
    run.mkdir()
    path = workspace.home / ".vitruve" / "jobs" / "job-000001"
    path.mkdir(parents=True)
    made = Job(path, ("train",), workspace.home, "Train", {"kind": "train", **about_steps([Step(run, 10)])})
    made.save()
    own = {"pid": os.getpid(), "started": psutil.Process().create_time(), "time": time.time()}
    made.write("runner", own)
    made.write("process", own)
    return made


def client(workspace: Workspace) -> TestClient:
    return TestClient(Answers(PlainTextResponse("elsewhere"), workspace))


def asked(workspace: Workspace, watched: Watched) -> dict[str, Any]:
    answer = client(workspace).get(f"{ADDRESS}?{watched.query(workspace)}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def test_an_address_says_what_is_watched(workspace: Workspace) -> None:
    home = workspace.home
    watched = Watched("job-000001", True, True, (home / "mouse" / "run & more", home / "ü"), (home / "a=b.csv",), True)
    request = Request({"type": "http", "query_string": watched.query(workspace).encode(), "headers": []})
    assert Watched.of(request, workspace) == watched


def test_a_job_is_drawn_anew_when_it_says_more_and_not_with_each_batch(workspace: Workspace, job: Job) -> None:
    files = RunFiles(workspace.home / "mouse" / "run")
    files.write_status("TRAINING", 2, 10, epoch_share=0.25)
    watched = Watched(job.id, bars=True)
    before = asked(workspace, watched)
    assert [bar["text"] for bar in before["bars"]] == ["epoch 3 of 10", "25% of this epoch"]
    files.write_status("TRAINING", 2, 10, epoch_share=0.75)
    after = asked(workspace, watched)
    assert after["version"] == before["version"]
    assert after["bars"][1] == {"share": 0.75, "text": "75% of this epoch"}
    job.log.write_text("warning: random weights\n", encoding="utf-8")
    warned = asked(workspace, watched)["version"]
    assert warned != before["version"]
    job.log.write_text("warning: random weights\nepoch 3\n", encoding="utf-8")
    assert asked(workspace, watched)["version"] == warned
    job.log.write_text("warning: random weights\n" + "epoch\n" * 30_000, encoding="utf-8")
    assert warnings_of(job) == ["random weights"]
    log = Watched(job.id, log=True)
    said = asked(workspace, log)["version"]
    job.log.write_text("warning: random weights\nepoch 4\n", encoding="utf-8")
    assert asked(workspace, log)["version"] != said
    job.stop_mark.touch()
    assert asked(workspace, watched)["version"].startswith("stopping")
    job.write("end", {"code": 130, "time": time.time()})
    assert asked(workspace, watched)["version"].startswith("stopped")


def test_the_step_at_hand_is_watched_where_it_is_asked_for(workspace: Workspace, job: Job) -> None:
    plain, step = (asked(workspace, Watched(job.id, step=step))["version"] for step in (False, True))
    job.write("progress", {"title": "frames", "done": 3, "total": 60, "started": 0.0, "time": 1.0})
    assert asked(workspace, Watched(job.id))["version"] == plain
    assert asked(workspace, Watched(job.id, step=True))["version"] != step


def test_curves_are_drawn_anew_when_an_epoch_is_over(workspace: Workspace) -> None:
    run = workspace.home / "mouse" / "run"
    run.mkdir()
    files, watched = RunFiles(run), Watched(runs=(run,), bars=True)
    versions = [asked(workspace, watched)["version"]]
    files.write_status("TRAINING", 0, 10)
    versions.append(asked(workspace, watched)["version"])
    files.write_metrics([{"epoch": 0, "train_supervised_loss": 1.0}])
    versions.append(asked(workspace, watched)["version"])
    files.write_status("TRAINING", 1, 10)
    now_said = asked(workspace, watched)
    assert now_said["bars"][0]["text"] == "epoch 2 of 10"
    versions.append(now_said["version"])
    assert len(set(versions)) == len(versions)


def test_files_are_watched_by_their_age(workspace: Workspace) -> None:
    file = workspace.home / "journal.log"
    gone = now(workspace, Watched(files=(file,)))["version"]
    file.write_text("1", encoding="utf-8")
    assert now(workspace, Watched(files=(file,)))["version"] != gone


def test_a_job_that_was_removed_is_a_change(workspace: Workspace, job: Job) -> None:
    there = asked(workspace, Watched(job.id))["version"]
    (job.path / "job.json").unlink()
    assert asked(workspace, Watched(job.id))["version"] != there


@pytest.mark.parametrize(
    "query", ["run=/etc", "file=/etc/passwd", "file=../outside", "run=mouse%00", "file=.vitruve/jobs", "run="]
)
def test_nothing_is_said_of_what_lies_outside(workspace: Workspace, query: str) -> None:
    answer = client(workspace).get(f"{ADDRESS}?{query}")
    assert (answer.status_code, answer.text) == (404, "not there")


@pytest.mark.parametrize("name", ["../mouse", "job-000001/..", "%2e%2e", "job-9", "*", "job-000001%00"])
def test_a_job_is_known_by_its_name_alone(workspace: Workspace, job: Job, name: str) -> None:
    answer = client(workspace).get(f"{ADDRESS}?job={name}&bars=1")
    assert answer.status_code == 200
    assert answer.json() == {"version": "gone", "bars": []}


@pytest.mark.parametrize("query", ["run=" + 300 * "a", "run=" + 300 * "a" + "&bars=1", "file=" + 3000 * "a/"])
def test_a_name_that_no_file_can_have_is_answered(workspace: Workspace, query: str) -> None:
    assert client(workspace).get(f"{ADDRESS}?{query}").status_code in (200, 404)


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "x",
        '{"title": "x", "done": "a", "total": 3, "first": 0, "began": 0, "time": 0}',
        '{"title": "x", "done": 1, "total": 3, "first": 0, "began": null, "time": 0}',
        '{"title": "x", "done": 1, "total": 3, "first": 0, "began": 0, "time": 0, "part": "a"}',
        '{"title": "x", "done": 1, "total": 3, "first": 0, "began": 0, "time": 0, "part": NaN}',
        '{"title": "x", "done": 1, "total": 1' + 400 * "0" + ', "first": 0, "began": 0, "time": 1}',
    ],
)
def test_of_a_damaged_step_nothing_is_known(workspace: Workspace, job: Job, content: str) -> None:
    replace(job, about={"kind": "map"}).save()
    (job.path / "progress.json").write_text(content)
    with pytest.raises(RunError) as said:
        _ = job.progress
    assert "\n" not in str(said.value)
    assert asked(workspace, Watched(job.id, bars=True))["bars"] == bars_of(None)


@pytest.mark.parametrize("name", ["runner", "process", "end"])
def test_a_damaged_file_of_a_job_does_not_keep_the_rest_from_being_said(
    workspace: Workspace, job: Job, name: str
) -> None:
    (job.path / f"{name}.json").write_text("{}")
    assert asked(workspace, Watched(job.id, bars=True))["bars"] in ([], bars_of(kind_of(job).standing(job)))


def test_everything_else_is_left_to_the_app(workspace: Workspace) -> None:
    assert client(workspace).get("/workspace/file?path=x").text == "elsewhere"


def test_bars_say_what_is_known() -> None:
    assert bars_of(None, waits=True)[0]["text"].startswith("Waits")
    assert bars_of(None) == [{"share": None, "text": "At work; how far it is, its log says."}]
    assert bars_of(Standing(1.5, "frame 3", 65.0)) == [{"share": 1.0, "text": "frame 3; 1 min 5 s left"}]
    assert bars_of(Standing(None, "reading", None, -1.0, "part"))[1] == {"share": 0.0, "text": "part"}
