"""The page on which projects are made."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.conftest import shown
from project.rigs import training_set
from vitruve.app.create_project import find_data, plan_poses, plan_rig, project_folder
from vitruve.app.pages import create_project
from vitruve.app.place import Place
from vitruve.app.projects import POSES, RIG, find_projects, open_project
from vitruve.app.settings_file import check
from vitruve.app.workspace import Workspace
from vitruve.config.compose import compose
from vitruve.errors import InputError
from vitruve.project import Project


def field(test: AppTest, name: str) -> Any:
    fields = [*test.number_input, *test.text_input, *test.selectbox, *test.radio]
    return next(each for each in fields if each.label.split(" ")[0] == name)


def button(test: AppTest, label: str) -> Any:
    return next(each for each in test.button if each.label.startswith(label))


def test_a_project_of_images_is_derived_changed_and_made(place: Place) -> None:
    test = shown(create_project, place)
    assert button(test, "Derive").disabled
    test = field(test, "Name").set_value("second").run()
    data = field(test, "Label")
    assert data.options == ["mouse/CollectedData.csv"] and data.value == "mouse/CollectedData.csv"
    test = button(test, "Derive").click().run()
    folder = place.workspace.home / "second"
    assert not test.exception and not test.error and not folder.exists()
    assert any("16 labelled frames of 224 x 192 px" in each.value for each in test.markdown)
    assert any("keypoints of the label file" in each.value for each in test.caption)
    test = field(test, "max_epochs").set_value(3).run()
    test = field(test, "data_dir").set_value("nowhere").run()
    assert "no such folder" in test.error[0].value and button(test, "Create second").disabled
    test = field(test, "data_dir").set_value("../mouse").run()
    test = button(test, "Create second").click().run()
    assert not test.exception and not test.error
    made = compose(str(folder / "config.yaml"), quiet=True).config
    assert made.training.max_epochs == 3 and made.data.data_dir is not None
    assert made.data.data_dir.resolve() == place.workspace.home / "mouse"
    assert made.data.video_dir is not None and made.data.video_dir.resolve() == place.workspace.home / "mouse/videos"
    assert [project.name for project in find_projects(place.workspace)] == ["mouse", "second"]
    assert "# keypoints of the label file" in (folder / "config.yaml").read_text()
    # Both are moved: the project still finds its data.
    moved = place.workspace.home.rename(place.workspace.home.parent / "elsewhere")
    assert check(POSES, (moved / "second/config.yaml").read_text(), moved / "second/config.yaml").error == ""


def test_a_project_of_cameras_is_derived_changed_and_made(tmp_path: Path) -> None:
    labels = training_set(tmp_path / "home" / "rig")
    place = Place(Workspace.of([tmp_path / "home"]), None)
    test = shown(create_project, place, kind=RIG, data="rig")
    assert field(test, "What").value == RIG and test.selectbox[0].value == "rig"
    test = field(test, "Name").set_value("hands").run()
    test = button(test, "Derive").click().run()
    assert not test.error and not (tmp_path / "home" / "hands").exists()
    assert any("98 of 100 animals extend over at most" in each.value for each in test.caption)
    # In the order in which the networks are trained.
    proposed = [each.label for each in test.number_input if each.label.startswith(("IMAGE", "BOUNDING", "NUM_EPOCHS"))]
    assert proposed == ["IMAGE_SIZE", "NUM_EPOCHS", "BOUNDING_BOX_SIZE", "NUM_EPOCHS", "NUM_EPOCHS"]
    size = next(each for each in test.number_input if each.label.startswith("BOUNDING"))
    test = size.set_value(100).run()
    assert "must be a multiple of 64" in test.error[0].value
    size = next(each for each in test.number_input if each.label.startswith("BOUNDING"))
    test = button(size.set_value(320).run(), "Create hands").click().run()
    assert not test.error and not test.exception
    project = Project(tmp_path / "home" / "hands")
    assert project.config.KEYPOINTDETECT.BOUNDING_BOX_SIZE == 320
    assert project.dataset("3D").samefile(tmp_path / "home" / "rig")
    assert len(labels.view_names) == project.config.HYBRIDNET.NUM_CAMERAS
    assert open_project(place.workspace, "hands").kind == RIG


def test_names_and_folders_of_projects(place: Place) -> None:
    home = place.workspace.home
    assert project_folder(place.workspace, " new ") == home / "new"
    assert project_folder(place.workspace, "new", "mouse/videos") == home / "mouse/videos/new"
    for name in ("", " ", "a/b", "..", ".hidden", "a\x00b", "a\nb", "C:", "x" * 81, "ü" * 41):
        with pytest.raises(InputError, match=r"^Name: "):
            project_folder(place.workspace, name)
    with pytest.raises(InputError, match="is there already"):
        project_folder(place.workspace, "mouse")
    for folder in ("..", "/etc", "~"):
        with pytest.raises(InputError, match="not in the folders"):
            project_folder(place.workspace, "new", folder)
    assert sorted(path.name for path in home.iterdir()) == ["mouse"]


def test_data_outside_of_the_folders_or_of_no_kind_is_refused(place: Place, tmp_path: Path) -> None:
    path = place.workspace.home / "new"
    shutil.copy(place.workspace.home / "mouse" / "CollectedData.csv", tmp_path / "CollectedData.csv")
    for dataset in ("../CollectedData.csv", str(tmp_path / "CollectedData.csv")):
        with pytest.raises(InputError, match="not in the folders"):
            plan_poses(place.workspace, path, dataset)
    with pytest.raises(InputError, match="not there"):
        plan_poses(place.workspace, path, "mouse/other.csv")
    with pytest.raises(InputError, match="no such folder"):
        plan_rig(place.workspace, path, "nowhere")
    (place.workspace.home / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="not in the folders"):
        plan_rig(place.workspace, path, "link")
    assert not path.exists()


def test_an_algorithm_that_is_named_begins_with_its_defaults(place: Place) -> None:
    path = place.workspace.home / "new"
    plan = plan_poses(place.workspace, path, "mouse/CollectedData.csv", "regression")
    assert check(POSES, plan.text, plan.config).error == ""
    assert "model_type: regression" in plan.text and plan.facts[0] == "16 frames (lightning_pose)"
    assert not path.exists()


def test_data_that_is_found(place: Place, tmp_path: Path) -> None:
    home = place.workspace.home
    (home / "deep/er/still").mkdir(parents=True)
    shutil.copy(home / "mouse/CollectedData.csv", home / "deep/er/still/CollectedData_new.csv")
    shutil.copytree(home / "mouse", home / ".hidden")
    training_set(home / "sets" / "rig")
    assert [place.workspace.name(path) for path in find_data(place.workspace, RIG)] == ["sets/rig"]
    assert [place.workspace.name(path) for path in find_data(place.workspace, POSES)] == [
        "deep/er/still/CollectedData_new.csv",
        "mouse/CollectedData.csv",
        "sets/rig",
    ]
