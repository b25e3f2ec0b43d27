"""Tables of predicted videos: found, read as exact traces, and matched with the very file that was predicted."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vitruve.app.place import Place
from vitruve.app.projects import AppProject
from vitruve.app.videos.lines import Series, drawn, kinds_of, peaks, series_of
from vitruve.app.videos.tables import (
    Traces,
    VideoTable,
    by_video,
    find_tables,
    labelled,
    points_in_video,
    read_traces,
    trace_of,
    videos_for,
)
from vitruve.errors import InputError
from vitruve.formats.calibration import write_cameras
from vitruve.formats.coordinates_3d import PredictionInfo, write_info
from vitruve.formats.coordinates_3d import format_rows as rows_3d
from vitruve.formats.coordinates_3d import header_lines as head_3d
from vitruve.formats.table import format_rows, header_lines
from vitruve.inference.jobs import stamp_of_source

NAMES = ("nose", "tail")


def write_table(path: Path, points: np.ndarray, sure: np.ndarray, start: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "\n".join(header_lines("net", NAMES)) + "\n"
    path.write_text(head + format_rows(range(start, start + len(points)), points, sure))
    return path


@pytest.fixture
def project(place: Place) -> AppProject:
    assert place.project is not None
    return place.project


@pytest.fixture
def table(project: AppProject) -> VideoTable:
    """Frames 0 to 3: the nose moves by (3, 4) px a frame; the tail is missing in frame 2."""
    points = np.stack([[[10 + 3.0 * n, 20 + 4.0 * n], [50, 60]] for n in range(4)])
    points[2, 1] = np.nan
    write_table(project.path / "outputs/first/video_preds/mouse00.csv", points, np.tile([0.9, 0.5], (4, 1)))
    (found,) = find_tables(project)
    return found


def test_a_table_says_what_is_in_it_and_motion(table: VideoTable) -> None:
    traces = read_traces(table)
    assert (traces.names, traces.start, traces.count, traces.unit) == (NAMES, 0, 4, "px")
    assert [kind.axis for kind in traces.kinds] == [
        "x (px)",
        "y (px)",
        "Confidence",
        "Motion since the frame before (px)",
    ]
    np.testing.assert_allclose(traces.values["x"][:, 0], [10, 13, 16, 19])
    np.testing.assert_array_equal(traces.values["temporal_norm"][:, 0], [np.nan, 5, 5, 5])
    np.testing.assert_array_equal(np.isnan(traces.values["temporal_norm"][:, 1]), [True, False, True, True])


def test_errors_beside_a_table_are_read_by_their_names(table: VideoTable) -> None:
    beside = table.path.with_name("mouse00_pca_singleview_error.csv")
    beside.write_text(",tail\n0,1\n1,2\n2,\n3,4\n")
    values = read_traces(table).values["pca_singleview_error"]
    np.testing.assert_array_equal(values[:, 1], [1, 2, np.nan, 4])
    assert np.isnan(values[:, 0]).all()
    # A table of errors is none of predictions.
    beside.write_text(",tail\n0,1\n")
    with pytest.raises(InputError, match="1 rows, but the predictions have 4"):
        read_traces(table)


def test_tables_of_errors_truths_and_parts_are_told_apart(project: AppProject, table: VideoTable) -> None:
    folder = table.path.parent
    (folder / "mouse00_temporal_norm.csv").write_text(",nose,tail\n0,,\n")
    write_table(folder / "mouse00_frames_5_7.csv", np.zeros((3, 2, 2)), np.ones((3, 2)), 5)
    write_table(folder / "member_0" / "mouse00.csv", np.zeros((4, 2, 2)), np.ones((4, 2)))
    tables = find_tables(project)
    assert {(each.video, each.made_by) for each in tables} == {
        ("mouse00", "outputs/first"),
        ("mouse00", "outputs/first (frames 5 to 7)"),
        ("mouse00", "outputs/first/member_0"),
    }
    assert list(by_video(tables)) == [("mouse00", 2)] and len(labelled(tables)) == 3
    part = next(each for each in tables if "frames" in each.made_by)
    assert (read_traces(part).start, read_traces(part).count) == (5, 3)


def test_the_video_is_the_very_one_that_was_predicted(place: Place, project: AppProject, table: VideoTable) -> None:
    other = project.path / "clips" / "mouse00.mp4"
    other.parent.mkdir()
    shutil.copy(project.path / "videos" / "mouse00.mp4", other)
    note = table.path.with_name(".mouse00.json")
    for predicted in (other, project.path / "videos" / "mouse00.mp4"):
        note.write_text(json.dumps({"source": stamp_of_source(predicted)}))
        found = videos_for(place.workspace, project, table)
        assert len(found) == 2 and next(iter(found.values())) == predicted
    note.write_text("damaged")
    assert len(videos_for(place.workspace, project, table)) == 2


def test_points_in_space_are_shown_where_a_camera_sees_them(place: Place, project: AppProject, tmp_path: Path) -> None:
    from calibrated_scene import VIEWS, rig

    cameras = dict(zip(VIEWS, rig(), strict=True))
    points = np.random.default_rng(0).uniform(-30, 30, (4, 2, 3))
    recording = project.path / "recording"
    recording.mkdir()
    for view in VIEWS:
        shutil.copy(project.path / "videos" / "mouse00.mp4", recording / f"{view}.mp4")
    folder = project.path / "outputs/first/predictions/predictions3D/one"
    folder.mkdir(parents=True)
    (folder / "data3D.csv").write_text("\n".join(head_3d(NAMES)) + "\n" + rows_3d(points, np.ones((4, 2))))
    write_info(PredictionInfo(str(recording), None, 7), folder / "info.yaml")
    write_cameras(cameras, folder / "calibration.toml")
    (table,) = find_tables(project)
    traces = read_traces(table)
    assert (table.dims, table.video, traces.start, traces.unit) == (3, "recording", 7, "mm")
    steps = np.linalg.norm(np.diff(points.round(4), axis=0), axis=-1)
    np.testing.assert_allclose(traces.values["temporal_norm"][1:], steps, atol=1e-9)
    assert set(videos_for(place.workspace, project, table)) == set(VIEWS)
    seen = points_in_video(table, traces, VIEWS[0])
    np.testing.assert_allclose(seen, cameras[VIEWS[0]].project(points), atol=0.01)
    assert points_in_video(table, traces, "unknown") is None
    # A recording outside the folders of the app is not shown.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_info(PredictionInfo(str(elsewhere), None, 7), folder / "info.yaml")
    assert videos_for(place.workspace, project, table) == {}


def test_lines_keep_their_frames_when_tables_begin_at_others(project: AppProject, table: VideoTable) -> None:
    write_table(table.path.with_name("mouse00_frames_2_5.csv"), np.full((4, 2, 2), 7.0), np.ones((4, 2)), 2)
    tables = {each.made_by: each for each in find_tables(project)}
    traces = {name: read_traces(each) for name, each in tables.items()}
    one, part = sorted(traces, key=len)
    palette = {one: "#111111", part: "#222222"}
    lines = series_of([one, part], ["nose"], palette)
    assert lines == [Series(one, "nose", "#111111"), Series(part, "nose", "#222222")]
    points = {name: points_in_video(tables[name], traces[name], "mouse00") for name in traces}
    told = drawn(lines, [trace_of("x")], traces, points)
    values, places = (decoded(told[name], shape) for name, shape in (("values", (1, 2, 6)), ("points", (2, 6, 2))))
    nan = np.nan
    np.testing.assert_array_equal(values[0], [[10, 13, 16, 19, nan, nan], [nan, nan, 7, 7, 7, 7]])
    np.testing.assert_array_equal(places[0, 1], [13, 24])
    assert (told["start"], told["count"]) == (0, 6) and [each["table"] for each in told["series"]] == [one, part]


def decoded(text: str, shape: tuple[int, ...]) -> np.ndarray:
    import base64

    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


def test_too_much_for_a_browser_is_refused(table: VideoTable, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = {"a": read_traces(table)}
    monkeypatch.setattr("vitruve.app.videos.lines.MOST_VALUES", 10)
    with pytest.raises(InputError, match="choose fewer"):
        drawn([Series("a", "nose", "#000000")], kinds_of(list(traces.values())), traces, {})


def test_the_worst_frames_come_first_and_one_bad_moment_is_shown_once(table: VideoTable) -> None:
    # Two bad moments, at 20 and at 90, and one that is less bad; around each the error falls off slowly.
    frames = np.arange(100.0)
    nose = sum(high * np.exp(-(((frames - at) / 4) ** 2)) for at, high in ((20, 9.0), (60, 3.0), (90, 7.0)))
    values = {"x": np.stack([frames, frames], 1), "pca_singleview_error": np.stack([nose, frames * np.nan], 1)}
    traces = Traces(("nose", "tail"), 5, values)
    (kind,) = [kind for kind in traces.kinds if kind.error]
    found = peaks(traces, kind, NAMES, 3)
    assert [(frame, name) for frame, name, _ in found] == [(25, "nose"), (95, "nose"), (65, "nose")]
    assert [value for *_, value in found] == pytest.approx([9, 7, 3], abs=1e-6)
    assert peaks(traces, kind, ["tail"], 3) == []


def test_where_confidence_is_least_it_is_worst(table: VideoTable) -> None:
    traces = read_traces(table)
    kinds = {kind.name: kind for kind in traces.kinds}
    assert peaks(traces, kinds["likelihood"], NAMES, 1)[0][1:] == ("tail", 0.5)


def test_what_is_written_anew_is_read_anew(table: VideoTable) -> None:
    before = table.changed
    beside = table.path.with_name("mouse00_temporal_norm.csv")
    beside.write_text(",nose,tail\n" + "0,,\n" * 4)
    os.utime(beside, (before + 10, before + 10))
    assert table.changed == pytest.approx(before + 10)
