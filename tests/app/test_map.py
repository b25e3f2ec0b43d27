"""Maps on their page: read, picked from, turned into a split or a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.conftest import shown
from vitruve.app.labels import label_files, named_labels
from vitruve.app.maps import (
    find_maps,
    frame_numbers,
    parted_sessions,
    picked_splits,
    read_map,
    use_split,
    write_picked_split,
    write_picked_task,
)
from vitruve.app.pages import map as page
from vitruve.app.pages import statistics
from vitruve.app.parts.fields import field_key
from vitruve.app.place import Place
from vitruve.config.compose import compose
from vitruve.curation.crops import Crop
from vitruve.curation.files import write_map
from vitruve.curation.tsne_map import Map
from vitruve.errors import ConfigError, InputError
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.split_file import splits_of_file
from vitruve.jobs import Job, Jobs
from vitruve.structures.labels import Labels


@pytest.fixture
def labels(place: Place) -> Labels:
    return label_files(place)["CollectedData.csv"].read()


@pytest.fixture
def folder(place: Place, labels: Labels) -> Path:
    """A map of the mouse, each frame in its place of a grid of 4 by 4."""
    assert place.project is not None
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4)), -1).reshape(-1, 2)
    crops = tuple(Crop(number, 0, (1.0, 2.0, 11.0, 22.0), 0) for number in range(len(labels)))
    pictures = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None, None] * 15, (16, 48, 48, 3)).copy()
    drawn = Map(labels, crops, grid, np.arange(16) // 8, pictures, "two", "none")
    path = place.project.path / "maps" / "made"
    path.mkdir(parents=True)
    write_map(drawn, path)
    return path


def test_a_map_comes_back_as_it_was_drawn(place: Place, folder: Path, labels: Labels) -> None:
    assert place.project is not None
    assert find_maps(place.project) == [folder]
    drawn = read_map(folder)
    assert (drawn.side, drawn.columns, len(drawn.table)) == ((48, 48), 4, 16)
    data = drawn.data()
    assert data["points"][0] == [-1.0, -1.0] and data["points"][3] == [1.0, -1.0]
    assert data["groups"]["cluster"] == ["0"] * 8 + ["1"] * 8
    assert "10 px at 1, 2" in data["names"][0]
    assert frame_numbers(labels, drawn.frames([15, 2, 2])) == [2, 15]


def test_a_damaged_map_is_told_in_one_line(folder: Path) -> None:
    (folder / "map.csv").write_text("frame,x\na.png,0\n")
    with pytest.raises(InputError, match="vitruve split"):
        read_map(folder)


def test_what_is_picked_becomes_a_split_that_training_reads(place: Place, folder: Path, labels: Labels) -> None:
    assert place.project is not None
    splits = picked_splits(labels, [1, 5], "validation", "train")
    target = place.project.path / "splits" / "mine"
    file = write_picked_split(labels, splits, target)
    assert splits_of_file(labels, file) == splits
    assert [number for number, split in enumerate(splits) if split == "validation"] == [1, 5]
    assert parted_sessions(labels, splits) == sorted({frame.session for frame in labels})
    assert parted_sessions(labels, ["train"] * 16) == []
    with pytest.raises(InputError, match="there already"):
        write_picked_split(labels, splits, target)
    with pytest.raises(InputError, match="validation"):
        write_picked_split(labels, ["train"] * 16, place.project.path / "splits" / "none")


def test_what_is_picked_becomes_a_task_with_its_labels(place: Place, labels: Labels) -> None:
    assert place.project is not None
    file = write_picked_task(labels, [3, 4], place.project.path / "tasks" / "mine.xml")
    task = read_task(file)
    assert task.name == "mine"
    assert [frame.name for frame in task.frames] == [labels[number].first_image.path.as_posix() for number in (3, 4)]
    assert len(task.shapes) == 2
    with pytest.raises(InputError, match="there already"):
        write_picked_task(labels, [3], file)


def test_a_map_is_made_by_a_job(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.project is not None
    found: list[Any] = []

    def submit(jobs: Jobs, arguments: Any, folder: Path, **more: Any) -> Job:
        found.append(tuple(arguments))
        return Job(jobs.folder / "job-000001", tuple(arguments), folder)

    monkeypatch.setattr(Jobs, "submit", submit)
    test = shown(page, place)
    assert "No map" in test.info[0].value
    next(each for each in test.button if each.label == "New map").click().run()
    assert test.session_state[field_key(place, "map/tab")] == "New map"
    next(button for button in test.button if button.label == "Make the map maps/map").click().run()
    assert found[0][:2] == ("split", str(place.project.path / "CollectedData.csv"))
    assert found[0][found[0].index("--output") :][:2] == ("--output", "maps/map")
    assert (place.project.path / "maps/map").is_dir()


def test_the_split_of_a_new_map_is_proposed_by_its_sessions(place: Place, labels: Labels) -> None:
    assert {frame.session for frame in labels} == {"mouse"}
    test = shown(page, place)
    next(each for each in test.button if each.label == "New map").click().run()
    method = next(each for each in test.selectbox if each.label == "Split proposed by")
    assert method.value == "random"
    assert any("all frames are of one session" in each.value for each in test.caption)
    # What would fail after its job has begun is said before.
    method.set_value("clusters").run()
    assert "1 group for 2 splits" in test.error[0].value
    assert next(button for button in test.button if button.label.startswith("Make the map")).disabled


def test_a_map_is_shown_and_splits_are_written_from_it(place: Place, folder: Path) -> None:
    assert place.project is not None
    test = shown(page, place)
    test.session_state[f"{field_key(place, 'map:maps/made')}/picked"] = [0, 1, 2]
    test.run()
    assert "3 picked, of 3 frames" in [each.value for each in test.subheader]
    next(button for button in test.button if button.label == "Write splits/picked/split.csv").click().run()
    assert (place.project.path / "splits/picked/split.csv").is_file()
    next(button for button in test.button if button.label == "Only write tasks/picked.xml").click().run()
    assert (place.project.path / "tasks/picked.xml").is_file()


def test_a_split_is_written_into_the_settings_by_a_button(place: Place, folder: Path) -> None:
    project = place.project
    assert project is not None
    before = project.config.read_text()
    test = shown(page, place)
    test.session_state[f"{field_key(place, 'map:maps/made')}/picked"] = [0, 1, 2]
    test.run()
    next(button for button in test.button if button.label.startswith("Write splits/picked")).click().run()
    assert project.config.read_text() == before
    next(button for button in test.button if button.label.startswith("Train with it")).click().run()
    split = compose(str(project.config), quiet=True).config.training.split
    assert (split.method, split.file) == ("file", "splits/picked/split.csv")
    assert any("from now on" in each.value for each in test.success)
    assert not any(button.label.startswith("Train with it") for button in test.button)


def test_settings_that_a_split_makes_wrong_are_left_alone(place: Place) -> None:
    project = place.project
    assert project is not None
    broken = project.config.read_text().replace("max_epochs: ", "max_epochs: -")
    project.config.write_text(broken)
    with pytest.raises(ConfigError, match="max_epochs"):
        use_split(project, project.path / "splits" / "split.csv")
    assert project.config.read_text() == broken


def test_labels_outside_the_workspace_are_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("x")
    with pytest.raises(InputError, match="not in the folders"):
        named_labels(place, str(tmp_path / "other.csv"))
    with pytest.raises(InputError, match="no such file"):
        named_labels(place, "mouse/nothing.csv")


def test_statistics_count_the_frames_and_keypoints(place: Place) -> None:
    test = shown(statistics, place)
    assert [(each.label, each.value) for each in test.metric] == [
        ("Frames", "16"),
        ("Images", "16"),
        ("Instances", "16"),
        ("Classes", "1"),
        ("Keypoints", "10"),
    ]
