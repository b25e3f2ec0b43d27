"""Labels as frames: which part of an image is shown, where it comes from, and which come first."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.view.conftest import FRAMES, OFF
from calibrated_scene import VIEWS, points_in_space, rig, seen
from vitruve.app.labels import LabelFile, label_files
from vitruve.app.place import Place
from vitruve.app.projects import open_project
from vitruve.app.view import labels as view
from vitruve.app.workspace import Workspace
from vitruve.curation.statistics import NO_SPLIT
from vitruve.media.images import image_size
from vitruve.structures.labels import ImageRef, Labels


def only_file(place: Place) -> LabelFile:
    """The only labels of a project."""
    (file,) = label_files(place).values()
    return file


@pytest.fixture
def walk(rat: Place) -> Labels:
    """The labels of the rig."""
    return only_file(rat).read()


def test_whole_images_lie_where_the_browser_finds_them(rat: Place, walk: Labels) -> None:
    frames = view.shown_labels(rat, walk, [0, 3])
    assert [len(frame.images) for frame in frames] == [3, 3]
    for number, frame in zip((0, 3), frames, strict=True):
        assert frame.areas is None and frame.points is None
        for address, image in zip(frame.images, walk[number].images, strict=True):
            assert (
                isinstance(address, str)
                and address.startswith("/workspace/file?path=walk/")
                and image.path.name in address
            )
        assert frame.labels is not None
        np.testing.assert_array_equal(frame.labels, walk[number].instances.keypoints[:, 0])


def test_a_network_s_crop_lies_around_the_middle_of_the_labels(rat: Place, walk: Labels) -> None:
    assert rat.project is not None
    box = rat.project.rig.config.KEYPOINTDETECT.BOUNDING_BOX_SIZE
    look = view.looks(rat.project)[2]
    (frame,) = view.shown_labels(rat, view.looked_at(walk, look), [1], look=look)
    assert frame.areas is not None and f"{box} px" in look.name
    points = walk[1].instances.keypoints[:, 0]
    middle = (points.min(1) + points.max(1)) / 2
    np.testing.assert_allclose((frame.areas[:, :2] + frame.areas[:, 2:]) / 2, middle, atol=1e-3)
    np.testing.assert_allclose(frame.areas[:, 2:] - frame.areas[:, :2], box)


def test_the_network_that_finds_the_animal_is_given_its_middle(rat: Place, walk: Labels) -> None:
    assert rat.project is not None
    look = view.looks(rat.project)[1]
    assert look.width == rat.project.rig.config.CENTERDETECT.IMAGE_SIZE
    part = view.looked_at(walk, look)
    (frame,) = view.shown_labels(rat, part, [0], look=look)
    assert part.skeleton.names == ("center",) and all(f"&width={look.width}&" in str(image) for image in frame.images)
    points = walk[0].instances.keypoints[:, 0]
    assert frame.labels is not None
    np.testing.assert_allclose(frame.labels[:, 0], (points.min(1) + points.max(1)) / 2, rtol=1e-6)
    # The pictures are smaller; what is marked in them is in pixels of the images.
    assert frame.sizes is not None
    np.testing.assert_array_equal(frame.sizes, [image_size(walk.path(image)) for image in walk[0].images])


def test_points_in_space_are_triangulated_and_the_wrong_label_comes_first(rat: Place, walk: Labels) -> None:
    assert view.is_calibrated(walk)
    solid, worst = view.in_space(walk)
    assert worst[0] == OFF and sorted(worst) == list(range(FRAMES))
    (frame,) = view.shown_labels(rat, solid, [0], space=True)
    assert frame.points is not None and frame.reprojected is not None
    # The labels are whole pixels, each about 1.5 mm wide.
    np.testing.assert_allclose(frame.points, points_in_space(FRAMES)[0], atol=1.0)
    np.testing.assert_allclose(frame.reprojected, seen(points_in_space(FRAMES), rig())[0], atol=0.5)


def test_splits_are_counted_and_chosen(walk: Labels) -> None:
    assert view.split_counts(walk) == {"train": 4, "validation": 2}
    assert len(view.chosen(walk, "validation")) == 2 and len(view.chosen(walk, None, "elsewhere")) == 0
    assert view.split_counts(walk.with_splits([None] * FRAMES)) == {NO_SPLIT: FRAMES}


def test_a_training_s_split_is_drawn_where_the_file_gives_none(place: Place) -> None:
    assert place.project is not None
    file = only_file(place)
    labels = file.read()
    drawn = view.with_drawn_splits(place.project, file.path, labels)
    predictions = (place.project.path / "outputs" / "first" / "predictions.csv").read_text().splitlines()
    trained = {line.split(",")[0]: line.rsplit(",", 1)[1] for line in predictions[3:]}
    assert {frame.name: frame.split for frame in drawn} == trained
    elsewhere = view.with_drawn_splits(place.project, Path("other.csv"), labels)
    assert all(frame.split is None for frame in elsewhere)


def test_images_that_cannot_be_shown_are_none_and_said(rig_home: Path, tmp_path: Path) -> None:
    project = tmp_path / "home" / "projects"
    shutil.copytree(rig_home / "projects", project)
    workspace = Workspace.of([project])
    place = Place(workspace, open_project(workspace, "rat"))
    outside = LabelFile(rig_home / "walk").read()
    assert all(image is None for image in view.shown_labels(place, outside, [0])[0].images)
    assert "not in the folders of this app" in view.unseen(place, outside)
    gone = replace(outside, root=project)
    assert view.address(workspace, gone, gone[0].images[0]) is None and "not there" in view.unseen(place, gone)
    assert view.address(workspace, gone, ImageRef(Path())) is None
    assert len(VIEWS) == len(gone[0].images)
