"""Trainings of a rig that stand on one another, handed in one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

import vitruve
from app.conftest import shown
from vitruve.app.pages import train
from vitruve.app.place import Place
from vitruve.app.projects import open_project
from vitruve.app.workspace import Workspace
from vitruve.errors import RunError
from vitruve.jobs import Job, Jobs

_RIG = {"cameras": 3, "width": 96, "height": 80, "train": 3, "val": 2, "sessions": 2, "frames": 3, "occluders": 4}
STAGES = {"center": "CenterDetect", "keypoint": "KeypointDetect", "hybridnet": "HybridNet"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("rig") / "home"
    vitruve.example("rig", home / "rig", seed=2, **_RIG)
    vitruve.create_project(home / "projects" / "own", home / "rig" / "TrainingSet")
    return home


@pytest.fixture
def rig(drawn: Path, tmp_path: Path) -> Place:
    """A project of several cameras, none of whose networks is trained."""
    workspace = Workspace.of([Path(shutil.copytree(drawn, tmp_path / "home"))])
    return Place(workspace, open_project(workspace, "projects/own"))


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Jobs that were handed in; they wait for ever."""
    found: list[Job] = []

    def submit(jobs: Jobs, arguments: Sequence[str], folder: Path, **more: Any) -> Job:
        path, mine = jobs.folder / f"job-{len(found) + 1:06d}", psutil.Process()
        path.mkdir(parents=True)
        found.append(Job(path, tuple(arguments), folder, **more))
        found[-1].save()
        found[-1].write("runner", {"pid": mine.pid, "started": mine.create_time()})
        return found[-1]

    monkeypatch.setattr(Jobs, "submit", submit)
    return found


def _hand_in(rig: Place, what: str) -> Any:
    test = shown(train, rig)
    test.radio[0].set_value(what).run()
    next(each for each in test.button if f"Queue {STAGES[what]}" in each.label or "Train" in each.label).click().run()
    assert not test.exception
    return test


def test_a_network_is_queued_behind_those_it_is_built_on(rig: Place, queued: list[Job]) -> None:
    assert rig.project is not None
    for number, what in enumerate(STAGES, 1):
        _hand_in(rig, what)
        assert len(queued) == number
    center, keypoint = (rig.project.path / "models" / STAGES[job.arguments[3]] / job.about["run"] for job in queued[:2])
    told = list(queued[-1].arguments)
    assert told[told.index("--weights-keypoint") + 1] == str(keypoint)
    assert told[told.index("--weights-center") + 1] == str(center)
    # What it was to be built on did not come about: it is not built on anything else.
    for job in queued[:2]:
        job.write("end", {"code": 2, "time": 2.0})
    with pytest.raises(RunError, match=f"{center.name}: no such run"):
        vitruve.train_project(rig.project.path, "hybridnet", weights_center=center, weights_keypoint=keypoint)
    assert any("it has not been trained" in each.value for each in _hand_in(rig, "hybridnet").error)
