"""Data sets made in one process and read back in another, from a real FiftyOne with a real MongoDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from local_viewer import HERE, Viewer
from shown_runs import (
    FRAMES,
    NAMES,
    OFFSETS,
    POINTS,
    SCORES,
    SIZES,
    SPLITS,
    VIDEO_SIZE,
    image_name,
    video_points,
    write_project,
    write_run,
    write_run_of_two_views,
    write_table,
)

Reading = dict[str, Any]


@pytest.fixture(scope="module")
def folder(viewer: Viewer) -> Path:
    """Run ``a`` predicted all images, run ``b`` two of them, with its keypoints in another order."""
    place = viewer.folder / "of the tests"
    project = write_project(place / "project")
    first = write_run(place / "day/a", project)
    second = write_run(place / "day/b", project, (0, 1), ("test", "train"), missing=True, order=(2, 0, 1))
    write_run(place / "night/a", project)
    write_table(first / "video_preds/clip.csv", video_points())
    write_table(second / "video_preds/clip.csv", video_points(1), 0.25)
    write_run_of_two_views(place / "views")
    return place


@pytest.fixture(scope="module")
def results(viewer: Viewer, folder: Path) -> Reading:
    """What each function of ``cases.py`` returned or raised."""
    done = viewer.run(HERE / "cases.py", folder)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def reading(viewer: Viewer, results: Reading) -> Reading:
    done = viewer.run(HERE / "read_back.py")
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def fractions(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """FiftyOne counts from the edge of the image, in widths and heights."""
    return np.stack([(points[..., 0] + 0.5) / size[0], (points[..., 1] + 0.5) / size[1]], -1)


def test_labels_are_one_sample_an_image(reading: Reading, folder: Path) -> None:
    dataset = reading["datasets"]["shown"]
    assert dataset["media_type"] == "image" and dataset["persistent"]
    assert dataset["skeleton"] == [list(NAMES), [[0, 1], [0, 2]]]
    assert len(dataset["samples"]) == 3
    for row, sample in enumerate(dataset["samples"]):
        assert Path(sample["filepath"]) == folder / "project" / image_name(row)
        assert sample["tags"] == [SPLITS[row]]
        assert (sample["metadata"]["width"], sample["metadata"]["height"]) == SIZES[row]
        (animal,) = sample["ground_truth"]
        np.testing.assert_allclose(animal["points"], fractions(POINTS[row], SIZES[row]), rtol=1e-12)
        assert animal["confidence"] is None
        assert animal["occluded"] == [False, row == 2, False]


def test_predictions_stand_beside_the_labels(reading: Reading) -> None:
    for row, sample in enumerate(reading["datasets"]["shown"]["samples"]):
        points = np.nan_to_num(POINTS[row], nan=15) + OFFSETS[row]
        (animal,) = sample["base_preds"]
        np.testing.assert_allclose(animal["points"], fractions(points, SIZES[row]), rtol=1e-12)
        assert animal["confidence"] == pytest.approx(list(SCORES[row]))
        labelled = ~np.isnan(POINTS[row, :, 0])
        errors = np.where(labelled, [10.0 if row == 2 else 5.0, 5.0, 5.0], np.nan)
        np.testing.assert_allclose(animal["pixel_error"], errors)
        assert sample["base_mean_error"] == pytest.approx(np.nanmean(errors))
        assert sample["base_max_error"] == pytest.approx(np.nanmax(errors))
        assert sample["base_confidence"] == pytest.approx(SCORES[row].mean())
        assert sample["base_split"] == SPLITS[row]


def test_another_run_with_other_images_splits_and_order_of_keypoints(reading: Reading, results: Reading) -> None:
    assert results["images"] == ["shown", 3, {"base": "base", "with_ears": "with ears!"}]
    first, second, third = reading["datasets"]["shown"]["samples"]
    (animal,) = first["with_ears_preds"]
    points = POINTS[0] + OFFSETS[0]
    points[1] = np.nan
    np.testing.assert_allclose(animal["points"], fractions(points, SIZES[0]), rtol=1e-12)
    np.testing.assert_allclose(animal["confidence"], [0.9, np.nan, 0.7])
    np.testing.assert_allclose(animal["pixel_error"], [5, np.nan, 5])
    assert [first["with_ears_split"], second["with_ears_split"]] == ["test", "train"]
    assert third["with_ears_preds"] is third["with_ears_split"] is third["with_ears_mean_error"] is None


def test_what_a_data_set_is_for(reading: Reading) -> None:
    views = reading["views"]
    assert views["worst"][0] == ["test"]
    points = [np.array(animals[0]["points"]) for animals in views["confident"]]
    assert [(~np.isnan(each[:, 0])).tolist() for each in points] == [[True, True, False], [True, True, False]]
    for animals in views["tails"]:
        kept = ~np.isnan(np.array(animals[0]["points"])[:, 0])
        assert kept.tolist() == [False, True, False]


@pytest.mark.parametrize(("name", "models"), [("shown_video", ("a", "b")), ("by_script_video", ("one", "two"))])
def test_videos_have_predictions_on_every_frame(
    reading: Reading, folder: Path, name: str, models: tuple[str, str]
) -> None:
    dataset = reading["datasets"][name]
    assert dataset["media_type"] == "video" and dataset["persistent"]
    assert dataset["skeleton"] == [list(NAMES), [[0, 1], [0, 2]]]
    (sample,) = dataset["samples"]
    assert Path(sample["filepath"]) == folder / "project/videos/clip.mp4"
    facts = sample["metadata"]
    assert (facts["frame_width"], facts["frame_height"]) == VIDEO_SIZE
    assert (facts["total_frame_count"], facts["frame_rate"], facts["duration"]) == (FRAMES, 25, FRAMES / 25)
    assert sorted(map(int, sample["frames"])) == list(range(1, FRAMES + 1))
    for shift, score, model in zip((0, 1), (0.5, 0.25), models, strict=True):
        for row, points in enumerate(video_points(shift)):
            frame = sample["frames"][str(row + 1)]
            (animal,) = frame[f"{model}_preds"]
            np.testing.assert_allclose(animal["points"], fractions(points, VIDEO_SIZE), rtol=1e-12)
            expected = np.where(np.isnan(points[:, 0]), np.nan, score)
            np.testing.assert_allclose(animal["confidence"], expected)
            assert frame[f"{model}_confidence"] == pytest.approx(score)


def test_views_of_one_instant_are_a_group(reading: Reading, results: Reading) -> None:
    assert results["views"] == [4, {"run": "run"}]
    dataset = reading["datasets"]["two views"]
    assert dataset["media_type"] == "group"
    sizes = {"top": (80, 60), "side": (160, 120)}
    seen = []
    for sample in dataset["samples"]:
        row = int(Path(sample["filepath"]).stem[-1])
        seen.append((row, sample["view"]))
        assert f"mouse_{sample['view']}" in sample["filepath"]
        (animal,) = sample["ground_truth"]
        np.testing.assert_allclose(animal["points"], fractions(POINTS[row], sizes[sample["view"]]), rtol=1e-12)
        assert sample["run_mean_error"] == pytest.approx(5)
    assert sorted(seen) == [(0, "side"), (0, "top"), (1, "side"), (1, "top")]


def test_nothing_is_replaced_unless_asked(results: Reading, reading: Reading) -> None:
    assert results["again"] == (
        "InputError: FiftyOne data set 'shown': is there already; choose another name, or --overwrite to replace it"
    )
    assert "too much like 'shown'" in results["alike"]
    assert "no name it can have" in results["nameless"]
    assert results["replaced"] == [["shown", "twice"], ["second"]]
    assert "was not made by vitruve" in results["of_others"]
    assert reading["datasets"]["precious"]["samples"] == []


def test_a_failure_leaves_what_was_there_and_nothing_half_made(results: Reading, reading: Reading) -> None:
    message, same, count = results["half_way"]
    assert "img002.png: no such image" in message and message.count("\n") == 0
    assert same and count == 3
    assert results["taken_meanwhile"] == [True, ["second"]]
    assert results["until_it_is_whole"] == [[False, False], [True, True]]
    names = {"shown", "shown_video", "by_script_video", "twice", "precious", "two views"}
    assert set(reading["datasets"]) == names


def test_images_that_have_moved(results: Reading) -> None:
    assert results["elsewhere"] == [True] * 3


def test_videos_that_are_not_predicted(results: Reading) -> None:
    assert "other.mp4: not predicted yet; first: vitruve predict" in results["unpredicted_video"]
    assert "clip.csv: 4 rows, but" in results["short_table"] and "has 5 frames" in results["short_table"]
    assert results["videos"] == ["shown_video", 1, {"a": "a", "b": "b"}]


def test_the_script_of_the_lightning_pose_page(results: Reading) -> None:
    assert results["script"] == "FiftyOne data set: by_script_video\n"


def test_runs_of_the_same_name_are_told_apart(results: Reading) -> None:
    assert results["default_name"] == ["day_a", {"day_a": "day/a", "night_a": "night/a"}]


def test_the_page_is_served_here_and_stopped(results: Reading) -> None:
    assert results["page"] == [True, "<!DOCTYPE html>", False]
    assert "the page cannot be served there" in results["taken_port"]


def test_no_database_is_said_in_one_line(results: Reading) -> None:
    message = results["no_database"]
    assert message.startswith("InputError: FiftyOne reaches no database (Could not connect")
    assert "FIFTYONE_DATABASE_URI" in message and "\n" not in message


def test_nothing_leaves_this_machine_and_only_the_home_of_the_tests_is_written_to(
    reading: Reading, viewer: Viewer
) -> None:
    assert not (viewer.folder / "network.log").exists()
    assert {path.name for path in viewer.folder.iterdir()} >= {"home", "database", "of the tests"}


def test_the_watch_on_the_network_sees_what_it_looks_for(viewer: Viewer) -> None:
    done = viewer.run("-c", "import socket; socket.create_connection(('192.0.2.1', 9), 1)")
    log = viewer.folder / "network.log"
    assert "no connection to 192.0.2.1 in tests" in done.stderr and log.read_text() == "192.0.2.1\n"
    log.unlink()
