"""The pages of videos without a browser: what is offered, and what a job is told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.conftest import shown
from vitruve.app.pages import create_video, video_traces
from vitruve.app.place import Place
from vitruve.formats.table import format_rows, header_lines
from vitruve.jobs import Job, Jobs


@pytest.fixture
def predicted(place: Place) -> Path:
    """The table of the project's video, twelve frames."""
    assert place.project is not None
    table = place.project.path / "outputs/first/video_preds/mouse00.csv"
    table.parent.mkdir(parents=True)
    points = np.random.default_rng(0).uniform(0, 48, (12, 2, 2))
    rows = format_rows(range(12), points, np.full((12, 2), 0.9))
    table.write_text("\n".join(header_lines("net", ["nose", "tail"])) + "\n" + rows)
    return table


def test_without_predictions_both_pages_say_what_to_do(place: Place) -> None:
    for page in (create_video, video_traces):
        assert "No video is predicted yet" in shown(page, place).info[0].value


def test_the_button_hands_in_what_the_fields_say(
    place: Place, predicted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(Jobs, "submit", lambda self, arguments, folder, **more: told.append((arguments, more)))
    assert place.project is not None
    page = shown(create_video, place)
    # It begins with what the run draws itself.
    assert (page.slider[0].value, page.number_input[0].value, page.number_input[1].value) == (0.9, 0, -1)
    page.slider[0].set_value(0.5)
    page.number_input[0].set_value(4)
    page.number_input[1].set_value(3)
    page.run()
    assert page.button[0].label == "Draw the video"
    page.button[0].click().run()
    (arguments, more), video = told[0], place.project.path / "videos" / "mouse00.mp4"
    assert arguments[:5] == ("visualize", "videos", str(predicted), "--video", str(video))
    assert arguments[5:13] == (
        *("--threshold", "0.5", "--colormap", "cool"),
        *("--frame-start", "4", "--number-frames", "3"),
    )
    assert arguments[13] == "--output" and Path(arguments[14]).parent == place.project.path / "visualization"
    assert more["about"]["kind"] == create_video.KIND
    # Another one alike is drawn without typing it all again.
    assert (page.slider[0].value, page.number_input[0].value, page.number_input[1].value) == (0.5, 4, 3)
    page.number_input[1].set_value(9).run()
    assert "from frame 4 on there are 8" in page.error[0].value


def test_a_video_that_is_gone_is_said_and_its_traces_stay(place: Place, predicted: Path) -> None:
    assert place.project is not None
    (place.project.path / "videos" / "mouse00.mp4").unlink()
    assert "not in the folders of this app any more" in shown(create_video, place).error[0].value
    assert "only traces are shown" in shown(video_traces, place).warning[0].value


def test_traces_of_the_address_are_shown_and_damaged_ones_left_out(place: Place, predicted: Path) -> None:
    page = shown(video_traces, place, keypoint="tail", frame="7")
    assert not page.warning and [each.value for each in page.multiselect] == [["outputs/first"], ["tail"]]
    assert page.query_params["frame"] == "7"
    predicted.write_text(predicted.read_text().replace(",net", ",other", 1))
    page.run()
    assert "is left out" in page.warning[0].value


def test_what_was_warned_of_a_video_stands_above_it(place: Place) -> None:
    assert place.project is not None
    video = place.project.path / "outputs/first/video_preds/labeled_videos/mouse00_labeled.mp4"
    video.parent.mkdir(parents=True)
    video.write_bytes(b"0")
    about = {"project": str(place.project.path), "kind": "predict"}
    job = Job(place.jobs.folder / "job-000001", ("predict",), place.project.path, "Predict", about)
    job.path.mkdir(parents=True)
    job.save()
    job.log.write_text(f"warning: {video}: shows 0 of 300 keypoints. Draw again\n{video}: labelled video\n")
    job.write("end", {"code": 0, "time": time.time() + 1})
    assert [each.value for each in shown(create_video, place).warning] == ["Shows 0 of 300 keypoints. Draw again"]
    # It was drawn again by something else.
    job.write("end", {"code": 0, "time": 1.0})
    assert not shown(create_video, place).warning
