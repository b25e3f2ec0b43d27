"""The page of predictions: what it hands in, what it refuses, what it shows."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import vitruve
from app.conftest import Submitted, field_of, shown
from vitruve.app.pages import predict
from vitruve.app.place import Place
from vitruve.app.sources import Kind, find_sources, named_source
from vitruve.app.uploads import keep_file, keep_folder
from vitruve.errors import InputError
from vitruve.jobs import Job

field = partial(field_of, form="predict")


def test_a_part_of_a_video_becomes_a_job(place: Place, submitted: Submitted) -> None:
    assert place.project is not None
    test = shown(predict, place)
    field(test, "source").set_value("mouse/videos/mouse.mp4").run()
    assert any("12 frames of" in each.value for each in test.caption)
    field(test, "start_frame").set_value(2).run()
    field(test, "number").set_value(5).run()
    assert "5 frames of mouse.mp4" in field(test, "start").label
    field(test, "start").click().run()
    assert not test.exception
    (job,) = submitted
    run, video = place.project.path / "outputs" / "first", place.project.path / "videos" / "mouse.mp4"
    said = "--frame-start 2 --number-frames 5 --labeled-video"
    assert job.arguments == ("predict", str(run), str(video), *said.split())
    assert job.about["tables"] == str(run / "video_preds" / "mouse_frames_2_6.csv")
    assert job.about["videos"] == str(video)


def test_what_is_said_of_a_source_moves_no_field(place: Place) -> None:
    def at(test: AppTest) -> list[int]:
        # Where the row with the numbers of frames is in the form.
        form = test.columns[0]
        return [number for number, each in form.children.items() if "Number of frames" in str(each)]

    test = shown(predict, place)
    before = at(test)
    field(test, "source").set_value("mouse/videos/mouse.mp4").run()
    assert any("12 frames of" in each.value for each in test.caption)
    assert len(before) == 1 and at(test) == before


def test_what_has_ended_is_not_said_to_be_at_work(place: Place) -> None:
    assert place.project is not None
    folder = place.jobs.folder / "job-000001"
    folder.mkdir(parents=True)
    about = {"project": str(place.project.path), "kind": "predict"}
    job = Job(folder, ("predict",), place.project.path, "Predict", about)
    job.save()
    job.write("end", {"code": 0, "time": 1.0})
    assert "Last one" in [each.value for each in shown(predict, place).subheader]


def test_frames_that_are_not_there_are_refused_before_anything_begins(place: Place, submitted: Submitted) -> None:
    test = shown(predict, place)
    field(test, "source").set_value("mouse/videos/mouse.mp4").run()
    field(test, "start_frame").set_value(12).run()
    assert [each.value for each in test.error] == ["First frame 12: there are frames 0 to 11"]
    assert not submitted


def test_without_a_run_the_page_says_what_to_do(place: Place) -> None:
    assert place.project is not None
    for file in (place.project.path / "outputs" / "first").glob("model.*"):
        file.unlink()
    test = shown(predict, place)
    assert any("train a network first" in each.value for each in test.info)


def test_a_part_is_what_the_whole_has_there(place: Place) -> None:
    assert place.project is not None
    run, video = place.project.path / "outputs" / "first", place.project.path / "videos" / "mouse.mp4"
    (whole,) = vitruve.predict(run, video, runtime="torch", batch_size=4)
    (part,) = vitruve.predict(run, video, runtime="torch", batch_size=4, frame_start=4, number_frames=5)
    a, b = (pd.read_csv(each.table, header=[0, 1, 2], index_col=0) for each in (whole, part))
    assert b.index.tolist() == [4, 5, 6, 7, 8]
    pd.testing.assert_frame_equal(a.loc[4:8], b, atol=0.01, rtol=0)
    motion = pd.read_csv(part.table.with_name("mouse_frames_4_8_temporal_norm.csv"), index_col=0)
    assert motion.index.tolist() == [4, 5, 6, 7, 8]


def test_sources_of_the_project_come_first(place: Place) -> None:
    found = find_sources(place.workspace, place.project, tuple(Kind))
    named = {place.workspace.name(source.path): source.kind for source in found}
    assert named == {"mouse/labeled-data/mouse": Kind.IMAGES, "mouse/videos/mouse.mp4": Kind.VIDEO}
    with pytest.raises(InputError, match="needed here: video"):
        named_source(place.workspace, "mouse/labeled-data/mouse", (Kind.VIDEO,))
    with pytest.raises(InputError, match="not in the folders"):
        named_source(place.workspace, "../../etc", tuple(Kind))


def test_uploads_lie_beside_what_is_there(place: Place) -> None:
    assert place.project is not None
    folder, video = place.project.path / "uploads", (place.project.path / "videos" / "mouse.mp4").read_bytes()
    image = next(Path(place.project.path / "labeled-data" / "mouse").glob("*.png")).read_bytes()
    first = keep_file(place.workspace, folder, "v.mp4", io.BytesIO(video))
    again = keep_file(place.workspace, folder, "v.mp4", io.BytesIO(video))
    other = keep_file(place.workspace, folder, "v.png", io.BytesIO(image))
    assert first == again == folder / "v.mp4" and other == folder / "v.png"
    (folder / "w.mp4").write_bytes(b"mine")
    second = keep_file(place.workspace, folder, "w.mp4", io.BytesIO(video))
    assert second == folder / "w_2.mp4" and (folder / "w.mp4").read_bytes() == b"mine"
    both = [("a.mp4", io.BytesIO(video)), ("b.mp4", io.BytesIO(video))]
    kept = keep_folder(place.workspace, folder, "a recording", both)
    assert sorted(path.name for path in kept.iterdir()) == ["a.mp4", "b.mp4"]
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match=r"c\.mp4"):
        keep_folder(place.workspace, folder, "x", [("a.mp4", io.BytesIO(video)), ("c.mp4", io.BytesIO(b"no"))])
    assert sorted(folder.rglob("*")) == before
