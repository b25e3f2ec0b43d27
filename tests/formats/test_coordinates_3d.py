from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.coordinates_3d import (
    PredictionInfo,
    read_coordinates,
    read_info,
    write_coordinates,
    write_info,
)
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

NAMES = ("paw_L", "paw_R", "Schwanz, Spitze")


def predictions(dims: int, count: int = 5, start: int = 0) -> Labels:
    """Frames with a missing keypoint each; nothing was detected in the second one."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(count):
        points = np.round(rng.normal(size=(1, 3, dims)) * 500, 4)
        scores = np.round(rng.uniform(size=(1, 3)), 4)
        points[0, number % 3] = np.nan
        if number == 1:
            points[:] = np.nan
        scores[np.isnan(points).any(-1)] = np.nan
        found = Instances.from_keypoints(points, keypoint_scores=scores)
        image = ImageRef(Path(), start + number)
        frames.append(
            Frame((image,), Instances.empty(3), instances_3d=found)
            if dims == 3
            else Frame((image,), found.map(lambda array: array[None]))
        )
    return Labels(Skeleton.from_names(NAMES), tuple(frames))


def of(frame: Frame) -> Instances:
    return frame.instances[0] if frame.instances_3d is None else frame.instances_3d


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("frame_column", [False, True])
def test_what_is_written_comes_back(dims: int, frame_column: bool, tmp_path: Path) -> None:
    wanted = predictions(dims, start=40)
    write_coordinates(wanted, tmp_path / f"data{dims}D.csv", frame_column=frame_column)
    found = read_coordinates(tmp_path, frame_start=None if frame_column else 40)
    assert found.skeleton == wanted.skeleton
    assert [frame.images for frame in found] == [frame.images for frame in wanted]
    for here, there in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(of(here).keypoints, of(there).keypoints)
        np.testing.assert_array_equal(of(here).keypoint_scores, of(there).keypoint_scores)
        np.testing.assert_array_equal(of(here).visible, of(there).visible)


def test_the_layout_is_that_of_jarvis(tmp_path: Path) -> None:
    labels = replace(predictions(3, 2), skeleton=Skeleton(("a", "b", "c")))
    write_coordinates(labels, tmp_path / "data3D.csv")
    lines = (tmp_path / "data3D.csv").read_text().splitlines()
    assert lines[0] == "a,a,a,a,b,b,b,b,c,c,c,c"
    assert lines[1] == ",".join(["x,y,z,confidence"] * 3)
    assert lines[2].startswith("NaN,NaN,NaN,NaN,") and lines[3] == ",".join(["NaN"] * 12) and len(lines) == 4
    write_coordinates(replace(predictions(2, 1), skeleton=labels.skeleton), tmp_path / "data2D.csv", frame_column=True)
    lines = (tmp_path / "data2D.csv").read_text().splitlines()
    assert lines[:2] == ["frame,a,a,a,b,b,b,c,c,c", "frame," + ",".join(["x,y,confidence"] * 3)]
    assert lines[2].startswith("0,NaN,NaN,NaN,")


def test_files_without_header_rows(tmp_path: Path) -> None:
    (tmp_path / "data3D.csv").write_text("1.5,2,3,0.5,NaN,NaN,NaN,NaN\n,,,,4,5,6,1\n")
    found = read_coordinates(tmp_path / "data3D.csv")
    assert found.skeleton.names == ("keypoint_0", "keypoint_1")
    assert found[0].instances_3d.keypoints[0, 0].tolist() == [1.5, 2, 3]
    assert found[1].instances_3d.keypoint_scores[0, 1] == 1 and np.isnan(found[1].instances_3d.keypoints[0, 0]).all()
    assert read_coordinates(tmp_path / "data3D.csv", names=["a", "b"]).skeleton.names == ("a", "b")
    (tmp_path / "data2D.csv").write_text("1,2,0.5,3,4,1\n")
    assert read_coordinates(tmp_path / "data2D.csv")[0].instances.keypoints[0, 0].tolist() == [[1, 2], [3, 4]]


def test_the_info_file_says_where_frames_start(tmp_path: Path) -> None:
    info = PredictionInfo("recordings/day 1", None, 30, -1)
    write_info(info, tmp_path / "info.yaml")
    assert (tmp_path / "info.yaml").read_text() == (
        "recording_path: recordings/day 1\ndataset_name: null\nframe_start: 30\nnumber_frames: -1\n"
    )
    assert read_info(tmp_path / "info.yaml") == info
    write_coordinates(predictions(3), tmp_path / "data3D.csv")
    assert [frame.images[0].index for frame in read_coordinates(tmp_path)] == [30, 31, 32, 33, 34]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "row 1: has 0 columns"),
        ("1,2,3\n", "row 1: has 3 columns; expected x, y, z, confidence a keypoint"),
        ("a,a,a,b\nx,y,z,confidence\n", "rows 1 and 2: must name each keypoint over x, y, z, confidence"),
        ("a,a,a,a\n1,2,3,4\n", "rows 1 and 2: must name each keypoint"),
        ("a,a,a,a,a,a,a,a\nx,y,z,confidence,x,y,z,confidence\n", "row 1: a keypoint is named twice"),
        ("a,a,a,a\nx,y,z,confidence\n1,2,3,4\n1,2\n", "row 4: has 2 columns; expected 4"),
        ("a,a,a,a\nx,y,z,confidence\n1,2,far,4\n", "row 3: 'far' is no number"),
        ("frame,a,a,a,a\nframe,x,y,z,confidence\n7,1,2,3,1\n,1,2,3,1\n", "row 4: the frame must be a whole number"),
        ("frame,a,a,a,a\nframe,x,y,z,confidence\n7.5,1,2,3,1\n", "row 3: the frame must be a whole number"),
    ],
)
def test_errors_name_the_row(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "data3D.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_coordinates(tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_other_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data3D\.csv: cannot be read as CSV"):
        read_coordinates(tmp_path)
    write_coordinates(predictions(3), tmp_path / "data3D.csv")
    with pytest.raises(InputError, match="but the keypoints are a, b, c"):
        read_coordinates(tmp_path, names=["a", "b", "c"])
    for text, words in (("x: 1\n", "recording_path"), ("recording_path: a\nframe_start: x\n", "frame_start")):
        (tmp_path / "info.yaml").write_text(text)
        with pytest.raises(InputError, match=words):
            read_info(tmp_path / "info.yaml")
    with pytest.raises(InputError, match="no frame"):
        write_coordinates(replace(predictions(3), frames=()), tmp_path / "x.csv")
    crowd = predictions(2, 1)
    both = crowd[0].instances.map(lambda array: np.concatenate([array, array], 1))
    with pytest.raises(InputError, match="holds 2 instances"):
        write_coordinates(replace(crowd, frames=(replace(crowd[0], instances=both),)), tmp_path / "x.csv")
    named = replace(crowd, frames=(replace(crowd[0], images=(ImageRef(Path("a.png")),)),))
    with pytest.raises(InputError, match=r"frame 'a\.png': is no frame of a video"):
        write_coordinates(named, tmp_path / "x.csv", frame_column=True)
    assert not (tmp_path / "x.csv").exists()
