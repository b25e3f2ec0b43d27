"""The verbs that draw videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.app.place import Place
from vitruve.app.projects import POSES, RIG, AppProject
from vitruve.app.videos.creation import Drawing, drawn_videos, new_folder, of_cameras, of_videos
from vitruve.app.videos.tables import VideoTable
from vitruve.errors import InputError

DRAWING = Drawing(0.5, "cool", 3, 20)
OPTIONS = ("--threshold", "0.5", "--colormap", "cool", "--frame-start", "3", "--number-frames", "20", "--output", "/o")


def test_each_kind_of_table_has_its_verb() -> None:
    rig, poses = AppProject(Path("/p"), RIG), AppProject(Path("/p"), POSES)
    space = VideoTable(Path("/p/a/data3D.csv"), "a", "recording", None, 3)
    smooth = VideoTable(Path("/p/a/data3D_smoothed.csv"), "a", "recording", None, 3)
    plane = VideoTable(Path("/p/b/data2D.csv"), "b", "clip")
    first, second = (VideoTable(Path(f"/p/outputs/r/video_preds/{n}.csv"), "r", n) for n in ("x", "y"))
    assert of_cameras(rig, space, ["A", "B"], DRAWING, Path("/o")) == (
        *("project", "create-videos3d", "/p", "/p/a", "--cameras", "A,B"),
        *OPTIONS,
    )
    assert of_cameras(rig, smooth, ["A"], Drawing(), Path("/o"))[3:6] == ("/p/a", "--data-csv", "data3D_smoothed.csv")
    assert of_videos(rig, {plane: Path("/v/clip.mp4")}, DRAWING, Path("/o")) == (
        *("project", "create-videos2d", "/p", "/p/b", "--video", "/v/clip.mp4"),
        *OPTIONS,
    )
    assert of_videos(poses, {first: Path("/v/x.mp4"), second: Path("/v/y.mp4")}, DRAWING, Path("/o")) == (
        *("visualize", "videos", str(first.path), str(second.path), "--video", "/v/x.mp4", "--video", "/v/y.mp4"),
        *OPTIONS,
    )
    for wrong in (lambda: of_cameras(rig, space, [], DRAWING, Path("/o")), lambda: of_videos(rig, {}, DRAWING, Path())):
        with pytest.raises(InputError, match="choose at least one"):
            wrong()
    with pytest.raises(InputError, match="several cameras"):
        of_cameras(poses, space, ["A"], DRAWING, Path("/o"))


def test_videos_go_to_a_new_folder_and_are_found_again(place: Place) -> None:
    assert place.project is not None
    folder = new_folder(place.project, 2)
    folder.mkdir(parents=True)
    assert new_folder(place.project, 2) != folder
    assert drawn_videos(place.project) == []
    (folder / "clip_labeled.mp4").touch()
    (folder / "notes.txt").touch()
    own = place.project.path / "outputs/first/video_preds/labeled_videos/mouse00_labeled.mp4"
    own.parent.mkdir(parents=True)
    own.touch()
    assert set(drawn_videos(place.project)) == {folder / "clip_labeled.mp4", own}
