"""Pages of a project whose labels are boxes: there is no keypoint, and each image has any number of instances."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import vitruve
from app.conftest import shown
from vitruve.app.pages import labels_2d, statistics
from vitruve.app.place import Place
from vitruve.app.prediction.preview import skeleton_of
from vitruve.app.projects import open_project
from vitruve.app.sources import Kind, find_sources
from vitruve.app.workspace import Workspace

CLIPS = {"clips": 5, "frames": 2, "new": 0, "videos": 1, "video_frames": 4, "plants": 3, "width": 128, "height": 96}


@pytest.fixture(scope="module")
def drawn_field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vitruve.example("field", tmp_path_factory.mktemp("field") / "field", smallest=16, largest=60, **CLIPS)


@pytest.fixture
def field(drawn_field: Path, tmp_path: Path) -> Place:
    """The project, open; a test may change it."""
    shutil.copytree(drawn_field, tmp_path / "field")
    workspace = Workspace.of([tmp_path])
    return Place(workspace, open_project(workspace, "field"))


def test_boxes_are_counted_in_the_splits_of_a_training(field: Place) -> None:
    assert field.project is not None
    page = shown(statistics, field)
    assert not page.error
    said = {each.label: each.value for each in page.metric}
    boxes = len(json.loads((field.project.path / "labels.json").read_text())["annotations"])
    assert (said["Frames"], said["Instances"], said["Keypoints"]) == ("10", str(boxes), "0")
    table = page.dataframe[0].value
    assert {"train", "validation"} <= set(table.columns) and "no split" not in table.columns
    assert table["images"].sum() == table.drop(columns=["session", "images", "instances"]).sum().sum() == 10


def test_a_detector_has_no_skeleton_to_preview() -> None:
    named = {"names": ["nose"], "edges": []}
    assert skeleton_of({"task": {"skeleton": {"names": [], "edges": []}}}) is None
    assert skeleton_of({}) is None
    found = skeleton_of({"task": {"skeleton": named}})
    assert found is not None and found.names == ("nose",)


def test_videos_come_before_the_folders_of_labelled_images(field: Place) -> None:
    found = [source.kind for source in find_sources(field.workspace, field.project, tuple(Kind))]
    assert found == [Kind.VIDEO] + CLIPS["clips"] * [Kind.IMAGES]


def test_labelled_boxes_are_shown_with_the_splits_of_a_training(field: Place) -> None:
    page = shown(labels_2d, field)
    assert not page.error
    split = next(each for each in page.selectbox if each.label == "Split")
    assert split.options[0] == "all (10)" and any(each.startswith("validation") for each in split.options)
