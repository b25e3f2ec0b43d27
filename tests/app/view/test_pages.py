"""The pages of labels and of playback, without a browser."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from app.conftest import shown
from app.view.conftest import FRAMES, OFF
from calibrated_scene import SKELETON, VIEWS
from vitruve.app.pages import labels_2d, labels_3d, playback_3d
from vitruve.app.place import Place


def viewed(test: AppTest) -> dict[str, Any]:
    """What the viewer of a page is given."""
    assert not test.exception, test.exception
    (viewer,) = test.get("bidi_component")
    values: dict[str, Any] = json.loads(viewer.proto.json or viewer.proto.mixed.json)
    return values


def field(test: AppTest, label: str) -> Any:
    """A field by what stands above it."""
    return next(each for each in (*test.selectbox, *test.multiselect, *test.slider) if each.label == label)


def test_labels_2d_show_splits_cameras_and_what_networks_are_given(rat: Place) -> None:
    test = shown(labels_2d, rat)
    data = viewed(test)
    assert len(data["frames"]) == FRAMES and data["views"] == list(VIEWS) and data["names"] == list(SKELETON.names)
    data = viewed(field(test, "Split").set_value("validation").run())
    assert len(data["frames"]) == 2 and all(frame["note"] == "validation split" for frame in data["frames"])
    test = field(test, "Cameras").set_value(["right"]).run()
    assert viewed(test)["views"] == ["right"]
    assert len(field(test, "Show").options) == 3 and "areas" not in viewed(test)["frames"][0]
    data = viewed(field(test, "Show").select_index(2).run())
    assert len(data["frames"]) == 2 and all(len(frame["areas"]) == 1 for frame in data["frames"])
    assert viewed(field(test, "Show").select_index(1).run())["names"] == ["center"]


def test_labels_2d_of_one_camera_have_the_split_that_is_trained_on(place: Place) -> None:
    test = shown(labels_2d, place)
    data = viewed(test)
    assert len(data["frames"]) == 16 and data["views"] == [""]
    assert {frame["note"] for frame in data["frames"]} >= {"train split", "validation split"}


def test_labels_3d_show_reprojections_and_the_worst_first(rat: Place) -> None:
    test = shown(labels_3d, rat)
    data = viewed(test)
    assert len(data["frames"]) == FRAMES and all(frame["points"] and frame["reprojected"] for frame in data["frames"])
    names = [frame["name"] for frame in data["frames"]]
    data = viewed(field(test, "Order").set_value("worst first").run())
    assert data["frames"][0]["name"] == names[OFF] and sorted(f["name"] for f in data["frames"]) == sorted(names)
    assert len(viewed(field(test, "Split").set_value("validation").run())["frames"]) == 2


def test_labels_3d_of_one_camera_say_what_is_needed(place: Place) -> None:
    test = shown(labels_3d, place)
    assert "not of calibrated cameras" in test.info[0].value and not test.get("bidi_component")


def test_playback_shows_the_skeleton_where_the_videos_are_gone(rat: Place) -> None:
    test = shown(playback_3d, rat)
    data = viewed(test)
    assert len(data["frames"]) == FRAMES and data["views"] == [] and data["fps"] == 25.0
    assert field(test, "Cameras").disabled
    data = viewed(field(test, "Least confidence").set_value(0.5).run())
    assert [sum(point is None for point in frame["points"]) for frame in data["frames"]] == [0, 1, 0, 0, 0, 0]


def test_playback_without_a_prediction_says_where_one_comes_from(place: Place) -> None:
    assert "No points in space" in shown(playback_3d, place).info[0].value
