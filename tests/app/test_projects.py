"""Which folders are projects, and of which kind."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from app.filled import seen
from vitruve.app import projects
from vitruve.app.overview import facts
from vitruve.app.place import Place
from vitruve.app.projects import POSES, RIG, find_projects, open_project
from vitruve.app.workspace import Workspace

_READ_SETTINGS = ("overview", "settings", "train", "labels_2d", "map", "study", "statistics")


def test_settings_that_lie_in_other_files_make_a_project(place: Place) -> None:
    assert place.project is not None
    folder, before = place.project.path, facts(place.project)
    values = yaml.safe_load(place.project.config.read_text())
    for name in ("data", "model"):
        (folder / name).mkdir()
        (folder / name / "own.yaml").write_text(yaml.safe_dump(values.pop(name)))
    (folder / "rest.yaml").write_text(yaml.safe_dump(values))
    place.project.config.write_text("defaults: [rest, {data: own}, {optional model: own}, _self_]\n")
    assert [(each.path, each.kind) for each in find_projects(place.workspace)] == [(folder, POSES)]
    project = open_project(place.workspace, folder)
    found = facts(project)
    assert found == before and dict(found)["backbone"] == "resnet18"
    page = seen(Place(place.workspace, project), *_READ_SETTINGS)
    assert not page.failed and not page.errors, page.failed


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"config": "defaults: [{model: a}]"}, POSES),
        ({"config": "defaults: [training/long]"}, POSES),
        ({"config": "defaults: [override /data@data: b]"}, POSES),
        ({"config": "defaults: [override hydra/launcher: b]"}, None),
        ({"config": "defaults: [base]", "base": "defaults: [deep]", "deep": "model: {}"}, POSES),
        ({"config": "defaults: [base]", "base": "CENTERDETECT: {}"}, RIG),
        ({"config": "defaults: [base]", "base": "defaults: [config]"}, None),
        ({"config": "defaults: [base, gone, 3, null, {}, [data]]", "base": "a: 1"}, None),
        ({"config": "defaults: ['" + 300 * "x" + "', \"\\0\", '..', '/', '']"}, None),
        ({"config": "defaults: [base]", "base": "a: ["}, None),
        ({"config": "defaults: data"}, None),
    ],
)
def test_kinds_of_settings(tmp_path: Path, files: dict[str, str], kind: str | None) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    assert [each.kind for each in find_projects(Workspace.of([tmp_path]))] == ([kind] if kind else [])


def test_each_file_of_settings_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["config", *(f"part{number}" for number in range(8))]
    for name in names:
        (tmp_path / f"{name}.yaml").write_text(f"defaults: [{', '.join(names)}]\n")
    looked: list[Path] = []

    def age_of(file: Path) -> str:
        looked.append(file)
        return "new"

    monkeypatch.setattr(projects, "age_of", age_of)
    assert find_projects(Workspace.of([tmp_path])) == []
    assert sorted(file.stem for file in looked) == sorted(names)
